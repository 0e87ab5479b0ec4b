package dev.nibble.format.pack;

import static org.assertj.core.api.Assertions.assertThat;

import dev.nibble.format.gguf.GgufFile;
import dev.nibble.format.gguf.GgufTensor;
import dev.nibble.format.gguf.GgufValue;
import dev.nibble.format.gguf.GgufWriter;
import dev.nibble.format.gguf.ModelFile;
import dev.nibble.kernel.NativeMemory;
import dev.nibble.kernel.WorkerPool;
import dev.nibble.tensor.TensorFormat;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Memory pages of 4, 16 and 64 KiB: tensors that straddle them, and packs that fit all three. Nothing asks the machine for its own (PackageRulesTest);
 * {@code deploy/arm64/test.sh --pages} runs the program under an emulator that has each of the sizes.
 */
final class PageSizeTest {
  private static final int COLUMNS = 64;
  private static final int ROWS = 33; // the last tile is not full
  private static final int ALIGNMENT = 32; // GGUF's

  @TempDir
  Path folder;

  private static byte[] rows(int seed) {
    byte[] bytes = new byte[(int) TensorFormat.Q4_0.bytes((long) COLUMNS * ROWS)];
    new SplittableRandom(seed).nextBytes(bytes);
    for (int scale = 1; scale < bytes.length; scale += 18) {
      bytes[scale] &= (byte) 0xbf; // finite
    }
    return bytes;
  }

  /** A file of two matrices, after {@code filler} bytes of a vector. */
  private Path write(String name, int filler) throws IOException {
    Path file = folder.resolve(name);
    new GgufWriter().metadata("general.architecture", GgufValue.text("test"))
        .tensor("filler", new long[] {filler / Float.BYTES}, TensorFormat.F32, channel -> channel.write(ByteBuffer.allocate(filler)))
        .tensor("first", new long[] {COLUMNS, ROWS}, TensorFormat.Q4_0, channel -> channel.write(ByteBuffer.wrap(rows(1))))
        .tensor("second", new long[] {COLUMNS, ROWS}, TensorFormat.Q4_0, channel -> channel.write(ByteBuffer.wrap(rows(2)))).write(file);
    return file;
  }

  /** A file whose first matrix begins one alignment before a page does. */
  private Path straddling(int page) throws IOException {
    long begin;
    try (GgufFile probe = GgufFile.open(write("probe.gguf", ALIGNMENT))) {
      begin = probe.find("first").orElseThrow().offset() - ALIGNMENT;
    }
    Path file = write("straddling.gguf", (int) Math.floorMod(-ALIGNMENT - begin, page));
    try (GgufFile check = GgufFile.open(file)) {
      assertThat(check.find("first").orElseThrow().offset() % page).isEqualTo(page - ALIGNMENT);
    }
    return file;
  }

  private static MemorySegment tiles(ModelFile file, String tensor, WorkerPool pool) throws IOException {
    return file.matrix(file.find(tensor).orElseThrow(), ROWS, COLUMNS, new NativeMemory(), pool).segment();
  }

  @ParameterizedTest
  @ValueSource(ints = {4096, 16384, 65536})
  void aTensorMayStraddlePages(int page) throws IOException {
    Path path = straddling(page);
    byte[] bytes = Files.readAllBytes(path);
    // The same file at an address that is no page's, nor a cache line's.
    MemorySegment odd = Arena.global().allocate(bytes.length + ALIGNMENT, 64).asSlice(ALIGNMENT);
    MemorySegment.copy(MemorySegment.ofArray(bytes), 0, odd, 0, bytes.length);
    try (ModelFile mapped = GgufFile.open(path); ModelFile held = GgufFile.of(odd, "held.gguf"); WorkerPool pool = new WorkerPool(2)) {
      for (String tensor : List.of("first", "second")) {
        assertThat(tiles(mapped, tensor, pool).mismatch(tiles(held, tensor, pool))).as(tensor).isEqualTo(-1);
      }
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {4096, 16384, 65536})
  void aPackFitsPagesOfEachSize(int page) throws IOException {
    Path gguf = straddling(page);
    Path path = folder.resolve("packed.nib");
    try (WorkerPool pool = new WorkerPool(2)) {
      PackWriter.write(gguf, path, pool, model -> {}, packed -> {}, (done, total) -> {});
      PackFile pack = PackFile.open(path);
      long pages = -1; // up to which one are taken
      try (ModelFile source = GgufFile.open(gguf); FileChannel channel = FileChannel.open(path)) {
        for (String tensor : List.of("first", "second")) {
          GgufTensor section = pack.find(tensor).orElseThrow();
          assertThat(section.offset() % page).as("begins a page").isZero();
          assertThat(section.offset() / page).as("shares none with the matrix before").isGreaterThan(pages);
          pages = (section.offset() + section.bytes() - 1) / page;
          MemorySegment expected = tiles(source, tensor, pool);
          assertThat(tiles(pack, tensor, pool).mismatch(expected)).as("as part of the whole file's mapping").isEqualTo(-1);
          MemorySegment alone = channel.map(FileChannel.MapMode.READ_ONLY, section.offset(), section.bytes(), Arena.global());
          assertThat(alone.mismatch(expected)).as("mapped from its own offset").isEqualTo(-1);
        }
      }
    }
  }
}
