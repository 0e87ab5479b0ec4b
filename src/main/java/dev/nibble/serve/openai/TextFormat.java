package dev.nibble.serve.openai;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.nibble.engine.GeneratedToken;
import dev.nibble.engine.GeneratedToken.TokenLogProbability;
import dev.nibble.engine.TextAssembler;
import dev.nibble.serve.api.request.AnswerRequest;
import dev.nibble.tokenizer.Tokenizer;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.List;

/** {@code text_completion} objects, the same for whole answers and chunks. */
final class TextFormat extends AnswerFormat {
  // Where the next token begins in the answer's text: the assembler holds an unfinished character back.
  private final TextAssembler measured = new TextAssembler(List.of());
  private int offset; // in characters (code points), as OpenAI counts

  TextFormat(String id, String model, long createdEpochSeconds, String fingerprint, Tokenizer tokenizer, AnswerRequest request) {
    super(id, model, createdEpochSeconds, fingerprint, tokenizer, request);
  }

  @Override
  String objectName(boolean chunk) {
    return "text_completion";
  }

  @Override
  void putWhole(ObjectNode choice, String text, List<GeneratedToken> tokens) {
    choice.put("text", text);
    putLogProbabilities(choice, tokens);
  }

  @Override
  boolean hasFirst(String prefix) {
    return !prefix.isEmpty();
  }

  @Override
  void putFirst(ObjectNode choice, String prefix) {
    choice.put("text", prefix);
  }

  @Override
  void putPiece(ObjectNode choice, String text, GeneratedToken tokenOrNull) {
    choice.put("text", text);
    putLogProbabilities(choice, tokenOrNull == null ? List.of() : List.of(tokenOrNull));
  }

  @Override
  void putLast(ObjectNode choice) {
    choice.put("text", "");
  }

  private void putLogProbabilities(ObjectNode choice, List<GeneratedToken> tokens) {
    if (!measures) {
      choice.putNull("logprobs");
      return;
    }
    ObjectNode probabilities = choice.putObject("logprobs");
    ArrayNode texts = probabilities.putArray("tokens");
    ArrayNode values = probabilities.putArray("token_logprobs");
    ArrayNode alternatives = probabilities.putArray("top_logprobs");
    ArrayNode offsets = probabilities.putArray("text_offset");
    for (GeneratedToken token : tokens) {
      texts.add(name(token.id()));
      values.add(token.logProbability());
      ObjectNode likely = alternatives.addObject();
      for (TokenLogProbability alternative : token.alternatives()) {
        likely.put(name(alternative.id()), alternative.logProbability());
      }
      offsets.add(offset);
      String released = measured.append(tokenizer.bytes(token.id(), false));
      offset += released.codePointCount(0, released.length());
    }
  }

  /** A token's text, or {@code bytes:\xe2\x80} where its bytes are not whole characters, so that tokens stay apart. */
  private String name(int id) {
    byte[] bytes = tokenizer.bytes(id, true);
    try {
      return StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes)).toString();
    } catch (CharacterCodingException partial) {
      StringBuilder name = new StringBuilder("bytes:");
      for (byte value : bytes) {
        name.append("\\x").append(Character.forDigit(value >> 4 & 15, 16)).append(Character.forDigit(value & 15, 16));
      }
      return name.toString();
    }
  }
}
