package dev.nibble.tokenizer;

import dev.nibble.tokenizer.jinja.Text;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.time.Clock;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.stream.Stream;

/** A tokenizer of a vocabulary. Text is first cut at special and added tokens, longest name first; what lies between is encoded. */
public final class VocabularyTokenizer implements Tokenizer {
  private static final int CHECK_EVERY = 1 << 16; // characters
  private static final String TRIAL_QUESTION = "Is it warm?";
  private static final String TRIAL_ANSWER = "It is warm.";

  private final Vocabulary vocabulary;
  private final TextEncoder encoder;
  private final SpecialTokens whole;
  private final long twiceLongest; // most UTF-8 bytes of text that become one token, times two
  private final Chat chat;
  private final List<String> remarks;

  /** @throws InvalidVocabularyException if the vocabulary's parts do not go together */
  public VocabularyTokenizer(Vocabulary given) throws InvalidVocabularyException {
    List<String> tokens = given.tokens();
    if (tokens.isEmpty()) {
      throw new InvalidVocabularyException("the vocabulary has no tokens");
    }
    for (OptionalInt special : List.of(given.beginning(), given.end())) {
      if (special.isPresent() && (special.getAsInt() < 0 || special.getAsInt() >= tokens.size())) {
        throw new InvalidVocabularyException("special token " + special.getAsInt() + " is not among the " + tokens.size() + " tokens");
      }
    }
    chat = Chat.of(given);
    Markers.Result settled = Markers.settle(given, chat.trials);
    vocabulary = settled.vocabulary();
    encoder = switch (vocabulary.algorithm()) {
      case Vocabulary.ByteLevel algorithm -> new ByteLevelEncoder(vocabulary, algorithm, ids(tokens));
      case Vocabulary.SentencePiece algorithm -> new SentencePieceEncoder(vocabulary, algorithm);
    };
    remarks = Stream.concat(settled.remarks().stream(), encoder.remark().stream()).toList();
    whole = new SpecialTokens(vocabulary.types());
    long mostBytes = (normalizes() ? Nfc.TWICE_MOST_SHRINKING : 2L) * encoder.longest();
    // What tokens stand for is worked out when it is asked for: a start-up has no time for all of them.
    for (int id = 0; id < tokens.size(); id++) {
      String token = tokens.get(id);
      if (vocabulary.types().get(id) == TokenType.BYTE) {
        SentencePieceEncoder.byteOf(token);
      }
      if (!token.isEmpty() && (isControl(id) || vocabulary.types().get(id) == TokenType.USER_DEFINED)) {
        whole.add(token, id);
        mostBytes = Math.max(mostBytes, 2L * token.getBytes(StandardCharsets.UTF_8).length);
      }
    }
    twiceLongest = mostBytes;
  }

  /** {@link #whyNoChat()} of a vocabulary, for those who need no tokenizer. */
  public static Optional<String> whyNoChat(Vocabulary vocabulary) {
    return Chat.of(vocabulary).whyNot;
  }

  /**
   * What a vocabulary's chat template is good for.
   *
   * @param whyNot why it can't be used, or else empty
   * @param trials what it makes of a few conversations
   */
  private record Chat(Optional<ChatTemplate> template, Optional<String> whyNot, List<Markers.Trial> trials) {
    static Chat unusable(String why) {
      return new Chat(Optional.empty(), Optional.of(why), List.of());
    }

    static Chat of(Vocabulary vocabulary) {
      if (vocabulary.chatTemplate().isEmpty()) {
        return unusable("it has no chat template");
      }
      ChatMessage user = new ChatMessage("user", TRIAL_QUESTION);
      List<ChatMessage> turns = List.of(user, new ChatMessage("assistant", TRIAL_ANSWER), user);
      List<ChatMessage> all = new ArrayList<>(turns);
      all.addFirst(new ChatMessage("system", TRIAL_QUESTION));
      List<Markers.Trial> trials = new ArrayList<>();
      try {
        ChatTemplate template = new ChatTemplate(vocabulary.chatTemplate().get(), Clock.systemDefaultZone());
        for (List<ChatMessage> conversation : List.of(List.of(user), turns, all)) {
          try {
            trials.add(new Markers.Trial(template.tryOut(conversation, name(vocabulary, vocabulary.beginning()), name(vocabulary, vocabulary.end())), TRIAL_ANSWER));
          } catch (ChatTemplateException refusal) {
            if (refusal.fault() == ChatTemplateException.Fault.MODEL) {
              throw refusal;
            }
            if (conversation.size() == 1) {
              return unusable("its chat template refuses a user's message: " + ChatTemplate.shown(refusal.getMessage()));
            }
          }
        }
        return new Chat(Optional.of(template), Optional.empty(), trials);
      } catch (ChatTemplateException unusable) {
        return unusable(unusable.getMessage());
      }
    }
  }

  private static Map<String, Integer> ids(List<String> tokens) {
    Map<String, Integer> ids = HashMap.newHashMap(tokens.size());
    for (int id = 0; id < tokens.size(); id++) {
      ids.putIfAbsent(tokens.get(id), id);
    }
    return ids;
  }

  /** What it was made from, with control tokens as {@link Markers} finds them. */
  public Vocabulary vocabulary() {
    return vocabulary;
  }

  private boolean isControl(int id) {
    return vocabulary.types().get(id) == TokenType.CONTROL;
  }

  private boolean normalizes() {
    return vocabulary.algorithm() instanceof Vocabulary.ByteLevel algorithm && algorithm.nfc();
  }

  @Override
  public int[] encode(String text, boolean parseSpecial, EncodingBudget budget) {
    IdBuffer ids = new IdBuffer(budget);
    encode(text, parseSpecial ? ALL : NONE, ids);
    return ids.toArray();
  }

  /** Tells whether special tokens' names are recognised within these places. */
  @FunctionalInterface
  interface Trust {
    boolean holds(int from, int to);
  }

  private static final Trust ALL = (from, to) -> true;
  private static final Trust NONE = (from, to) -> false;

  private void encode(String text, Trust trust, IdBuffer ids) {
    ids.budget().checkpoint();
    int begin = 0;
    for (int i = 0; i < text.length();) {
      int id = whole.mayBegin(text.charAt(i)) ? whole.find(text, i, trust) : -1;
      if (id < 0) {
        i++;
        if (i % CHECK_EVERY == 0) {
          ids.budget().checkpoint();
        }
        continue;
      }
      encoder.encode(text, begin, i, ids);
      ids.add(id);
      i += vocabulary.tokens().get(id).length();
      begin = i;
    }
    encoder.encode(text, begin, text.length(), ids);
  }

  @Override
  public int[] encodeWithSpecials(String text, boolean parseSpecial, EncodingBudget budget) {
    IdBuffer ids = new IdBuffer(budget);
    if (vocabulary.addBeginning()) {
      vocabulary.beginning().ifPresent(ids::add);
    }
    encode(text, parseSpecial ? ALL : NONE, ids);
    if (vocabulary.addEnd()) {
      vocabulary.end().ifPresent(ids::add);
    }
    return ids.toArray();
  }

  @Override
  public int minTokens(long utf8Bytes) {
    return (int) Math.min(Integer.MAX_VALUE, Math.ceilDiv(2 * utf8Bytes, twiceLongest));
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
  public Optional<String> whyNoChat() {
    return chat.whyNot;
  }

  @Override
  public List<String> remarks() {
    return remarks;
  }

  @Override
  public Optional<String> chatTemplate() {
    return vocabulary.chatTemplate();
  }

  @Override
  public int[] encodeChat(List<ChatMessage> messages, EncodingBudget budget) {
    ChatTemplate template = chat.template.orElseThrow(() -> new ChatTemplateException(ChatTemplateException.Fault.MODEL, chat.whyNot.orElseThrow()));
    Text text = template.render(messages, name(vocabulary, bos()), name(vocabulary, eos()), budget);
    IdBuffer ids = new IdBuffer(budget);
    encode(text.value(), text::isOwn, ids);
    if (vocabulary.addBeginning() && bos().isPresent() && !ids.startsWith(bos().getAsInt())) {
      ids.addFirst(bos().getAsInt());
    }
    return ids.toArray();
  }

  private static String name(Vocabulary vocabulary, OptionalInt id) {
    return id.isPresent() ? vocabulary.tokens().get(id.getAsInt()) : "";
  }
}
