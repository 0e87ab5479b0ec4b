package dev.nibble.kernel;

import static org.assertj.core.api.Assertions.assertThat;

import dev.nibble.kernel.tile.TileLayout;
import dev.nibble.kernel.tile.TileMapping;
import dev.nibble.tensor.RandomBlocks;
import dev.nibble.tensor.TensorFormat;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.zip.CRC32C;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * The bytes of tiles, which packed files keep. The checksums come from a program that lays out tiles weight by weight as {@link TileLayout} describes
 * them. Where a layout changes on purpose, they change here and its version counts up.
 */
final class TileLayoutTest {
  private static final int ROWS = 20; // the second tile is not full
  private static final int COLUMNS = 256;

  @ParameterizedTest
  @CsvSource({"F32, 4ba0cc3c", "F16, 73aa349f", "BF16, 73aa349f", "Q4_0, c4bb7516", "Q4_1, 91eaf53d", "Q4_K, 32385b23", "Q8_0, 6b382b9b", "Q6_K, 9739b8f3"})
  void tilesOfLayoutOneHaveTheseBytes(TensorFormat format, String checksum) {
    assertThat(TileMapping.require(format).version()).isEqualTo(1);
    try (Arena arena = Arena.ofShared(); WorkerPool pool = new WorkerPool(2)) {
      byte[] rows = rows(format);
      MemorySegment source = arena.allocate(rows.length, 8);
      MemorySegment.copy(rows, 0, source, ValueLayout.JAVA_BYTE, 0, rows.length);
      CRC32C actual = new CRC32C();
      actual.update(TilePacker.pack(format, source, ROWS, COLUMNS, arena, pool).segment().asByteBuffer());
      assertThat(Long.toHexString(actual.getValue())).isEqualTo(checksum);
    }
  }

  /** Bytes of all values, but for one bit of each exponent, so that scales and floats are finite. */
  private static byte[] rows(TensorFormat format) {
    byte[] bytes = new byte[(int) format.bytes(ROWS * COLUMNS)];
    for (int i = 0; i < bytes.length; i++) {
      bytes[i] = (byte) (i * 31 + (i >> 8) * 17 + 5);
    }
    return RandomBlocks.finite(format, bytes);
  }
}
