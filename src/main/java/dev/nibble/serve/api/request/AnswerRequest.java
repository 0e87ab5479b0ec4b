package dev.nibble.serve.api.request;

import dev.nibble.engine.Engine;
import dev.nibble.engine.GenerationRequest;
import dev.nibble.engine.OffloadPolicy;
import dev.nibble.engine.SamplingParameters;
import dev.nibble.serve.api.RequestDefaults;
import dev.nibble.serve.api.ServeConfig;
import dev.nibble.serve.api.SpecialTokens;
import dev.nibble.tokenizer.EncodingBudget;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.stream.Stream;

/**
 * A request for an answer, whichever endpoint it came to.
 *
 * @param model name of the model; empty for the default one
 * @param maxTokens most tokens of the answer, or {@link RequestDefaults#ALL_THAT_FIT}; empty where the request does not say
 * @param logProbabilities as the engine takes it: alternatives to report for each token, 0 for the chosen one alone, -1 for nothing
 * @param stream whether to send the answer piece by piece
 * @param includeUsage whether a last piece reports usage
 * @param echo whether the prompt's text goes before the answer
 * @param ignoreEndOfGeneration whether to go on after the model's end token
 * @param offload whether another device may compute the answer; empty where the request does not say
 * @param fieldNames the endpoint's names of fields that the engine calls otherwise
 * @param ignoredFields fields of the request that have no effect
 */
public record AnswerRequest(
    String model,
    Prompt prompt,
    OptionalInt maxTokens,
    SamplingParameters sampling,
    List<String> stop,
    int logProbabilities,
    boolean stream,
    boolean includeUsage,
    boolean echo,
    boolean ignoreEndOfGeneration,
    Optional<OffloadPolicy> offload,
    Map<String, String> fieldNames,
    List<String> ignoredFields) {
  public AnswerRequest {
    stop = List.copyOf(stop);
    fieldNames = Map.copyOf(fieldNames);
    ignoredFields = List.copyOf(ignoredFields);
  }

  /** The same, which ignored further fields. */
  public AnswerRequest ignoring(List<String> more) {
    return new AnswerRequest(
        model, prompt, maxTokens, sampling, stop, logProbabilities, stream, includeUsage, echo, ignoreEndOfGeneration, offload,
        fieldNames, Stream.concat(ignoredFields.stream(), more.stream()).toList());
  }

  /** What the engine is asked. @throws EngineException INVALID_REQUEST or CONTEXT_LENGTH_EXCEEDED if the model can't take the prompt */
  public GenerationRequest generation(Engine engine, ServeConfig config, long deadlineNanos, EncodingBudget budget) {
    int[] promptIds = prompt.ids(engine, SpecialTokens.of(config), budget);
    int most = RequestDefaults.maxTokens(config, engine, promptIds.length, maxTokens);
    return new GenerationRequest(promptIds, most, sampling, stop, logProbabilities, ignoreEndOfGeneration, deadlineNanos).withOffload(offload);
  }
}
