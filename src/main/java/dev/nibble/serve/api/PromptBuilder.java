package dev.nibble.serve.api;

import dev.nibble.engine.Engine;
import dev.nibble.engine.EngineError;
import dev.nibble.engine.EngineException;
import dev.nibble.tokenizer.ChatMessage;
import dev.nibble.tokenizer.ChatTemplateException;
import dev.nibble.tokenizer.EncodingBudget;
import dev.nibble.tokenizer.EncodingStoppedException;
import dev.nibble.tokenizer.Tokenizer;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Supplier;

/** Turns what clients send into prompt ids; may take a while for long input, so not for event loops. */
public final class PromptBuilder {
  private static final Set<String> ROLES = Set.of("system", "user", "assistant");

  private PromptBuilder() {}

  /** Ids of text to continue, with BOS where the model wants one. Names of special tokens in it are mere text. */
  public static int[] text(Tokenizer tokenizer, String text, EncodingBudget budget) {
    return text(tokenizer, text, true, false, budget);
  }

  /**
   * Ids of text to continue.
   *
   * @param addSpecial whether the text gets BOS and EOS, as far as the model wants them. A BOS that the text itself begins with is not put there twice
   * @param parseSpecial whether names of special tokens in it stand for these; otherwise they are mere text
   * @param budget its most tokens are the model's context
   * @throws EngineException CONTEXT_LENGTH_EXCEEDED if there are more
   * @throws EncodingStoppedException when the budget ends otherwise
   */
  public static int[] text(Tokenizer tokenizer, String text, boolean addSpecial, boolean parseSpecial, EncodingBudget budget) {
    int[] ids = within(budget, () -> {
      requireRoom(tokenizer, text.length(), budget);
      return addSpecial ? tokenizer.encodeWithSpecials(text, parseSpecial, budget) : tokenizer.encode(text, parseSpecial, budget);
    });
    boolean twice = addSpecial && parseSpecial && ids.length > 1 && tokenizer.bos().isPresent() && ids[0] == tokenizer.bos().getAsInt() && ids[1] == ids[0]
        && tokenizer.encodeWithSpecials("", false).length > 0; // the first one is ours
    return twice ? Arrays.copyOfRange(ids, 1, ids.length) : ids;
  }

  /** Refuses at once what can't fit, however it is encoded: UTF-8 has a byte for each char at least. */
  private static void requireRoom(Tokenizer tokenizer, long chars, EncodingBudget budget) {
    budget.count(tokenizer.minTokens(chars));
  }

  private static int[] within(EncodingBudget budget, Supplier<int[]> work) {
    try {
      return work.get();
    } catch (EncodingStoppedException stopped) {
      if (stopped.reason() == EncodingStoppedException.Cause.TOO_MANY_TOKENS) {
        throw EngineException.contextLengthExceeded(budget.maxTokens(), "the prompt has more", Map.of());
      }
      throw stopped;
    }
  }

  /** Most chars of a text that can fit in a context of so many tokens; {@link Long#MAX_VALUE} where the tokenizer knows no bound. */
  public static long longestText(Tokenizer tokenizer, int contextLength) {
    long fits = 0;
    long tooLong = 1L << 40;
    if (tokenizer.minTokens(tooLong) <= contextLength) {
      return Long.MAX_VALUE;
    }
    while (tooLong - fits > 1) {
      long middle = (fits + tooLong) >>> 1;
      if (tokenizer.minTokens(middle) <= contextLength) {
        fits = middle;
      } else {
        tooLong = middle;
      }
    }
    return fits;
  }

  /**
   * Ids of a conversation to answer.
   *
   * @throws EngineException INVALID_REQUEST with field {@code messages} or {@code messages[i].…} if there are none, a role is unknown,
   *     content is missing, or the model's chat template refuses them; CHAT_UNSUPPORTED if the model has no chat template that can be used;
   *     CONTEXT_LENGTH_EXCEEDED as {@link #text}
   * @throws EncodingStoppedException when the budget ends otherwise
   */
  public static int[] chat(Engine engine, List<ChatMessage> messages, EncodingBudget budget) {
    Tokenizer tokenizer = engine.tokenizer();
    tokenizer.whyNoChat().ifPresent(why -> {
      throw chatUnsupported(engine, why);
    });
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
      return within(budget, () -> {
        requireRoom(tokenizer, messages.stream().mapToLong(message -> message.content().length()).sum(), budget);
        return tokenizer.encodeChat(messages, budget);
      });
    } catch (ChatTemplateException refusal) {
      throw switch (refusal.fault()) {
        case CONVERSATION -> EngineException.invalid("messages", "The model's chat template refuses the conversation: " + refusal.getMessage());
        case MODEL -> chatUnsupported(engine, refusal.getMessage());
      };
    }
  }

  private static EngineException chatUnsupported(Engine engine, String why) {
    String model = engine.model().name();
    return new EngineException(EngineError.CHAT_UNSUPPORTED,
        "The model \"" + model + "\" can't answer conversations: " + why + ". Send text to continue instead (completions), or serve a model that can.", Map.of("model", model));
  }
}
