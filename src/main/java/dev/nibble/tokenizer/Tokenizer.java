package dev.nibble.tokenizer;

import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;

/** Turns text into token ids and back. Immutable and safe for use by many threads. */
public interface Tokenizer {
  /**
   * Ids of {@code text}, without BOS or EOS. Special tokens' names are recognised only if {@code parseSpecial}.
   *
   * @throws EncodingStoppedException when the budget is used up
   */
  int[] encode(String text, boolean parseSpecial, EncodingBudget budget);

  /** {@link #encode(String, boolean, EncodingBudget)} without bounds, for text that is short or the caller's own. */
  default int[] encode(String text, boolean parseSpecial) {
    return encode(text, parseSpecial, EncodingBudget.unlimited());
  }

  /**
   * {@link #encode(String, boolean, EncodingBudget)} with BOS before it, and EOS after, where the vocabulary asks for them.
   *
   * @throws EncodingStoppedException when the budget is used up
   */
  int[] encodeWithSpecials(String text, boolean parseSpecial, EncodingBudget budget);

  /** {@link #encodeWithSpecials(String, boolean, EncodingBudget)} without bounds, for text that is short or the caller's own. */
  default int[] encodeWithSpecials(String text, boolean parseSpecial) {
    return encodeWithSpecials(text, parseSpecial, EncodingBudget.unlimited());
  }

  /** The bytes a token stands for; empty for control tokens unless {@code renderSpecial}. @throws IllegalArgumentException for an id outside the vocabulary */
  byte[] bytes(int id, boolean renderSpecial);

  /** Text of ids, as UTF-8 with U+FFFD for what is not; a SentencePiece vocabulary's added leading space is removed. */
  String decode(int[] ids, boolean renderSpecial);

  /** True where decoding drops the first token's leading space (SentencePiece's add_dummy_prefix). */
  boolean dropsLeadingSpace();

  /** Number of ids. */
  int vocabularySize();

  OptionalInt bos();

  OptionalInt eos();

  /** Ids that end an answer: EOS, end of turn, … */
  Set<Integer> endOfGeneration();

  /** Why the model can't answer conversations: it has no chat template, or one that can't be used; empty if it can. */
  Optional<String> whyNoChat();

  /** Whether the model can answer conversations. */
  default boolean hasChatTemplate() {
    return whyNoChat().isEmpty();
  }

  /** What its file says of the vocabulary and is not followed, and what of texts is lost, a sentence each, for the log of a start. */
  List<String> remarks();

  /** The chat template's own text, in Jinja. */
  default Optional<String> chatTemplate() {
    return Optional.empty();
  }

  /**
   * Ids of a conversation through the chat template, the answer's header added. Only the template's own text may produce
   * special tokens; messages never do.
   *
   * @throws ChatTemplateException if there is no template, it refuses the messages, or it can't be used
   * @throws EncodingStoppedException when the budget is used up, in which rendering the template counts
   */
  int[] encodeChat(List<ChatMessage> messages, EncodingBudget budget);

  /** {@link #encodeChat(List, EncodingBudget)} without bounds, for conversations that are short or the caller's own. */
  default int[] encodeChat(List<ChatMessage> messages) {
    return encodeChat(messages, EncodingBudget.unlimited());
  }

  /**
   * Fewest ids that a text of this many UTF-8 bytes can become: a bound that needs no look at the text, for refusing at once what can't fit. Normalisation
   * that shortens text is allowed for, and so are special tokens' names. BOS and EOS are not counted.
   */
  int minTokens(long utf8Bytes);
}
