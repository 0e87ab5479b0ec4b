package dev.nibble.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.nibble.format.gguf.GgufFile;
import dev.nibble.format.gguf.GgufWriter;
import dev.nibble.kernel.WorkerPool;
import dev.nibble.model.kvcache.KvCacheOptions;
import dev.nibble.model.spec.InvalidModelException;
import dev.nibble.model.spec.RopePairs;
import dev.nibble.tensor.TensorFormat;
import java.io.ByteArrayOutputStream;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import org.junit.jupiter.api.Test;

/** A tiny Qwen2 with biases, as a GGUF file, against a forward pass written out in double precision. */
final class Qwen2Test {
  private static final int WIDTH = TinyDecoder.WIDTH;
  private static final int VOCABULARY = TinyDecoder.VOCABULARY;
  private static final int TOKENS = 70; // more than a page of the cache
  private static final double[] UNSCALED = {1, 1, 1, 1, 1, 1, 1, 1};

  private final TinyDecoder tiny = new TinyDecoder("qwen2", RopePairs.HALVES, 1_000_000, true);

  private static int[] ids() {
    return TinyDecoder.ids(TOKENS);
  }

  @Test
  void agreesWithTheForwardPassWrittenOut() throws Exception {
    DecoderLoader.Loaded loaded = DecoderLoader.load(tiny.file(), new WorkerPool(2), KvCacheOptions.EXACT, (done, total) -> {});
    float[] logits = new float[VOCABULARY];
    try (LanguageModel.Sequence sequence = loaded.model().newSequence(TOKENS)) {
      sequence.append(ids(), 0, TOKENS, logits);
    }
    double[] expected = tiny.forward(ids(), UNSCALED);
    for (int i = 0; i < VOCABULARY; i++) {
      assertThat((double) logits[i]).as("logit %d", i).isCloseTo(expected[i], org.assertj.core.data.Offset.offset(2e-4));
    }
  }

  @Test
  void bitsDependNeitherOnThreadsNorBatches() throws Exception {
    GgufFile file = tiny.file();
    float[] expected = null;
    for (int threads = 1; threads <= 3; threads++) {
      Decoder model = DecoderLoader.load(file, new WorkerPool(threads), KvCacheOptions.DEFAULT, (done, total) -> {}).model();
      for (int batch : new int[] {1, 3, 64, TOKENS}) {
        float[] logits = new float[VOCABULARY];
        try (LanguageModel.Sequence sequence = model.newSequence(TOKENS)) {
          for (int at = 0; at < TOKENS; at += batch) {
            // Logits that nobody asks for are not computed: they must not be missed either.
            sequence.append(ids(), at, Math.min(batch, TOKENS - at), at + batch >= TOKENS || at % 2 == 0 ? logits : null);
          }
        }
        expected = expected == null ? logits : expected;
        assertThat(logits).as("%d threads, %d tokens at a time", threads, batch).containsExactly(expected);
      }
    }
  }

  @Test
  void refusesABiasOfAnotherShapeOrFormat() throws Exception {
    assertThatThrownBy(() -> loadWithBias(new long[] {WIDTH / 2}, TensorFormat.F32))
        .isInstanceOf(InvalidModelException.class).hasMessageContaining("tensor blk.0.attn_q.bias has shape [32], but the metadata imply [64]");
    assertThatThrownBy(() -> loadWithBias(new long[] {WIDTH}, TensorFormat.F16))
        .isInstanceOf(InvalidModelException.class).hasMessageContaining("tensor blk.0.attn_q.bias is F16; vectors must be F32");
  }

  private void loadWithBias(long[] shape, TensorFormat format) throws Exception {
    GgufWriter other = new GgufWriter();
    GgufFile made = new Qwen2Test().tiny.file();
    for (String key : made.metadata().keys()) {
      other.metadata(key, made.metadata().find(key).orElseThrow());
    }
    for (var tensor : made.tensors()) {
      boolean changed = tensor.name().equals("blk.0.attn_q.bias");
      long[] kept = tensor.shape().stream().mapToLong(Long::longValue).toArray();
      byte[] content = new byte[(int) (changed ? format.bytes(shape[0]) : tensor.bytes())];
      if (!changed) {
        made.source(tensor).read(0, content, content.length);
      }
      ByteBuffer bytes = ByteBuffer.wrap(content);
      other.tensor(tensor.name(), changed ? shape : kept, changed ? format : TensorFormat.F32, channel -> channel.write(bytes));
    }
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    other.write(Channels.newChannel(out));
    DecoderLoader.load(GgufFile.of(MemorySegment.ofArray(out.toByteArray()), "other"), new WorkerPool(1), KvCacheOptions.EXACT, (done, total) -> {});
  }
}
