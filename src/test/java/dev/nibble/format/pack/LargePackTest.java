package dev.nibble.format.pack;

import static org.assertj.core.api.Assertions.assertThat;

import dev.nibble.SparseFiles;
import dev.nibble.format.gguf.GgufValue;
import dev.nibble.format.gguf.GgufWriter;
import dev.nibble.kernel.NativeMemory;
import dev.nibble.kernel.TilePacker;
import dev.nibble.kernel.WorkerPool;
import dev.nibble.tensor.TensorFormat;
import java.io.ByteArrayOutputStream;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Packs beyond 32 bits: computed from what lies behind 4 GiB of their mapping. */
final class LargePackTest {
  private static final int HOLE_COLUMNS = 1 << 14; // × 4 bytes × 16 rows: a tile of 1 MiB

  @TempDir
  Path folder;

  @ParameterizedTest
  @ValueSource(longs = {5L << 30, 70L << 30})
  void matricesAndVectors(long hole) throws Exception {
    ByteArrayOutputStream metadata = new ByteArrayOutputStream();
    new GgufWriter().metadata("general.architecture", GgufValue.text("none")).write(Channels.newChannel(metadata));
    byte[] tiles;
    try (WorkerPool pool = new WorkerPool(1)) {
      tiles = TilePacker.pack(TensorFormat.F32, MemorySegment.ofArray(SparseFiles.valueBytes()), SparseFiles.ROWS, SparseFiles.COLUMNS, Arena.global(), pool)
          .segment().toArray(java.lang.foreign.ValueLayout.JAVA_BYTE);
    }
    PackHeader places = PackHeader.of(new PackHeader.Source(1, 1, Optional.empty()), List.of(PackHeader.Section.metadata(metadata.size()),
        PackHeader.Section.matrix("hole", TensorFormat.F32, HOLE_COLUMNS, (int) (hole >> 20) * 16),
        PackHeader.Section.matrix("after", TensorFormat.F32, SparseFiles.COLUMNS, SparseFiles.ROWS),
        PackHeader.Section.vector("vector", 4)));
    List<PackHeader.Section> sections = new ArrayList<>(places.sections());
    byte[] header = places.toBytes();
    ByteBuffer beginning = ByteBuffer.allocate((int) sections.get(0).offset() + metadata.size());
    beginning.put(0, header).put((int) sections.get(0).offset(), metadata.toByteArray());
    ByteBuffer end = ByteBuffer.allocate((int) (places.fileBytes() - sections.get(2).offset())).order(java.nio.ByteOrder.LITTLE_ENDIAN);
    end.put(0, tiles).putFloat(end.capacity() - 4, 2.5f);
    Path path = SparseFiles.write(folder.resolve("large.nib"), beginning, sections.get(2).offset(), end.array());
    try (PackFile file = PackFile.open(path); WorkerPool pool = new WorkerPool(1)) {
      assertThat(file.find("after").orElseThrow().offset()).isGreaterThan(hole);
      float[] row = new float[SparseFiles.COLUMNS];
      file.matrix(file.find("after").orElseThrow(), SparseFiles.ROWS, SparseFiles.COLUMNS, new NativeMemory(), pool).row(5, row, 0);
      assertThat(row).isEqualTo(Arrays.copyOfRange(SparseFiles.values(), 5 * row.length, 6 * row.length));
      assertThat(file.vector(file.find("vector").orElseThrow())).containsExactly(0, 0, 0, 2.5f);
    }
  }
}
