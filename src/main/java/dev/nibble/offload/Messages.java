package dev.nibble.offload;

import com.google.protobuf.Duration;
import dev.nibble.engine.SamplingParameters;
import dev.nibble.offload.v1.Sampling;
import java.util.List;
import java.util.stream.IntStream;

/** Parts of messages. */
final class Messages {
  private static final long NANOS_PER_SECOND = 1_000_000_000L;

  private Messages() {}

  static List<Integer> list(int[] ids) {
    return IntStream.of(ids).boxed().toList();
  }

  static Sampling sampling(SamplingParameters parameters) {
    return Sampling.newBuilder().setTemperature(parameters.temperature()).setTopK(parameters.topK()).setTopP(parameters.topP()).setMinP(parameters.minP())
        .setRepetitionPenalty(parameters.repetitionPenalty()).setPresencePenalty(parameters.presencePenalty()).setFrequencyPenalty(parameters.frequencyPenalty())
        .putAllLogitBias(parameters.logitBias()).setSeed(parameters.seed()).build();
  }

  static SamplingParameters sampling(Sampling message) {
    return new SamplingParameters(message.getTemperature(), message.getTopK(), message.getTopP(), message.getMinP(), message.getRepetitionPenalty(),
        message.getPresencePenalty(), message.getFrequencyPenalty(), message.getLogitBiasMap(), message.getSeed());
  }

  static Duration duration(long nanos) {
    return Duration.newBuilder().setSeconds(nanos / NANOS_PER_SECOND).setNanos((int) (nanos % NANOS_PER_SECOND)).build();
  }

  static long nanos(Duration duration) {
    return duration.getSeconds() * NANOS_PER_SECOND + duration.getNanos();
  }
}
