package dev.nibble.kernel;

import dev.nibble.kernel.tile.TileLayout;
import dev.nibble.kernel.tile.TileMapping;
import dev.nibble.tensor.TensorFormat;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.Locale;
import java.util.Optional;

/**
 * Speed of packing rows into tiles that are there already, in bytes of rows a second, beside a copy of the same bytes. Arguments: threads,
 * rows, columns, and a format, else all. Medians of 15 rounds.
 */
public final class PackingBench {
  private static final int ROUNDS = 15;

  private PackingBench() {}

  public static void main(String[] arguments) throws Exception {
    int threads = Integer.parseInt(arguments[0]);
    int rows = Integer.parseInt(arguments[1]);
    int columns = Integer.parseInt(arguments[2]);
    try (Arena arena = Arena.ofShared(); WorkerPool pool = new WorkerPool(threads)) {
      for (TensorFormat format : TensorFormat.values()) {
        Optional<TileLayout> layout = TileMapping.layoutOf(format);
        if (layout.isEmpty() || arguments.length > 3 && !format.name().equals(arguments[3])) {
          continue;
        }
        MemorySegment source = arena.allocate(format.bytes((long) rows * columns), 8);
        MemorySegment copy = arena.allocate(source.byteSize(), 8);
        int tiles = TiledMatrix.tiles(rows);
        MemorySegment target = arena.allocate(layout.get().bytes(rows, columns), 64);
        double[] packing = new double[ROUNDS];
        double[] copying = new double[ROUNDS];
        for (int round = -15; round < ROUNDS; round++) {
          long start = System.nanoTime();
          TilePacker.pack(format, RowSource.of(source), rows, columns, 0, tiles, target, pool);
          long packed = System.nanoTime();
          copy.copyFrom(source);
          long copied = System.nanoTime();
          if (round >= 0) {
            packing[round] = source.byteSize() / (double) (packed - start);
            copying[round] = source.byteSize() / (double) (copied - packed);
          }
        }
        Arrays.sort(packing);
        Arrays.sort(copying);
        System.out.printf(Locale.ROOT, "%-7s %6.2f GB/s packing on %d threads, %6.2f GB/s copying on one%n", format, packing[ROUNDS / 2], threads,
            copying[ROUNDS / 2]);
      }
    }
  }
}
