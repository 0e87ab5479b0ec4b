package dev.nibble.serve;

import dev.nibble.engine.EngineException;
import dev.nibble.tokenizer.ChatMessage;
import dev.nibble.tokenizer.ChatTemplateException;
import dev.nibble.tokenizer.Tokenizer;
import java.util.List;
import java.util.Set;

/** Turns what clients send into prompt ids; may take a while for long input, so not for event loops. */
public final class PromptBuilder {
  private static final Set<String> ROLES = Set.of("system", "user", "assistant");

  private PromptBuilder() {}

  /** Ids of text to continue, with BOS where the model wants one. Names of special tokens in it are mere text. */
  public static int[] text(Tokenizer tokenizer, String text) {
    return tokenizer.encodeWithSpecials(text, false);
  }

  /**
   * Ids of a conversation to answer.
   *
   * @throws EngineException INVALID_REQUEST with field {@code messages} or {@code messages[i].…} if there are none, a role is unknown,
   *     content is missing, or the model's chat template is missing or refuses them
   */
  public static int[] chat(Tokenizer tokenizer, List<ChatMessage> messages) {
    if (!tokenizer.hasChatTemplate()) {
      throw EngineException.invalid("messages", "The model has no chat template and can't answer conversations; send text to continue instead.");
    }
    if (messages.isEmpty()) {
      throw EngineException.invalid("messages", "The conversation is empty; at least one message is needed.");
    }
    for (int i = 0; i < messages.size(); i++) {
      ChatMessage message = messages.get(i);
      if (message.role() == null || !ROLES.contains(message.role())) {
        String role = message.role() == null ? "missing" : "\"" + message.role() + "\"";
        throw EngineException.invalid("messages[" + i + "].role", "The role of message " + i + " is " + role + "; allowed: system, user, assistant.");
      }
      if (message.content() == null) {
        throw EngineException.invalid("messages[" + i + "].content", "Message " + i + " has no content.");
      }
    }
    try {
      return tokenizer.encodeChat(messages);
    } catch (ChatTemplateException refusal) {
      throw EngineException.invalid("messages", "The model's chat template refuses the conversation: " + refusal.getMessage());
    }
  }
}
