package dev.nibble.kernel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.fail;
import static org.assertj.core.api.Assertions.within;

import dev.nibble.kernel.tile.TileMapping;
import dev.nibble.tensor.BlockEncoder;
import dev.nibble.tensor.RandomBlocks;
import dev.nibble.tensor.TensorFormat;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Every layout and many shapes: the vector kernels agree with the scalar ones bit for bit, and both with the weights' definition, of whatever format. */
final class TiledMatrixTest {
  private static final int[] ROWS = {1, 8, 15, 16, 17, 33, 48, 100, 172};
  private static final int[] COLUMNS = {1, 31, 32, 64, 172, 256, 288, 512, 768};
  private static final int[] TOKENS = {1, 2, 3, 4, 5, 9};

  private final Random random = new Random(7);

  private static List<TensorFormat> formats() {
    return Arrays.stream(TensorFormat.values()).filter(format -> TileMapping.layoutOf(format).isPresent()).toList();
  }

  @ParameterizedTest
  @EnumSource(names = {"F32", "F16", "BF16", "Q4_0", "Q4_1", "Q8_0", "Q6_K"}) // one for each layout
  void vectorAndScalarKernelsAgreeBitForBitForAnyTokensAndThreads(TensorFormat format) throws Exception {
    try (Arena arena = Arena.ofShared(); WorkerPool one = new WorkerPool(1); WorkerPool three = new WorkerPool(3)) {
      for (int rows : ROWS) {
        for (int columns : COLUMNS) {
          if (columns % format.blockSize() == 0) {
            Packed packed = pack(format, rows, columns, arena, three);
            compare(packed.matrix, one, three);
          }
        }
      }
    }
  }

  private void compare(TiledMatrix matrix, WorkerPool one, WorkerPool three) {
    int stride = TiledMatrix.padded(matrix.rows());
    Activations x = activations(9, matrix.columns());
    float[] scalar = new float[9 * stride];
    new Products(one, Kernels.SCALAR).multiply(x, 9, matrix, scalar, stride);
    for (int tokens : TOKENS) {
      for (WorkerPool pool : new WorkerPool[] {one, three}) {
        for (KernelProvider mode : TestModes.all()) {
          float[] vector = new float[9 * stride];
          new Products(pool, mode).multiply(x, tokens, matrix, vector, stride);
          for (int i = 0; i < tokens * stride; i++) {
            if (Float.floatToRawIntBits(vector[i]) != Float.floatToRawIntBits(scalar[i])) {
              fail("%s, %s %d × %d, %d tokens, output %d is %s, not %s", mode, matrix.layout(), matrix.rows(), matrix.columns(), tokens, i, vector[i], scalar[i]);
            }
          }
        }
      }
    }
  }

  @ParameterizedTest
  @MethodSource("formats")
  void rowsComeBackAsTheFormatDefinesThem(TensorFormat format) throws Exception {
    try (Arena arena = Arena.ofShared(); WorkerPool pool = new WorkerPool(2)) {
      for (int rows : ROWS) {
        Packed packed = pack(format, rows, 512, arena, pool);
        float[] row = new float[512];
        for (int r = 0; r < rows; r++) {
          packed.matrix.row(r, row, 0);
          for (int i = 0; i < 512; i++) {
            float expected = packed.weights[r * 512 + i];
            switch (TileMapping.of(format)) {
              case TileMapping.Exact exact -> assertThat(row[i]).as("row %d, column %d of %d", r, i, rows).isEqualTo(expected);
              case TileMapping.Rounded rounded -> assertThat(row[i]).as("row %d, column %d of %d", r, i, rows)
                  .isCloseTo(expected, within(tolerance(format, packed.weights, r * 512 + i)));
              case TileMapping.None none -> fail(none.reason());
            }
          }
        }
      }
    }
  }

  /** Half a step of 8 bits and half a unit of the scale, and what the smallest binary16 scales lose; for NVFP4 half a step of the factor of 16 weights beside the largest. */
  private static float tolerance(TensorFormat format, float[] weights, int index) {
    float largest = 0;
    for (int i = index - index % 32; i < index - index % 32 + 32; i++) {
      largest = Math.max(largest, Math.abs(weights[i]));
    }
    return largest / (format == TensorFormat.NVFP4 ? 40 : 225) + 127 * 0x1p-25f;
  }

  @ParameterizedTest
  @MethodSource("formats")
  void productsAreThoseOfTheWeightsAndTheRoundedInputs(TensorFormat format) throws Exception {
    try (Arena arena = Arena.ofShared(); WorkerPool pool = new WorkerPool(2)) {
      TiledMatrix matrix = pack(format, 40, 512, arena, pool).matrix;
      float[] weights = new float[40 * 512];
      for (int row = 0; row < 40; row++) {
        matrix.row(row, weights, 512 * row);
      }
      Activations x = activations(2, 512);
      float[] out = new float[2 * 48];
      new Products(pool, TestModes.best()).multiply(x, 2, matrix, out, 48);
      for (int token = 0; token < 2; token++) {
        for (int r = 0; r < 40; r++) {
          double sum = 0;
          double magnitude = 0;
          for (int i = 0; i < 512; i++) {
            int at = token * x.stride() + i;
            double input = matrix.integer() ? (double) x.quants[Activations.FRONT + at] * x.scales[token * x.blocks + i / 32] : x.values()[at];
            sum += weights[r * 512 + i] * input;
            magnitude += Math.abs(weights[r * 512 + i] * input);
          }
          assertThat((double) out[token * 48 + r]).isCloseTo(sum, within(1e-5 * magnitude + 1e-9));
        }
      }
    }
  }

  @Test
  void largestMagnitudesDoNotOverflow() {
    try (Arena arena = Arena.ofShared(); WorkerPool pool = new WorkerPool(1)) {
      for (TensorFormat format : new TensorFormat[] {TensorFormat.Q4_0, TensorFormat.Q4_1, TensorFormat.Q8_0}) {
        for (int fill : new int[] {0x00, 0x7f, 0x80, 0xff}) {
          byte[] data = new byte[(int) format.bytes(16 * 64)];
          Arrays.fill(data, (byte) fill);
          for (int at = 0; at < data.length; at += format.blockBytes()) {
            data[at] = 0;
            data[at + 1] = 0x3c; // 1.0
            if (format == TensorFormat.Q4_1) {
              data[at + 2] = 0;
              data[at + 3] = (byte) 0xc8; // -8.0
            }
          }
          TiledMatrix matrix = TilePacker.pack(format, nativeCopy(data, arena), 16, 64, arena, pool);
          for (float sign : new float[] {-1, 1}) {
            Activations x = new Activations(2, 64);
            Arrays.fill(x.values(), sign);
            x.quantize(0, Kernels.SCALAR);
            x.quantize(1, Kernels.SCALAR);
            float[] scalar = new float[32];
            new Products(pool, Kernels.SCALAR).multiply(x, 2, matrix, scalar, 16);
            for (KernelProvider mode : TestModes.all()) {
              float[] vector = new float[32];
              new Products(pool, mode).multiply(x, 2, matrix, vector, 16);
              assertThat(vector).as("%s filled with %x times %s, %s", format, fill, sign, mode).isEqualTo(scalar);
            }
          }
        }
      }
    }
  }

  @Test
  void refusesScalesThatAreNotFinite() {
    try (Arena arena = Arena.ofShared(); WorkerPool pool = new WorkerPool(2)) {
      byte[] data = new byte[18 * 40];
      data[18 * 37 + 1] = 0x7c;
      assertThatThrownBy(() -> TilePacker.pack(TensorFormat.Q4_0, nativeCopy(data, arena), 40, 32, arena, pool))
          .isInstanceOf(IllegalArgumentException.class).hasMessage("the scale of row 37, block 0 is not finite");
      byte[] withMinimums = new byte[20 * 40];
      withMinimums[20 * 37 + 3] = 0x7c;
      assertThatThrownBy(() -> TilePacker.pack(TensorFormat.Q4_1, nativeCopy(withMinimums, arena), 40, 32, arena, pool))
          .isInstanceOf(IllegalArgumentException.class).hasMessage("the minimum of row 37, block 0 is not finite");
    }
  }

  @Test
  void roundsInputsToTheNearestStep() {
    Activations x = activations(3, 100);
    for (int token = 0; token < 3; token++) {
      for (int i = 0; i < 100; i++) {
        int at = token * x.stride() + i;
        float scale = x.scales[token * 4 + i / 32];
        assertThat(x.quants[Activations.FRONT + at]).isBetween(-127, 127);
        assertThat(Math.abs(x.quants[Activations.FRONT + at] * scale - x.values()[at])).isLessThanOrEqualTo(0.5001f * scale);
      }
    }
  }

  @Test
  void vectorsRoundInputsAsPlainJavaDoes() {
    float[] specials = {0, -0f, 1, -1, 0.5f, 1.5f, 2.5f, 127, -127, 1e-38f, 1e-45f, 3e38f, -3e38f, 1e-37f};
    for (int round = 0; round < 200; round++) {
      Activations scalar = new Activations(2, 100);
      Activations vector = new Activations(2, 100);
      float magnitude = (float) Math.pow(10, random.nextInt(-40, 38));
      for (int i = 0; i < scalar.values().length; i++) {
        float value = random.nextInt(8) == 0 ? specials[random.nextInt(specials.length)] : (float) random.nextGaussian() * magnitude;
        scalar.values()[i] = value;
        vector.values()[i] = value;
      }
      for (int token = 0; token < 2; token++) {
        scalar.quantize(token, Kernels.SCALAR);
        vector.quantize(token, Kernels.VECTOR_128);
      }
      assertThat(vector.quants).isEqualTo(scalar.quants);
      assertThat(bits(vector.scales)).isEqualTo(bits(scalar.scales));
      assertThat(bits(vector.sums)).isEqualTo(bits(scalar.sums));
      assertThat(bits(vector.pairs)).isEqualTo(bits(scalar.pairs));
      assertThat(bits(vector.steps)).isEqualTo(bits(scalar.steps));
      assertThat(vector.nibbleOffsets).isEqualTo(scalar.nibbleOffsets);
      assertThat(vector.sixBitOffsets).isEqualTo(scalar.sixBitOffsets);
    }
  }

  private static int[] bits(float[] values) {
    int[] bits = new int[values.length];
    for (int i = 0; i < bits.length; i++) {
      bits[i] = Float.floatToRawIntBits(values[i]);
    }
    return bits;
  }

  private record Packed(TiledMatrix matrix, float[] weights) {}

  private Packed pack(TensorFormat format, int rows, int columns, Arena arena, WorkerPool pool) {
    float[] weights = new float[rows * columns];
    for (int i = 0; i < weights.length; i++) {
      weights[i] = (float) random.nextGaussian() * 0.1f;
    }
    byte[] data;
    if (format.codec() instanceof BlockEncoder encoder) {
      data = encoder.encode(weights);
    } else {
      data = new byte[(int) format.bytes(weights.length)];
      random.nextBytes(data);
      RandomBlocks.finite(format, data);
    }
    format.codec().decode(data, 0, weights, 0, weights.length);
    return new Packed(TilePacker.pack(format, nativeCopy(data, arena), rows, columns, arena, pool), weights);
  }

  private static MemorySegment nativeCopy(byte[] data, Arena arena) {
    MemorySegment segment = arena.allocate(data.length, 8);
    MemorySegment.copy(data, 0, segment, ValueLayout.JAVA_BYTE, 0, data.length);
    return segment;
  }

  private Activations activations(int tokens, int columns) {
    Activations x = new Activations(tokens, columns);
    for (int token = 0; token < tokens; token++) {
      for (int i = 0; i < columns; i++) {
        x.values()[token * x.stride() + i] = (float) random.nextGaussian();
      }
      x.quantize(token, Kernels.SCALAR);
    }
    return x;
  }
}
