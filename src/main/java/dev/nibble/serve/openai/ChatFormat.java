package dev.nibble.serve.openai;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.nibble.engine.GeneratedToken;
import dev.nibble.engine.GeneratedToken.TokenLogProbability;
import dev.nibble.serve.api.request.AnswerRequest;
import dev.nibble.tokenizer.Tokenizer;
import java.nio.charset.StandardCharsets;
import java.util.List;

/** {@code chat.completion} and {@code chat.completion.chunk} objects. */
final class ChatFormat extends AnswerFormat {
  ChatFormat(String id, String model, long createdEpochSeconds, String fingerprint, Tokenizer tokenizer, AnswerRequest request) {
    super(id, model, createdEpochSeconds, fingerprint, tokenizer, request);
  }

  @Override
  String objectName(boolean chunk) {
    return chunk ? "chat.completion.chunk" : "chat.completion";
  }

  @Override
  void putWhole(ObjectNode choice, String text, List<GeneratedToken> tokens) {
    choice.putObject("message").put("role", "assistant").put("content", text).putNull("refusal");
    putLogProbabilities(choice, tokens);
  }

  @Override
  boolean hasFirst(String prefix) {
    return true;
  }

  @Override
  void putFirst(ObjectNode choice, String prefix) {
    choice.putObject("delta").put("role", "assistant").put("content", prefix);
  }

  @Override
  void putPiece(ObjectNode choice, String text, GeneratedToken tokenOrNull) {
    choice.putObject("delta").put("content", text);
    putLogProbabilities(choice, tokenOrNull == null ? List.of() : List.of(tokenOrNull));
  }

  @Override
  void putLast(ObjectNode choice) {
    choice.putObject("delta");
  }

  private void putLogProbabilities(ObjectNode choice, List<GeneratedToken> tokens) {
    if (!measures) {
      choice.putNull("logprobs");
      return;
    }
    ObjectNode measured = choice.putObject("logprobs");
    ArrayNode content = measured.putArray("content");
    for (GeneratedToken token : tokens) {
      ObjectNode entry = content.addObject();
      putToken(entry, token.id(), token.logProbability());
      ArrayNode alternatives = entry.putArray("top_logprobs");
      for (TokenLogProbability alternative : token.alternatives()) {
        putToken(alternatives.addObject(), alternative.id(), alternative.logProbability());
      }
    }
    measured.putNull("refusal");
  }

  /** A token goes by its own bytes, which need not be whole characters: {@code bytes} tells what {@code token} can't. */
  private void putToken(ObjectNode entry, int id, float logProbability) {
    byte[] bytes = tokenizer.bytes(id, true);
    entry.put("token", new String(bytes, StandardCharsets.UTF_8)).put("logprob", logProbability).set("bytes", bytes(bytes));
  }
}
