package dev.nibble.kernel;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** Arranges matrices as files hold them, row by row, in the tiles that kernels read. */
public final class TilePacker {
  private TilePacker() {}

  /**
   * Packs a matrix.
   *
   * @param source rows × columns weights in {@code format}, little-endian
   * @param arena owner of the tiles' memory
   * @param pool workers that share the packing
   * @throws IllegalArgumentException for weights or scales that are not finite, or a source of another size
   */
  public static TiledMatrix pack(NumericFormat format, MemorySegment source, int rows, int columns, Arena arena, WorkerPool pool) {
    long expected = Math.multiplyExact(format.bytes(columns), (long) rows);
    if (source.byteSize() != expected) {
      throw new IllegalArgumentException(rows + " × " + columns + " weights take " + expected + " bytes, not " + source.byteSize());
    }
    return switch (format) {
      case F32 -> FloatMatrix.pack(source, rows, columns, arena, pool);
      case F16, BF16 -> HalfMatrix.pack(format, source, rows, columns, arena, pool);
      case Q4_0 -> Q4Matrix.pack(source, rows, columns, arena, pool);
      case Q8_0, Q6_K -> Int8Matrix.pack(format, source, rows, columns, arena, pool);
    };
  }
}
