package dev.nibble.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.Arrays;
import java.util.Random;
import java.util.stream.Stream;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

class BlockCodecTest {
  private static Stream<TensorFormat> written() {
    return Arrays.stream(TensorFormat.values()).filter(format -> format.hasCodec() && format.codec() instanceof BlockEncoder);
  }

  private static float[] gaussian(long seed, int count, double scale) {
    Random random = new Random(seed);
    float[] weights = new float[count];
    for (int i = 0; i < count; i++) {
      weights[i] = (float) (random.nextGaussian() * scale);
    }
    return weights;
  }

  @Test
  void q40BlockByHand() {
    // The largest magnitude is 4 and positive, so d = 4 / -8 = -0.5 and w / d + 8.5 = 8.5 - 2 w.
    float[] row = new float[32];
    row[0] = 4f; // 0
    row[1] = -4f; // 16.5, capped to 15
    row[2] = 0.5f; // 7.5: 7
    row[16] = 1f; // 6.5: 6
    row[17] = -1.2f; // 10.9: 10
    byte[] block = TensorFormat.Q4_0.encoder().encode(row);
    byte[] expected = new byte[18];
    expected[0] = 0x00;
    expected[1] = (byte) 0xb8; // -0.5 in binary16 is 0xb800
    Arrays.fill(expected, 2, 18, (byte) 0x88);
    expected[2] = 0x60;
    expected[3] = (byte) 0xaf;
    expected[4] = (byte) 0x87;
    assertThat(block).isEqualTo(expected);
    assertThat(TensorFormat.Q4_0.codec().decode(block, 32)).startsWith(4f, -3.5f, 0.5f, -0f).contains(1f, -1f);
  }

  @Test
  void q80BlockByHand() {
    // Largest magnitude 63.5: d = 0.5, q = 2 w, halves away from zero.
    float[] row = new float[32];
    row[0] = -63.5f; // -127
    row[1] = 0.25f; // 0.5: 1
    row[2] = -0.25f; // -0.5: -1
    row[3] = 0.2f; // 0.4: 0
    row[31] = 10f; // 20
    byte[] expected = new byte[34];
    expected[1] = 0x38; // 0.5 in binary16 is 0x3800
    expected[2] = -127;
    expected[3] = 1;
    expected[4] = -1;
    expected[33] = 20;
    assertThat(TensorFormat.Q8_0.encoder().encode(row)).isEqualTo(expected);
  }

  @Test
  void q6kBlockByHand() {
    byte[] block = new byte[210];
    block[209] = 0x3c; // d = 1
    for (int sub = 0; sub < 16; sub++) {
      block[192 + sub] = (byte) (sub - 8);
    }
    // Weight 128 + 96 + 5: second half, k = 3: upper nibble of byte 64 + 32 + 5, bits 6 and 7 of high byte 32 + 5; sub-block 14.
    block[64 + 32 + 5] = (byte) 0xa0;
    block[128 + 32 + 5] = (byte) 0xc0;
    float[] weights = TensorFormat.Q6_K.codec().decode(block, 256);
    assertThat(weights[229]).isEqualTo(6f * (0x3a - 32));
    assertThat(weights[228]).isEqualTo(6f * -32);
    assertThat(weights[0]).isEqualTo(-8f * -32);
  }

  @Test
  void halvesRoundToNearestEven() {
    assertThat(TensorFormat.BF16.encoder().encode(new float[] {Float.intBitsToFloat(0x3f808000), Float.intBitsToFloat(0x3f818000), -1f}))
        .isEqualTo(new byte[] {(byte) 0x80, 0x3f, (byte) 0x82, 0x3f, (byte) 0x80, (byte) 0xbf});
    assertThat(TensorFormat.F16.encoder().encode(new float[] {1f, -2f})).isEqualTo(new byte[] {0, 0x3c, 0, (byte) 0xc0});
  }

  @ParameterizedTest
  @MethodSource("written")
  void zeroStaysZero(TensorFormat format) {
    for (float weight : format.codec().decode(format.encoder().encode(new float[256]), 256)) {
      assertThat(weight == 0f).isTrue();
    }
  }

  @ParameterizedTest
  @MethodSource("written")
  void tinyWeightsStayFinite(TensorFormat format) {
    float[] restored = format.codec().decode(format.encoder().encode(gaussian(3, 256, 1e-41)), 256);
    for (float weight : restored) {
      assertThat(weight).isCloseTo(0f, within(1e-38f));
    }
  }

  @ParameterizedTest
  @MethodSource("written")
  void notFiniteIsRefused(TensorFormat format) {
    for (float bad : new float[] {Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY}) {
      float[] row = new float[512];
      row[300] = bad;
      assertThatThrownBy(() -> format.encoder().encode(row))
          .isInstanceOfSatisfying(UnrepresentableWeightException.class, e -> assertThat(e.index()).isEqualTo(300));
    }
  }

  @ParameterizedTest
  @EnumSource(names = {"F16", "BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q6_K", "TQ1_0", "TQ2_0"}) // others hold every float
  void tooLargeIsRefused(TensorFormat format) {
    float[] row = new float[512];
    row[301] = -Float.MAX_VALUE;
    assertThatThrownBy(() -> format.encoder().encode(row))
        .isInstanceOfSatisfying(UnrepresentableWeightException.class, e -> assertThat(e.index()).isEqualTo(301))
        .hasMessageContaining("too large for " + format);
  }

  @Test
  void partialBlocksAreRefused() {
    assertThatThrownBy(() -> TensorFormat.Q4_0.encoder().encode(new float[172])).isInstanceOf(IllegalArgumentException.class);
  }

  @Property(tries = 300)
  void errorIsWithinTheStep(@ForAll long seed, @ForAll @IntRange(min = -4, max = 3) int exponent) {
    float[] weights = gaussian(seed, 256, Math.pow(10, exponent));
    for (int block = 0; block < 256; block += 32) {
      float largest = 0;
      for (int i = block; i < block + 32; i++) {
        largest = Math.max(largest, Math.abs(weights[i]));
      }
      byte[] q8 = new byte[34];
      TensorFormat.Q8_0.encoder().encode(weights, block, 32, q8, 0);
      byte[] q4 = new byte[18];
      TensorFormat.Q4_0.encoder().encode(weights, block, 32, q4, 0);
      float[] from8 = TensorFormat.Q8_0.codec().decode(q8, 32);
      float[] from4 = TensorFormat.Q4_0.codec().decode(q4, 32);
      for (int i = 0; i < 32; i++) {
        // Half a step; the binary16 scale adds up to 2^-11 of the weight (or 2^-25 for subnormal scales, times the code).
        float rounding = largest / 1024 + 0x1p-17f;
        assertThat(from8[i]).isCloseTo(weights[block + i], within(largest / 127 / 2 + rounding));
        // The code opposite the extreme's -8 is 7, so weights there can be a whole step off.
        boolean opposite = Math.abs(weights[block + i]) > largest * 7.5f / 8;
        assertThat(from4[i]).isCloseTo(weights[block + i], within(largest / 8 * (opposite ? 1f : 0.5f) + rounding));
      }
    }
  }

  @Property(tries = 200)
  void requantisingChangesNothing(@ForAll long seed) {
    float[] weights = gaussian(seed, 512, 0.05);
    for (TensorFormat format : new TensorFormat[] {TensorFormat.F32, TensorFormat.F16, TensorFormat.BF16, TensorFormat.Q4_0, TensorFormat.Q8_0}) {
      byte[] once = format.encoder().encode(weights);
      byte[] twice = format.encoder().encode(format.codec().decode(once, 512));
      assertThat(format.codec().decode(twice, 512)).isEqualTo(format.codec().decode(once, 512));
    }
  }

  @Test
  void q6kIsBetterThanQ40() {
    float[] weights = gaussian(7, 4096, 0.02);
    assertThat(meanSquaredError(TensorFormat.Q6_K, weights)).isLessThan(meanSquaredError(TensorFormat.Q4_0, weights) / 8);
    assertThat(meanSquaredError(TensorFormat.Q8_0, weights)).isLessThan(meanSquaredError(TensorFormat.Q6_K, weights) / 4);
  }

  private static double meanSquaredError(TensorFormat format, float[] weights) {
    float[] restored = format.codec().decode(format.encoder().encode(weights), weights.length);
    double sum = 0;
    for (int i = 0; i < weights.length; i++) {
      sum += Math.pow((double) restored[i] - weights[i], 2);
    }
    return sum / weights.length;
  }
}
