package dev.nibble.serve.api.request;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.nibble.engine.EngineException;
import dev.nibble.engine.OffloadPolicy;
import dev.nibble.engine.SamplingParameters;
import dev.nibble.serve.api.RequestDefaults;
import dev.nibble.tokenizer.ChatMessage;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Set;

/**
 * Reads the bodies of {@code /v1/chat/completions} and {@code /v1/completions}, and what others are made into. {@link ForeignFields} says what is done
 * with fields that are not supported; one that is unknown is reported as ignored.
 *
 * <p>All methods throw {@link EngineException} INVALID_REQUEST naming the field.
 */
public final class RequestParser {
  private static final int MOST_ALTERNATIVES = 20;

  private RequestParser() {}

  /** A body of {@code /v1/chat/completions}. */
  public static AnswerRequest chat(ObjectNode body) {
    Fields fields = Fields.ofBody(body);
    refuseOtherFormats(fields);
    refuseInMessages(fields);
    refuseFlag(fields, "echo", "an answer is a message of its own. Leave it out.");
    List<String> ignored = new ArrayList<>();
    Prompt prompt = new Prompt.Conversation(messages(fields, ignored));
    OptionalInt maxTokens = maxTokens(fields, "max_tokens");
    OptionalInt maxCompletionTokens = maxTokens(fields, "max_completion_tokens");
    Map<String, String> names = new HashMap<>(Map.of("prompt", "messages", "logprobs", "top_logprobs"));
    if (maxCompletionTokens.isPresent()) {
      names.put("max_tokens", "max_completion_tokens");
    }
    int logProbabilities = -1;
    boolean measures = fields.flag("logprobs");
    OptionalInt alternatives = alternatives(fields, "top_logprobs");
    if (measures) {
      logProbabilities = alternatives.orElse(0);
    } else if (alternatives.isPresent() && alternatives.getAsInt() > 0) {
      throw EngineException.invalid("top_logprobs", "top_logprobs needs logprobs to be true.");
    }
    return finish(fields, prompt, maxCompletionTokens.isPresent() ? maxCompletionTokens : maxTokens, logProbabilities, false, names, ignored);
  }

  /** A body of {@code /v1/completions}. */
  public static AnswerRequest completion(ObjectNode body) {
    Fields fields = Fields.ofBody(body);
    refuseOtherFormats(fields);
    onlyOne(fields, "best_of");
    Prompt prompt = prompt(fields);
    boolean echo = fields.flag("echo");
    OptionalInt alternatives = textAlternatives(fields);
    if (echo && alternatives.isPresent()) {
      throw EngineException.invalid("echo", "echo is not supported together with logprobs: the prompt's tokens are not measured. Leave one out.");
    }
    OptionalInt maxTokens = maxTokens(fields, "max_tokens");
    return finish(fields, prompt, maxTokens, alternatives.orElse(-1), echo, Map.of(), new ArrayList<>());
  }

  /**
   * Takes the Open Inference Protocol's tensors and parameters, put together as fields of one object: {@code prompt} or {@code messages}, and
   * how to answer, by the names that the other endpoints have for it.
   */
  public static AnswerRequest openInference(ObjectNode flat) {
    Fields fields = Fields.ofBody(flat);
    refuseOtherFormats(fields);
    for (String name : List.of("echo", "logprobs", "top_logprobs")) {
      fields.any(name).filter(value -> !value.isBoolean() || value.booleanValue()).ifPresent(value -> {
        throw EngineException.invalid(name, name + " is not supported here: outputs have no place for it. Leave it out, or ask /v1/completions.");
      });
    }
    onlyOne(fields, "best_of");
    List<String> ignored = new ArrayList<>();
    boolean chat = fields.any("messages").isPresent();
    if (chat) {
      refuseInMessages(fields);
    }
    Prompt prompt = chat ? new Prompt.Conversation(messages(fields, ignored)) : prompt(fields);
    OptionalInt maxTokens = maxTokens(fields, "max_tokens");
    return finish(fields, prompt, maxTokens, -1, false, Map.of(), ignored);
  }

  /** Takes the fields that all endpoints have. */
  private static AnswerRequest finish(
      Fields fields, Prompt prompt, OptionalInt maxTokens, int logProbabilities, boolean echo, Map<String, String> names, List<String> ignored) {
    ForeignFields.take(fields);
    onlyOne(fields, "n");
    boolean stream = fields.flag("stream");
    boolean includeUsage = includeUsage(fields, stream, ignored);
    String model = fields.string("model").orElse("");
    SamplingParameters sampling = sampling(fields);
    List<String> stop = stop(fields);
    boolean ignoreEndOfGeneration = fields.flag("ignore_eos");
    Optional<OffloadPolicy> offload = fields.string("offload").map(word -> OffloadPolicy.of(word).orElseThrow(() ->
        EngineException.invalid("offload", "offload is \"" + word + "\"; allowed: " + OffloadPolicy.WORDS + ".")));
    ignored.addAll(fields.untaken());
    return new AnswerRequest(
        model, prompt, maxTokens, sampling, stop, logProbabilities, stream, includeUsage, echo, ignoreEndOfGeneration, offload, names, ignored);
  }

  // ---- what can't be done

  /** Conversations go through the model's template, and what is in messages is mere text. */
  public static void refuseInMessages(Fields fields) {
    for (String name : List.of("parse_special", "add_special_tokens")) {
      refuseFlag(fields, name, "only the chat template puts special tokens into a conversation. Leave it out, or send a prompt of your own to /v1/completions.");
    }
  }

  private static void refuseFlag(Fields fields, String name, String why) {
    if (fields.flag(name)) {
      throw EngineException.invalid(name, name + " is not supported with messages: " + why);
    }
  }

  private static void refuseOtherFormats(Fields fields) {
    fields.any("response_format").ifPresent(value -> {
      Optional<String> type = Fields.of(value, "response_format").string("type");
      if (type.isEmpty() || !type.get().equals("text")) {
        throw EngineException.invalid("response_format", "response_format is only supported as {\"type\":\"text\"}. Leave it out.");
      }
    });
  }

  private static void onlyOne(Fields fields, String name) {
    OptionalInt count = fields.integer(name);
    if (count.isPresent() && count.getAsInt() != 1) {
      throw EngineException.invalid(name, name + " is " + count.getAsInt() + "; allowed: 1. For more answers send more requests, with different seeds.");
    }
  }

  // ---- prompts

  /** The field {@code messages}. @param ignored gets the paths of fields in them that have no effect */
  public static List<ChatMessage> messages(Fields fields, List<String> ignored) {
    JsonNode list = fields.any("messages").orElseThrow(() -> EngineException.invalid("messages", "messages is missing; an array of messages is needed."));
    if (!list.isArray()) {
      throw Fields.wrongType("messages", list, "an array");
    }
    List<ChatMessage> messages = new ArrayList<>(list.size());
    for (int i = 0; i < list.size(); i++) {
      Fields message = Fields.of(list.get(i), "messages[" + i + "]");
      for (String name : List.of("tool_calls", "function_call", "tool_call_id", "audio")) {
        message.any(name).filter(value -> !value.isArray() || !value.isEmpty()).ifPresent(value -> {
          throw EngineException.invalid(message.pathOf(name), message.pathOf(name) + " is not supported: messages are text. Leave it out.");
        });
      }
      // OpenAI's newer name for the same thing; the rest is checked where prompts are built.
      String role = message.string("role").map(name -> name.equals("developer") ? "system" : name).orElse(null);
      // Clients send assistants' messages without content back as they got them, with null.
      String content = message.any("content").map(value -> content(value, message.pathOf("content"))).orElse("assistant".equals(role) ? "" : null);
      messages.add(new ChatMessage(role, content));
      message.disregard(Set.of("refusal", "annotations"));
      ignored.addAll(message.untaken());
    }
    return messages;
  }

  /** A message's content: a string, or text parts, which are put together as they are. */
  private static String content(JsonNode value, String path) {
    if (value.isTextual()) {
      return value.textValue();
    }
    if (!value.isArray()) {
      throw Fields.wrongType(path, value, "a string or an array of parts");
    }
    StringBuilder text = new StringBuilder();
    for (int j = 0; j < value.size(); j++) {
      Fields part = Fields.of(value.get(j), path + "[" + j + "]");
      String type = part.string("type").orElse("missing");
      if (!type.equals("text")) {
        String field = part.pathOf("type");
        throw EngineException.invalid(field, field + " is " + type + "; allowed: text. The model understands nothing but text.");
      }
      String field = part.pathOf("text");
      text.append(part.string("text").orElseThrow(() -> EngineException.invalid(field, field + " is missing.")));
    }
    return text.toString();
  }

  private static Prompt prompt(Fields fields) {
    JsonNode value = fields.any("prompt").orElseThrow(() -> EngineException.invalid("prompt", "prompt is missing; a string or an array of token ids is needed."));
    Optional<Boolean> parseSpecial = fields.optionalFlag("parse_special");
    boolean addSpecial = fields.optionalFlag("add_special_tokens").orElse(true);
    if (value.isTextual()) {
      return new Prompt.Text(value.textValue(), addSpecial, parseSpecial);
    }
    if (!value.isArray()) {
      throw Fields.wrongType("prompt", value, "a string or an array of token ids");
    }
    if (!value.isEmpty() && (value.get(0).isTextual() || value.get(0).isArray())) {
      if (value.size() > 1) {
        throw EngineException.invalid("prompt", "prompt has " + value.size() + " elements; allowed: one prompt a request. Send a request for each.");
      }
      return value.get(0).isTextual() ? new Prompt.Text(value.get(0).textValue(), addSpecial, parseSpecial) : new Prompt.Tokens(ids(value.get(0), "prompt[0]"));
    }
    return new Prompt.Tokens(ids(value, "prompt"));
  }

  /** Token ids at {@code path}. */
  public static int[] ids(JsonNode array, String path) {
    int[] ids = new int[array.size()];
    for (int i = 0; i < ids.length; i++) {
      ids[i] = Fields.integer(array.get(i), path + "[" + i + "]");
    }
    return ids;
  }

  // ---- how to answer

  /**
   * -1, as some servers write it, asks for as many as there is room for, and so does any number that is larger than that. 0 is refused: it would mean that to the
   * engine, and nobody means it.
   */
  private static OptionalInt maxTokens(Fields fields, String name) {
    OptionalInt value = fields.clampedInteger(name);
    if (value.isPresent() && value.getAsInt() < 1 && value.getAsInt() != -1) {
      throw EngineException.invalid(name, name + " is " + value.getAsInt() + "; allowed: 1 or more, or -1 for as many as there is room for.");
    }
    return value.isPresent() && value.getAsInt() == -1 ? OptionalInt.of(RequestDefaults.ALL_THAT_FIT) : value;
  }

  /** Of text: a number; false asks for nothing, and true for the likeliest alternative, as vLLM takes them. */
  private static OptionalInt textAlternatives(Fields fields) {
    Optional<JsonNode> flag = fields.any("logprobs").filter(JsonNode::isBoolean);
    if (flag.isPresent()) {
      return flag.get().booleanValue() ? OptionalInt.of(1) : OptionalInt.empty();
    }
    return alternatives(fields, "logprobs");
  }

  private static OptionalInt alternatives(Fields fields, String name) {
    OptionalInt value = fields.integer(name);
    if (value.isPresent() && (value.getAsInt() < 0 || value.getAsInt() > MOST_ALTERNATIVES)) {
      throw EngineException.invalid(name, name + " is " + value.getAsInt() + "; allowed: 0 to " + MOST_ALTERNATIVES + ".");
    }
    return value;
  }

  private static boolean includeUsage(Fields fields, boolean stream, List<String> ignored) {
    Optional<JsonNode> value = fields.any("stream_options");
    if (value.isEmpty()) {
      return false;
    }
    if (!stream) {
      throw EngineException.invalid("stream_options", "stream_options is only allowed where stream is true.");
    }
    Fields options = Fields.of(value.get(), "stream_options");
    boolean includeUsage = options.flag("include_usage");
    options.disregard(Set.of("include_obfuscation"));
    ignored.addAll(options.untaken());
    return includeUsage;
  }

  private static List<String> stop(Fields fields) {
    Optional<JsonNode> value = fields.any("stop");
    if (value.isEmpty()) {
      return List.of();
    }
    if (value.get().isTextual()) {
      return List.of(value.get().textValue());
    }
    if (!value.get().isArray()) {
      throw Fields.wrongType("stop", value.get(), "a string or an array of strings");
    }
    List<String> stop = new ArrayList<>();
    for (int i = 0; i < value.get().size(); i++) {
      stop.add(Fields.string(value.get().get(i), "stop[" + i + "]"));
    }
    return stop;
  }

  private static SamplingParameters sampling(Fields fields) {
    return new SamplingParameters(
        fields.number("temperature", RequestDefaults.TEMPERATURE),
        topK(fields),
        fields.number("top_p", RequestDefaults.TOP_P),
        fields.number("min_p", RequestDefaults.MIN_P),
        fields.number("repetition_penalty", RequestDefaults.REPETITION_PENALTY),
        fields.number("presence_penalty", RequestDefaults.PRESENCE_PENALTY),
        fields.number("frequency_penalty", RequestDefaults.FREQUENCY_PENALTY),
        logitBias(fields),
        seed(fields));
  }

  /** -1 means all, as 0 does: vLLM's and SGLang's clients send it. */
  private static int topK(Fields fields) {
    int value = fields.integer("top_k").orElse(RequestDefaults.TOP_K);
    return value == -1 ? 0 : value;
  }

  /** -1 has the server draw one, as with vLLM and llama.cpp. */
  private static long seed(Fields fields) {
    OptionalLong value = fields.longInteger("seed");
    return value.isPresent() && value.getAsLong() != -1 ? value.getAsLong() : RequestDefaults.seed();
  }

  private static Map<Integer, Float> logitBias(Fields fields) {
    Map<Integer, Float> biases = new HashMap<>();
    fields.any("logit_bias").ifPresent(value -> {
      if (!value.isObject()) {
        throw Fields.wrongType("logit_bias", value, "an object");
      }
      value.properties().forEach(entry -> {
        int id;
        try {
          id = Integer.parseInt(entry.getKey());
        } catch (NumberFormatException notAnId) {
          throw EngineException.invalid("logit_bias", "logit_bias has the name \"" + entry.getKey() + "\"; allowed: token ids, such as \"42\".");
        }
        float bias = (float) Fields.number(entry.getValue(), "logit_bias[" + id + "]");
        if (biases.put(id, bias) != null) {
          throw EngineException.invalid("logit_bias[" + id + "]", "logit_bias names token " + id + " twice.");
        }
      });
    });
    return biases;
  }
}
