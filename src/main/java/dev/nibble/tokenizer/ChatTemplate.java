package dev.nibble.tokenizer;

import dev.nibble.format.Printable;
import dev.nibble.tokenizer.jinja.Limits;
import dev.nibble.tokenizer.jinja.Template;
import dev.nibble.tokenizer.jinja.TemplateException;
import dev.nibble.tokenizer.jinja.Text;
import dev.nibble.tokenizer.jinja.Value;
import java.time.Clock;
import java.time.LocalDateTime;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * A model's chat template, and what it is given. It comes with the model, from a stranger: work, nesting and the size of texts are bounded. Every character of
 * what it makes carries whether it is the template's own: only such ones can form special tokens.
 */
final class ChatTemplate {
  /** Most characters of a template: ten times the longest published one. */
  static final int MAX_SOURCE = 1 << 20;

  private static final long LEAST_WORK = 1 << 26;
  private static final long TRIAL_WORK = 1 << 23;
  private static final int WORK_A_CHARACTER = 64; // of the conversation
  private static final int LEAST_TEXT = 1 << 20; // characters of a text that a template may make
  private static final int TEXT_A_CHARACTER = 4; // more, for each of the conversation
  private static final int MAX_SHOWN = 80; // characters of a name in a message
  private static final int MAX_REASON = 200;
  private static final Set<String> KNOWN_ROLES = Set.of("system", "user", "assistant", "tool");

  private final Template template;
  private final Clock clock;

  /**
   * Parses it.
   *
   * @param clock for templates that write the date
   * @throws ChatTemplateException if it can't be parsed
   */
  ChatTemplate(String source, Clock clock) {
    this.clock = clock;
    if (source.length() > MAX_SOURCE) {
      throw unusable("it has " + source.length() + " characters; at most " + MAX_SOURCE + " can be used");
    }
    try {
      template = new Template(source);
    } catch (TemplateException e) {
      throw unusable(reason(e));
    }
  }

  private static ChatTemplateException unusable(String why) {
    return new ChatTemplateException(ChatTemplateException.Fault.MODEL, "its chat template can't be used: " + why);
  }

  private static String reason(TemplateException failure) {
    return "line " + failure.line() + ", column " + failure.column() + ": " + Printable.of(failure.getMessage(), MAX_REASON);
  }

  /** A stranger's text for a message. */
  static String shown(String text) {
    return Printable.of(text.strip(), MAX_SHOWN);
  }

  /**
   * Renders a conversation, with the header of the answer.
   *
   * @throws ChatTemplateException if the template refuses it, can't be used, or takes too much
   */
  Text render(List<ChatMessage> messages, String bos, String eos, EncodingBudget budget) {
    return render(plain(messages), Map.of(), bos, eos, budget);
  }

  /**
   * Renders a conversation of any shape, with the header of the answer.
   *
   * @param messages as JSON has them: {@link Value#foreign}
   * @param variables more of the template's variables, such as tools and documents, likewise
   * @throws ChatTemplateException if the template refuses it, can't be used, or takes too much
   * @throws IllegalArgumentException for what JSON has not, or nests too deep
   */
  Text render(List<Map<String, Object>> messages, Map<String, Object> variables, String bos, String eos, EncodingBudget budget) {
    long characters = size(messages) + size(variables);
    return render(messages, variables, bos, eos, new Limits(LEAST_WORK + WORK_A_CHARACTER * characters, LEAST_TEXT + TEXT_A_CHARACTER * characters, budget::checkpoint));
  }

  /** {@link #render} of a short conversation, to see whether the template can be used, with little patience. */
  Text tryOut(List<ChatMessage> messages, String bos, String eos) {
    return render(plain(messages), Map.of(), bos, eos, new Limits(TRIAL_WORK, LEAST_TEXT, () -> { }));
  }

  private static List<Map<String, Object>> plain(List<ChatMessage> messages) {
    return messages.stream().map(message -> {
      Map<String, Object> plain = new LinkedHashMap<>();
      plain.put("role", message.role());
      plain.put("content", message.content());
      return plain;
    }).toList();
  }

  private Text render(List<Map<String, Object>> messages, Map<String, Object> variables, String bos, String eos, Limits limits) {
    Map<String, Value> all = new HashMap<>();
    all.put("tools", Value.foreign(null));
    all.put("documents", Value.foreign(null));
    all.put("add_generation_prompt", Value.foreign(true));
    variables.forEach((name, value) -> all.put(name, Value.foreign(value)));
    all.put("messages", Value.foreign(messages.stream().map(ChatTemplate::withKnownRole).toList()));
    all.put("bos_token", Text.own(bos));
    all.put("eos_token", Text.own(eos));
    try {
      return template.render(all, () -> LocalDateTime.now(clock), limits);
    } catch (TemplateException e) {
      throw e.kind() == TemplateException.Kind.RAISED ? new ChatTemplateException(ChatTemplateException.Fault.CONVERSATION, e.getMessage()) : unusable(reason(e));
    }
  }

  /** Templates make special tokens of the names of roles; those that everybody knows are as good as the template's own. */
  private static Map<String, Object> withKnownRole(Map<String, Object> message) {
    if (!(message.get("role") instanceof String role) || !KNOWN_ROLES.contains(role)) {
      return message;
    }
    Map<String, Object> known = new LinkedHashMap<>(message);
    known.put("role", Text.own(role));
    return known;
  }

  /** Characters and values of what JSON has. */
  private static long size(Object value) {
    return switch (value) {
      case String text -> text.length();
      case List<?> list -> 1 + list.stream().mapToLong(ChatTemplate::size).sum();
      case Map<?, ?> map -> 1 + map.entrySet().stream().mapToLong(entry -> size(entry.getKey()) + size(entry.getValue())).sum();
      case null, default -> 1;
    };
  }
}
