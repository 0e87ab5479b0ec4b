package dev.nibble.tensor;

import java.util.Objects;

/**
 * A codec that writes blocks, too: rounded to nearest, by ggml's reference rules (plain float arithmetic, the unrounded scale's reciprocal) unless it says
 * otherwise.
 */
public interface BlockEncoder extends BlockCodec {
  /**
   * Rounds one block.
   *
   * @param weights finite ones, from {@code at} on
   * @param out gets the block from {@code to} on
   * @throws UnrepresentableWeightException for a weight too large for the format
   */
  void encodeBlock(float[] weights, int at, byte[] out, int to);

  /**
   * Rounds {@code count} weights from {@code from} on into {@code out} from {@code outFrom} on.
   *
   * @throws IllegalArgumentException if the count is not a whole number of blocks
   * @throws UnrepresentableWeightException for a weight that is not finite or too large for the format
   * @throws IndexOutOfBoundsException if an array is too short
   */
  default void encode(float[] weights, int from, int count, byte[] out, int outFrom) {
    Objects.checkFromIndexSize(from, count, weights.length);
    Objects.checkFromIndexSize(outFrom, Math.toIntExact(format().bytes(count)), out.length);
    for (int i = from; i < from + count; i++) {
      if (!Float.isFinite(weights[i])) {
        throw new UnrepresentableWeightException(i, weights[i], format());
      }
    }
    int size = format().blockSize();
    for (int i = 0, to = outFrom; i < count; i += size, to += blockBytes()) {
      encodeBlock(weights, from + i, out, to);
    }
  }

  /** Rounds a row; errors as {@link #encode(float[], int, int, byte[], int)}. */
  default byte[] encode(float[] row) {
    byte[] out = new byte[Math.toIntExact(format().bytes(row.length))];
    encode(row, 0, row.length, out, 0);
    return out;
  }
}
