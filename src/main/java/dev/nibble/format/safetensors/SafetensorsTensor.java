package dev.nibble.format.safetensors;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.List;
import java.util.Objects;

/**
 * A tensor of an open safetensors file: its name, element type, shape (outermost dimension first, as the file has it) and its bytes
 * in the mapped file (little endian, row-major). Safe for use by many threads.
 */
public final class SafetensorsTensor {
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfShort SHORT = ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  /** Half-width elements converted at a time: 8 KiB of scratch stays in the first-level cache. */
  private static final int SCRATCH_ELEMENTS = 4096;

  private final String name;
  private final SafetensorsType type;
  private final List<Long> shape;
  private final long elementCount;
  private final MemorySegment data;

  SafetensorsTensor(String name, SafetensorsType type, List<Long> shape, long elementCount, MemorySegment data) {
    this.name = name;
    this.type = type;
    this.shape = List.copyOf(shape);
    this.elementCount = elementCount;
    this.data = data;
  }

  public String name() {
    return name;
  }

  public SafetensorsType type() {
    return type;
  }

  /** Dimensions, outermost first; empty for a scalar. */
  public List<Long> shape() {
    return shape;
  }

  public long elementCount() {
    return elementCount;
  }

  /** The tensor's bytes in the mapped file, read-only. */
  public MemorySegment data() {
    return data;
  }

  /**
   * Reads {@code count} elements from {@code firstElement} on (in row-major order) to the beginning of {@code out}, widening F16 and
   * BF16 exactly.
   *
   * @throws UnsupportedOperationException for element types other than F32, F16 and BF16
   * @throws IndexOutOfBoundsException if the range leaves the tensor or does not fit {@code out}
   */
  public void readFloats(long firstElement, float[] out, int count) {
    readFloats(firstElement, out, 0, count);
  }

  /** As {@link #readFloats(long, float[], int)}, to {@code out} from {@code outFrom} on. */
  public void readFloats(long firstElement, float[] out, int outFrom, int count) {
    Objects.checkFromIndexSize(firstElement, count, elementCount);
    Objects.checkFromIndexSize(outFrom, count, out.length);
    if (type == SafetensorsType.F32) {
      MemorySegment.copy(data, FLOAT, firstElement * Float.BYTES, out, outFrom, count);
      return;
    }
    if (type != SafetensorsType.F16 && type != SafetensorsType.BF16) {
      throw new UnsupportedOperationException("tensor " + name + " has type " + type + "; floats can be read from F32, F16 and BF16");
    }
    short[] scratch = new short[Math.min(count, SCRATCH_ELEMENTS)];
    for (int done = 0; done < count; done += scratch.length) {
      int step = Math.min(scratch.length, count - done);
      MemorySegment.copy(data, SHORT, (firstElement + done) * Short.BYTES, scratch, 0, step);
      int to = outFrom + done;
      if (type == SafetensorsType.F16) {
        for (int i = 0; i < step; i++) {
          out[to + i] = Float.float16ToFloat(scratch[i]);
        }
      } else {
        for (int i = 0; i < step; i++) {
          out[to + i] = Float.intBitsToFloat(scratch[i] << 16);
        }
      }
    }
  }

  @Override
  public String toString() {
    return name + " " + type + shape;
  }
}
