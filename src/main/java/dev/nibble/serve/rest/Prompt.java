package dev.nibble.serve.rest;

import dev.nibble.engine.EngineException;
import dev.nibble.serve.PromptBuilder;
import dev.nibble.tokenizer.ChatMessage;
import dev.nibble.tokenizer.EncodingBudget;
import dev.nibble.tokenizer.Tokenizer;
import java.util.List;

/** What a request asks to be answered or continued. */
sealed interface Prompt {
  /** Ids for the engine, as {@link PromptBuilder} makes them. @throws EngineException INVALID_REQUEST or CONTEXT_LENGTH_EXCEEDED if the model can't take the prompt */
  int[] ids(Tokenizer tokenizer, EncodingBudget budget);

  /** A conversation, for chat completions. */
  record Conversation(List<ChatMessage> messages) implements Prompt {
    public Conversation {
      messages = List.copyOf(messages);
    }

    @Override
    public int[] ids(Tokenizer tokenizer, EncodingBudget budget) {
      return PromptBuilder.chat(tokenizer, messages, budget);
    }
  }

  /** Text to continue. */
  record Text(String text) implements Prompt {
    @Override
    public int[] ids(Tokenizer tokenizer, EncodingBudget budget) {
      return PromptBuilder.text(tokenizer, text, budget);
    }
  }

  /** Token ids to continue, taken as they are. */
  record Tokens(int[] ids) implements Prompt {
    @Override
    public int[] ids(Tokenizer tokenizer, EncodingBudget budget) {
      for (int i = 0; i < ids.length; i++) {
        if (ids[i] < 0 || ids[i] >= tokenizer.vocabularySize()) {
          String field = "prompt[" + i + "]";
          throw EngineException.invalid(field, field + " is " + ids[i] + "; the vocabulary has ids 0 to " + (tokenizer.vocabularySize() - 1) + ".");
        }
      }
      return ids;
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
