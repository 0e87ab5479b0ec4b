package dev.nibble.quant;

import dev.nibble.kernel.NumericFormat;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.Objects;

/**
 * Turns floats into the numeric formats' blocks and back, rounding to nearest, in ggml's layouts and by its reference rules (plain
 * float arithmetic, the unrounded scale's reciprocal) for Q4_0 and Q8_0. Layouts are described
 * on {@link NumericFormat}. Q6_K is written with the largest magnitude of each 16 weights as scale, without ggml's search
 * for a better one: a valid block, slightly less precise.
 */
public final class BlockQuantizer {
  private static final int Q6_K_HIGH = 128;
  private static final int Q6_K_SCALES = 192;
  private static final int Q6_K_SUPER_SCALE = 208;
  private static final int Q6_K_SUB_BLOCK = 16;

  private BlockQuantizer() {}

  /**
   * Quantises a row.
   *
   * @throws IllegalArgumentException if the row is not a whole number of blocks
   * @throws UnrepresentableWeightException for a weight that is not finite or too large for the format
   */
  public static byte[] quantize(NumericFormat format, float[] row) {
    byte[] out = new byte[Math.toIntExact(format.bytes(row.length))];
    quantize(format, row, 0, row.length, out, 0);
    return out;
  }

  /** Quantises {@code count} weights from {@code from} on into {@code out} from {@code outFrom} on; errors as {@link #quantize(NumericFormat, float[])}. */
  public static void quantize(NumericFormat format, float[] weights, int from, int count, byte[] out, int outFrom) {
    Objects.checkFromIndexSize(from, count, weights.length);
    Objects.checkFromIndexSize(outFrom, Math.toIntExact(format.bytes(count)), out.length);
    for (int i = 0; i < count; i++) {
      if (!Float.isFinite(weights[from + i])) {
        throw new UnrepresentableWeightException(i, weights[from + i], format);
      }
    }
    switch (format) {
      case F32 -> ByteBuffer.wrap(out, outFrom, count * Float.BYTES).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer().put(weights, from, count);
      case F16 -> {
        for (int i = 0; i < count; i++) {
          putHalf(out, outFrom + 2 * i, weights[from + i], i, weights[from + i], format);
        }
      }
      case BF16 -> quantizeBfloat16(weights, from, count, out, outFrom);
      case Q4_0 -> {
        for (int i = 0, to = outFrom; i < count; i += format.blockSize(), to += format.blockBytes()) {
          quantizeQ4Block(weights, from, i, out, to);
        }
      }
      case Q8_0 -> {
        for (int i = 0, to = outFrom; i < count; i += format.blockSize(), to += format.blockBytes()) {
          quantizeQ8Block(weights, from, i, out, to);
        }
      }
      case Q6_K -> {
        byte[] quants = new byte[format.blockSize()];
        for (int i = 0, to = outFrom; i < count; i += format.blockSize(), to += format.blockBytes()) {
          quantizeQ6Block(weights, from, i, quants, out, to);
        }
      }
    }
  }

  /** Expands a row of {@code count} weights. */
  public static float[] dequantize(NumericFormat format, byte[] blocks, int count) {
    float[] out = new float[count];
    dequantize(format, blocks, 0, out, 0, count);
    return out;
  }

  /**
   * Expands {@code count} weights from the blocks at {@code inFrom} to {@code out} from {@code outFrom} on.
   *
   * @throws IllegalArgumentException if the count is not a whole number of blocks
   */
  public static void dequantize(NumericFormat format, byte[] in, int inFrom, float[] out, int outFrom, int count) {
    Objects.checkFromIndexSize(inFrom, Math.toIntExact(format.bytes(count)), in.length);
    Objects.checkFromIndexSize(outFrom, count, out.length);
    switch (format) {
      case F32 -> ByteBuffer.wrap(in, inFrom, count * Float.BYTES).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer().get(out, outFrom, count);
      case F16 -> {
        for (int i = 0; i < count; i++) {
          out[outFrom + i] = getHalf(in, inFrom + 2 * i);
        }
      }
      case BF16 -> {
        for (int i = 0; i < count; i++) {
          out[outFrom + i] = Float.intBitsToFloat(getShort(in, inFrom + 2 * i) << 16);
        }
      }
      case Q4_0 -> {
        for (int i = 0, at = inFrom; i < count; i += format.blockSize(), at += format.blockBytes()) {
          float scale = getHalf(in, at);
          for (int j = 0; j < 16; j++) {
            int pair = in[at + 2 + j];
            out[outFrom + i + j] = ((pair & 15) - 8) * scale;
            out[outFrom + i + 16 + j] = ((pair >> 4 & 15) - 8) * scale;
          }
        }
      }
      case Q8_0 -> {
        for (int i = 0, at = inFrom; i < count; i += format.blockSize(), at += format.blockBytes()) {
          float scale = getHalf(in, at);
          for (int j = 0; j < 32; j++) {
            out[outFrom + i + j] = in[at + 2 + j] * scale;
          }
        }
      }
      case Q6_K -> {
        for (int i = 0, at = inFrom; i < count; i += format.blockSize(), at += format.blockBytes()) {
          float scale = getHalf(in, at + Q6_K_SUPER_SCALE);
          for (int j = 0; j < format.blockSize(); j++) {
            int low = in[at + lowByte(j)] >> lowShift(j) & 15;
            int high = in[at + Q6_K_HIGH + highByte(j)] >> highShift(j) & 3;
            out[outFrom + i + j] = scale * in[at + Q6_K_SCALES + j / Q6_K_SUB_BLOCK] * ((low | high << 4) - 32);
          }
        }
      }
    }
  }

  private static void quantizeBfloat16(float[] weights, int from, int count, byte[] out, int outFrom) {
    for (int i = 0; i < count; i++) {
      int bits = Float.floatToRawIntBits(weights[from + i]);
      // Half a unit of the last kept bit, less one when that bit is even: ties go to even.
      int rounded = bits + 0x7fff + (bits >>> 16 & 1) >>> 16;
      if (!Float.isFinite(Float.intBitsToFloat(rounded << 16))) {
        throw new UnrepresentableWeightException(i, weights[from + i], NumericFormat.BF16);
      }
      putShort(out, outFrom + 2 * i, (short) rounded);
    }
  }

  private static void quantizeQ4Block(float[] weights, int from, int first, byte[] out, int to) {
    int start = from + first;
    int extreme = largest(weights, start, 32);
    // The weight of largest magnitude gets -8, the one code without a mirror image; its sign goes into the scale.
    float scale = weights[extreme] / -8f;
    float inverse = inverse(scale);
    putHalf(out, to, scale, extreme - from, weights[extreme], NumericFormat.Q4_0);
    for (int j = 0; j < 16; j++) {
      int low = Math.min(15, (int) (weights[start + j] * inverse + 8.5f));
      int high = Math.min(15, (int) (weights[start + 16 + j] * inverse + 8.5f));
      out[to + 2 + j] = (byte) (low | high << 4);
    }
  }

  private static void quantizeQ8Block(float[] weights, int from, int first, byte[] out, int to) {
    int start = from + first;
    int extreme = largest(weights, start, 32);
    float scale = Math.abs(weights[extreme]) / 127f;
    float inverse = inverse(scale);
    putHalf(out, to, scale, extreme - from, weights[extreme], NumericFormat.Q8_0);
    for (int j = 0; j < 32; j++) {
      out[to + 2 + j] = (byte) roundHalfAway(weights[start + j] * inverse);
    }
  }

  private static void quantizeQ6Block(float[] weights, int from, int first, byte[] quants, byte[] out, int to) {
    int start = from + first;
    int extreme = largest(weights, start, quants.length);
    // A sub-block's scale is (its signed extreme) / -32; the sub-block of the block's extreme gets -128 of them.
    float largestScale = weights[extreme] / -32f;
    float superScale = largestScale / -128f;
    putHalf(out, to + Q6_K_SUPER_SCALE, superScale, extreme - from, weights[extreme], NumericFormat.Q6_K);
    float storedScale = getHalf(out, to + Q6_K_SUPER_SCALE);
    float inverseSuper = inverse(superScale);
    for (int sub = 0; sub < quants.length / Q6_K_SUB_BLOCK; sub++) {
      int subStart = start + sub * Q6_K_SUB_BLOCK;
      float wanted = weights[largest(weights, subStart, Q6_K_SUB_BLOCK)] / -32f;
      int scale = Math.clamp(roundHalfAway(wanted * inverseSuper), -128, 127);
      out[to + Q6_K_SCALES + sub] = (byte) scale;
      float inverse = inverse(storedScale * scale);
      for (int j = 0; j < Q6_K_SUB_BLOCK; j++) {
        quants[sub * Q6_K_SUB_BLOCK + j] = (byte) (Math.clamp(roundHalfAway(weights[subStart + j] * inverse), -32, 31) + 32);
      }
    }
    Arrays.fill(out, to, to + Q6_K_SCALES, (byte) 0);
    for (int j = 0; j < quants.length; j++) {
      out[to + lowByte(j)] |= (byte) ((quants[j] & 15) << lowShift(j));
      out[to + Q6_K_HIGH + highByte(j)] |= (byte) (quants[j] >> 4 << highShift(j));
    }
  }

  /*
   * Q6_K halves its 256 weights; in a half of 128, weights 32 k + i (k of 0 to 3) share high byte i (bits 2k, 2k + 1), and low
   * nibbles lie in byte 32 (k mod 2) + i, in its upper half for k of 2 and 3.
   */

  private static int lowByte(int weight) {
    return weight / 128 * 64 + weight % 64;
  }

  private static int lowShift(int weight) {
    return weight % 128 / 64 * 4;
  }

  private static int highByte(int weight) {
    return weight / 128 * 32 + weight % 32;
  }

  private static int highShift(int weight) {
    return weight % 128 / 32 * 2;
  }

  /** Index of the first weight of largest magnitude. */
  private static int largest(float[] weights, int start, int count) {
    int best = start;
    for (int i = start + 1; i < start + count; i++) {
      if (Math.abs(weights[i]) > Math.abs(weights[best])) {
        best = i;
      }
    }
    return best;
  }

  /** 1 / scale; 0 for scales so small that it would be infinite, whose blocks are all zero anyway. */
  private static float inverse(float scale) {
    float inverse = 1f / scale;
    return Float.isFinite(inverse) ? inverse : 0f;
  }

  /** C's roundf. The sum is a double, as 0.49999997f + 0.5f would round up to 1. */
  private static int roundHalfAway(float value) {
    int magnitude = (int) (Math.abs((double) value) + 0.5);
    return value < 0 ? -magnitude : magnitude;
  }

  private static void putHalf(byte[] out, int at, float value, int index, float weight, NumericFormat format) {
    short half = Float.floatToFloat16(value);
    if ((half & 0x7c00) == 0x7c00) {
      throw new UnrepresentableWeightException(index, weight, format);
    }
    putShort(out, at, half);
  }

  private static float getHalf(byte[] in, int at) {
    return Float.float16ToFloat(getShort(in, at));
  }

  private static void putShort(byte[] out, int at, short value) {
    out[at] = (byte) value;
    out[at + 1] = (byte) (value >> 8);
  }

  private static short getShort(byte[] in, int at) {
    return (short) (in[at] & 0xff | in[at + 1] << 8);
  }
}
