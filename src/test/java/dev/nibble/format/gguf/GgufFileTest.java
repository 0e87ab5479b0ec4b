package dev.nibble.format.gguf;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.nibble.SharedFixtures;
import dev.nibble.tensor.TensorFormat;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class GgufFileTest {
  private static final long[] WIDE = {-1, Long.MIN_VALUE, 7};

  private static GgufWriter sample() {
    return new GgufWriter()
        .metadata("general.architecture", GgufValue.text("llama"))
        .metadata("a.u8", new GgufValue.Whole(GgufType.UINT8, 255))
        .metadata("a.i8", new GgufValue.Whole(GgufType.INT8, -128))
        .metadata("a.u16", new GgufValue.Whole(GgufType.UINT16, 65535))
        .metadata("a.i16", new GgufValue.Whole(GgufType.INT16, -32768))
        .metadata("a.u32", GgufValue.uint32(-1))
        .metadata("a.i32", new GgufValue.Whole(GgufType.INT32, Integer.MIN_VALUE))
        .metadata("a.u64", new GgufValue.Whole(GgufType.UINT64, Long.MAX_VALUE))
        .metadata("a.i64", new GgufValue.Whole(GgufType.INT64, Long.MIN_VALUE))
        .metadata("a.f32", GgufValue.float32(1.1f))
        .metadata("a.f64", new GgufValue.Real(GgufType.FLOAT64, Math.PI))
        .metadata("a.bool", GgufValue.bool(true))
        .metadata("a.text", GgufValue.text("naïve \u0000 \uFFFD 🎈"))
        .metadata("a.texts", GgufValue.texts(List.of("", "ä", "\n")))
        .metadata("a.wholes", new GgufValue.Wholes(GgufType.INT64, WIDE))
        .metadata("a.reals", GgufValue.float32s(new float[] {Float.NaN, -0f, 3.5f}))
        .metadata("a.bools", new GgufValue.Bools(new boolean[] {true, false}))
        .metadata("a.nested", new GgufValue.Arrays(List.of(new GgufValue.Texts(List.of("x")), new GgufValue.Texts(List.of()))))
        .tensor("norm", new long[] {3}, TensorFormat.F32, channel -> channel.write(ByteBuffer.wrap(pattern(12))))
        .tensor("matrix", new long[] {64, 3}, TensorFormat.Q4_0, channel -> channel.write(ByteBuffer.wrap(pattern(108))));
  }

  private static byte[] pattern(int length) {
    byte[] bytes = new byte[length];
    for (int i = 0; i < length; i++) {
      bytes[i] = (byte) (i * 7 + 1);
    }
    return bytes;
  }

  private static byte[] bytes(GgufWriter writer) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    try {
      writer.write(Channels.newChannel(out));
    } catch (IOException e) {
      throw new AssertionError(e);
    }
    return out.toByteArray();
  }

  private static GgufFile read(byte[] bytes) throws IOException {
    return GgufFile.of(MemorySegment.ofArray(bytes), "test.gguf");
  }

  private static byte[] content(GgufFile file, GgufTensor tensor) throws IOException {
    byte[] content = new byte[Math.toIntExact(tensor.bytes())];
    file.source(tensor).read(0, content, content.length);
    return content;
  }

  @Test
  void whatIsWrittenIsReadAgain(@TempDir Path directory) throws IOException {
    Path path = directory.resolve("sample.gguf");
    sample().write(path);
    GgufFile file = GgufFile.open(path);
    GgufMetadata metadata = file.metadata();
    assertThat(file.version()).isEqualTo(3);
    assertThat(metadata.integer("a.u8")).hasValue(255);
    assertThat(metadata.integer("a.i8")).hasValue(-128);
    assertThat(metadata.integer("a.u16")).hasValue(65535);
    assertThat(metadata.integer("a.i16")).hasValue(-32768);
    assertThat(metadata.integer("a.u32")).hasValue(4294967295L);
    assertThat(metadata.integer("a.i32")).hasValue(Integer.MIN_VALUE);
    assertThat(metadata.integer("a.u64")).hasValue(Long.MAX_VALUE);
    assertThat(metadata.integer("a.i64")).hasValue(Long.MIN_VALUE);
    assertThat(metadata.number("a.f32")).hasValue(1.1f);
    assertThat(metadata.number("a.f64")).hasValue(Math.PI);
    assertThat(metadata.bool("a.bool")).contains(true);
    assertThat(metadata.string("a.text")).contains("naïve \u0000 \uFFFD 🎈");
    assertThat(metadata.strings("a.texts")).contains(List.of("", "ä", "\n"));
    assertThat(metadata.integers("a.wholes")).contains(WIDE);
    assertThat(metadata.numbers("a.reals")).contains(new double[] {Double.NaN, -0.0, 3.5});
    assertThat(((GgufValue.Bools) metadata.find("a.bools").orElseThrow()).values()).containsExactly(true, false);
    assertThat(((GgufValue.Arrays) metadata.find("a.nested").orElseThrow()).values()).hasSize(2);
    GgufTensor matrix = file.find("matrix").orElseThrow();
    assertThat(matrix.offset() % file.alignment()).isZero();
    assertThat(List.of(matrix.columns(), matrix.rows(), matrix.elements(), matrix.bytes())).containsExactly(64L, 3L, 192L, 108L);
    assertThat(matrix.type()).isEqualTo(TensorFormat.Q4_0);
    assertThat(content(file, matrix)).isEqualTo(pattern(108));
    file.close();
    assertThat(Files.list(directory)).as("nothing else is left").containsExactly(path);
  }

  /** Metadata and tensors of a file that another program wrote come back byte for byte through our writer. */
  @Test
  void aForeignFileSurvivesTheWayThroughOurWriter() throws IOException {
    Path path = SharedFixtures.require("tokenizers/vectors/ggml-vocab-gpt-2.gguf");
    GgufFile file = GgufFile.open(path);
    assertThat(file.metadata().strings("tokenizer.ggml.tokens").orElseThrow()).hasSize(50257).startsWith("!", "\"");
    assertThat(file.metadata().strings("tokenizer.ggml.merges").orElseThrow()).hasSize(50000);
    GgufWriter writer = new GgufWriter();
    file.metadata().keys().forEach(key -> writer.metadata(key, file.metadata().find(key).orElseThrow()));
    byte[] original = Files.readAllBytes(path);
    byte[] again = bytes(writer);
    assertThat(Arrays.copyOf(again, original.length)).isEqualTo(original);
    for (int i = original.length; i < again.length; i++) {
      assertThat(again[i]).as("padding").isZero();
    }
  }

  @Test
  void version2IsRead() throws IOException {
    byte[] bytes = bytes(sample());
    bytes[4] = 2;
    assertThat(read(bytes).version()).isEqualTo(2);
  }

  @Test
  void aFileCutAnywhereIsRefusedByOffset() {
    byte[] whole = bytes(sample());
    int dataEnd = whole.length - (32 - 108 % 32) % 32;
    for (int length = 0; length < dataEnd; length++) {
      byte[] cut = Arrays.copyOf(whole, length);
      assertThatThrownBy(() -> read(cut)).as("cut at %d", length).isInstanceOf(InvalidGgufException.class)
          .hasMessageMatching("(?s)invalid GGUF: .+ at byte \\d+ of test\\.gguf");
    }
  }

  /** Any damage gives a file that can be used to its last byte, or an InvalidGgufException; and soon, without much memory. */
  @Test
  void damageIsRefusedOrHarmless() throws IOException {
    byte[] whole = bytes(sample());
    SplittableRandom random = new SplittableRandom(42);
    int refused = 0;
    for (int round = 0; round < 60_000; round++) {
      byte[] bytes = whole.clone();
      for (int n = random.nextInt(1, 4); n > 0; n--) {
        int at = random.nextInt(bytes.length);
        switch (random.nextInt(3)) {
          case 0 -> bytes[at] = (byte) random.nextInt();
          case 1 -> Arrays.fill(bytes, at, Math.min(bytes.length, at + 8), (byte) (random.nextBoolean() ? 0xFF : 0x7F));
          default -> bytes[at] ^= (byte) (1 << random.nextInt(8));
        }
      }
      try {
        GgufFile file = read(bytes);
        for (GgufTensor tensor : file.tensors()) {
          content(file, tensor);
        }
      } catch (InvalidGgufException e) {
        refused++;
      }
    }
    assertThat(refused).isGreaterThan(10_000);
  }

  @Test
  void messagesNameTheOffendingBytes() {
    byte[] bytes = bytes(sample());
    assertInvalid(with(bytes, 0, 'X'), "the file does not begin with \"GGUF\" at byte 0");
    assertInvalid(with(bytes, 4, 9), "version 9; versions 2 and 3 can be read at byte 4");
    assertInvalid(with(bytes, 4, 0, 0, 0, 3), "a big-endian file");
    assertInvalid(with(bytes, 8, 255, 255, 255, 255, 255, 255, 255, 127), "tensor count is 9223372036854775807, more than the file has room for (it was cut short, or is damaged: get it again) at byte 8");
    assertInvalid(with(bytes, 16, 255, 255, 255, 255, 255, 255, 255, 255), "metadata count is 18446744073709551615");
    int u8 = find(bytes, "a.u8") + 4;
    assertInvalid(with(bytes, u8, 77), "type of metadata a.u8 is 77, which is unknown at byte " + u8);
    int bool = find(bytes, "a.bool") + 6 + 4;
    assertInvalid(with(bytes, bool, 2), "truth value of metadata a.bool is 2, neither 0 nor 1 at byte " + bool);
    assertInvalid(with(bytes, find(bytes, "a.i8"), 'a', '.', 'u', '8'), "metadata a.u8 occurs twice");
    int text = find(bytes, "naïve");
    assertInvalid(with(bytes, text, 0xC0), "metadata a.text is not UTF-8 at byte " + text);
    int matrix = find(bytes, "matrix") + 6;
    assertInvalid(with(bytes, matrix, 5), "tensor matrix has 5 dimensions; allowed: 1 to 4 at byte " + matrix);
    assertInvalid(with(bytes, matrix + 4, 63), "rows of 63 weights of tensor matrix are not whole Q4_0 blocks of 32 at byte " + (matrix + 20));
    assertInvalid(with(bytes, matrix + 12, 0), "dimension 0 of tensor matrix is zero or too large");
    assertInvalid(with(bytes, matrix + 12, 0, 0, 0, 0, 0, 0, 0, 127), "dimension 9151314442816847872 of tensor matrix is zero or too large");
    assertInvalid(with(bytes, matrix + 20, 99), "tensor matrix has unknown type 99 at byte " + (matrix + 20));
    assertInvalid(with(bytes, matrix + 24, 1), "offset 1 of tensor matrix is not a multiple of the alignment 32 at byte " + (matrix + 24));
    assertInvalid(with(bytes, matrix + 24, 0), "the data of tensor matrix overlaps that of norm");
    assertInvalid(with(bytes, matrix + 24, 0, 1), "the data of tensor matrix (108 bytes from 256 on) ends beyond the file's");
  }

  @Test
  void aWriterThatFailsLeavesTheOldFile(@TempDir Path directory) throws IOException {
    Path path = directory.resolve("old.gguf");
    Files.writeString(path, "old");
    GgufWriter writer = new GgufWriter().tensor("t", new long[] {4}, TensorFormat.F32, channel -> channel.write(ByteBuffer.allocate(15)));
    assertThatThrownBy(() -> writer.write(path)).isInstanceOf(IOException.class).hasMessage("tensor t takes 16 bytes, but 15 were given");
    assertThat(path).hasContent("old");
    assertThat(Files.list(directory)).containsExactly(path);
  }

  @Test
  void metadataOfAnotherTypeIsNamed() throws IOException {
    GgufMetadata metadata = read(bytes(sample())).metadata();
    assertThatThrownBy(() -> metadata.string("a.u8")).isInstanceOf(GgufKeyException.class)
        .hasMessage("metadata a.u8 of test.gguf is UINT8, not a string");
    assertThatThrownBy(() -> metadata.requireInteger("a.none", 0, 1)).hasMessage("metadata a.none is missing in test.gguf");
    assertThatThrownBy(() -> metadata.requireInteger("a.u8", 0, 254)).hasMessage("metadata a.u8 of test.gguf is 255; allowed: 0 to 254");
  }

  private static byte[] with(byte[] bytes, int at, int... values) {
    byte[] changed = bytes.clone();
    for (int i = 0; i < values.length; i++) {
      changed[at + i] = (byte) values[i];
    }
    return changed;
  }

  private static int find(byte[] bytes, String text) {
    byte[] wanted = text.getBytes(StandardCharsets.UTF_8);
    for (int i = 0; i <= bytes.length - wanted.length; i++) {
      if (Arrays.equals(bytes, i, i + wanted.length, wanted, 0, wanted.length)) {
        return i;
      }
    }
    throw new AssertionError("no " + text);
  }

  private static void assertInvalid(byte[] bytes, String what) {
    assertThatThrownBy(() -> read(bytes)).isInstanceOf(InvalidGgufException.class).hasMessageStartingWith("invalid GGUF: " + what)
        .hasMessageEndingWith(" of test.gguf");
  }
}
