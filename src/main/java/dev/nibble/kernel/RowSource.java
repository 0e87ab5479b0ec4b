package dev.nibble.kernel;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Bytes of a matrix as a file holds it, row by row; read by several threads at once, each into memory of its own. */
@FunctionalInterface
public interface RowSource {
  /**
   * Copies bytes {@code offset … offset + length - 1} of the matrix to the beginning of {@code target}.
   *
   * @throws IOException if they can't be read
   */
  void read(long offset, byte[] target, int length) throws IOException;

  /** Rows that are in memory already. */
  static RowSource of(MemorySegment segment) {
    return (offset, target, length) -> MemorySegment.copy(segment, ValueLayout.JAVA_BYTE, offset, target, 0, length);
  }
}
