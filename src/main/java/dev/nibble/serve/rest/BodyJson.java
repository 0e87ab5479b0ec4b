package dev.nibble.serve.rest;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.core.exc.StreamConstraintsException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.nibble.engine.EngineError;
import dev.nibble.engine.EngineException;
import dev.nibble.tokenizer.EncodingBudget;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.PushbackInputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Map;
import java.util.Set;

/**
 * Reads requests' bodies, JSON in UTF-8, for a model of a given context. Strict: a name given twice, or anything after the value, makes a body malformed. What no
 * request for that model needs ends the reading where it is found: a text that can't fit in the context, or more values than any prompt has. So what a body costs
 * does not grow with what its sender made of it.
 *
 * @param context tokens that prompts may have
 * @param longestText most characters that so many tokens can stand for
 */
record BodyJson(int context, long longestText, ObjectMapper mapper) {
  /** Values that a body may have beside four for each token of the context: options, biases of tokens, … */
  private static final long OTHER_VALUES = 100_000;
  private static final byte[] BYTE_ORDER_MARK = {(byte) 0xEF, (byte) 0xBB, (byte) 0xBF};
  /** Fields that hold prompts. */
  private static final Set<String> PROMPTS = Set.of("messages", "prompt", "text_input", "inputs");

  static BodyJson of(int context, long longestText) {
    JsonFactory factory = JsonFactory.builder()
        .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
        .streamReadConstraints(new Limits(longestText, OTHER_VALUES + 4L * context))
        .build();
    return new BodyJson(context, longestText, JsonMapper.builder(factory).enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS).build());
  }

  /**
   * Reads a body to its end.
   *
   * @throws EngineException INVALID_REQUEST if it is not a JSON object, CONTEXT_LENGTH_EXCEEDED if a text in it is too long for the model
   */
  ObjectNode read(Body body, EncodingBudget budget) {
    if (body.size() == 0) {
      throw invalid("The body is empty; a JSON object is needed.");
    }
    try (InputStream bytes = body.open(budget)) {
      return read(bytes, body.compressed());
    } catch (IOException malformed) {
      throw malformed(body.compressed());
    }
  }

  /**
   * A body whose JSON text is followed by the bytes of tensors.
   *
   * @param tensors those bytes
   */
  record WithTensors(ObjectNode json, ByteBuffer tensors) {}

  /**
   * Reads a body that is JSON text and the bytes of tensors to its end.
   *
   * @param jsonBytes how many bytes, decompressed, the JSON text has
   * @throws EngineException as {@link #read(Body, EncodingBudget)}, and INVALID_REQUEST if there are fewer
   */
  WithTensors read(Body body, int jsonBytes, EncodingBudget budget) {
    try (InputStream bytes = body.open(budget)) {
      byte[] text = bytes.readNBytes(jsonBytes);
      if (text.length < jsonBytes) {
        throw EngineException.invalid(RawInputs.Binary.HEADER, "The header " + RawInputs.Binary.HEADER + " is " + jsonBytes + ", but the body has " + text.length + " bytes.");
      }
      ObjectNode json = read(new ByteArrayInputStream(text), false);
      return new WithTensors(json, ByteBuffer.wrap(bytes.readAllBytes()));
    } catch (IOException malformed) {
      throw malformed(body.compressed());
    }
  }

  private static EngineException malformed(boolean compressed) {
    return invalid(compressed ? "The body is not JSON in UTF-8, compressed as Content-Encoding says." : "The body is not well-formed JSON in UTF-8.");
  }

  private ObjectNode read(InputStream source, boolean compressed) {
    JsonNode tree;
    try (InputStream bytes = withoutMark(source);
        JsonParser parser = mapper.createParser(new InputStreamReader(bytes, StandardCharsets.UTF_8.newDecoder()))) {
      try {
        tree = mapper.readTree(parser);
      } catch (TextTooLongException tooLong) {
        throw tooLong(parser.getParsingContext().pathAsPointer().toString());
      }
    } catch (StreamConstraintsException tooMuch) {
      throw invalid("The body has more values, or values within values, than any request needs.");
    } catch (JsonProcessingException malformed) {
      // Jackson's own words tell of its settings and classes: the place is what helps the sender.
      String place = malformed.getLocation() == null
          ? ""
          : " at line " + malformed.getLocation().getLineNr() + ", column " + malformed.getLocation().getColumnNr();
      throw invalid("The body is not well-formed JSON: reading it failed" + place + ".");
    } catch (IOException malformed) {
      throw malformed(compressed);
    }
    if (tree instanceof ObjectNode object) {
      return object;
    }
    throw invalid("The body is " + (tree == null || tree.isMissingNode() ? "empty" : Fields.describe(tree)) + "; a JSON object is needed.");
  }

  private EngineException tooLong(String path) {
    int end = path.indexOf('/', 1);
    String field = path.isEmpty() ? "" : path.substring(1, end < 0 ? path.length() : end);
    if (PROMPTS.contains(field)) {
      return EngineException.contextLengthExceeded(context, "the prompt has more", Map.of("field", field));
    }
    return EngineException.invalid(field, field + " has a text of more than " + longestText + " characters, which is longer than any text for this model.");
  }

  private static InputStream withoutMark(InputStream bytes) throws IOException {
    PushbackInputStream stream = new PushbackInputStream(bytes, BYTE_ORDER_MARK.length);
    byte[] start = stream.readNBytes(BYTE_ORDER_MARK.length);
    for (byte first : start) {
      if (first == 0 || first == (byte) 0xFE || first == (byte) 0xFF) {
        throw new CharacterCodingException(); // UTF-16 and UTF-32 begin so, JSON in UTF-8 never does
      }
    }
    if (!Arrays.equals(start, BYTE_ORDER_MARK)) {
      stream.unread(start);
    }
    return stream;
  }

  private static EngineException invalid(String message) {
    return new EngineException(EngineError.INVALID_REQUEST, message, Map.of());
  }

  /** Jackson's limits, with an exception of its own for the one that a sender can do something about. */
  private static final class Limits extends StreamReadConstraints {
    private static final long serialVersionUID = 1L;

    Limits(long longestText, long mostValues) {
      super(DEFAULT_MAX_DEPTH, DEFAULT_MAX_DOC_LEN, DEFAULT_MAX_NUM_LEN, (int) Math.min(longestText, Integer.MAX_VALUE), DEFAULT_MAX_NAME_LEN, mostValues);
    }

    @Override
    public void validateStringLength(int length) throws StreamConstraintsException {
      if (length > getMaxStringLength()) {
        throw new TextTooLongException();
      }
    }
  }

  private static final class TextTooLongException extends StreamConstraintsException {
    private static final long serialVersionUID = 1L;

    TextTooLongException() {
      super("a text is too long for the model");
    }
  }
}
