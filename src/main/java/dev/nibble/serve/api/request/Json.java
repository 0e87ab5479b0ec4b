package dev.nibble.serve.api.request;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.core.json.JsonReadFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.json.JsonMapper;
import dev.nibble.engine.EngineException;
import dev.nibble.serve.api.http.BodyJson;
import java.io.UncheckedIOException;

/** JSON text to trees and back; bodies are read by {@link BodyJson}. Strict: a name given twice, or anything after the value, makes a text malformed. */
public final class Json {
  private static final ObjectMapper MAPPER =
      JsonMapper.builder(JsonFactory.builder().enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION).build())
          .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
          .disable(JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS)
          .build();

  private Json() {}

  /** Reads JSON text within a request's field. @throws EngineException INVALID_REQUEST if it is not well-formed */
  public static JsonNode readText(String text, String field) {
    try {
      return MAPPER.readTree(text);
    } catch (JsonProcessingException malformed) {
      throw EngineException.invalid(field, field + " is not well-formed JSON.");
    }
  }

  /** JSON text of a tree, on one line. */
  public static String write(JsonNode tree) {
    try {
      // As chars: Jackson's UTF-8 writer fails on half a surrogate pair, which a client's text may hold.
      return MAPPER.writeValueAsString(tree);
    } catch (JsonProcessingException failure) {
      throw new UncheckedIOException(failure);
    }
  }
}
