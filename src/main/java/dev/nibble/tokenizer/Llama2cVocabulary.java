package dev.nibble.tokenizer;

import dev.nibble.format.InputFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;

/** llama2.c's {@code tokenizer.bin}: longest token's length, then score, length and bytes of each token; ids 3 to 258 are bytes. */
public final class Llama2cVocabulary {
  private static final int BEGINNING = 1;
  private static final int END = 2;
  private static final int FIRST_BYTE = 3;

  private Llama2cVocabulary() {}

  /**
   * Reads a file.
   *
   * @throws InvalidVocabularyException naming the offending byte
   */
  public static Vocabulary read(Path file) throws IOException {
    InputFile.require(file);
    ByteBuffer in = ByteBuffer.wrap(Files.readAllBytes(file)).order(ByteOrder.LITTLE_ENDIAN);
    List<String> tokens = new ArrayList<>();
    List<TokenType> types = new ArrayList<>();
    List<Float> scores = new ArrayList<>();
    if (in.remaining() < 4) {
      throw invalid("the file is too short", 0, file);
    }
    in.getInt();
    while (in.hasRemaining()) {
      int at = in.position();
      if (in.remaining() < 8) {
        throw invalid("the file ends within token " + tokens.size(), at, file);
      }
      float score = in.getFloat();
      int length = in.getInt();
      if (length < 0 || length > in.remaining()) {
        throw invalid("token " + tokens.size() + " is " + length + " bytes long, more than are left", at, file);
      }
      byte[] bytes = new byte[length];
      in.get(bytes);
      int id = tokens.size();
      // The file shows special tokens with line feeds around, and spaces as they are.
      String text = new String(bytes, StandardCharsets.UTF_8);
      tokens.add(id < FIRST_BYTE ? text.strip() : id < FIRST_BYTE + 256 ? text : text.replace(' ', '\u2581'));
      types.add(id == 0 ? TokenType.UNKNOWN : id < FIRST_BYTE ? TokenType.CONTROL : id < FIRST_BYTE + 256 ? TokenType.BYTE : TokenType.NORMAL);
      scores.add(score);
    }
    if (tokens.size() < FIRST_BYTE + 256) {
      throw invalid("only " + tokens.size() + " tokens", in.position(), file);
    }
    float[] array = new float[scores.size()];
    for (int i = 0; i < array.length; i++) {
      array[i] = scores.get(i);
    }
    // In llama2.c's training data texts follow each other with BOS between: BOS ends a text too.
    return new Vocabulary(new Vocabulary.SentencePiece(true), tokens, types, array, List.of(), OptionalInt.of(BEGINNING), OptionalInt.of(END), true, false,
        Set.of(BEGINNING, END), Optional.empty());
  }

  private static InvalidVocabularyException invalid(String what, int at, Path file) {
    return new InvalidVocabularyException("invalid llama2.c vocabulary: " + what + " at byte " + at + " of " + file);
  }
}
