package dev.nibble.tokenizer;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.stream.IntStream;

/** A tokenizer of a vocabulary. Text is first cut at special and added tokens, longest name first; what lies between is encoded. */
public final class VocabularyTokenizer implements Tokenizer {
  private final Vocabulary vocabulary;
  private final TextEncoder encoder;
  private final Map<Integer, List<Integer>> whole = new HashMap<>(); // first character to ids of special and added tokens, longest first
  private final Optional<ChatTemplate> template;

  /** @throws InvalidVocabularyException if the vocabulary's parts do not go together */
  public VocabularyTokenizer(Vocabulary vocabulary) throws InvalidVocabularyException {
    this.vocabulary = vocabulary;
    List<String> tokens = vocabulary.tokens();
    encoder = switch (vocabulary.algorithm()) {
      case Vocabulary.ByteLevel algorithm -> new ByteLevelEncoder(vocabulary, algorithm, ids(tokens));
      case Vocabulary.SentencePiece algorithm -> new SentencePieceEncoder(vocabulary, algorithm);
    };
    for (OptionalInt special : List.of(vocabulary.beginning(), vocabulary.end())) {
      if (special.isPresent() && (special.getAsInt() < 0 || special.getAsInt() >= tokens.size())) {
        throw new InvalidVocabularyException("special token " + special.getAsInt() + " is not among the " + tokens.size() + " tokens");
      }
    }
    // What tokens stand for is worked out when it is asked for: a start-up has no time for all of them.
    for (int id = 0; id < tokens.size(); id++) {
      String token = tokens.get(id);
      if (vocabulary.types().get(id) == TokenType.BYTE) {
        SentencePieceEncoder.byteOf(token);
      }
      if (!token.isEmpty() && (isControl(id) || vocabulary.types().get(id) == TokenType.USER_DEFINED)) {
        whole.computeIfAbsent((int) token.charAt(0), first -> new ArrayList<>()).add(id);
      }
    }
    whole.values().forEach(list -> list.sort((a, b) -> tokens.get(b).length() - tokens.get(a).length()));
    template = vocabulary.chatTemplate().map(ChatTemplate::new);
  }

  private static Map<String, Integer> ids(List<String> tokens) {
    Map<String, Integer> ids = HashMap.newHashMap(tokens.size());
    for (int id = 0; id < tokens.size(); id++) {
      ids.putIfAbsent(tokens.get(id), id);
    }
    return ids;
  }

  /** What it was made from. */
  public Vocabulary vocabulary() {
    return vocabulary;
  }

  private boolean isControl(int id) {
    return vocabulary.types().get(id) == TokenType.CONTROL;
  }

  @Override
  public int[] encode(String text, boolean parseSpecial) {
    return encode(text, parseSpecial ? ALL : NONE).toArray();
  }

  /** Tells whether special tokens' names are recognised within these places. */
  @FunctionalInterface
  interface Trust {
    boolean holds(int from, int to);
  }

  private static final Trust ALL = (from, to) -> true;
  private static final Trust NONE = (from, to) -> false;

  private IntStream encode(String text, Trust trust) {
    IntStream.Builder ids = IntStream.builder();
    int begin = 0;
    boolean first = true;
    for (int i = 0; i < text.length();) {
      int id = wholeToken(text, i, trust);
      if (id < 0) {
        i++;
        continue;
      }
      encoder.encode(text.substring(begin, i), first, ids::add);
      ids.add(id);
      first = true;
      i += vocabulary.tokens().get(id).length();
      begin = i;
    }
    encoder.encode(text.substring(begin), first, ids::add);
    return ids.build();
  }

  private int wholeToken(String text, int at, Trust trust) {
    List<Integer> candidates = whole.get((int) text.charAt(at));
    if (candidates != null) {
      for (int id : candidates) {
        String token = vocabulary.tokens().get(id);
        if (text.startsWith(token, at) && (!isControl(id) || trust.holds(at, at + token.length()))) {
          return id;
        }
      }
    }
    return -1;
  }

  @Override
  public int[] encodeWithSpecials(String text, boolean parseSpecial) {
    IntStream begin = vocabulary.addBeginning() ? vocabulary.beginning().stream() : IntStream.empty();
    IntStream end = vocabulary.addEnd() ? vocabulary.end().stream() : IntStream.empty();
    return IntStream.concat(begin, IntStream.concat(encode(text, parseSpecial ? ALL : NONE), end)).toArray();
  }

  @Override
  public byte[] bytes(int id, boolean renderSpecial) {
    if (id < 0 || id >= vocabularySize()) {
      throw new IllegalArgumentException("token id " + id + " is not in the vocabulary of " + vocabularySize());
    }
    String token = vocabulary.tokens().get(id);
    return switch (vocabulary.types().get(id)) {
      case NORMAL, UNUSED -> encoder.decode(token);
      case USER_DEFINED -> token.getBytes(StandardCharsets.UTF_8);
      case UNKNOWN -> " \u2047 ".getBytes(StandardCharsets.UTF_8); // as SentencePiece writes it
      case BYTE -> new byte[] {(byte) Integer.parseInt(token, "<0x".length(), token.length() - 1, 16)}; // checked before
      case CONTROL -> renderSpecial ? token.getBytes(StandardCharsets.UTF_8) : new byte[0];
    };
  }

  @Override
  public String decode(int[] ids, boolean renderSpecial) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    boolean first = true;
    for (int id : ids) {
      byte[] piece = bytes(id, renderSpecial);
      boolean drop = first && dropsLeadingSpace() && piece.length > 0 && piece[0] == ' ' && !isControl(id);
      out.write(piece, drop ? 1 : 0, piece.length - (drop ? 1 : 0));
      first &= isControl(id);
    }
    return out.toString(StandardCharsets.UTF_8);
  }

  @Override
  public boolean dropsLeadingSpace() {
    return vocabulary.algorithm() instanceof Vocabulary.SentencePiece piece && piece.spacePrefix();
  }

  @Override
  public int vocabularySize() {
    return vocabulary.tokens().size();
  }

  @Override
  public OptionalInt bos() {
    return vocabulary.beginning();
  }

  @Override
  public OptionalInt eos() {
    return vocabulary.end();
  }

  @Override
  public Set<Integer> endOfGeneration() {
    return vocabulary.endOfGeneration();
  }

  @Override
  public boolean hasChatTemplate() {
    return template.isPresent();
  }

  @Override
  public int[] encodeChat(List<ChatMessage> messages) {
    ChatTemplate found = template.orElseThrow(() -> new ChatTemplateException("the model has no chat template"));
    ChatTemplate.Text text = found.render(messages, name(bos()), name(eos()));
    int[] ids = encode(text.value(), text::trusted).toArray();
    boolean missing = vocabulary.addBeginning() && bos().isPresent() && (ids.length == 0 || ids[0] != bos().getAsInt());
    return missing ? IntStream.concat(bos().stream(), IntStream.of(ids)).toArray() : ids;
  }

  private String name(OptionalInt id) {
    return id.isPresent() ? vocabulary.tokens().get(id.getAsInt()) : "";
  }
}
