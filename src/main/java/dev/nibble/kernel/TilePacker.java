package dev.nibble.kernel;

import dev.nibble.kernel.tile.TileLayout;
import dev.nibble.kernel.tile.TileMapping;
import dev.nibble.kernel.tile.TileWriter;
import dev.nibble.tensor.TensorFormat;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Arrays;

/** Arranges matrices as files hold them, row by row, in the tiles that kernels read. */
public final class TilePacker {
  private static final ValueLayout.OfInt LITTLE_INTS = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private TilePacker() {}

  /**
   * Packs a matrix that is in memory.
   *
   * @param source rows × columns weights in {@code format}, little-endian
   * @param arena owner of the tiles' memory
   * @param pool workers that share the packing
   * @throws IllegalArgumentException for weights or scales that are not finite, or a source of another size
   */
  public static TiledMatrix pack(TensorFormat format, MemorySegment source, int rows, int columns, Arena arena, WorkerPool pool) {
    long expected = Math.multiplyExact(format.bytes(columns), (long) rows);
    if (source.byteSize() != expected) {
      throw new IllegalArgumentException(rows + " × " + columns + " weights take " + expected + " bytes, not " + source.byteSize());
    }
    try {
      return pack(format, RowSource.of(source), rows, columns, arena, pool);
    } catch (IOException e) {
      throw new UncheckedIOException(e); // memory does not fail
    }
  }

  /**
   * Packs a matrix as it is read: nothing but the tiles stays in memory.
   *
   * @param source rows × columns weights in {@code format}, little-endian
   * @param arena owner of the tiles' memory
   * @param pool workers that share reading and packing
   * @throws IllegalArgumentException for weights or scales that are not finite
   * @throws IOException if the source can't be read
   */
  public static TiledMatrix pack(TensorFormat format, RowSource source, int rows, int columns, Arena arena, WorkerPool pool) throws IOException {
    int tiles = TiledMatrix.tiles(rows);
    TileLayout layout = TileMapping.require(format);
    MemorySegment target = arena.allocate(layout.bytes(rows, columns), 64);
    pack(format, source, rows, columns, 0, tiles, target, pool);
    return TiledMatrix.of(layout, rows, columns, target);
  }

  /**
   * Packs some tiles of a matrix.
   *
   * @param from first tile
   * @param to one past the last tile
   * @param target native memory that gets them, from its beginning
   * @throws IllegalArgumentException for weights or scales that are not finite
   * @throws IOException if the source can't be read
   */
  public static void pack(
      TensorFormat format, RowSource source, int rows, int columns, int from, int to, MemorySegment target, WorkerPool pool) throws IOException {
    int rowBytes = Math.toIntExact(format.bytes(columns));
    long tileBytes = TileMapping.require(format).tileBytes(columns);
    try {
      pool.run(to - from, 1, (worker, begin, end) -> {
        byte[] bytes = new byte[TiledMatrix.TILE_ROWS * rowBytes];
        TileWriter writer = TileWriter.of(format, columns);
        for (int t = begin; t < end; t++) {
          int row = (from + t) * TiledMatrix.TILE_ROWS;
          int count = Math.min(TiledMatrix.TILE_ROWS, rows - row);
          try {
            source.read((long) row * rowBytes, bytes, count * rowBytes);
          } catch (IOException e) {
            throw new UncheckedIOException(e);
          }
          Arrays.fill(bytes, count * rowBytes, bytes.length, (byte) 0);
          writer.write(bytes, row);
          MemorySegment.copy(writer.tile(), 0, target, LITTLE_INTS, t * tileBytes, writer.tile().length);
        }
      });
    } catch (UncheckedIOException e) {
      throw e.getCause();
    }
  }
}
