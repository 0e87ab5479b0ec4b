package dev.nibble.serve.api.http;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.nibble.engine.GeneratedToken;
import dev.nibble.engine.GenerationResult;
import java.util.List;
import java.util.Locale;

/** How an API writes an answer as one JSON object; made for one answer. */
public interface WholeWriter {
  /** The answer as one object. */
  ObjectNode whole(String text, List<GeneratedToken> tokens, GenerationResult result);

  /** Bytes that follow that object's JSON text; none in most APIs. */
  default byte[] binary() {
    return new byte[0];
  }

  /** Why an answer ended, in the word that all APIs here have for it. */
  static String finishReason(GenerationResult result) {
    return switch (result.reason()) {
      case STOP -> "stop";
      case LENGTH -> "length";
    };
  }

  /** Nibble's own addition to answers. */
  static ObjectNode timings(GenerationResult result) {
    ObjectNode timings = JsonNodeFactory.instance.objectNode()
        .put("queue_ms", milliseconds(result.queueNanos()))
        .put("prefill_ms", milliseconds(result.prefillNanos()))
        .put("decode_ms", milliseconds(result.decodeNanos()));
    result.placement().ifPresent(placement -> timings.putObject("offload")
        .put("policy", placement.policy().name().toLowerCase(Locale.ROOT))
        .put("accelerator", placement.accelerator())
        .put("accelerator_tokens", placement.acceleratorTokens())
        .put("reason", placement.reason())
        .put("continued", placement.continued()));
    return timings;
  }

  /** To a microsecond. */
  private static double milliseconds(long nanos) {
    return Math.round(nanos / 1e3) / 1e3;
  }
}
