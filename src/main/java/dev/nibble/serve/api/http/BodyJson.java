package dev.nibble.serve.api.http;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonLocation;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonStreamContext;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.core.exc.StreamConstraintsException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectReader;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.nibble.engine.EngineError;
import dev.nibble.engine.EngineException;
import dev.nibble.serve.api.request.Fields;
import dev.nibble.serve.api.request.ForeignFields;
import dev.nibble.serve.api.request.RawInputs;
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
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Reads requests' bodies, JSON in UTF-8, for a model of a given context. Strict: a name given twice, or anything after the value, makes a body malformed. What no
 * request for that model needs ends the reading where it is found: a text that can't fit in the context, or more values than any prompt has. So what a body costs
 * does not grow with what its sender made of it.
 *
 * @param context tokens that prompts may have
 * @param longestText most characters that so many tokens can stand for
 */
public record BodyJson(int context, long longestText, ObjectReader reader) {
  /** Values that a body may have beside four for each token of the context: options, biases of tokens, … */
  private static final long OTHER_VALUES = 100_000;
  private static final byte[] BYTE_ORDER_MARK = {(byte) 0xEF, (byte) 0xBB, (byte) 0xBF};
  /** Places of texts that prompts are made of. */
  private static final Pattern PROMPT = Pattern.compile("(prompt|text_input|inputs)\\b.*|messages\\[\\d+]\\.content(\\[\\d+]\\.text)?");
  /** Places in a part of a message's content, which is text or is refused. */
  private static final Pattern PART = Pattern.compile("(messages\\[\\d+]\\.content\\[\\d+]\\.[^.\\[]+).*");

  public static BodyJson of(int context, long longestText) {
    JsonFactory factory = JsonFactory.builder()
        .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
        .streamReadConstraints(new Limits(longestText, OTHER_VALUES + 4L * context))
        .build();
    return new BodyJson(context, longestText, JsonMapper.builder(factory).build().reader());
  }

  /**
   * Reads a body to its end.
   *
   * @throws EngineException INVALID_REQUEST if it is not a JSON object, CONTEXT_LENGTH_EXCEEDED if a text in it is too long for the model
   */
  public ObjectNode read(Body body, EncodingBudget budget) {
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
  public record WithTensors(ObjectNode json, ByteBuffer tensors) {}

  /**
   * Reads a body that is JSON text and the bytes of tensors to its end.
   *
   * @param jsonBytes how many bytes, decompressed, the JSON text has
   * @throws EngineException as {@link #read(Body, EncodingBudget)}, and INVALID_REQUEST if there are fewer
   */
  public WithTensors read(Body body, int jsonBytes, EncodingBudget budget) {
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
    try (InputStream bytes = withoutMark(source);
        JsonParser parser = reader.createParser(new InputStreamReader(bytes, StandardCharsets.UTF_8.newDecoder()))) {
      try {
        return object(parser);
      } catch (TextTooLongException tooLong) {
        throw tooLong(place(parser.getParsingContext()));
      }
    } catch (StreamConstraintsException tooMuch) {
      throw invalid("The body has more values, or values within values, than any request needs.");
    } catch (JsonProcessingException malformed) {
      // Jackson's own words tell of its settings and classes: the place is what helps the sender.
      String place = malformed.getLocation() == null ? "" : at(malformed.getLocation());
      throw invalid("The body is not well-formed JSON: reading it failed" + place + ".");
    } catch (IOException malformed) {
      throw malformed(compressed);
    }
  }

  private ObjectNode object(JsonParser parser) throws IOException {
    JsonToken first = parser.nextToken();
    if (first != JsonToken.START_OBJECT) {
      // An array or a text is not read, however long it is.
      JsonNode other = first == JsonToken.START_ARRAY ? JsonNodeFactory.instance.arrayNode()
          : first == JsonToken.VALUE_STRING ? JsonNodeFactory.instance.textNode("") : reader.readTree(parser);
      throw invalid("The body is " + (other == null || other.isMissingNode() ? "empty" : Fields.describe(other)) + "; a JSON object is needed.");
    }
    ObjectNode object = JsonNodeFactory.instance.objectNode();
    while (parser.nextToken() == JsonToken.FIELD_NAME) {
      String name = parser.currentName();
      parser.nextToken();
      if (ForeignFields.disregardedNames().contains(name)) {
        parser.skipChildren(); // whatever it is, and however long
        object.putNull(name);
      } else {
        object.set(name, reader.readTree(parser));
      }
    }
    if (parser.nextToken() != null) {
      throw invalid("The body is not well-formed JSON: there is more after its end" + at(parser.currentTokenLocation()) + ".");
    }
    return object;
  }

  private static String at(JsonLocation place) {
    return " at line " + place.getLineNr() + ", column " + place.getColumnNr();
  }

  /** Where a value is, as messages name fields. */
  private static String place(JsonStreamContext context) {
    StringBuilder place = new StringBuilder();
    for (JsonStreamContext at = context; at != null && !at.inRoot(); at = at.getParent()) {
      place.insert(0, at.inArray() ? "[" + at.getCurrentIndex() + "]" : "." + at.getCurrentName());
    }
    return place.isEmpty() ? "" : place.substring(1);
  }

  private EngineException tooLong(String place) {
    if (PROMPT.matcher(place).matches()) {
      String field = place.replaceFirst("\\W.*", "");
      return EngineException.contextLengthExceeded(context, "the prompt has more", Map.of("field", field));
    }
    Matcher part = PART.matcher(place);
    if (part.matches()) {
      return EngineException.invalid(part.group(1), part.group(1) + " is not supported: the model understands nothing but text. Leave it out.");
    }
    return ForeignFields.refusal(place.replaceFirst("\\W.*", "")).orElseGet(() ->
        EngineException.invalid(place, place + " has a text of more than " + longestText + " characters, which is longer than any text for this model."));
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
