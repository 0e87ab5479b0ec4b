package dev.nibble.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.nibble.format.gguf.GgufFile;
import dev.nibble.format.gguf.GgufValue;
import dev.nibble.format.gguf.GgufWriter;
import dev.nibble.kernel.NumericFormat;
import dev.nibble.model.kvcache.KvCacheOptions;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.Channels;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** A tiny Qwen2 with biases, as a GGUF file, against a forward pass written out in double precision. */
final class Qwen2Test {
  private static final int WIDTH = 64;
  private static final int HIDDEN = 96;
  private static final int LAYERS = 2;
  private static final int HEADS = 4;
  private static final int KEY_VALUE_HEADS = 2;
  private static final int HEAD_WIDTH = WIDTH / HEADS;
  private static final int VOCABULARY = 40;
  private static final double EPSILON = 1e-6;
  private static final double ROPE_BASE = 1_000_000;
  private static final int TOKENS = 70; // more than a page of the cache

  private final Random random = new Random(5);
  private final Map<String, float[]> tensors = new HashMap<>();
  private final GgufWriter writer = new GgufWriter()
      .metadata("general.architecture", GgufValue.text("qwen2"))
      .metadata("qwen2.block_count", GgufValue.uint32(LAYERS))
      .metadata("qwen2.context_length", GgufValue.uint32(128))
      .metadata("qwen2.embedding_length", GgufValue.uint32(WIDTH))
      .metadata("qwen2.feed_forward_length", GgufValue.uint32(HIDDEN))
      .metadata("qwen2.attention.head_count", GgufValue.uint32(HEADS))
      .metadata("qwen2.attention.head_count_kv", GgufValue.uint32(KEY_VALUE_HEADS))
      .metadata("qwen2.attention.layer_norm_rms_epsilon", GgufValue.float32((float) EPSILON))
      .metadata("qwen2.rope.freq_base", GgufValue.float32((float) ROPE_BASE));

  private void tensor(String name, double deviation, double mean, long... shape) {
    int count = 1;
    for (long dimension : shape) {
      count *= (int) dimension;
    }
    ByteBuffer bytes = ByteBuffer.allocate(4 * count).order(ByteOrder.LITTLE_ENDIAN);
    float[] values = new float[count];
    for (int i = 0; i < count; i++) {
      values[i] = (float) (mean + deviation * random.nextGaussian());
      bytes.putFloat(values[i]);
    }
    tensors.put(name, values);
    writer.tensor(name, shape, NumericFormat.F32, channel -> channel.write(bytes.rewind()));
  }

  private GgufFile file() throws IOException {
    tensor("token_embd.weight", 0.5, 0, WIDTH, VOCABULARY);
    for (int i = 0; i < LAYERS; i++) {
      String block = "blk." + i + ".";
      int keyValueWidth = KEY_VALUE_HEADS * HEAD_WIDTH;
      tensor(block + "attn_norm.weight", 0.1, 1, WIDTH);
      tensor(block + "attn_q.weight", 0.15, 0, WIDTH, WIDTH);
      tensor(block + "attn_k.weight", 0.15, 0, WIDTH, keyValueWidth);
      tensor(block + "attn_v.weight", 0.15, 0, WIDTH, keyValueWidth);
      tensor(block + "attn_q.bias", 0.5, 0, WIDTH);
      tensor(block + "attn_k.bias", 0.5, 0, keyValueWidth);
      tensor(block + "attn_v.bias", 0.5, 0, keyValueWidth);
      tensor(block + "attn_output.weight", 0.15, 0, WIDTH, WIDTH);
      tensor(block + "ffn_norm.weight", 0.1, 1, WIDTH);
      tensor(block + "ffn_gate.weight", 0.15, 0, WIDTH, HIDDEN);
      tensor(block + "ffn_up.weight", 0.15, 0, WIDTH, HIDDEN);
      tensor(block + "ffn_down.weight", 0.15, 0, HIDDEN, WIDTH);
    }
    tensor("output_norm.weight", 0.1, 1, WIDTH);
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    writer.write(Channels.newChannel(out));
    return GgufFile.of(MemorySegment.ofArray(out.toByteArray()), "tiny-qwen2");
  }

  private static int[] ids() {
    int[] ids = new int[TOKENS];
    for (int i = 0; i < TOKENS; i++) {
      ids[i] = (7 * i + i * i) % VOCABULARY;
    }
    return ids;
  }

  @Test
  void agreesWithTheForwardPassWrittenOut() throws Exception {
    LlamaLoader.Loaded loaded = LlamaLoader.load(file(), 2, KvCacheOptions.EXACT, (done, total) -> {});
    float[] logits = new float[VOCABULARY];
    try (LanguageModel.Sequence sequence = loaded.model().newSequence(TOKENS)) {
      sequence.append(ids(), 0, TOKENS, logits);
    }
    double[] expected = forward(ids());
    for (int i = 0; i < VOCABULARY; i++) {
      assertThat((double) logits[i]).as("logit %d", i).isCloseTo(expected[i], org.assertj.core.data.Offset.offset(2e-4));
    }
  }

  @Test
  void bitsDependNeitherOnThreadsNorBatches() throws Exception {
    GgufFile file = file();
    float[] expected = null;
    for (int threads = 1; threads <= 3; threads++) {
      LlamaModel model = LlamaLoader.load(file, threads, KvCacheOptions.DEFAULT, (done, total) -> {}).model();
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
    file();
    assertThatThrownBy(() -> loadWithBias(new long[] {WIDTH / 2}, NumericFormat.F32))
        .isInstanceOf(InvalidModelException.class).hasMessageContaining("tensor blk.0.attn_q.bias has shape [32], but the metadata imply [64]");
    assertThatThrownBy(() -> loadWithBias(new long[] {WIDTH}, NumericFormat.F16))
        .isInstanceOf(InvalidModelException.class).hasMessageContaining("tensor blk.0.attn_q.bias is F16; vectors must be F32");
  }

  private void loadWithBias(long[] shape, NumericFormat format) throws Exception {
    GgufWriter other = new GgufWriter();
    GgufFile made = new Qwen2Test().file();
    for (String key : made.metadata().keys()) {
      other.metadata(key, made.metadata().find(key).orElseThrow());
    }
    for (var tensor : made.tensors()) {
      boolean changed = tensor.name().equals("blk.0.attn_q.bias");
      long[] kept = tensor.shape().stream().mapToLong(Long::longValue).toArray();
      ByteBuffer bytes = changed ? ByteBuffer.allocate((int) format.bytes(shape[0])) : tensor.data().asByteBuffer();
      other.tensor(tensor.name(), changed ? shape : kept, changed ? format : NumericFormat.F32, channel -> channel.write(bytes));
    }
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    other.write(Channels.newChannel(out));
    LlamaLoader.load(GgufFile.of(MemorySegment.ofArray(out.toByteArray()), "other"), 1, KvCacheOptions.EXACT, (done, total) -> {});
  }

  // The forward pass, all tokens at once, one row a token.

  private double[] forward(int[] ids) {
    List<double[]> residual = new ArrayList<>();
    for (int id : ids) {
      residual.add(times(new double[] {1}, slice("token_embd.weight", id * WIDTH, WIDTH), new float[WIDTH]));
    }
    for (int layer = 0; layer < LAYERS; layer++) {
      String block = "blk." + layer + ".";
      List<double[]> keys = new ArrayList<>();
      List<double[]> values = new ArrayList<>();
      for (int position = 0; position < ids.length; position++) {
        double[] x = residual.get(position);
        double[] normed = norm(x, tensors.get(block + "attn_norm.weight"));
        double[] query = rotate(times(normed, tensors.get(block + "attn_q.weight"), tensors.get(block + "attn_q.bias")), position);
        keys.add(rotate(times(normed, tensors.get(block + "attn_k.weight"), tensors.get(block + "attn_k.bias")), position));
        values.add(times(normed, tensors.get(block + "attn_v.weight"), tensors.get(block + "attn_v.bias")));
        add(x, times(attend(query, keys, values), tensors.get(block + "attn_output.weight"), new float[WIDTH]));
        normed = norm(x, tensors.get(block + "ffn_norm.weight"));
        double[] gate = times(normed, tensors.get(block + "ffn_gate.weight"), new float[HIDDEN]);
        double[] up = times(normed, tensors.get(block + "ffn_up.weight"), new float[HIDDEN]);
        for (int i = 0; i < HIDDEN; i++) {
          up[i] *= gate[i] / (1 + Math.exp(-gate[i]));
        }
        add(x, times(up, tensors.get(block + "ffn_down.weight"), new float[WIDTH]));
      }
    }
    return times(norm(residual.getLast(), tensors.get("output_norm.weight")), tensors.get("token_embd.weight"), new float[VOCABULARY]);
  }

  private float[] slice(String name, int from, int length) {
    return java.util.Arrays.copyOfRange(tensors.get(name), from, from + length);
  }

  /** Row of weights · x + bias, for each row. */
  private static double[] times(double[] x, float[] weights, float[] bias) {
    double[] out = new double[bias.length];
    for (int row = 0; row < out.length; row++) {
      out[row] = bias[row];
      for (int i = 0; i < x.length; i++) {
        out[row] += weights[row * x.length + i] * x[i];
      }
    }
    return out;
  }

  private static void add(double[] x, double[] added) {
    for (int i = 0; i < x.length; i++) {
      x[i] += added[i];
    }
  }

  private static double[] norm(double[] x, float[] weight) {
    double squares = 0;
    for (double value : x) {
      squares += value * value;
    }
    double[] out = new double[x.length];
    for (int i = 0; i < x.length; i++) {
      out[i] = x[i] / Math.sqrt(squares / x.length + EPSILON) * weight[i];
    }
    return out;
  }

  private static double[] rotate(double[] x, int position) {
    double[] out = new double[x.length];
    for (int i = 0; i < x.length; i++) {
      int channel = i % HEAD_WIDTH;
      boolean first = channel < HEAD_WIDTH / 2;
      double angle = position * Math.pow(ROPE_BASE, -2.0 * (channel % (HEAD_WIDTH / 2)) / HEAD_WIDTH);
      double partner = first ? -x[i + HEAD_WIDTH / 2] : x[i - HEAD_WIDTH / 2];
      out[i] = x[i] * Math.cos(angle) + partner * Math.sin(angle);
    }
    return out;
  }

  private static double[] attend(double[] query, List<double[]> keys, List<double[]> values) {
    double[] out = new double[WIDTH];
    for (int head = 0; head < HEADS; head++) {
      int shared = head / (HEADS / KEY_VALUE_HEADS) * HEAD_WIDTH;
      double sum = 0;
      double[] mixed = new double[HEAD_WIDTH];
      for (int t = 0; t < keys.size(); t++) {
        double score = 0;
        for (int i = 0; i < HEAD_WIDTH; i++) {
          score += query[head * HEAD_WIDTH + i] * keys.get(t)[shared + i];
        }
        double weight = Math.exp(score / Math.sqrt(HEAD_WIDTH));
        sum += weight;
        for (int i = 0; i < HEAD_WIDTH; i++) {
          mixed[i] += weight * values.get(t)[shared + i];
        }
      }
      for (int i = 0; i < HEAD_WIDTH; i++) {
        out[head * HEAD_WIDTH + i] = mixed[i] / sum;
      }
    }
    return out;
  }
}
