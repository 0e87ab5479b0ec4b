package dev.nibble.serve.grpc;

import dev.nibble.engine.Engine;
import dev.nibble.engine.EngineException;
import dev.nibble.engine.GenerationRequest;
import dev.nibble.engine.OffloadPolicy;
import dev.nibble.engine.SamplingParameters;
import dev.nibble.serve.api.PromptBuilder;
import dev.nibble.serve.api.RequestDefaults;
import dev.nibble.serve.api.ServeConfig;
import dev.nibble.serve.api.SpecialTokens;
import dev.nibble.tokenizer.ChatMessage;
import dev.nibble.tokenizer.EncodingBudget;
import dev.nibble.v1.ChatInput;
import dev.nibble.v1.GenerationOptions;
import dev.nibble.v1.SamplingOptions;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;

/** Turns generation options as they come over the wire into an engine's request. */
final class GenerationReader {
  private static final int NOT_MEASURED = -1;

  private GenerationReader() {}

  /** @throws EngineException INVALID_REQUEST, with the engine's name of the field, or CONTEXT_LENGTH_EXCEEDED */
  static GenerationRequest read(GenerationOptions options, Engine engine, ServeConfig config, long deadlineNanos, EncodingBudget budget) {
    SamplingParameters sampling = sampling(options.getSampling());
    int logProbabilities = logProbabilities(options);
    if (options.hasMaxTokens() && options.getMaxTokens() < 1) {
      // 0 is refused here: to the engine it would mean as many as the context leaves.
      throw EngineException.invalid("max_tokens", "max_tokens is " + options.getMaxTokens() + "; allowed: 1 or more, or unset.");
    }
    int[] promptIds = promptIds(options, engine, config, budget);
    int maxTokens = RequestDefaults.maxTokens(config, engine, promptIds.length, options.hasMaxTokens() ? OptionalInt.of(options.getMaxTokens()) : OptionalInt.empty());
    return new GenerationRequest(
        promptIds, maxTokens, sampling, options.getStopList(), logProbabilities, options.getIgnoreEndOfGeneration(), deadlineNanos)
        .withOffload(offload(options));
  }

  private static Optional<OffloadPolicy> offload(GenerationOptions options) {
    return switch (options.getOffload()) {
      case OFFLOAD_POLICY_UNSPECIFIED -> Optional.empty();
      case OFFLOAD_POLICY_OFF -> Optional.of(OffloadPolicy.OFF);
      case OFFLOAD_POLICY_AUTO -> Optional.of(OffloadPolicy.AUTO);
      case OFFLOAD_POLICY_PREFER -> Optional.of(OffloadPolicy.PREFER);
      case OFFLOAD_POLICY_REQUIRE -> Optional.of(OffloadPolicy.REQUIRE);
      case UNRECOGNIZED ->
          throw EngineException.invalid("offload", "offload is " + options.getOffloadValue() + "; allowed: OFFLOAD_POLICY_OFF, _AUTO, _PREFER, _REQUIRE, or unset.");
    };
  }

  /** Path, within a request whose options have this input, of a field that the engine calls {@code field}. */
  static String path(GenerationOptions.InputCase input, String field) {
    int end = field.indexOf('[');
    return switch (end < 0 ? field : field.substring(0, end)) {
      case "temperature", "top_k", "top_p", "min_p", "repetition_penalty", "presence_penalty", "frequency_penalty", "logit_bias" ->
          "options.sampling." + field;
      case "logprobs" -> "options.log_probabilities";
      case "messages" -> "options.chat." + field;
      case "prompt" ->
          switch (input) {
            case TEXT -> "options.text";
            case CHAT -> "options.chat";
            case INPUT_NOT_SET -> "options.input";
          };
      default -> "options." + field;
    };
  }

  /** A conversation's messages, as tokenizers take them. */
  static List<ChatMessage> messages(ChatInput chat) {
    return chat.getMessagesList().stream().map(message -> new ChatMessage(message.getRole(), message.getContent())).toList();
  }

  private static int[] promptIds(GenerationOptions options, Engine engine, ServeConfig config, EncodingBudget budget) {
    Optional<Boolean> parseSpecial = options.hasParseSpecial() ? Optional.of(options.getParseSpecial()) : Optional.empty();
    return switch (options.getInputCase()) {
      case TEXT ->
          PromptBuilder.text(
              engine.tokenizer(), options.getText(), !options.hasAddSpecial() || options.getAddSpecial(), SpecialTokens.of(config).parses(parseSpecial), budget);
      case CHAT -> {
        if (options.getParseSpecial() || options.getAddSpecial()) {
          String field = options.getParseSpecial() ? "parse_special" : "add_special";
          throw EngineException.invalid(field, field + " is for text; only the chat template puts special tokens into a conversation.");
        }
        yield PromptBuilder.chat(engine, messages(options.getChat()), budget);
      }
      case INPUT_NOT_SET -> throw EngineException.invalid("prompt", "There is neither text nor chat; one of them is needed.");
    };
  }

  private static int logProbabilities(GenerationOptions options) {
    if (!options.hasLogProbabilities()) {
      return NOT_MEASURED;
    }
    int alternatives = options.getLogProbabilities();
    if (alternatives < 0 || alternatives > 20) {
      throw EngineException.invalid("logprobs", "log_probabilities is " + alternatives + "; allowed: 0 to 20, or unset.");
    }
    return alternatives;
  }

  private static SamplingParameters sampling(SamplingOptions sampling) {
    return new SamplingParameters(
        sampling.hasTemperature() ? sampling.getTemperature() : RequestDefaults.TEMPERATURE,
        sampling.hasTopK() ? sampling.getTopK() : RequestDefaults.TOP_K,
        sampling.hasTopP() ? sampling.getTopP() : RequestDefaults.TOP_P,
        sampling.hasMinP() ? sampling.getMinP() : RequestDefaults.MIN_P,
        sampling.hasRepetitionPenalty() ? sampling.getRepetitionPenalty() : RequestDefaults.REPETITION_PENALTY,
        sampling.hasPresencePenalty() ? sampling.getPresencePenalty() : RequestDefaults.PRESENCE_PENALTY,
        sampling.hasFrequencyPenalty() ? sampling.getFrequencyPenalty() : RequestDefaults.FREQUENCY_PENALTY,
        sampling.getLogitBiasMap(),
        sampling.hasSeed() ? sampling.getSeed() : RequestDefaults.seed());
  }
}
