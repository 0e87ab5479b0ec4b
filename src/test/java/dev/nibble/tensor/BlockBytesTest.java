package dev.nibble.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.zip.CRC32;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** Every code of every format, decoded as gguf-py 0.19.0 does: checksums of its values for blocks of pseudo-random bytes. */
final class BlockBytesTest {
  private static final int BLOCKS = 512; // enough for every point of a codebook of 2048

  @ParameterizedTest
  @CsvSource({"F16, bd708144", "BF16, b02678c9", "Q4_0, 98d51648", "Q4_1, 9340cea9", "Q5_0, af1326b7", "Q5_1, 36a0f58e", "Q8_0, e64b8e24", "Q2_K, c1ffbc64",
      "Q3_K, c54127a6", "Q4_K, 75457770", "Q5_K, d1f69457", "Q6_K, 724bc2da", "IQ2_XXS, 1d01931f", "IQ2_XS, 53bfd5f8", "IQ2_S, a7bc81e8",
      "IQ3_XXS, 88a0cb1a", "IQ3_S, 82f21da4", "IQ1_S, 8f51bf8d", "IQ1_M, 348fb7dd", "IQ4_NL, b84e026d", "IQ4_XS, 843380ea", "TQ1_0, 29092b2d",
      "TQ2_0, d92cb032", "MXFP4, 5f65d7a8", "NVFP4, fc3403af"})
  void valuesAreThoseOfGgml(TensorFormat format, String checksum) {
    float[] values = format.codec().decode(RandomBlocks.finite(format, bytes(format)), BLOCKS * format.blockSize());
    ByteBuffer buffer = ByteBuffer.allocate(Float.BYTES * values.length).order(ByteOrder.LITTLE_ENDIAN);
    buffer.asFloatBuffer().put(values);
    CRC32 actual = new CRC32();
    actual.update(buffer);
    assertThat(String.format("%08x", actual.getValue())).isEqualTo(checksum);
  }

  private static byte[] bytes(TensorFormat format) {
    byte[] bytes = new byte[BLOCKS * format.blockBytes()];
    int state = 1;
    for (int i = 0; i < bytes.length; i++) {
      state = state * 1664525 + 1013904223;
      bytes[i] = (byte) (state >>> 24);
    }
    return bytes;
  }

  /** The two formats that gguf-py does not read: d is 1.5, and the codes are 0, 1, 2, 3 again and again. */
  @ParameterizedTest
  @CsvSource({"Q1_0, -1.5 -1.5 1.5 -1.5 -1.5 1.5 1.5 1.5", "Q2_0, -1.5 0 1.5 3"})
  void valuesByHand(TensorFormat format, String expected) {
    byte[] block = new byte[format.blockBytes()];
    block[1] = 0x3e;
    for (int i = 2; i < block.length; i++) {
      block[i] = (byte) 0xe4;
    }
    float[] values = format.codec().decode(block, format.blockSize());
    String[] cycle = expected.split(" ");
    for (int i = 0; i < values.length; i++) {
      assertThat(values[i]).isEqualTo(Float.parseFloat(cycle[i % cycle.length]));
    }
  }

  @ParameterizedTest
  @EnumSource
  void blocksAreAsLargeAsTheTableSays(TensorFormat format) {
    assertThat(TensorFormat.ofGgufNumber(format.ggufNumber())).contains(format);
    if (format.hasCodec()) {
      assertThat(format.codec().blockBytes()).isEqualTo(format.blockBytes());
      assertThat(format.codec().format()).isEqualTo(format);
      format.codec().decodeBlock(new byte[format.blockBytes()], 0, new float[format.blockSize()], 0); // and nothing is read or written beyond
    }
  }

  /** What integer tiles are made of says the same as the values, but for scales that had to be rounded. */
  @ParameterizedTest
  @EnumSource
  void partsMakeTheWeights(TensorFormat format) {
    if (!format.hasCodec() || !(format.codec() instanceof IntegerCodec codec)) {
      return;
    }
    byte[] bytes = bytes(format);
    int columns = 256;
    IntegerRow row = new IntegerRow(columns);
    float[] values = new float[columns];
    for (int from = 0; from + format.bytes(columns) <= bytes.length; from += (int) format.bytes(columns)) {
      codec.decode(bytes, from, values, 0, columns);
      for (int i = 0; i < columns; i += format.blockSize()) {
        codec.split(bytes, from + i / format.blockSize() * format.blockBytes(), row, i);
      }
      for (int i = 0; i < columns; i++) {
        float scale = Half.toFloat(row.scales[i / 32]);
        // Infinite scales, and those below the smallest normal binary16, can't be as near.
        if (Float.isFinite(scale) && Math.abs(scale) >= 0x1p-14f) {
          double tolerance = format == TensorFormat.NVFP4 ? Math.abs(scale) * Math.abs(row.weights[i]) / 2 : Math.abs(values[i]) / 1024;
          assertThat((double) scale * row.factors[i / 16] * row.weights[i]).as("weight %d", i).isCloseTo(values[i], within(tolerance));
        }
      }
    }
  }
}
