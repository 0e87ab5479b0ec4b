package dev.nibble.kernel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Pages of a KV cache: what packing keeps, and that vectors of all widths and plain loops agree to the last bit. */
final class PageKernelsTest {
  private static final int[] WIDTHS = {2, 8, 20, 24, 40, 64, 80, 128};

  private static float[] random(int count, Random random) {
    float[] numbers = new float[count];
    for (int i = 0; i < count; i++) {
      numbers[i] = (float) random.nextGaussian();
    }
    return numbers;
  }

  private static float[] unpacked(PageLayout layout, int[] page, int at, KernelProvider mode) {
    float[] out = new float[layout.numbers()];
    new PageKernels(mode, layout).unpack(layout, page, at, out);
    return out;
  }

  @Test
  void packingIsOffByHalfAStepAtMost() {
    Random random = new Random(1);
    for (PageFormat format : PageFormat.values()) {
      for (int width : WIDTHS) {
        for (PageLayout layout : new PageLayout[] {PageLayout.keys(format, width), PageLayout.values(format, width)}) {
          float[] numbers = random(layout.numbers(), random);
          // Groups far from zero, tiny, constant, and with an outlier.
          for (int g = 0; g < layout.groups(); g++) {
            for (int i = g * layout.group(); i < (g + 1) * layout.group(); i++) {
              numbers[i] = switch (g % 5) {
                case 0 -> numbers[i];
                case 1 -> numbers[i] - 70;
                case 2 -> numbers[i] * 1e-6f;
                case 3 -> 0.3f;
                default -> i % 8 == 3 ? 500 : numbers[i];
              };
            }
          }
          int[] page = new int[layout.ints() + 5];
          Arrays.fill(page, -1);
          layout.pack(numbers, 0, page, 3);
          assertThat(new int[] {page[0], page[2], page[layout.ints() + 3]}).containsOnly(-1);
          float[] out = unpacked(layout, page, 3, Kernels.SCALAR);
          for (int i = 0; i < numbers.length; i++) {
            float step = switch (format) {
              case F32 -> 0;
              case F16 -> Math.max(0x1p-24f, Math.abs(numbers[i]) * 0x1p-10f);
              case INT8, INT4, INT2 -> PageLayout.toFloat(page[3 + i / layout.group()] & 0xffff);
            };
            assertThat(Math.abs((double) out[i] - numbers[i])).as("%s, number %d: %s", layout, i, numbers[i])
                .isLessThanOrEqualTo(0.5 * step * (1 + 1e-4) + Math.abs(numbers[i]) * 1e-7);
          }
        }
      }
    }
  }

  @Test
  void stepsAreAsFineAsTheGroupsRangeAllows() {
    PageLayout layout = PageLayout.keys(PageFormat.INT4, 8);
    float[] numbers = random(layout.numbers(), new Random(2));
    int[] page = new int[layout.ints()];
    layout.pack(numbers, 0, page, 0);
    for (int c = 0; c < 8; c++) {
      float[] channel = Arrays.copyOfRange(numbers, 64 * c, 64 * (c + 1));
      Arrays.sort(channel);
      assertThat(PageLayout.toFloat(page[c] & 0xffff)).isCloseTo((channel[63] - channel[0]) / 15, org.assertj.core.data.Percentage.withPercentage(0.3));
    }
  }

  @Test
  void bytesAreAsTheFormatsSay() {
    // 64 channels: keys share parameters among 64 numbers (half a bit each), values among 32 (one bit).
    assertThat(PageLayout.keys(PageFormat.INT4, 64).ints() * 32.0 / 4096).isEqualTo(4.5);
    assertThat(PageLayout.values(PageFormat.INT4, 64).ints() * 32.0 / 4096).isEqualTo(5);
    assertThat(PageLayout.keys(PageFormat.INT8, 64).ints() * 32.0 / 4096).isEqualTo(8.5);
    assertThat(PageLayout.values(PageFormat.INT2, 64).ints() * 32.0 / 4096).isEqualTo(3);
    assertThat(PageLayout.keys(PageFormat.F16, 64).ints() * 32.0 / 4096).isEqualTo(16);
  }

  @Test
  void packingSurvivesNumbersThatAreNotFinite() {
    for (PageFormat format : PageFormat.values()) {
      PageLayout layout = PageLayout.values(format, 64);
      int group = format.coded() ? layout.numbers() / layout.groups() : 1;
      float[] numbers = random(layout.numbers(), new Random(8));
      float[] wild = numbers.clone();
      Arrays.fill(wild, 0, 100, Float.NaN);
      Arrays.fill(wild, 200, 300, Float.POSITIVE_INFINITY);
      wild[1000] = Float.NEGATIVE_INFINITY;
      wild[4000] = -1e30f;
      boolean[] spoiled = new boolean[layout.numbers()];
      for (int i = 0; i < wild.length; i++) {
        if (wild[i] != numbers[i]) {
          Arrays.fill(spoiled, i / group * group, i / group * group + group, true);
        }
      }
      int[] page = new int[layout.ints()];
      int[] wildPage = new int[layout.ints()];
      layout.pack(numbers, 0, page, 0);
      layout.pack(wild, 0, wildPage, 0);
      float[] expected = null;
      for (KernelProvider mode : TestModes.all()) {
        float[] unpacked = new float[layout.numbers()];
        float[] wildUnpacked = new float[layout.numbers()];
        PageKernels kernels = new PageKernels(mode, layout);
        kernels.unpack(layout, page, 0, unpacked);
        kernels.unpack(layout, wildPage, 0, wildUnpacked);
        for (int i = 0; i < wild.length; i++) {
          String what = format + ", " + mode + ", number " + i + ": " + wild[i];
          if (!spoiled[i]) {
            assertThat(Float.floatToRawIntBits(wildUnpacked[i])).as(what).isEqualTo(Float.floatToRawIntBits(unpacked[i]));
          } else if (format == PageFormat.F32) {
            assertThat(Float.floatToRawIntBits(wildUnpacked[i])).as(what).isEqualTo(Float.floatToRawIntBits(wild[i]));
          } else {
            assertThat(wildUnpacked[i]).as(what).isFinite();
          }
        }
        expected = expected == null ? wildUnpacked : expected;
        assertThat(Arrays.mismatch(wildUnpacked, expected)).as("%s, %s", format, mode).isEqualTo(-1);
      }
    }
  }

  @Test
  void vectorsUnpackTheSameBits() {
    Random random = new Random(3);
    for (PageFormat format : PageFormat.values()) {
      for (int width : WIDTHS) {
        for (PageLayout layout : new PageLayout[] {PageLayout.keys(format, width), PageLayout.values(format, width)}) {
          int[] page = new int[layout.ints() + 1];
          layout.pack(random(layout.numbers(), random), 0, page, 1);
          float[] expected = unpacked(layout, page, 1, Kernels.SCALAR);
          for (KernelProvider mode : TestModes.all()) {
            assertThat(Arrays.mismatch(unpacked(layout, page, 1, mode), expected)).as("%s, %s", layout, mode).isEqualTo(-1);
          }
        }
      }
    }
  }

  @Test
  void vectorsAttendWithTheSameBitsWhateverRowsComeTogether() {
    Random random = new Random(4);
    for (int width : WIDTHS) {
      int padded = PageLayout.paddedWidth(width);
      float[] keys = random(padded * 64 + 2, random);
      float[] values = random(64 * padded + 3, random);
      for (int rows : new int[] {1, 2, 4, 7, 9}) {
        float[] queries = random(rows * padded, random);
        float[] start = random(rows * padded, random);
        float[] startScores = random(rows, random);
        for (int[] seen : new int[][] {{0, 64}, {0, 1}, {0, 37}, {63, 64}, {5, 50}}) {
          float[] expected = null;
          for (KernelProvider mode : TestModes.all()) {
            for (int together = 1; together <= rows; together += together == 1 ? rows - 1 + (rows == 1 ? 1 : 0) : 1) {
              float[] out = start.clone();
              float[] scores = new float[rows * 64 + 1];
              float[] largest = startScores.clone();
              float[] sums = new float[rows];
              float[] factors = new float[rows];
              PageKernels kernels = new PageKernels(mode);
              for (int row = 0; row < rows; row += together) {
                kernels.score(queries, row * padded, padded, together, padded, keys, 2, scores, 1 + row * 64);
                for (int i = row; i < row + together; i++) {
                  kernels.weigh(scores, 1 + i * 64, seen[0], seen[1], largest, sums, factors, i);
                }
                kernels.blend(scores, 1 + row * 64, together, seen[0], seen[1], values, 3, padded, factors, row, out, row * padded);
              }
              float[] all = new float[scores.length + 3 * rows + out.length];
              System.arraycopy(scores, 0, all, 0, scores.length);
              System.arraycopy(largest, 0, all, scores.length, rows);
              System.arraycopy(sums, 0, all, scores.length + rows, rows);
              System.arraycopy(factors, 0, all, scores.length + 2 * rows, rows);
              System.arraycopy(out, 0, all, scores.length + 3 * rows, out.length);
              expected = expected == null ? all : expected;
              assertThat(Arrays.mismatch(all, expected)).as("width %d, %d of %d rows, %s", width, together, rows, mode).isEqualTo(-1);
            }
          }
        }
      }
    }
  }

  @Test
  void vectorExponentialsAreThoseOfFloatMath() {
    Random random = new Random(5);
    for (KernelProvider mode : TestModes.all()) {
      for (int round = 0; round < 200; round++) {
        float[] scores = new float[64];
        float most = 0;
        for (int t = 1; t < 64; t++) {
          scores[t] = -(float) Math.exp(random.nextDouble(-20, 6));
        }
        scores[0] = most;
        float[] weights = scores.clone();
        new PageKernels(mode).weigh(weights, 0, 0, 64, new float[] {Float.NEGATIVE_INFINITY}, new float[1], new float[1], 0);
        for (int t = 0; t < 64; t++) {
          assertThat(Float.floatToRawIntBits(weights[t])).as("e^%s, %s", scores[t], mode).isEqualTo(Float.floatToRawIntBits(FloatMath.exp(scores[t])));
        }
      }
    }
  }

  @Test
  void tokensNotSeenLeaveNoTrace() {
    for (KernelProvider mode : TestModes.all()) {
      PageKernels kernels = new PageKernels(mode);
      float[] scores = random(64, new Random(6));
      float[] values = random(64 * 8, new Random(7));
      float[] poisoned = scores.clone();
      float[] poisonedValues = values.clone();
      Arrays.fill(poisoned, 10, 64, Float.NaN);
      Arrays.fill(poisonedValues, 80, 512, Float.NaN);
      float[] out = new float[8];
      float[] poisonedOut = new float[8];
      float[] sums = new float[2];
      float[] factors = new float[2];
      float[] largest = {Float.NEGATIVE_INFINITY, Float.NEGATIVE_INFINITY};
      kernels.weigh(scores, 0, 0, 10, largest, sums, factors, 0);
      kernels.weigh(poisoned, 0, 0, 10, largest, sums, factors, 1);
      kernels.blend(scores, 0, 1, 0, 10, values, 0, 8, factors, 0, out, 0);
      kernels.blend(poisoned, 0, 1, 0, 10, poisonedValues, 0, 8, factors, 1, poisonedOut, 0);
      assertThat(poisonedOut).containsExactly(out);
      assertThat(sums[1]).isEqualTo(sums[0]);
    }
  }

  @Test
  void rangesAreCheckedAtTheDoor() {
    PageLayout layout = PageLayout.keys(PageFormat.INT4, 64);
    for (KernelProvider mode : TestModes.all()) {
      PageKernels kernels = new PageKernels(mode, layout);
      assertThatThrownBy(() -> kernels.unpack(layout, new int[layout.ints() - 1], 0, new float[4096])).isInstanceOf(IndexOutOfBoundsException.class);
      assertThatThrownBy(() -> kernels.unpack(layout, new int[layout.ints()], 0, new float[4095])).isInstanceOf(IndexOutOfBoundsException.class);
      assertThatThrownBy(() -> kernels.score(new float[64], 0, 64, 1, 64, new float[4095], 0, new float[64], 0))
          .isInstanceOf(IndexOutOfBoundsException.class);
      assertThatThrownBy(() -> kernels.blend(new float[64], 0, 1, 0, 65, new float[4096], 0, 64, new float[1], 0, new float[64], 0))
          .isInstanceOf(IndexOutOfBoundsException.class);
    }
  }
}
