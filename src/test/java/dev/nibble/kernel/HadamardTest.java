package dev.nibble.kernel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.data.Offset.offset;

import java.util.Random;
import org.junit.jupiter.api.Test;

final class HadamardTest {
  @Test
  void isSylvestersMatrixOverTheRootOfItsSize() {
    float[] unit = {0, 0, 1, 0};
    Hadamard.rotate(unit, 0, 4);
    assertThat(unit).containsExactly(0.5f, 0.5f, -0.5f, -0.5f);
  }

  @Test
  void undoesItselfExactlyWhereSumsAreExact() {
    // Small integers and a size that is a power of four: nothing is rounded.
    for (int width : new int[] {4, 16, 64, 256}) {
      float[] x = new float[width + 2];
      Random random = new Random(width);
      for (int i = 0; i < x.length; i++) {
        x[i] = random.nextInt(-1000, 1000);
      }
      float[] twice = x.clone();
      Hadamard.rotate(twice, 1, width);
      assertThat(twice).isNotEqualTo(x);
      Hadamard.rotate(twice, 1, width);
      assertThat(twice).containsExactly(x);
    }
  }

  @Test
  void keepsDotProducts() {
    for (int width : new int[] {2, 8, 32, 64, 128}) {
      Random random = new Random(width);
      float[] a = new float[width];
      float[] b = new float[width];
      for (int i = 0; i < width; i++) {
        a[i] = (float) random.nextGaussian();
        b[i] = (float) random.nextGaussian();
      }
      double before = dot(a, b);
      Hadamard.rotate(a, 0, width);
      Hadamard.rotate(b, 0, width);
      assertThat(dot(a, b)).isCloseTo(before, offset(1e-5 * Math.sqrt(width)));
    }
  }

  private static double dot(float[] a, float[] b) {
    double sum = 0;
    for (int i = 0; i < a.length; i++) {
      sum += (double) a[i] * b[i];
    }
    return sum;
  }
}
