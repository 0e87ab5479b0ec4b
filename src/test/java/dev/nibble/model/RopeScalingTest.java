package dev.nibble.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.nibble.format.gguf.GgufValue;
import dev.nibble.format.gguf.ModelFile;
import dev.nibble.format.pack.PackFile;
import dev.nibble.format.pack.PackWriter;
import dev.nibble.kernel.WorkerPool;
import dev.nibble.model.kvcache.KvCacheOptions;
import dev.nibble.model.spec.InvalidModelException;
import dev.nibble.model.spec.RopePairs;
import dev.nibble.tensor.TensorFormat;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.stream.IntStream;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** RoPE whose frequencies are divided, as in Llama 3.1 and with linear scaling, against the formula of llama.cpp in double precision. */
final class RopeScalingTest {
  private static final int TOKENS = 70; // more than a page of the cache
  private static final int PAIRS = TinyDecoder.HEAD_WIDTH / 2;
  /** As in a real file: high frequencies stay, low ones are divided by the factor, those between by something between. */
  private static final float[] FACTORS = {1, 1, 1, 1.7345f, 3.9312f, 8, 32, 32};
  private static final Offset<Double> CLOSE = Offset.offset(2e-4);

  @TempDir
  Path folder;

  private static TinyDecoder llama() {
    return new TinyDecoder("llama", RopePairs.ADJACENT, 10_000, false);
  }

  private static double[] divisors(double factor, float... factors) {
    return IntStream.range(0, PAIRS).mapToDouble(i -> factor * factors[i]).toArray();
  }

  private static float[] ones() {
    float[] ones = new float[PAIRS];
    Arrays.fill(ones, 1);
    return ones;
  }

  private static float[] logits(ModelFile file, int threads, int batch) throws IOException {
    Decoder model = DecoderLoader.load(file, new WorkerPool(threads), KvCacheOptions.EXACT, (done, total) -> {}).model();
    float[] logits = new float[TinyDecoder.VOCABULARY];
    try (LanguageModel.Sequence sequence = model.newSequence(TOKENS)) {
      for (int at = 0; at < TOKENS; at += batch) {
        sequence.append(TinyDecoder.ids(TOKENS), at, Math.min(batch, TOKENS - at), logits);
      }
    }
    return logits;
  }

  private static void check(TinyDecoder tiny, double... divisors) throws IOException {
    float[] logits = logits(tiny.file(), 2, TOKENS);
    double[] expected = tiny.forward(TinyDecoder.ids(TOKENS), divisors);
    for (int i = 0; i < logits.length; i++) {
      assertThat((double) logits[i]).as("logit %d", i).isCloseTo(expected[i], CLOSE);
    }
  }

  @Test
  void withoutScalingNothingIsDivided() throws Exception {
    check(llama(), divisors(1, ones()));
    check(llama().metadata("llama.rope.scaling.type", GgufValue.text("none")).metadata("llama.rope.scaling.factor", GgufValue.float32(4)), divisors(1, ones()));
  }

  @Test
  void dividesByTheFactorsOfTheFile() throws Exception {
    check(llama().vector("rope_freqs.weight", FACTORS), divisors(1, FACTORS));
    // They matter, so the comparison is worth something.
    TinyDecoder tiny = llama();
    tiny.file();
    double[] scaled = tiny.forward(TinyDecoder.ids(TOKENS), divisors(1, FACTORS));
    double[] plain = tiny.forward(TinyDecoder.ids(TOKENS), divisors(1, ones()));
    assertThat(Math.abs(scaled[0] - plain[0])).isGreaterThan(100 * CLOSE.value);
  }

  @Test
  void scalesLinearly() throws Exception {
    check(llama().metadata("llama.rope.scaling.type", GgufValue.text("linear")).metadata("llama.rope.scaling.factor", GgufValue.float32(4)), divisors(4, ones()));
    check(llama().metadata("llama.rope.scaling.factor", GgufValue.float32(2.5f)), divisors(2.5, ones()));
    check(llama().metadata("llama.rope.scale_linear", GgufValue.float32(8)), divisors(8, ones()));
    check(llama().metadata("llama.rope.scaling.factor", GgufValue.float32(2)).vector("rope_freqs.weight", FACTORS), divisors(2, FACTORS));
    TinyDecoder qwen = new TinyDecoder("qwen2", RopePairs.HALVES, 10_000, true);
    check(qwen.metadata("qwen2.rope.scaling.type", GgufValue.text("linear")).metadata("qwen2.rope.scaling.factor", GgufValue.float32(4)), divisors(4, ones()));
  }

  @Test
  void bitsDependNeitherOnThreadsNorBatches() throws Exception {
    ModelFile file = llama().vector("rope_freqs.weight", FACTORS).file();
    float[] expected = logits(file, 1, 1);
    for (int threads = 1; threads <= 3; threads++) {
      for (int batch : new int[] {1, 3, 64, TOKENS}) {
        assertThat(logits(file, threads, batch)).as("%d threads, %d tokens at a time", threads, batch).containsExactly(expected);
      }
    }
  }

  @Test
  void aPackGivesTheSameBits() throws Exception {
    Path gguf = Files.write(folder.resolve("model.gguf"), llama().vector("rope_freqs.weight", FACTORS).bytes());
    Path pack = folder.resolve("model.nib");
    try (WorkerPool pool = new WorkerPool(2)) {
      PackWriter.write(gguf, pack, pool, DecoderLoader::check, packed -> {}, (done, total) -> {});
    }
    float[] expected = logits(llama().vector("rope_freqs.weight", FACTORS).file(), 2, TOKENS);
    PackFile packed = PackFile.open(pack);
    assertThat(packed.vector(packed.find("rope_freqs.weight").orElseThrow())).containsExactly(FACTORS);
    assertThat(logits(packed, 2, TOKENS)).containsExactly(expected);
  }

  @Test
  void refusesFactorsThatCanNotBe() throws Exception {
    refuses(llama().vector("rope_freqs.weight", 1, 1, 1), "tensor rope_freqs.weight has shape [3], but the metadata imply [8]");
    refuses(llama().tensor("rope_freqs.weight", TensorFormat.F16, ByteBuffer.allocate(2 * PAIRS), PAIRS),
        "tensor rope_freqs.weight is F16; vectors must be F32");
    for (float wrong : new float[] {Float.NaN, Float.POSITIVE_INFINITY}) {
      refuses(llama().vector("rope_freqs.weight", 1, 1, 1, 1, wrong, 1, 1, 1), "tensor rope_freqs.weight has a weight that is not finite");
    }
    for (float wrong : new float[] {0, -1, 0.015f}) {
      refuses(llama().vector("rope_freqs.weight", 1, 1, 1, 1, 1, 1, 1, wrong), "RoPE's frequencies are divided by " + (double) wrong + "; allowed: 0.015625 and more");
    }
    TinyDecoder qwen = new TinyDecoder("qwen2", RopePairs.HALVES, 10_000, true);
    refuses(qwen.vector("rope_freqs.weight", FACTORS), "tensor rope_freqs.weight has no place in a plain qwen2 model");
  }

  @Test
  void refusesOtherScaling() throws Exception {
    for (String type : new String[] {"yarn", "longrope", "?"}) {
      refuses(llama().metadata("llama.rope.scaling.type", GgufValue.text(type)), "RoPE scaling of type \"" + type + "\" is not supported; supported: none, linear");
    }
    for (float wrong : new float[] {-4, Float.NaN, Float.POSITIVE_INFINITY}) {
      refuses(llama().metadata("llama.rope.scaling.factor", GgufValue.float32(wrong)), "the factor of linear RoPE scaling is " + wrong);
    }
    refuses(llama().metadata("llama.rope.scaling.attn_factor", GgufValue.float32(2)), "llama.rope.scaling.attn_factor is 2.0; only 1 is supported");
  }

  private static void refuses(TinyDecoder tiny, String why) throws IOException {
    ModelFile file = tiny.file();
    assertThatThrownBy(() -> DecoderLoader.load(file, new WorkerPool(1), KvCacheOptions.EXACT, (done, total) -> {})).isInstanceOf(InvalidModelException.class)
        .hasMessageStartingWith("the model in tiny-model can't be run: " + why);
    assertThatThrownBy(() -> DecoderLoader.check(file)).isInstanceOf(InvalidModelException.class).hasMessageContaining(why);
  }
}
