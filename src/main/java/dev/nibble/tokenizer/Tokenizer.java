package dev.nibble.tokenizer;

import java.util.List;
import java.util.OptionalInt;
import java.util.Set;

/** Turns text into token ids and back. Immutable and safe for use by many threads. */
public interface Tokenizer {
  /** Ids of {@code text}, without BOS or EOS. Special tokens' names are recognised only if {@code parseSpecial}. */
  int[] encode(String text, boolean parseSpecial);

  /** {@link #encode} with BOS before it, and EOS after, where the vocabulary asks for them. */
  int[] encodeWithSpecials(String text, boolean parseSpecial);

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

  /** Whether the model has a chat template. */
  boolean hasChatTemplate();

  /**
   * Ids of a conversation through the chat template, the answer's header added. Only the template's own text may produce
   * special tokens; messages never do.
   *
   * @throws ChatTemplateException if there is no template, or it refuses the messages
   */
  int[] encodeChat(List<ChatMessage> messages);
}
