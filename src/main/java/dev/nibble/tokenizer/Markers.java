package dev.nibble.tokenizer;

import dev.nibble.tokenizer.jinja.Text;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;

/**
 * Finds the tokens that mark turns and ends whatever their type says. Converters of many models type such tokens user-defined or normal, or write no types;
 * taken at their word, answers would not end, and users' text could form turns of others.
 */
final class Markers {
  /** Names that end an answer, from the models that have them: nothing else is named so. */
  private static final Set<String> END_NAMES = Set.of("<|end|>", "<|im_end|>", "<|eot_id|>", "<|eom_id|>", "<|eot|>", "<|endoftext|>", "<|end_of_text|>", "<|endofturn|>",
      "<|end_of_turn|>", "<|return|>", "<|call|>", "<|eos|>", "<end_of_turn>", "<turn|>", "<end_of_utterance>", "<EOT>", "_<EOT>", "[EOT]", "<\uFF5Cend\u2581of\u2581sentence\uFF5C>");
  /** Names that end an answer in some vocabularies, and in others are tags of HTML: taken where they are control tokens, or where nothing has a type. */
  private static final Set<String> END_NAMES_IF_CONTROL = Set.of("</s>", "<eos>", "[EOS]");
  private static final int MAX_NAME = 64;
  private static final int MOST_REMARKS = 8;

  /** A rendering of a conversation in which an assistant said something. */
  record Trial(Text text, String answer) {}

  /** A vocabulary with these tokens as control tokens, and what was changed. */
  record Result(Vocabulary vocabulary, List<String> remarks) {}

  private final Vocabulary vocabulary;
  private final List<TokenType> types;
  private final Set<Integer> ends;
  private final List<String> remarks = new ArrayList<>();
  private int changed;

  private Markers(Vocabulary vocabulary) {
    this.vocabulary = vocabulary;
    types = new ArrayList<>(vocabulary.types());
    ends = new LinkedHashSet<>(vocabulary.endOfGeneration());
  }

  /**
   * Finds them.
   *
   * @param trials what the chat template makes of a few conversations; none where it can't be used
   */
  static Result settle(Vocabulary vocabulary, List<Trial> trials) {
    return new Markers(vocabulary).settle(trials);
  }

  /** Whether a token's name alone ends answers. */
  static boolean endsByName(Vocabulary vocabulary, int id) {
    String name = vocabulary.tokens().get(id);
    return END_NAMES.contains(name) || END_NAMES_IF_CONTROL.contains(name) && (vocabulary.types().get(id) == TokenType.CONTROL || !hasControl(vocabulary));
  }

  private static boolean hasControl(Vocabulary vocabulary) {
    return vocabulary.types().contains(TokenType.CONTROL);
  }

  private Result settle(List<Trial> trials) {
    for (OptionalInt id : List.of(vocabulary.beginning(), vocabulary.end())) {
      if (id.isPresent() && id.getAsInt() >= 0 && id.getAsInt() < types.size()) {
        control(id.getAsInt(), "the metadata name it as BOS or EOS");
      }
    }
    for (int id : vocabulary.endOfGeneration()) {
      if (id >= 0 && id < types.size()) {
        control(id, "the metadata name it as an end of turns");
      }
    }
    boolean typed = hasControl(vocabulary);
    for (int id = 0; id < types.size(); id++) {
      String name = vocabulary.tokens().get(id);
      if (END_NAMES.contains(name) || END_NAMES_IF_CONTROL.contains(name) && (!typed || vocabulary.types().get(id) == TokenType.CONTROL)) {
        if (!isWord(id)) {
          control(id, "it ends turns");
          ends.add(id);
        }
      } else if (looksLikeMarker(name) && trials.stream().anyMatch(trial -> isWritten(name, trial.text)) && !isWord(id)) {
        control(id, "the chat template writes it");
      }
    }
    for (Trial trial : trials) {
      endOfAnswer(trial).ifPresent(ends::add);
    }
    if (changed > MOST_REMARKS) {
      remarks.add((changed - MOST_REMARKS) + " more tokens are used as control tokens for such reasons.");
    }
    Vocabulary settled = changed == 0 && ends.equals(vocabulary.endOfGeneration()) ? vocabulary
        : new Vocabulary(vocabulary.algorithm(), vocabulary.tokens(), types, vocabulary.scores(), vocabulary.merges(), vocabulary.beginning(), vocabulary.end(),
            vocabulary.addBeginning(), vocabulary.addEnd(), ends, vocabulary.chatTemplate());
    return new Result(settled, List.copyOf(remarks));
  }

  private void control(int id, String why) {
    TokenType type = types.get(id);
    if (type == TokenType.CONTROL || type == TokenType.BYTE || type == TokenType.UNKNOWN) {
      return; // bytes and the unknown token are never made as a whole, and are needed as what they are
    }
    types.set(id, TokenType.CONTROL);
    if (++changed <= MOST_REMARKS) {
      remarks.add("Token " + id + " (" + ChatTemplate.shown(vocabulary.tokens().get(id)) + ") has type " + (type.ordinal() + 1) + " in the model's file; it is used as a control token, since "
          + why + ".");
    }
  }

  /** A word of the language that text may well have, since merges make it. */
  private boolean isWord(int id) {
    if (vocabulary.types().get(id) != TokenType.NORMAL || !(vocabulary.algorithm() instanceof Vocabulary.ByteLevel)) {
      return false;
    }
    String name = vocabulary.tokens().get(id);
    return vocabulary.merges().stream().anyMatch(merge -> merge.length() == name.length() + 1 && merge.replace(" ", "").equals(name));
  }

  private static boolean looksLikeMarker(String name) {
    if (name.length() < 3 || name.length() > MAX_NAME) {
      return false;
    }
    char first = name.charAt(0);
    char last = name.charAt(name.length() - 1);
    return first == '<' && last == '>' || first == '[' && last == ']';
  }

  /** Whether a name stands in a rendering, in the template's own characters throughout. */
  private static boolean isWritten(String name, Text text) {
    for (int at = text.value().indexOf(name); at >= 0; at = text.value().indexOf(name, at + 1)) {
      if (text.isOwn(at, at + name.length())) {
        return true;
      }
    }
    return false;
  }

  /** The control token that the template puts after an answer: whatever its name, it ends answers. */
  private Optional<Integer> endOfAnswer(Trial trial) {
    String text = trial.text.value();
    int at = text.indexOf(trial.answer);
    if (at < 0) {
      return Optional.empty();
    }
    at += trial.answer.length();
    while (at < text.length() && Character.isWhitespace(text.charAt(at))) {
      at++;
    }
    SpecialTokens controls = new SpecialTokens(types);
    for (int id = 0; id < types.size(); id++) {
      if (types.get(id) == TokenType.CONTROL && !vocabulary.tokens().get(id).isEmpty()) {
        controls.add(vocabulary.tokens().get(id), id);
      }
    }
    int id = at < text.length() ? controls.find(text, at, trial.text::isOwn) : -1;
    return id >= 0 ? Optional.of(id) : Optional.empty();
  }
}
