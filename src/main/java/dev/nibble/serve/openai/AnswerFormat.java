package dev.nibble.serve.openai;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.nibble.engine.GeneratedToken;
import dev.nibble.engine.GenerationResult;
import dev.nibble.serve.api.http.StreamWriter;
import dev.nibble.serve.api.http.WholeWriter;
import dev.nibble.serve.api.request.AnswerRequest;
import dev.nibble.tokenizer.Tokenizer;
import java.util.List;
import java.util.Optional;

/**
 * How an answer is written as OpenAI's JSON objects, whole or in chunks. One for each answer, since pieces depend on those before;
 * not thread-safe.
 */
abstract sealed class AnswerFormat implements WholeWriter, StreamWriter permits ChatFormat, TextFormat {
  private final String id;
  private final String model;
  private final long createdEpochSeconds;
  private final String fingerprint;
  private final boolean usageInChunks;
  final Tokenizer tokenizer;
  final boolean measures;

  /**
   * @param id the answer's id
   * @param model name of the model
   * @param fingerprint stands for everything that answers depend on apart from the request
   * @param request what was asked for
   */
  AnswerFormat(String id, String model, long createdEpochSeconds, String fingerprint, Tokenizer tokenizer, AnswerRequest request) {
    this.id = id;
    this.model = model;
    this.createdEpochSeconds = createdEpochSeconds;
    this.fingerprint = fingerprint;
    this.tokenizer = tokenizer;
    usageInChunks = request.stream() && request.includeUsage();
    measures = request.logProbabilities() >= 0;
  }

  /** The {@code object} field of whole answers, or of chunks. */
  abstract String objectName(boolean chunk);

  /** Puts a whole answer's text and measurements into its choice. */
  abstract void putWhole(ObjectNode choice, String text, List<GeneratedToken> tokens);

  /** Puts what begins an answer into its first chunk's choice. */
  abstract void putFirst(ObjectNode choice, String prefix);

  /** Puts a piece of text, and the token it came with (null at the end), into a chunk's choice. */
  abstract void putPiece(ObjectNode choice, String text, GeneratedToken tokenOrNull);

  /** Puts what the last chunk's choice holds. */
  abstract void putLast(ObjectNode choice);

  /** Whether the answer needs a chunk before its first piece. */
  abstract boolean hasFirst(String prefix);

  @Override
  public final ObjectNode whole(String text, List<GeneratedToken> tokens, GenerationResult result) {
    ObjectNode body = head(false);
    ObjectNode choice = body.putArray("choices").addObject().put("index", 0);
    putWhole(choice, text, tokens);
    choice.put("finish_reason", WholeWriter.finishReason(result));
    body.set("usage", usage(result));
    body.set("timings", WholeWriter.timings(result));
    return body;
  }

  @Override
  public final Optional<ObjectNode> first(String prefix) {
    if (!hasFirst(prefix)) {
      return Optional.empty();
    }
    ObjectNode body = chunk();
    ObjectNode choice = body.withArray("choices").addObject().put("index", 0);
    putFirst(choice, prefix);
    choice.putNull("logprobs").putNull("finish_reason");
    return Optional.of(body);
  }

  @Override
  public final ObjectNode piece(String text, GeneratedToken tokenOrNull) {
    ObjectNode body = chunk();
    ObjectNode choice = body.withArray("choices").addObject().put("index", 0);
    putPiece(choice, text, tokenOrNull);
    choice.putNull("finish_reason");
    return body;
  }

  @Override
  public final List<ObjectNode> ends(GenerationResult result) {
    return usageInChunks ? List.of(last(result), usageChunk(result)) : List.of(last(result));
  }

  @Override
  public final boolean saysDone() {
    return true;
  }

  /** The chunk that says why the answer ended. */
  private ObjectNode last(GenerationResult result) {
    ObjectNode body = chunk();
    ObjectNode choice = body.withArray("choices").addObject().put("index", 0);
    putLast(choice);
    choice.putNull("logprobs").put("finish_reason", WholeWriter.finishReason(result));
    body.set("timings", WholeWriter.timings(result));
    return body;
  }

  /** The chunk after that, where usage was asked for. */
  private ObjectNode usageChunk(GenerationResult result) {
    ObjectNode body = head(true);
    body.putArray("choices");
    body.set("usage", usage(result));
    return body;
  }

  private ObjectNode chunk() {
    ObjectNode body = head(true);
    body.putArray("choices");
    if (usageInChunks) {
      body.putNull("usage");
    }
    return body;
  }

  private ObjectNode head(boolean chunk) {
    return JsonNodeFactory.instance.objectNode()
        .put("id", id)
        .put("object", objectName(chunk))
        .put("created", createdEpochSeconds)
        .put("model", model)
        .put("system_fingerprint", fingerprint);
  }

  private static ObjectNode usage(GenerationResult result) {
    return JsonNodeFactory.instance.objectNode()
        .put("prompt_tokens", result.promptTokens())
        .put("completion_tokens", result.completionTokens())
        .put("total_tokens", result.promptTokens() + result.completionTokens());
  }

  static ArrayNode bytes(byte[] bytes) {
    ArrayNode array = JsonNodeFactory.instance.arrayNode(bytes.length);
    for (byte value : bytes) {
      array.add(Byte.toUnsignedInt(value));
    }
    return array;
  }
}
