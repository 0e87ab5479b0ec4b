package dev.nibble.runtime;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.nibble.tokenizer.TokenType;
import dev.nibble.tokenizer.Vocabulary;
import dev.nibble.tokenizer.VocabularyTokenizer;
import java.util.OptionalInt;

/** What a tokenizer is, for {@link ModelReport}. */
final class TokenizerReport {
  private static final int MAX_TOKENS = 64; // that are listed: some vocabularies have thousands of control tokens

  private TokenizerReport() {}

  static void write(VocabularyTokenizer tokenizer, ObjectNode node) {
    Vocabulary vocabulary = tokenizer.vocabulary();
    switch (vocabulary.algorithm()) {
      case Vocabulary.ByteLevel bytes -> node.put("kind", "byte-level BPE").put("tokens", vocabulary.tokens().size()).put("merges", vocabulary.merges().size())
          .put("splitting", bytes.preTokenizer().names().getFirst()).put("normalization", bytes.nfc() ? "NFC" : null).put("whole_words", bytes.wholeWords());
      case Vocabulary.SentencePiece piece -> node.put("kind", "SentencePiece BPE").put("tokens", vocabulary.tokens().size()).put("space_prefix", piece.spacePrefix());
    }
    node.put("adds_bos", vocabulary.addBeginning()).put("adds_eos", vocabulary.addEnd());
    node.set("bos", token(vocabulary, vocabulary.beginning()));
    node.set("eos", token(vocabulary, vocabulary.end()));
    ArrayNode ends = node.putArray("end_of_generation");
    tokenizer.endOfGeneration().stream().sorted().limit(MAX_TOKENS).forEach(id -> ends.add(token(vocabulary, OptionalInt.of(id))));
    int controls = 0;
    ArrayNode listed = JsonNodeFactory.instance.arrayNode();
    for (int id = 0; id < vocabulary.tokens().size(); id++) {
      if (vocabulary.types().get(id) == TokenType.CONTROL) {
        controls++;
        if (controls <= MAX_TOKENS) {
          listed.add(token(vocabulary, OptionalInt.of(id)));
        }
      }
    }
    node.put("control_tokens", controls);
    node.set("first_control_tokens", listed);
    node.put("chat_template_characters", vocabulary.chatTemplate().map(String::length).orElse(null));
    ArrayNode remarks = node.putArray("remarks");
    tokenizer.remarks().stream().limit(MAX_TOKENS).forEach(remarks::add);
  }

  private static ObjectNode token(Vocabulary vocabulary, OptionalInt id) {
    return id.isEmpty() ? null : JsonNodeFactory.instance.objectNode().put("id", id.getAsInt()).put("text", vocabulary.tokens().get(id.getAsInt()));
  }
}
