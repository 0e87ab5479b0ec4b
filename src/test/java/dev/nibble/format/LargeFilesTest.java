package dev.nibble.format;

import static org.assertj.core.api.Assertions.assertThat;

import dev.nibble.SparseFiles;
import dev.nibble.format.gguf.GgufFile;
import dev.nibble.format.gguf.GgufTensor;
import dev.nibble.format.llama2c.Llama2cCheckpoint;
import dev.nibble.format.llama2c.Llama2cRole;
import dev.nibble.format.safetensors.SafetensorsFile;
import dev.nibble.format.safetensors.SafetensorsTensor;
import dev.nibble.kernel.NativeMemory;
import dev.nibble.kernel.WorkerPool;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Sizes and offsets beyond 32 bits: what lies behind 4 GiB is read as what lies before. */
final class LargeFilesTest {
  @TempDir
  Path folder;

  /** The last size that was refused, and some that no int holds. */
  @ParameterizedTest
  @ValueSource(longs = {(2L << 30) - (1 << 20), 5L << 30, 70L << 30})
  void ggufFiles(long hole) throws Exception {
    Path path = SparseFiles.gguf(folder.resolve("large.gguf"), hole);
    try (GgufFile file = GgufFile.open(path); WorkerPool pool = new WorkerPool(2)) {
      GgufTensor after = file.find("after").orElseThrow();
      assertThat(after.offset()).isGreaterThan(hole);
      assertThat(file.size()).isEqualTo(after.offset() + after.bytes());
      byte[] bytes = new byte[(int) after.bytes()];
      file.source(after).read(0, bytes, bytes.length);
      assertThat(bytes).isEqualTo(SparseFiles.valueBytes());
      float[] row = new float[SparseFiles.COLUMNS];
      file.matrix(after, SparseFiles.ROWS, SparseFiles.COLUMNS, new NativeMemory(), pool).row(3, row, 0);
      assertThat(row).isEqualTo(java.util.Arrays.copyOfRange(SparseFiles.values(), 3 * row.length, 4 * row.length));
    }
  }

  @ParameterizedTest
  @ValueSource(longs = {(2L << 30) - (1 << 20), 5L << 30, 70L << 30})
  void safetensorsFiles(long hole) throws Exception {
    SafetensorsFile file = SafetensorsFile.open(SparseFiles.safetensors(folder.resolve("large.safetensors"), hole));
    SafetensorsTensor after = file.find("after").orElseThrow();
    float[] values = new float[SparseFiles.ROWS * SparseFiles.COLUMNS];
    after.readFloats(0, values, values.length);
    assertThat(values).isEqualTo(SparseFiles.values());
    assertThat(file.find("hole").orElseThrow().elementCount()).isEqualTo(hole);
  }

  /** The embedding alone takes 8 GiB; the weights behind it follow. */
  @Test
  void llama2cFiles() throws Exception {
    int vocabulary = 1 << 24;
    int width = 128;
    ByteBuffer header = ByteBuffer.allocate(256).order(ByteOrder.LITTLE_ENDIAN);
    header.putInt(0x616b3432).putInt(1).putInt(width).putInt(8).putInt(1).putInt(1).putInt(1).putInt(vocabulary).putInt(16).put((byte) 1).position(256);
    long query = 256 + 4L * (3 * width + (long) width * vocabulary);
    long end = query + 4L * (4 * width * width + 3 * 8 * width);
    ByteBuffer tail = ByteBuffer.allocate((int) (end - query)).order(ByteOrder.LITTLE_ENDIAN);
    tail.putFloat(4, 7.5f);
    Path path = SparseFiles.write(folder.resolve("large.bin"), header.flip(), query, tail.array());
    float[] values = new float[2];
    Llama2cCheckpoint.open(path).tensor(Llama2cRole.QUERY, 0).readFloats(0, values, values.length);
    assertThat(values).containsExactly(0, 7.5f);
  }
}
