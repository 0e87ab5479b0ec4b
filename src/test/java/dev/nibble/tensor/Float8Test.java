package dev.nibble.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

final class Float8Test {
  @ParameterizedTest
  @CsvSource({"E4M3FN, 7e, 448", "E4M3FN, 08, 0x1p-6", "E4M3FN, 01, 0x1p-9", "E4M3FN, 7f, NaN", "E4M3FN, ff, NaN", "E4M3FN, b8, -1", "E5M2, 7b, 57344",
      "E5M2, 7c, Infinity", "E5M2, fc, -Infinity", "E5M2, 7d, NaN", "E5M2, 01, 0x1p-16", "E4M3FNUZ, 7f, 240", "E4M3FNUZ, 80, NaN", "E5M2FNUZ, 7f, 57344",
      "E8M0, 00, 0x1p-127", "E8M0, 7f, 1", "E8M0, fe, 0x1p127", "E8M0, ff, NaN", "E2M1, 07, 6", "E2M1, 09, -0.5", "E2M3, 1f, 7.5", "E3M2, 1f, 28",
      "E3M2, 01, 0.0625"})
  void codesHaveTheValuesOfTheSpecifications(Float8 format, String code, String value) {
    assertThat(Float.floatToIntBits(format.toFloat(Integer.parseInt(code, 16)))).isEqualTo(Float.floatToIntBits(Float.parseFloat(value)));
  }

  @ParameterizedTest
  @EnumSource
  void everyValueComesBackToItsCode(Float8 format) {
    for (int code = 0; code < 1 << format.bits(); code++) {
      float value = format.toFloat(code);
      if (Float.isFinite(value)) {
        assertThat(format.nearest(value)).isEqualTo(code);
      }
    }
  }

  @Test
  void tiesGoToEvenAndWhatIsTooLargeIsTheLargest() {
    assertThat(Float8.E4M3FN.nearest(1.0625f)).isEqualTo(0x38);
    assertThat(Float8.E4M3FN.nearest(1.1875f)).isEqualTo(0x3a);
    assertThat(Float8.E4M3FN.nearest(1e9f)).isEqualTo(0x7e);
    assertThat(Float8.E5M2.nearest(Float.NEGATIVE_INFINITY)).isEqualTo(0xfb);
    assertThat(Float8.E4M3FNUZ.nearest(-0f)).isZero();
    assertThatThrownBy(() -> Float8.E2M1.nearest(Float.NaN)).hasMessage("E2M1 has no NaN");
  }
}
