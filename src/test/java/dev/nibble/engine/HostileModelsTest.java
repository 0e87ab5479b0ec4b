package dev.nibble.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.sun.management.ThreadMXBean;
import dev.nibble.format.gguf.GgufFile;
import dev.nibble.format.gguf.GgufKeyException;
import dev.nibble.format.gguf.GgufTensor;
import dev.nibble.format.gguf.GgufType;
import dev.nibble.format.gguf.GgufValue;
import dev.nibble.format.gguf.GgufWriter;
import dev.nibble.format.gguf.InvalidGgufException;
import dev.nibble.format.gguf.ModelFile;
import dev.nibble.model.MemoryNeed;
import dev.nibble.model.kvcache.KvCacheOptions;
import dev.nibble.model.spec.InvalidModelException;
import dev.nibble.runtime.ModelReport;
import dev.nibble.tokenizer.GgufVocabulary;
import dev.nibble.tokenizer.InvalidVocabularyException;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.management.ManagementFactory;
import java.nio.channels.Channels;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.function.Consumer;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Whatever a model's file says, it is refused by name or can be used; nothing else comes of it, and no memory that the file does not justify. */
final class HostileModelsTest {
  private static final long MAX_ALLOCATED = 256 << 20;
  private static final int ROUNDS = 1500;

  private static byte[] home;
  private static int metadataEnd;

  @BeforeAll
  static void read() throws IOException {
    home = Files.readAllBytes(Path.of("src/main/resources/models/nibble-home.gguf"));
    metadataEnd = (int) GgufFile.of(MemorySegment.ofArray(home), "home").withoutTensors().size();
  }

  /** All that is done with a file before its weights are read. */
  private static void use(byte[] bytes) throws IOException {
    ModelFile file = GgufFile.of(MemorySegment.ofArray(bytes), "hostile.gguf");
    ModelReport report = ModelReport.of(file);
    report.toText();
    report.toJson();
    MemoryNeed need = MemoryNeed.of(file, KvCacheOptions.DEFAULT);
    assertThat(need.weights()).isPositive();
    assertThat(need.scratch()).isPositive();
    assertThat(need.sequence()).isPositive();
    GgufVocabulary.tokenizer(file.metadata()).encodeWithSpecials("Once upon a time", false);
  }

  private static boolean refuses(byte[] bytes, String how) {
    ThreadMXBean memory = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    long before = memory.getCurrentThreadAllocatedBytes();
    try {
      use(bytes);
      return false;
    } catch (InvalidGgufException | InvalidModelException | InvalidVocabularyException | GgufKeyException named) {
      assertThat(named.getMessage()).as(how).contains("hostile.gguf");
      return true;
    } catch (IOException | RuntimeException | Error other) {
      throw new AssertionError(how, other);
    } finally {
      assertThat(memory.getCurrentThreadAllocatedBytes() - before).as(how).isLessThan(MAX_ALLOCATED);
    }
  }

  /** Bytes of the keys and values but the vocabulary's, and of the tensors' table, since most of the file is nothing else. */
  @Test
  void anyDamageOfTheHeaderIsNamedOrHarmless() throws IOException {
    SplittableRandom random = new SplittableRandom(13);
    int vocabulary = find("tokenizer.ggml.tokens");
    int table = metadataEnd;
    int tableEnd = find("output_norm.weight") + 60;
    int refused = 0;
    for (int round = 0; round < ROUNDS; round++) {
      byte[] bytes = home.clone();
      StringBuilder how = new StringBuilder("round " + round);
      for (int n = random.nextInt(1, 4); n > 0; n--) {
        int at = random.nextBoolean() ? random.nextInt(8, vocabulary) : random.nextInt(table, tableEnd);
        int kind = random.nextInt(3);
        switch (kind) {
          case 0 -> bytes[at] = (byte) random.nextInt();
          case 1 -> Arrays.fill(bytes, at, at + random.nextInt(1, 9), (byte) (random.nextBoolean() ? 0xFF : random.nextBoolean() ? 0x7F : 0));
          default -> bytes[at] ^= (byte) (1 << random.nextInt(8));
        }
        how.append(", ").append(kind).append(" at ").append(at);
      }
      if (refuses(bytes, how.toString())) {
        refused++;
      }
    }
    assertThat(refused).isGreaterThan(ROUNDS / 2);
  }

  private static int find(String text) {
    byte[] wanted = text.getBytes(java.nio.charset.StandardCharsets.US_ASCII);
    for (int i = 0; i <= home.length - wanted.length; i++) {
      if (Arrays.equals(home, i, i + wanted.length, wanted, 0, wanted.length)) {
        return i;
      }
    }
    throw new AssertionError("no " + text);
  }

  private static byte[] with(Consumer<GgufWriter> change) throws IOException {
    GgufFile file = GgufFile.of(MemorySegment.ofArray(home), "home");
    GgufWriter writer = new GgufWriter();
    file.metadata().keys().forEach(key -> writer.metadata(key, file.metadata().find(key).orElseThrow()));
    change.accept(writer);
    for (GgufTensor tensor : file.tensors()) {
      writer.tensor(tensor.name(), tensor.shape().stream().mapToLong(Long::longValue).toArray(), tensor.type(),
          channel -> channel.write(java.nio.ByteBuffer.wrap(home, (int) tensor.offset(), (int) tensor.bytes())));
    }
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    writer.write(Channels.newChannel(out));
    return out.toByteArray();
  }

  @ParameterizedTest
  @ValueSource(strings = {"embedding_length", "feed_forward_length", "attention.head_count", "attention.head_count_kv", "block_count", "context_length",
      "rope.dimension_count", "attention.key_length", "attention.value_length", "attention.sliding_window"})
  void absurdSizesAreRefusedByTheirNames(String key) throws IOException {
    for (long number : new long[] {0, (1 << 24) + 1, (1L << 31) - 1, 1L << 32, Long.MAX_VALUE, -1, Long.MIN_VALUE}) {
      if (number == 0 && key.equals("attention.sliding_window")) {
        continue; // stands for none
      }
      byte[] bytes = with(writer -> writer.metadata("llama." + key, new GgufValue.Whole(GgufType.INT64, number)));
      assertThatThrownBy(() -> use(bytes)).as("%s = %d", key, number).isInstanceOf(GgufKeyException.class)
          .hasMessageStartingWith("metadata llama." + key + " of hostile.gguf is " + number + "; allowed: ");
    }
  }

  /** Each allowed by itself, and their products not. */
  @Test
  void sizesThatTogetherAreAbsurdAreRefused() throws IOException {
    byte[] wide = with(writer -> writer.metadata("llama.attention.head_count", GgufValue.uint32(1 << 18)).metadata("llama.attention.head_count_kv", GgufValue.uint32(1 << 18))
        .metadata("llama.attention.key_length", GgufValue.uint32(1 << 18)).metadata("llama.rope.dimension_count", GgufValue.uint32(1 << 18)));
    assertThatThrownBy(() -> use(wide)).isInstanceOf(InvalidModelException.class).hasMessageContaining("hostile.gguf").hasMessageContaining("262144 heads");
    byte[] deep = with(writer -> writer.metadata("llama.block_count", GgufValue.uint32(4096)).metadata("llama.attention.head_count", GgufValue.uint32(1 << 12))
        .metadata("llama.attention.head_count_kv", GgufValue.uint32(1 << 12)).metadata("llama.attention.key_length", GgufValue.uint32(64)).metadata("llama.rope.dimension_count", GgufValue.uint32(64)));
    assertThatThrownBy(() -> use(deep)).isInstanceOf(InvalidModelException.class).hasMessageContaining("4096 layers");
  }

  @Test
  void vocabulariesThatAreNoneAreRefused() throws IOException {
    List<Consumer<GgufWriter>> changes = List.of(
        writer -> writer.metadata("tokenizer.ggml.tokens", GgufValue.texts(List.of())),
        writer -> writer.metadata("tokenizer.ggml.token_type", GgufValue.int32s(new int[] {1})),
        writer -> writer.metadata("tokenizer.ggml.bos_token_id", new GgufValue.Whole(GgufType.INT64, Long.MAX_VALUE)),
        writer -> writer.metadata("tokenizer.ggml.eos_token_id", new GgufValue.Whole(GgufType.INT64, -1)),
        writer -> writer.metadata("tokenizer.ggml.model", GgufValue.text("\u001b[2J")),
        writer -> writer.metadata("tokenizer.ggml.tokens", GgufValue.bool(true)));
    assertThatThrownBy(() -> use(with(writer -> writer.metadata("tokenizer.ggml.merges", GgufValue.texts(List.of("no such"))))))
        .isInstanceOf(InvalidVocabularyException.class).hasMessageContaining("merge 0 is not in the vocabulary");
    for (Consumer<GgufWriter> change : changes) {
      assertThat(refuses(with(change), "change " + changes.indexOf(change))).as("change %d", changes.indexOf(change)).isTrue();
    }
  }
}
