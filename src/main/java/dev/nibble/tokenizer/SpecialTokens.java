package dev.nibble.tokenizer;

import java.util.BitSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Names of special and added tokens, as a tree of characters: how long a look at a place of a text takes does not depend on how many there are. */
final class SpecialTokens {
  private static final class Node {
    final Map<Character, Node> next = new HashMap<>();
    int id = -1;
  }

  private final Node root = new Node();
  private final BitSet firsts = new BitSet();
  private final List<TokenType> types;

  /** @param types of all tokens, by id */
  SpecialTokens(List<TokenType> types) {
    this.types = types;
  }

  void add(String name, int id) {
    firsts.set(name.charAt(0));
    Node node = root;
    for (int i = 0; i < name.length(); i++) {
      node = node.next.computeIfAbsent(name.charAt(i), letter -> new Node());
    }
    if (node.id < 0) {
      node.id = id;
    }
  }

  /** Whether a name may begin with this character. */
  boolean mayBegin(char first) {
    return firsts.get(first);
  }

  /** The token with the longest name that stands at a place of a text, or -1; special ones only where the text is trusted. */
  int find(String text, int at, VocabularyTokenizer.Trust trust) {
    Node node = root;
    int found = -1;
    for (int i = at; i < text.length(); i++) {
      node = node.next.get(text.charAt(i));
      if (node == null) {
        break;
      }
      if (node.id >= 0 && (types.get(node.id) != TokenType.CONTROL || trust.holds(at, i + 1))) {
        found = node.id;
      }
    }
    return found;
  }
}
