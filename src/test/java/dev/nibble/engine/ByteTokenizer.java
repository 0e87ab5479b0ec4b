package dev.nibble.engine;

import dev.nibble.tokenizer.ChatMessage;
import dev.nibble.tokenizer.ChatTemplateException;
import dev.nibble.tokenizer.EncodingBudget;
import dev.nibble.tokenizer.Tokenizer;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;

/** A token for each byte, and one that ends an answer: every character beyond ASCII, and every word, spans tokens. */
final class ByteTokenizer implements Tokenizer {
  static final int END = 256;

  @Override
  public int[] encode(String text, boolean parseSpecial, EncodingBudget budget) {
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    int[] ids = new int[bytes.length];
    for (int i = 0; i < ids.length; i++) {
      ids[i] = Byte.toUnsignedInt(bytes[i]);
    }
    return ids;
  }

  @Override
  public int[] encodeWithSpecials(String text, boolean parseSpecial, EncodingBudget budget) {
    return encode(text, parseSpecial, budget);
  }

  @Override
  public byte[] bytes(int id, boolean renderSpecial) {
    if (id < 0 || id > END) {
      throw new IllegalArgumentException("no token " + id);
    }
    if (id == END) {
      return renderSpecial ? "<end>".getBytes(StandardCharsets.UTF_8) : new byte[0];
    }
    return new byte[] {(byte) id};
  }

  @Override
  public String decode(int[] ids, boolean renderSpecial) {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    for (int id : ids) {
      bytes.writeBytes(bytes(id, renderSpecial));
    }
    return bytes.toString(StandardCharsets.UTF_8);
  }

  @Override
  public boolean dropsLeadingSpace() {
    return false;
  }

  @Override
  public int vocabularySize() {
    return END + 1;
  }

  @Override
  public OptionalInt bos() {
    return OptionalInt.empty();
  }

  @Override
  public OptionalInt eos() {
    return OptionalInt.of(END);
  }

  @Override
  public Set<Integer> endOfGeneration() {
    return Set.of(END);
  }

  @Override
  public Optional<String> whyNoChat() {
    return Optional.of("bytes have no chat template");
  }

  @Override
  public List<String> remarks() {
    return List.of();
  }

  @Override
  public int[] encodeChat(List<ChatMessage> messages, EncodingBudget budget) {
    throw new ChatTemplateException(ChatTemplateException.Fault.MODEL, "bytes have no chat template");
  }

  @Override
  public int minTokens(long utf8Bytes) {
    return (int) utf8Bytes;
  }
}
