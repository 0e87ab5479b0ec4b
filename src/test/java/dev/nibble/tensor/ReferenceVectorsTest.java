package dev.nibble.tensor;

import static org.assertj.core.api.Assertions.assertThat;

import dev.nibble.SharedFixtures;
import dev.nibble.format.safetensors.SafetensorsFile;
import dev.nibble.format.safetensors.SafetensorsTensor;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.util.Locale;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** Blocks that ggml wrote, and the 8-bit floats of PyTorch, bit for bit. */
final class ReferenceVectorsTest {
  private static SafetensorsFile ggml() throws IOException {
    return SafetensorsFile.open(SharedFixtures.require("reference/ggml.safetensors"));
  }

  private static float[] floats(SafetensorsFile file, String name) {
    SafetensorsTensor tensor = file.find(name).orElseThrow();
    float[] values = new float[Math.toIntExact(tensor.elementCount())];
    tensor.readFloats(0, values, values.length);
    return values;
  }

  private static byte[] bytes(SafetensorsFile file, String name) {
    return file.find(name).orElseThrow().data().toArray(ValueLayout.JAVA_BYTE);
  }

  private static int[] bits(float[] values) {
    int[] bits = new int[values.length];
    for (int i = 0; i < bits.length; i++) {
      bits[i] = Float.floatToRawIntBits(values[i]);
    }
    return bits;
  }

  @Test
  void allBlocksOfGgmlDecodeBitForBit() throws IOException {
    SafetensorsFile file = ggml();
    int formats = 0;
    for (TensorFormat format : TensorFormat.values()) {
      boolean any = false;
      for (String name : new String[] {format.name(), format.name() + ".weighted"}) {
        if (file.find(name + ".bytes").isPresent()) {
          float[] expected = floats(file, name + ".values");
          assertThat(bits(format.codec().decode(bytes(file, name + ".bytes"), expected.length))).as(name).isEqualTo(bits(expected));
          any = true;
        }
      }
      formats += any ? 1 : 0;
    }
    assertThat(formats).isEqualTo(25);
  }

  @ParameterizedTest
  @EnumSource(names = {"Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "TQ1_0", "TQ2_0", "MXFP4"})
  void encodersWriteTheBytesOfGgml(TensorFormat format) throws IOException {
    SafetensorsFile file = ggml();
    assertThat(format.encoder().encode(floats(file, "input"))).isEqualTo(bytes(file, format.name() + ".bytes"));
  }

  @ParameterizedTest
  @CsvSource({"E4M3FN, e4m3fn, e4m3fn.saturated", "E5M2, e5m2, e5m2.saturated", "E4M3FNUZ, e4m3fnuz, e4m3fnuz.saturated",
      "E5M2FNUZ, e5m2fnuz, e5m2fnuz.saturated",
      "E8M0, e8m0fnu, e8m0fnu", "E2M1, e2m1fn, e2m1fn", "E2M3, e2m3fn, e2m3fn", "E3M2, e3m2fn, e3m2fn"})
  void smallFloatsAreThoseOfOthers(Float8 format, String table, String codes) throws IOException {
    SafetensorsFile file = SafetensorsFile.open(SharedFixtures.require("reference/fp8.safetensors"));
    float[] values = floats(file, table + ".table");
    assertThat(values).hasSize(1 << format.bits());
    for (int code = 0; code < values.length; code++) {
      assertThat(Float.isNaN(values[code]) ? Float.isNaN(format.toFloat(code)) : bits(new float[] {format.toFloat(code)})[0] == bits(values)[code])
          .as("code %s is %s, not %s", Integer.toHexString(code), format.toFloat(code), values[code]).isTrue();
    }
    float[] inputs = floats(file, "inputs");
    byte[] expected = bytes(file, codes + ".codes");
    for (int i = 0; i < inputs.length; i++) {
      // Those who made the codes took zero for what is not finite where a format has nothing of the kind, and infinity for E8M0's largest.
      boolean comparable = Float.isFinite(inputs[i]) || format.bits() == 8 && format != Float8.E8M0;
      if (comparable) {
        int code = format.nearest(inputs[i]);
        // The sign of a NaN says nothing.
        assertThat(Float.isNaN(inputs[i]) ? Float.isNaN(format.toFloat(code)) : code == (expected[i] & 0xff))
            .as("%s %s is %x, not %x", format.name().toLowerCase(Locale.ROOT), inputs[i], code, expected[i]).isTrue();
      }
    }
  }
}
