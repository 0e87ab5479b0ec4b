package dev.nibble.serve.api.request;

import dev.nibble.engine.Engine;
import dev.nibble.engine.EngineException;
import dev.nibble.serve.api.PromptBuilder;
import dev.nibble.serve.api.SpecialTokens;
import dev.nibble.tokenizer.ChatMessage;
import dev.nibble.tokenizer.EncodingBudget;
import dev.nibble.tokenizer.Tokenizer;
import java.util.List;
import java.util.Optional;

/** What a request asks to be answered or continued. */
public sealed interface Prompt {
  /**
   * Ids for the engine, as {@link PromptBuilder} makes them.
   *
   * @param specials whether text may name special tokens
   * @throws EngineException INVALID_REQUEST, CHAT_UNSUPPORTED or CONTEXT_LENGTH_EXCEEDED if the model can't take the prompt
   */
  int[] ids(Engine engine, SpecialTokens specials, EncodingBudget budget);

  /** A conversation, for chat completions. */
  record Conversation(List<ChatMessage> messages) implements Prompt {
    public Conversation {
      messages = List.copyOf(messages);
    }

    @Override
    public int[] ids(Engine engine, SpecialTokens specials, EncodingBudget budget) {
      return PromptBuilder.chat(engine, messages, budget);
    }
  }

  /**
   * Text to continue.
   *
   * @param addSpecial whether it gets BOS and EOS, as far as the model wants them
   * @param parseSpecial whether names of special tokens in it stand for these; empty where the request does not say
   */
  record Text(String text, boolean addSpecial, Optional<Boolean> parseSpecial) implements Prompt {
    @Override
    public int[] ids(Engine engine, SpecialTokens specials, EncodingBudget budget) {
      return PromptBuilder.text(engine.tokenizer(), text, addSpecial, specials.parses(parseSpecial), budget);
    }
  }

  /** Token ids to continue, taken as they are. */
  record Tokens(int[] ids) implements Prompt {
    @Override
    public int[] ids(Engine engine, SpecialTokens specials, EncodingBudget budget) {
      requireInside(ids, engine.tokenizer(), "prompt");
      return ids;
    }
  }

  /** @param field where the ids come from, for the error @throws EngineException INVALID_REQUEST if the vocabulary has not all of them */
  static void requireInside(int[] ids, Tokenizer tokenizer, String field) {
    for (int i = 0; i < ids.length; i++) {
      if (ids[i] < 0 || ids[i] >= tokenizer.vocabularySize()) {
        String place = field + "[" + i + "]";
        throw EngineException.invalid(place, place + " is " + ids[i] + "; the vocabulary has ids 0 to " + (tokenizer.vocabularySize() - 1) + ".");
      }
    }
  }

  /** Whether an answer is a text of its own, rather than the continuation of the prompt's. */
  default boolean beginsText() {
    return switch (this) {
      case Conversation conversation -> true;
      case Text text -> text.text().isEmpty();
      case Tokens tokens -> false;
    };
  }

  /** The prompt's text, to put before an answer that echoes it. */
  default String text(Tokenizer tokenizer) {
    return switch (this) {
      case Text text -> text.text();
      case Tokens tokens -> tokenizer.decode(tokens.ids(), false);
      case Conversation conversation -> throw new IllegalStateException("conversations are not echoed");
    };
  }
}
