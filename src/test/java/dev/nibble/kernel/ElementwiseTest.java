package dev.nibble.kernel;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Random;
import java.util.function.DoubleUnaryOperator;
import org.junit.jupiter.api.Test;

/** Vectors against plain loops, bit for bit, values of all kinds included; and the functions against {@link StrictMath}. */
final class ElementwiseTest {
  private static final int[] LENGTHS = {1, 3, 4, 5, 15, 16, 17, 31, 32, 48, 64, 100, 172, 256, 257, 1000};
  private static final float[] SPECIAL = {
    0f, -0f, Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY, Float.MAX_VALUE, -Float.MAX_VALUE, Float.MIN_VALUE, -Float.MIN_VALUE,
    Float.MIN_NORMAL, -Float.MIN_NORMAL, 87f, -87f, 88f, -88f, Math.nextUp(88f), Math.nextDown(-88f), Math.nextUp(-87f),
    Math.nextDown(-87f), 1e-20f, 1e20f, -1e20f, 3.4e38f, 0.34657359f, -0.34657359f
  };

  private final Elementwise vectors = new Elementwise(Kernels.VECTOR_128);
  private final Elementwise scalar = new Elementwise(Kernels.SCALAR);
  private final Random random = new Random(11);

  /** Rows of ordinary numbers, rows with one special value in them, and rows of nothing but random bits. */
  private float[] row(int length, int kind) {
    float[] row = new float[length];
    for (int i = 0; i < length; i++) {
      row[i] = switch (kind) {
        case 0 -> (float) random.nextGaussian();
        case 1 -> 40 * (float) random.nextGaussian();
        case 2 -> Float.intBitsToFloat(random.nextInt());
        default -> SPECIAL[random.nextInt(SPECIAL.length)];
      };
    }
    if (kind == 1 && length > 0) {
      row[random.nextInt(length)] = SPECIAL[random.nextInt(SPECIAL.length)];
    }
    return row;
  }

  private static void assertSame(float[] actual, float[] expected, String what, int length, int kind) {
    for (int i = 0; i < expected.length; i++) {
      // Not-a-numbers count as equal whatever their payload.
      assertThat(Float.floatToIntBits(actual[i])).as("%s of %d values of kind %d, place %d", what, length, kind, i)
          .isEqualTo(Float.floatToIntBits(expected[i]));
    }
  }

  private interface Pass {
    void run(Elementwise code, float[] x, float[] y, float[] out);
  }

  private void compare(String what, Pass pass) {
    for (int round = 0; round < 40; round++) {
      for (int length : LENGTHS) {
        for (int kind = 0; kind < 4; kind++) {
          float[] x = row(length + 16, kind);
          float[] y = row(length + 16, kind);
          float[] xScalar = x.clone();
          float[] out = new float[length + 16];
          float[] outScalar = new float[length + 16];
          pass.run(vectors, x, y, out);
          pass.run(scalar, xScalar, y, outScalar);
          assertSame(out, outScalar, what, length, kind);
          assertSame(x, xScalar, what, length, kind);
        }
      }
    }
  }

  private static float[] weight(float[] y) {
    return java.util.Arrays.copyOf(y, y.length - 16);
  }

  @Test
  void normsAgree() {
    compare("norm", (code, x, y, out) -> code.rmsNorm(x, 3, weight(y), 1e-5f, out, 5));
    compare("add and norm", (code, x, y, out) -> code.addThenNorm(x, 3, y, 2, weight(y), 1e-5f, out, 5));
  }

  @Test
  void sumsAndSiluAgree() {
    compare("sum", (code, x, y, out) -> code.add(x, 3, y, 2, x.length - 16));
    compare("SiLU", (code, x, y, out) -> code.gatedSilu(x, 3, y, 2, x.length - 16, out, 1));
  }

  @Test
  void geluAndSoftcapAgree() {
    compare("GELU", (code, x, y, out) -> code.gatedGelu(x, 3, y, 2, x.length - 16, out, 1));
    compare("softcap", (code, x, y, out) -> code.softcap(x, 3, x.length - 16, 30));
  }

  @Test
  void geluIsWithinUnitsInTheLastPlaceAndVanishesBelow() {
    double most = 0;
    for (int i = 0; i < 2_000_000; i++) {
      float x = -9 + 100 * i / 2_000_000f;
      double y = 2 * StrictMath.sqrt(2 / StrictMath.PI) * (x + 0.044715 * x * x * x);
      double expected = x / (1 + StrictMath.exp(-y));
      // Where e^-y is large its own error is that of y, some 70 times a unit in the last place: told there by the error of the function's value.
      most = Math.max(most, Math.abs(FloatMath.geluTanh(x) - expected) / Math.max(Math.ulp((float) Math.abs(expected)), 1e-7));
    }
    assertThat(most).isLessThanOrEqualTo(5);
    for (float x : new float[] {-10, -90, -1e10f, -Float.MAX_VALUE, Float.NEGATIVE_INFINITY}) {
      assertThat(Math.abs(FloatMath.geluTanh(x))).as("gelu(%s)", x).isLessThan(1e-36f);
    }
    assertThat(FloatMath.geluTanh(Float.POSITIVE_INFINITY)).isEqualTo(Float.POSITIVE_INFINITY);
    assertThat(FloatMath.geluTanh(Float.NaN)).isNaN();
  }

  @Test
  void softcapIsWithinItsError() {
    for (float cap : new float[] {1, 5, 30, 50}) {
      float[] values = new float[40_001];
      for (int i = 0; i < values.length; i++) {
        values[i] = (i - 20_000) / 100f;
      }
      float[] capped = values.clone();
      vectors.softcap(capped, 0, capped.length, cap);
      for (int i = 0; i < values.length; i++) {
        assertThat((double) capped[i]).as("%s at %s", cap, values[i])
            .isCloseTo(cap * StrictMath.tanh((double) values[i] / cap), org.assertj.core.data.Offset.offset(cap * 4 * 0x1p-24));
      }
    }
  }

  @Test
  void rotationsAgree() {
    for (int width : new int[] {2, 4, 6, 8, 12, 64, 80, 128}) {
      for (int kind = 0; kind < 4; kind++) {
        float[] cosines = row(width + 1, kind == 2 ? 2 : 0);
        float[] sines = row(width + 1, 0);
        float[] x = row(3 * width + 2, kind);
        float[] xScalar = x.clone();
        vectors.rotateAdjacent(x, 1, 3, width, cosines, sines, 1);
        scalar.rotateAdjacent(xScalar, 1, 3, width, cosines, sines, 1);
        assertSame(x, xScalar, "rotation of neighbours", width, kind);
        vectors.rotateHalves(x, 1, 3, width, cosines, sines, 1);
        scalar.rotateHalves(xScalar, 1, 3, width, cosines, sines, 1);
        assertSame(x, xScalar, "rotation of halves", width, kind);
      }
    }
  }

  @Test
  void rotationIsThatOfThePlane() {
    float[] cosines = {0.6f, 0.6f, 1, 1};
    float[] sines = {-0.8f, 0.8f, 0, 0};
    float[] neighbours = {1, 2, 3, 4};
    vectors.rotateAdjacent(neighbours, 0, 1, 4, cosines, sines, 0);
    assertThat(neighbours).containsExactly(new float[] {-1, 2, 3, 4}, org.assertj.core.data.Offset.offset(1e-6f));
    float[] halves = {1, 3, 2, 4};
    scalar.rotateHalves(halves, 0, 1, 4, new float[] {0.6f, 1, 0.6f, 1}, new float[] {-0.8f, 0, 0.8f, 0}, 0);
    assertThat(halves).containsExactly(new float[] {-1, 3, 2, 4}, org.assertj.core.data.Offset.offset(1e-6f));
  }

  @Test
  void exponentialIsWithinThreeUnitsInTheLastPlace() {
    double most = 0;
    for (int i = 0; i < 2_000_000; i++) {
      float x = -87 + 175 * i / 2_000_000f;
      most = Math.max(most, units(FloatMath.exp(x), StrictMath.exp(x)));
    }
    assertThat(most).isLessThanOrEqualTo(3);
    assertThat(FloatMath.exp(0)).isEqualTo(1);
    assertThat(FloatMath.exp(Float.NEGATIVE_INFINITY)).isPositive().isLessThan(1.7e-38f);
    assertThat(FloatMath.exp(Float.POSITIVE_INFINITY)).isFinite().isGreaterThan(1.6e38f);
    assertThat(FloatMath.exp(Float.NaN)).isNaN();
  }

  @Test
  void siluIsWithinFourUnitsInTheLastPlaceAndVanishesBelow() {
    double most = 0;
    for (int i = 0; i < 2_000_000; i++) {
      float x = -80 + 180 * i / 2_000_000f;
      most = Math.max(most, units(FloatMath.silu(x), x / (1 + StrictMath.exp(-(double) x))));
    }
    assertThat(most).isLessThanOrEqualTo(4);
    for (float x : new float[] {-90, -1e10f, -Float.MAX_VALUE, Float.NEGATIVE_INFINITY}) {
      assertThat(Math.abs(FloatMath.silu(x))).as("silu(%s)", x).isLessThan(1e-36f);
    }
    assertThat(FloatMath.silu(Float.POSITIVE_INFINITY)).isEqualTo(Float.POSITIVE_INFINITY);
    assertThat(FloatMath.silu(Float.NaN)).isNaN();
  }

  private static double units(float value, double exact) {
    return Math.abs(value - exact) / Math.ulp((float) exact);
  }

  @Test
  void anglesAreThoseOfStrictMath() {
    check(Angles::sine, StrictMath::sin);
    check(Angles::cosine, StrictMath::cos);
    for (double angle : new double[] {Double.NaN, Double.POSITIVE_INFINITY, 0x1p31 + 1}) {
      assertThat(Angles.sine(angle)).isNaN();
    }
    assertThat(Angles.sine(-0.0)).isZero();
    assertThat(Angles.cosine(0)).isEqualTo(1);
  }

  private void check(DoubleUnaryOperator ours, DoubleUnaryOperator exact) {
    int others = 0;
    for (int i = 0; i < 400_000; i++) {
      double angle = switch (i % 4) {
        case 0 -> random.nextInt(1 << 17); // a position times the greatest frequency
        case 1 -> random.nextInt(1 << 17) * StrictMath.pow(10000, -random.nextInt(64) / 64.0);
        case 2 -> (random.nextInt(1 << 20) - (1 << 19)) * (Math.PI / 4); // where quadrants meet
        default -> (random.nextDouble() - 0.5) * 0x1p32;
      };
      double expected = exact.applyAsDouble(angle);
      double got = ours.applyAsDouble(angle);
      assertThat(Math.abs(got - expected)).as("angle %s", angle).isLessThanOrEqualTo(0x1p-51 * Math.abs(expected) + 0x1p-80);
      others += (float) got == (float) expected ? 0 : 1;
    }
    assertThat(others).as("floats that differ").isLessThanOrEqualTo(1);
  }
}
