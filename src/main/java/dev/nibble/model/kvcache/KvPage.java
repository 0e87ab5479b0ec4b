package dev.nibble.model.kvcache;

/** Keys and values of 64 tokens in one layer. Positions are innermost in keys, channels in values: what a sum runs over is outermost. */
sealed interface KvPage {
  /** Tokens of a page. */
  int TOKENS = 64;

  /** scores[at + t] = scale × query · key of token t, for the first {@code tokens} of the page. */
  void score(int head, float[] query, int queryAt, float scale, float[] scores, int at, int tokens);

  /** out += Σ weights[at + t] × value of token t, tokens in order. */
  void blend(int head, float[] weights, int at, int tokens, float[] out, int outAt);

  /** Exact. */
  final class Floats implements KvPage {
    final int width;
    final float[] keys; // [head][channel][token]
    final float[] values; // [head][token][channel]

    Floats(int heads, int width) {
      this.width = width;
      keys = new float[heads * width * TOKENS];
      values = new float[heads * width * TOKENS];
    }

    void put(int head, int token, float[] key, int keyAt, float[] value, int valueAt) {
      int base = head * width * TOKENS;
      for (int c = 0; c < width; c++) {
        keys[base + c * TOKENS + token] = key[keyAt + c];
      }
      System.arraycopy(value, valueAt, values, base + token * width, width);
    }

    @Override
    public void score(int head, float[] query, int queryAt, float scale, float[] scores, int at, int tokens) {
      java.util.Arrays.fill(scores, at, at + tokens, 0);
      for (int c = 0; c < width; c++) {
        float factor = query[queryAt + c] * scale;
        int base = (head * width + c) * TOKENS;
        for (int t = 0; t < tokens; t++) {
          scores[at + t] = Math.fma(keys[base + t], factor, scores[at + t]);
        }
      }
    }

    @Override
    public void blend(int head, float[] weights, int at, int tokens, float[] out, int outAt) {
      for (int t = 0; t < tokens; t++) {
        float weight = weights[at + t];
        int base = (head * TOKENS + t) * width;
        for (int c = 0; c < width; c++) {
          out[outAt + c] = Math.fma(values[base + c], weight, out[outAt + c]);
        }
      }
    }
  }

  /** 8 bits a value; always full. */
  final class Bytes implements KvPage {
    private final int width;
    private final byte[] keys; // [head][channel][token]
    private final float[] keyScales; // [head][channel]
    private final byte[] values; // [head][token][channel]
    private final float[] valueScales; // [head][token]

    Bytes(Floats page) {
      width = page.width;
      keys = new byte[page.keys.length];
      keyScales = new float[page.keys.length / TOKENS];
      values = new byte[page.values.length];
      valueScales = new float[page.values.length / width];
      for (int i = 0; i < keyScales.length; i++) {
        keyScales[i] = round(page.keys, i * TOKENS, TOKENS, keys);
      }
      for (int i = 0; i < valueScales.length; i++) {
        valueScales[i] = round(page.values, i * width, width, values);
      }
    }

    private static float round(float[] from, int at, int count, byte[] to) {
      float largest = 0;
      for (int i = at; i < at + count; i++) {
        largest = Math.max(largest, Math.abs(from[i]));
      }
      float scale = largest / 127f;
      for (int i = at; i < at + count; i++) {
        to[i] = (byte) (scale == 0 ? 0 : Math.rint(from[i] / scale));
      }
      return scale;
    }

    @Override
    public void score(int head, float[] query, int queryAt, float scale, float[] scores, int at, int tokens) {
      java.util.Arrays.fill(scores, at, at + tokens, 0);
      for (int c = 0; c < width; c++) {
        float factor = query[queryAt + c] * scale * keyScales[head * width + c];
        int base = (head * width + c) * TOKENS;
        for (int t = 0; t < tokens; t++) {
          scores[at + t] = Math.fma((float) keys[base + t], factor, scores[at + t]);
        }
      }
    }

    @Override
    public void blend(int head, float[] weights, int at, int tokens, float[] out, int outAt) {
      for (int t = 0; t < tokens; t++) {
        float weight = weights[at + t] * valueScales[head * TOKENS + t];
        int base = (head * TOKENS + t) * width;
        for (int c = 0; c < width; c++) {
          out[outAt + c] = Math.fma((float) values[base + c], weight, out[outAt + c]);
        }
      }
    }
  }
}
