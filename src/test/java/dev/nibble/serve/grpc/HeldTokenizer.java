package dev.nibble.serve.grpc;

import dev.nibble.tokenizer.ChatMessage;
import dev.nibble.tokenizer.EncodingBudget;
import dev.nibble.tokenizer.Tokenizer;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;

/** A tokenizer that takes for ever over texts with {@link #MARK} in them, until it is let go or its budget ends: stands for long texts, without the time. */
final class HeldTokenizer implements Tokenizer {
  static final String MARK = "HOLD";

  private final Tokenizer tokenizer;
  volatile boolean held;

  HeldTokenizer(Tokenizer tokenizer) {
    this.tokenizer = tokenizer;
  }

  private void hold(String text, EncodingBudget budget) {
    while (held && text.contains(MARK)) {
      budget.checkpoint();
      Thread.onSpinWait();
    }
  }

  @Override
  public int[] encode(String text, boolean parseSpecial, EncodingBudget budget) {
    hold(text, budget);
    return tokenizer.encode(text, parseSpecial, budget);
  }

  @Override
  public int[] encodeWithSpecials(String text, boolean parseSpecial, EncodingBudget budget) {
    hold(text, budget);
    return tokenizer.encodeWithSpecials(text, parseSpecial, budget);
  }

  @Override
  public int[] encodeChat(List<ChatMessage> messages, EncodingBudget budget) {
    messages.forEach(message -> hold(message.content(), budget));
    return tokenizer.encodeChat(messages, budget);
  }

  @Override
  public byte[] bytes(int id, boolean renderSpecial) {
    return tokenizer.bytes(id, renderSpecial);
  }

  @Override
  public String decode(int[] ids, boolean renderSpecial) {
    return tokenizer.decode(ids, renderSpecial);
  }

  @Override
  public boolean dropsLeadingSpace() {
    return tokenizer.dropsLeadingSpace();
  }

  @Override
  public int vocabularySize() {
    return tokenizer.vocabularySize();
  }

  @Override
  public OptionalInt bos() {
    return tokenizer.bos();
  }

  @Override
  public OptionalInt eos() {
    return tokenizer.eos();
  }

  @Override
  public Set<Integer> endOfGeneration() {
    return tokenizer.endOfGeneration();
  }

  @Override
  public Optional<String> whyNoChat() {
    return tokenizer.whyNoChat();
  }

  @Override
  public List<String> remarks() {
    return tokenizer.remarks();
  }

  @Override
  public int minTokens(long utf8Bytes) {
    return tokenizer.minTokens(utf8Bytes);
  }
}
