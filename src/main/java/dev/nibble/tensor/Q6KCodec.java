package dev.nibble.tensor;

import java.util.Arrays;

/**
 * Q6_K, 6.5625 bits a weight. 256 weights in 210 bytes:
 *
 * <pre>
 *   0 128  of each half of 128 weights, weights 32 k + i (k of 0 to 3) have four bits of q in byte 32 (k % 2) + i, in its upper half for k of 2 and 3
 * 128  64  of each half of 128 weights, weights 32 k + i have the high two bits of q in bits 2k and 2k + 1 of byte i
 * 192  16  s for each 16 weights, signed
 * 208   2  d, binary16
 * </pre>
 *
 * w = d s (q - 32). Written with the largest magnitude of each 16 weights as scale, without ggml's search for a better one: a valid block, slightly less
 * precise.
 */
final class Q6KCodec extends IntegerBlocks implements BlockEncoder {
  private static final int WEIGHTS = 256;
  private static final int HIGH = WEIGHTS / 2;
  private static final int SCALES = HIGH + WEIGHTS / 4;
  private static final int SCALE = SCALES + 16;
  private static final int GROUP = 16;

  Q6KCodec() {
    super(TensorFormat.Q6_K, SCALE + Half.BYTES);
  }

  /** Eight weights at a time. */
  @Override
  public void split(byte[] in, int at, IntegerRow row, int first) {
    row.scale(first, WEIGHTS, Half.bits(in, at + SCALE));
    System.arraycopy(in, at + SCALES, row.factors, first / IntegerRow.FACTOR_WEIGHTS, WEIGHTS / GROUP);
    for (int i = 0; i < WEIGHTS; i += Long.BYTES) {
      long low = EightBytes.get(in, at + lowByte(i)) >>> lowShift(i) & EightBytes.NIBBLES;
      long high = EightBytes.get(in, at + HIGH + TwoBits.place(i)) >>> TwoBits.shift(i) & 0x0303030303030303L;
      EightBytes.set(row.weights, first + i, EightBytes.less(low | high << 4, 32));
    }
  }

  @Override
  public void encodeBlock(float[] weights, int at, byte[] out, int to) {
    int extreme = Rounding.largest(weights, at, WEIGHTS);
    // A group's scale is (its signed extreme) / -32; the group of the block's extreme gets -128 of them.
    float largestScale = weights[extreme] / -32f;
    float superScale = largestScale / -128f;
    Half.putScale(out, to + SCALE, superScale, weights, extreme, TensorFormat.Q6_K);
    float storedScale = Half.get(out, to + SCALE);
    float inverseSuper = Rounding.inverse(superScale);
    Arrays.fill(out, to, to + SCALES, (byte) 0);
    for (int group = 0; group < WEIGHTS / GROUP; group++) {
      int start = at + group * GROUP;
      float wanted = weights[Rounding.largest(weights, start, GROUP)] / -32f;
      int scale = Math.clamp(Rounding.halfAway(wanted * inverseSuper), -128, 127);
      out[to + SCALES + group] = (byte) scale;
      float inverse = Rounding.inverse(storedScale * scale);
      for (int i = group * GROUP; i < (group + 1) * GROUP; i++) {
        int q = Math.clamp(Rounding.halfAway(weights[at + i] * inverse), -32, 31) + 32;
        out[to + lowByte(i)] |= (byte) ((q & 15) << lowShift(i));
        out[to + HIGH + TwoBits.place(i)] |= (byte) (q >> 4 << TwoBits.shift(i));
      }
    }
  }

  private static int lowByte(int i) {
    return i / 128 * 64 + i % 64;
  }

  private static int lowShift(int i) {
    return i % 128 / 64 * 4;
  }
}
