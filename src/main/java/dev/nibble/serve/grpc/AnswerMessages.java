package dev.nibble.serve.grpc;

import com.google.protobuf.Duration;
import dev.nibble.engine.GeneratedToken;
import dev.nibble.engine.GenerationResult;
import dev.nibble.engine.Placement;
import dev.nibble.tokenizer.Tokenizer;
import dev.nibble.v1.FinishReason;
import dev.nibble.v1.Offload;
import dev.nibble.v1.OffloadPolicy;
import dev.nibble.v1.Timings;
import dev.nibble.v1.Token;
import dev.nibble.v1.TokenLogProbability;
import dev.nibble.v1.Usage;
import java.nio.charset.StandardCharsets;

/** Parts of answers as messages. */
final class AnswerMessages {
  private static final long NANOS_PER_SECOND = 1_000_000_000L;

  private AnswerMessages() {}

  /** {@code measured} tells whether log-probabilities were asked for. */
  static Token token(GeneratedToken token, Tokenizer tokenizer, boolean measured) {
    Token.Builder message = Token.newBuilder().setId(token.id()).setText(new String(tokenizer.bytes(token.id(), true), StandardCharsets.UTF_8));
    if (measured) {
      message.setLogProbability(token.logProbability());
      for (GeneratedToken.TokenLogProbability alternative : token.alternatives()) {
        message.addAlternatives(
            TokenLogProbability.newBuilder().setTokenId(alternative.id()).setText(alternative.text()).setLogProbability(alternative.logProbability()));
      }
    }
    return message.build();
  }

  static FinishReason finishReason(GenerationResult result) {
    return switch (result.reason()) {
      case STOP -> FinishReason.FINISH_REASON_STOP;
      case LENGTH -> FinishReason.FINISH_REASON_LENGTH;
    };
  }

  static Usage usage(GenerationResult result) {
    return Usage.newBuilder()
        .setPromptTokens(result.promptTokens())
        .setCompletionTokens(result.completionTokens())
        .setTotalTokens(result.promptTokens() + result.completionTokens())
        .build();
  }

  static Timings timings(GenerationResult result) {
    Timings.Builder timings = Timings.newBuilder()
        .setQueue(duration(result.queueNanos()))
        .setPrefill(duration(result.prefillNanos()))
        .setDecode(duration(result.decodeNanos()));
    result.placement().ifPresent(placement -> timings.setOffload(offload(placement)));
    return timings.build();
  }

  private static Offload offload(Placement placement) {
    OffloadPolicy policy = switch (placement.policy()) {
      case OFF -> OffloadPolicy.OFFLOAD_POLICY_OFF;
      case AUTO -> OffloadPolicy.OFFLOAD_POLICY_AUTO;
      case PREFER -> OffloadPolicy.OFFLOAD_POLICY_PREFER;
      case REQUIRE -> OffloadPolicy.OFFLOAD_POLICY_REQUIRE;
    };
    return Offload.newBuilder().setPolicy(policy).setAccelerator(placement.accelerator()).setAcceleratorTokens(placement.acceleratorTokens())
        .setReason(placement.reason()).setContinued(placement.continued()).build();
  }

  private static Duration duration(long nanos) {
    return Duration.newBuilder().setSeconds(nanos / NANOS_PER_SECOND).setNanos((int) (nanos % NANOS_PER_SECOND)).build();
  }
}
