package dev.nibble.serve.rest;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.core.json.JsonReadFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.nibble.engine.EngineError;
import dev.nibble.engine.EngineException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Map;

/** JSON text to trees and back. Strict: a name given twice, or anything after the value, makes a body malformed. */
final class Json {
  private static final ObjectMapper MAPPER =
      JsonMapper.builder(JsonFactory.builder().enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION).build())
          .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
          .disable(JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS)
          .build();

  private Json() {}

  /** Reads a request's body, UTF-8. @throws EngineException INVALID_REQUEST if it is not a JSON object */
  static ObjectNode readObject(byte[] body) {
    if (body.length == 0) {
      throw invalid("The body is empty; a JSON object is needed.");
    }
    JsonNode tree;
    try {
      tree = MAPPER.readTree(body);
    } catch (JsonProcessingException malformed) {
      // Jackson's own words tell of its settings and classes: the place is what helps the sender.
      String place = malformed.getLocation() == null
          ? ""
          : " at line " + malformed.getLocation().getLineNr() + ", column " + malformed.getLocation().getColumnNr();
      throw invalid("The body is not well-formed JSON: reading it failed" + place + ".");
    } catch (IOException malformed) {
      throw invalid("The body is not well-formed JSON in UTF-8.");
    }
    if (tree instanceof ObjectNode object) {
      return object;
    }
    throw invalid("The body is " + Fields.describe(tree) + "; a JSON object is needed.");
  }

  /** Reads JSON text within a request's field. @throws EngineException INVALID_REQUEST if it is not well-formed */
  static JsonNode readText(String text, String field) {
    try {
      return MAPPER.readTree(text);
    } catch (JsonProcessingException malformed) {
      throw EngineException.invalid(field, field + " is not well-formed JSON.");
    }
  }

  /** JSON text of a tree, on one line. */
  static String write(ObjectNode tree) {
    try {
      // As chars: Jackson's UTF-8 writer fails on half a surrogate pair, which a client's text may hold.
      return MAPPER.writeValueAsString(tree);
    } catch (JsonProcessingException failure) {
      throw new UncheckedIOException(failure);
    }
  }

  private static EngineException invalid(String message) {
    return new EngineException(EngineError.INVALID_REQUEST, message, Map.of());
  }
}
