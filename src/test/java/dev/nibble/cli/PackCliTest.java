package dev.nibble.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.nibble.format.gguf.GgufFile;
import dev.nibble.format.gguf.GgufMetadata;
import dev.nibble.format.gguf.GgufValue;
import dev.nibble.format.gguf.GgufWriter;
import dev.nibble.tensor.TensorFormat;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.List;
import org.junit.jupiter.api.Test;

/** {@code pack}, {@code inspect --verify} and {@code --pack-cache}, as a user calls them. {@link PackCliIT} runs the same against the native executable. */
class PackCliTest extends CliProcess {
  private static final String[] STORY = {"run", "--temp", "0", "--max-tokens", "20", "Once upon a time"};

  private Path pack(String name) throws IOException, InterruptedException {
    Path pack = folder.resolve(name);
    Outcome outcome = nibble("pack", EMBEDDED.toString(), pack.toString());
    assertThat(outcome.err()).isEmpty();
    assertThat(outcome.status()).isZero();
    assertThat(outcome.out()).startsWith(pack + ": ").contains("read back without a difference");
    return pack;
  }

  @Test
  void aPackRunsAsItsModelWhateverItsName() throws Exception {
    Outcome expected = nibble(STORY);
    for (String name : List.of("home.nib", "home.gguf")) {
      assertThat(nibble(with(STORY, "--model", pack(name).toString()))).isEqualTo(expected);
    }
    Outcome bench = nibble("bench", "--prompt", "8", "--gen", "2", "--json", "--model", folder.resolve("home.nib").toString());
    JsonNode result = new ObjectMapper().readTree(bench.out());
    assertThat(result.path("model").asText()).isEqualTo("home");
    assertThat(result.path("peak_rss_bytes").asLong()).isGreaterThanOrEqualTo(result.path("rss_bytes").asLong());
  }

  @Test
  void inspectTellsOfPacksAndVerifiesThem() throws Exception {
    Path pack = pack("home.nib");
    JsonNode report = new ObjectMapper().readTree(nibble("inspect", "--json", pack.toString()).out());
    assertThat(report.path("parameters").asLong()).isEqualTo(3_672_320);
    assertThat(report.path("source_bytes").asLong()).isEqualTo(Files.size(EMBEDDED));
    assertThat(report.path("source_sha256").asText())
        .isEqualTo(HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(Files.readAllBytes(EMBEDDED))));
    assertThat(nibble("inspect", pack.toString()).out()).contains("packed v2", "tile layouts", "source sha256", "blk.3.attn_v.weight", "2048 tokens");
    Outcome verified = nibble("inspect", "--verify", pack.toString());
    assertThat(verified).isEqualTo(new Outcome(0, pack + ": all of its " + (report.path("tensors").size() + 1) + " sections are as they were packed\n", ""));
    refuses("is no packed file", "inspect", "--verify", EMBEDDED.toString());
  }

  @Test
  void damageIsNamed() throws Exception {
    Path pack = pack("home.nib");
    byte[] bytes = Files.readAllBytes(pack);
    JsonNode tensors = new ObjectMapper().readTree(nibble("inspect", "--json", pack.toString()).out()).path("tensors");
    for (JsonNode tensor : tensors) {
      if (tensor.path("name").asText().equals("blk.2.ffn_up.weight")) {
        bytes[tensor.path("offset").asInt() + 1000] ^= 4;
      }
    }
    Path damaged = Files.write(folder.resolve("damaged.nib"), bytes);
    refuses("damaged section blk.2.ffn_up.weight", "inspect", "--verify", damaged.toString());
    bytes[30] ^= 4;
    Files.write(damaged, bytes);
    refuses("the header is damaged", "inspect", damaged.toString());
    refuses("the header is damaged", "run", "--model", damaged.toString(), "x");
    Path cut = Files.write(folder.resolve("cut.nib"), java.util.Arrays.copyOf(Files.readAllBytes(pack), 200_000));
    refuses("cut off", "bench", "--model", cut.toString());
  }

  @Test
  void mistakesGetOneLineAndLeaveNothing() throws Exception {
    Path pack = pack("home.nib");
    byte[] before = Files.readAllBytes(pack);
    refuses("exists; --force replaces it", "pack", EMBEDDED.toString(), pack.toString());
    assertThat(nibble("pack", "--force", EMBEDDED.toString(), pack.toString()).status()).isZero();
    assertThat(pack).hasBinaryContent(before);
    Path copy = Files.copy(EMBEDDED, folder.resolve("copy.gguf"));
    refuses("is the model itself", "pack", "--force", copy.toString(), copy.toString());
    refuses("no such file: nowhere.gguf", "pack", "nowhere.gguf", folder.resolve("x.nib").toString());
    refuses("Missing required parameter: 'OUT'", "pack", EMBEDDED.toString());
    refuses("its folder does not exist", "pack", EMBEDDED.toString(), folder.resolve("nowhere/x.nib").toString());
    refuses("is not a regular file", "pack", "--force", EMBEDDED.toString(), folder.toString());
    refuses("is packed already", "pack", pack.toString(), folder.resolve("x.nib").toString());
    Path cut = Files.write(folder.resolve("cut.gguf"), java.util.Arrays.copyOf(Files.readAllBytes(EMBEDDED), 1_000_000));
    refuses("invalid GGUF", "pack", cut.toString(), folder.resolve("x.nib").toString());
    try (var files = Files.list(folder)) {
      assertThat(files.map(file -> file.getFileName().toString())).containsExactlyInAnyOrder("home.nib", "copy.gguf", "cut.gguf");
    }
  }

  /** The shell's limit of file sizes stands in for a full disk. */
  @Test
  void aFullDiskIsSaidInOneLine() throws Exception {
    Path out = folder.resolve("x.nib");
    Outcome outcome = shell("trap '' XFSZ; ulimit -f 1000; exec \"$@\"", "pack", EMBEDDED.toString(), out.toString());
    assertThat(outcome.status()).isEqualTo(2);
    assertThat(outcome.err()).startsWith("nibble: " + out + " can't be written: ").hasLineCount(1);
    try (var files = Files.list(folder)) {
      assertThat(files).isEmpty();
    }
  }

  @Test
  void aPackCacheIsFilledOnceAndUsedFromThenOn() throws Exception {
    Path packs = folder.resolve("packs");
    Path model = Files.copy(EMBEDDED, folder.resolve("model.gguf"));
    String[] arguments = with(STORY, "--model", model.toString(), "--pack-cache", packs.toString());
    Outcome first = nibble(arguments);
    assertThat(first.status()).isZero();
    assertThat(first.err()).startsWith("nibble: Packed " + model).hasLineCount(1);
    Outcome second = nibble(arguments);
    assertThat(second).isEqualTo(new Outcome(0, first.out(), ""));
    Outcome unusable = nibble(with(STORY, "--model", model.toString(), "--pack-cache", "/proc/nibble"));
    assertThat(unusable.out()).isEqualTo(first.out());
    assertThat(unusable.err()).startsWith("nibble: No pack is kept: ").hasLineCount(1);
    assertThat(unusable.status()).isZero();
  }

  /** Loaded from GGUF or mapped, weights are in memory once: the two differ by less than a part of the file. */
  @Test
  void loadingLeavesNoSecondCopyInMemory() throws Exception {
    Path model = large(folder.resolve("large.gguf"));
    Path pack = folder.resolve("large.nib");
    assertThat(nibble("pack", model.toString(), pack.toString()).status()).isZero();
    long loaded = peak(model);
    long mapped = peak(pack);
    assertThat(loaded).isGreaterThan(Files.size(model)).isLessThan(mapped + Files.size(model) / 2);
  }

  private long peak(Path model) throws IOException, InterruptedException {
    Outcome outcome = run(programOfLittleHeap(), "bench", "--prompt", "4", "--gen", "2", "--json", "--model", model.toString());
    assertThat(outcome.err()).isEmpty();
    return new ObjectMapper().readTree(outcome.out()).path("peak_rss_bytes").asLong();
  }

  /** 130 MB of weights, all alike, with the embedded model's vocabulary. */
  static Path large(Path path) throws IOException {
    int width = 1024;
    int hidden = 8192;
    int layers = 8;
    GgufMetadata home = GgufFile.open(EMBEDDED).metadata();
    GgufWriter writer = new GgufWriter();
    home.keys().forEach(key -> writer.metadata(key, home.find(key).orElseThrow()));
    writer.metadata("llama.block_count", GgufValue.uint32(layers)).metadata("llama.embedding_length", GgufValue.uint32(width))
        .metadata("llama.feed_forward_length", GgufValue.uint32(hidden)).metadata("llama.attention.head_count", GgufValue.uint32(16))
        .metadata("llama.attention.head_count_kv", GgufValue.uint32(16)).metadata("llama.rope.dimension_count", GgufValue.uint32(width / 16));
    matrix(writer, "token_embd", home.strings("tokenizer.ggml.tokens").orElseThrow().size(), width);
    for (int i = 0; i < layers; i++) {
      String block = "blk." + i + ".";
      for (String name : List.of("attn_q", "attn_k", "attn_v", "attn_output")) {
        matrix(writer, block + name, width, width);
      }
      matrix(writer, block + "ffn_gate", hidden, width);
      matrix(writer, block + "ffn_up", hidden, width);
      matrix(writer, block + "ffn_down", width, hidden);
      norm(writer, block + "attn_norm", width);
      norm(writer, block + "ffn_norm", width);
    }
    norm(writer, "output_norm", width);
    writer.write(path);
    return path;
  }

  private static void matrix(GgufWriter writer, String name, int rows, int columns) {
    byte[] row = new byte[(int) TensorFormat.Q4_0.bytes(columns)];
    for (int at = 0; at < row.length; at++) {
      row[at] = (byte) (at % 18 == 0 ? 0 : at % 18 == 1 ? 0x20 : 0x79); // scale 2^-7, weights 1 and -1 of it
    }
    writer.tensor(name + ".weight", new long[] {columns, rows}, TensorFormat.Q4_0, channel -> {
      for (int r = 0; r < rows; r++) {
        channel.write(ByteBuffer.wrap(row));
      }
    });
  }

  private static void norm(GgufWriter writer, String name, int length) {
    writer.tensor(name + ".weight", new long[] {length}, TensorFormat.F32, channel -> {
      ByteBuffer ones = ByteBuffer.allocate(4 * length).order(ByteOrder.LITTLE_ENDIAN);
      for (int i = 0; i < length; i++) {
        ones.putFloat(1);
      }
      channel.write(ones.flip());
    });
  }
}
