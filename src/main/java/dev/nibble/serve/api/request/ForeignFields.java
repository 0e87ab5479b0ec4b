package dev.nibble.serve.api.request;

import com.fasterxml.jackson.databind.JsonNode;
import dev.nibble.engine.EngineException;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Predicate;

/**
 * What is done with request fields of other servers (OpenAI's, vLLM's, llama.cpp's, TGI's, SGLang's, Triton's, Ollama's) that are not supported here: the
 * one table of them, for all endpoints. A field that would change the answer is refused by its name, as long as its value asks for anything; one that only
 * labels requests, or saves their sender's time or money, is disregarded. What is in neither list is ignored, and told as ignored.
 */
public final class ForeignFields {
  /** A field that is refused. @param why ends the sentence "… is not supported" @param neutral values that ask for nothing, null apart, which never does */
  private record Rule(String why, Predicate<JsonNode> neutral) {}

  // Values that clients send for what was not set.
  private static final Predicate<JsonNode> NO_VALUE = value -> false;
  private static final Predicate<JsonNode> OFF = value -> value.isBoolean() ? !value.booleanValue() : value.isTextual() ? value.textValue().isEmpty() : value.isContainerNode() && value.isEmpty();
  private static final Predicate<JsonNode> ON = value -> value.isBoolean() && value.booleanValue();
  private static final Predicate<JsonNode> ZERO = value -> value.isNumber() ? value.doubleValue() <= 0 : OFF.test(value);
  private static final Predicate<JsonNode> NEGATIVE = value -> value.isNumber() && value.doubleValue() < 0;
  private static final Predicate<JsonNode> ONE = value -> value.isNumber() && value.doubleValue() == 1;
  private static final Predicate<JsonNode> TEXT_ALONE = value -> value.isArray() && value.size() == 1 && "text".equals(value.get(0).textValue());
  private static final Predicate<JsonNode> NO_TOOL = value -> value.isTextual() && Set.of("none", "auto", "").contains(value.textValue());

  private static final Map<String, Rule> REFUSED = refused();

  /** Fields that only label requests, or save their sender's time or money: no answer differs by them. */
  private static final Set<String> DISREGARDED = Collections.unmodifiableSet(new TreeSet<>(Set.of(
      "user", "metadata", "store", "service_tier", "safety_identifier", "prompt_cache_key", "prompt_cache_retention", "prediction", "parallel_tool_calls",
      "request_id", "rid", "session_id", "cache_salt", "cache_prompt", "n_cache_reuse", "id_slot", "keep_alive",
      // These matter only beside another field, which is refused.
      "truncation_side", "spaces_between_special_tokens", "guided_decoding_backend", "mirostat_tau", "mirostat_eta", "dynatemp_exponent", "xtc_threshold",
      "dry_base", "dry_allowed_length", "dry_penalty_last_n", "dry_sequence_breakers", "repeat_last_n", "n_keep", "n_discard",
      // No model here tells its reasoning apart from its answer.
      "include_reasoning", "separate_reasoning", "stream_reasoning")));

  private ForeignFields() {}

  /** Takes all fields of the table. @throws EngineException INVALID_REQUEST naming one that is refused */
  public static void take(Fields fields) {
    REFUSED.forEach((name, rule) -> fields.any(name).filter(rule.neutral.negate()).ifPresent(value -> {
      throw refusal(fields.pathOf(name), rule);
    }));
    fields.disregard(DISREGARDED);
  }

  /** The refusal of a field whose value asks for something; empty if that is not refused. */
  public static Optional<EngineException> refusal(String name) {
    return Optional.ofNullable(REFUSED.get(name)).map(rule -> refusal(name, rule));
  }

  private static EngineException refusal(String path, Rule rule) {
    return EngineException.invalid(path, path + " is not supported" + rule.why);
  }

  /** Names of fields that are refused. */
  public static Set<String> refusedNames() {
    return REFUSED.keySet();
  }

  /** Names of fields that are disregarded. */
  public static Set<String> disregardedNames() {
    return DISREGARDED;
  }

  private static Map<String, Rule> refused() {
    Map<String, Rule> rules = new LinkedHashMap<>();
    String unconstrained = ": answers can't be held to a grammar or a schema. Leave it out, and describe the wanted form in the prompt.";
    add(rules, unconstrained, OFF,
        "guided_json", "guided_regex", "guided_choice", "guided_grammar", "guided_json_object", "guided_whitespace_pattern", "structured_outputs",
        "structural_tag", "grammar", "grammar_lazy", "grammar_triggers", "json_schema", "regex", "ebnf", "format");
    String tools = ": the model can't call tools. Leave it out, or describe the wanted answer in a message.";
    add(rules, tools, OFF, "tools", "functions");
    add(rules, tools, NO_TOOL, "tool_choice", "function_call");
    String media = ": the model reads and writes nothing but text. Leave it out.";
    add(rules, media, OFF, "audio", "images", "image_data", "multimodal_data", "input_embeds", "prompt_embeds");
    add(rules, " except as [\"text\"]: answers are text. Leave it out.", TEXT_ALONE, "modalities");
    add(rules, ": the model works offline. Leave it out.", NO_VALUE, "web_search_options");
    add(rules, ": documents are not searched; put them in a message. Leave it out.", OFF, "documents");

    String template = ": conversations go through the model's own chat template as it is. Leave it out.";
    add(rules, template, OFF, "chat_template", "chat_template_kwargs", "continue_final_message", "template", "system", "raw", "context", "think");
    add(rules, template, ON, "add_generation_prompt");

    // Ways to choose tokens.
    String sampling = ": tokens are chosen by temperature, top_k, top_p, min_p, penalties and logit_bias alone. Leave it out.";
    add(rules, sampling, OFF,
        "use_beam_search", "allowed_token_ids", "bad_words", "logits_processors", "custom_logit_processor", "custom_params", "samplers", "watermark", "watermarking",
        "repetition_detection", "penalize_nl", "penalize_newline", "vllm_xargs", "sampling_params", "sampling_parameters");
    add(rules, sampling, ZERO, "mirostat", "dynatemp_range", "xtc_probability", "dry_multiplier", "top_n_sigma", "min_keep");
    add(rules, sampling, ONE, "typical_p", "tfs_z", "length_penalty", "beam_width");

    // Where the answer begins and ends.
    String end = ": answers end at the model's end tokens, at stop strings and at max_tokens. Leave it out.";
    add(rules, end, ZERO, "stop_token_ids", "stop_regex", "min_tokens", "t_max_predict_ms", "n_indent");
    add(rules, end, NEGATIVE, "thinking_token_budget");
    add(rules, ": stop strings are not part of answers. Leave it out.", OFF, "include_stop_str_in_output", "no_stop_trim");
    add(rules, ": prompts are never shortened. Leave it out, and shorten the prompt.", NO_VALUE, "truncate_prompt_tokens", "truncate");
    add(rules, ": text is only continued at its end. Leave it out, or write the model's own tokens for filling in into prompt, with parse_special.", OFF,
        "suffix", "input_prefix", "input_suffix", "input_extra");
    add(rules, ": special tokens are not part of answers. Leave it out.", ON, "skip_special_tokens");

    // What is told beside the answer.
    String measures = ": what is told of tokens is what logprobs and top_logprobs ask for. Leave it out.";
    add(rules, measures, NO_VALUE, "prompt_logprobs");
    add(rules, measures, ZERO, "n_probs", "top_n_tokens", "logprob_token_ids");
    add(rules, measures, OFF,
        "return_token_ids", "return_tokens", "return_tokens_as_token_ids", "return_prompt_text", "return_hidden_states", "return_logprob", "return_log_probs",
        "decoder_input_details", "post_sampling_probs", "response_fields");

    add(rules, ": there are no adapters. Leave it out.", OFF, "lora", "lora_path", "adapter_id");

    // Other names of what is supported, some with other meanings: taken by halves they would be worse than refused.
    instead(rules, "max_tokens", NO_VALUE, "n_predict", "num_predict", "max_new_tokens");
    instead(rules, "repetition_penalty", ONE, "repeat_penalty");
    instead(rules, "stop", OFF, "stop_words", "stop_sequences");
    instead(rules, "seed", NO_VALUE, "random_seed");
    instead(rules, "temperature 0 for greedy answers", ON, "do_sample");
    instead(rules, "echo", OFF, "return_full_text");
    instead(rules, "echo", ON, "exclude_input_in_output");
    instead(rules, "each of them as a field of its own", OFF, "options");
    return Collections.unmodifiableMap(rules);
  }

  private static void add(Map<String, Rule> rules, String why, Predicate<JsonNode> neutral, String... names) {
    for (String name : names) {
      if (rules.put(name, new Rule(why, neutral)) != null) {
        throw new IllegalStateException(name + " is decided twice");
      }
    }
  }

  private static void instead(Map<String, Rule> rules, String field, Predicate<JsonNode> neutral, String... names) {
    add(rules, ": send " + field + ".", neutral, names);
  }
}
