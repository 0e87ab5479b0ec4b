package dev.nibble.format.llama2c;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Objects;

/**
 * A tensor of an open llama2.c checkpoint: float32, or int8 with a float32 scale per {@code groupSize} weights counted through the whole
 * tensor (groups may span rows). Safe for use by many threads.
 */
public final class Llama2cTensor {
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private final int rows;
  private final int columns;
  private final MemorySegment weights;
  private final MemorySegment scales;
  private final int groupSize;

  /** Float32 weights when {@code groupSize} is zero (then {@code scales} is unused), else int8 weights. */
  Llama2cTensor(int rows, int columns, MemorySegment weights, MemorySegment scales, int groupSize) {
    this.rows = rows;
    this.columns = columns;
    this.weights = weights;
    this.scales = scales;
    this.groupSize = groupSize;
  }

  public int rows() {
    return rows;
  }

  public int columns() {
    return columns;
  }

  public long elementCount() {
    return (long) rows * columns;
  }

  /** Whether weights are int8 with scales. */
  public boolean quantized() {
    return groupSize != 0;
  }

  /**
   * Reads {@code count} weights from {@code firstElement} on (row by row) to the beginning of {@code out}.
   *
   * @throws IndexOutOfBoundsException if the range leaves the tensor or does not fit {@code out}
   */
  public void readFloats(long firstElement, float[] out, int count) {
    Objects.checkFromIndexSize(firstElement, count, elementCount());
    Objects.checkFromIndexSize(0, count, out.length);
    if (groupSize == 0) {
      MemorySegment.copy(weights, FLOAT, firstElement * Float.BYTES, out, 0, count);
      return;
    }
    byte[] quants = new byte[count];
    MemorySegment.copy(weights, ValueLayout.JAVA_BYTE, firstElement, quants, 0, count);
    long firstGroup = firstElement / groupSize;
    int groups = count == 0 ? 0 : (int) ((firstElement + count - 1) / groupSize - firstGroup + 1);
    float[] groupScales = new float[groups];
    MemorySegment.copy(scales, FLOAT, firstGroup * Float.BYTES, groupScales, 0, groups);
    int withinGroup = (int) (firstElement % groupSize);
    for (int i = 0; i < count; i++) {
      out[i] = quants[i] * groupScales[(withinGroup + i) / groupSize];
    }
  }
}
