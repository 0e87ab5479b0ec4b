package dev.nibble.tokenizer;

import dev.nibble.tokenizer.pretokenize.PreTokenizer;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;

/**
 * What a tokenizer is made from.
 *
 * @param algorithm how text becomes tokens
 * @param tokens names by id; byte-level ones in GPT-2's alphabet, SentencePiece's with U+2581 for a space
 * @param types by id
 * @param scores by id, higher merges first; empty unless SentencePiece
 * @param merges "left right", most urgent first; empty unless byte-level
 * @param beginning BOS
 * @param end EOS
 * @param addBeginning whether prompts begin with BOS
 * @param addEnd whether prompts end with EOS
 * @param endOfGeneration ids that end an answer, as far as the metadata tell
 * @param chatTemplate in Jinja
 */
public record Vocabulary(
    Algorithm algorithm, List<String> tokens, List<TokenType> types, float[] scores, List<String> merges, OptionalInt beginning, OptionalInt end,
    boolean addBeginning, boolean addEnd, Set<Integer> endOfGeneration, Optional<String> chatTemplate) {

  /** How text becomes tokens. */
  public sealed interface Algorithm {}

  /**
   * Byte-level BPE (Radford et al. 2019).
   *
   * @param nfc whether text is normalised to Unicode's form C first
   * @param wholeWords whether a word that is a token is taken as it is, without merging (Llama 3)
   */
  public record ByteLevel(PreTokenizer preTokenizer, boolean nfc, boolean wholeWords) implements Algorithm {}

  /**
   * SentencePiece BPE with byte fallback (Kudo and Richardson 2018).
   *
   * @param spacePrefix whether a space is put before text
   */
  public record SentencePiece(boolean spacePrefix) implements Algorithm {}

  public Vocabulary {
    tokens = List.copyOf(tokens);
    types = List.copyOf(types);
    merges = List.copyOf(merges);
    endOfGeneration = Set.copyOf(endOfGeneration);
    if (types.size() != tokens.size()) {
      throw new IllegalArgumentException(types.size() + " token types for " + tokens.size() + " tokens");
    }
  }
}
