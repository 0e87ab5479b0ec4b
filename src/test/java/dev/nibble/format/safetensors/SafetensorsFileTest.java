package dev.nibble.format.safetensors;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.nibble.SharedFixtures;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SafetensorsFileTest {
  private static final String HEADER = """
      {"__metadata__":{"format":"pt"},"b":{"dtype":"F16","shape":[2],"data_offsets":[8,12]},\
      "a":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]},"c":{"dtype":"BF16","shape":[],"data_offsets":[12,14]}}""";

  @TempDir Path directory;

  private static byte[] bytes(String header, int dataBytes) {
    byte[] text = header.getBytes(StandardCharsets.UTF_8);
    ByteBuffer buffer = ByteBuffer.allocate(8 + text.length + dataBytes).order(ByteOrder.LITTLE_ENDIAN).putLong(text.length).put(text);
    if (dataBytes == 14) {
      buffer.putFloat(1.5f).putFloat(-2f).putShort(Float.floatToFloat16(0.25f)).putShort(Float.floatToFloat16(3f)).putShort((short) 0x3fc0);
    }
    return buffer.array();
  }

  private SafetensorsFile open(byte[] content) throws IOException {
    return SafetensorsFile.open(Files.write(directory.resolve("model.safetensors"), content));
  }

  @Test
  void readsAllThreeFloatTypes() throws IOException {
    SafetensorsFile file = open(bytes(HEADER, 14));
    assertThat(file.tensors()).extracting(SafetensorsTensor::name).containsExactly("a", "b", "c");
    assertThat(file.metadata()).containsEntry("format", "pt");
    SafetensorsTensor a = file.find("a").orElseThrow();
    assertThat(a.shape()).isEqualTo(List.of(1L, 2L));
    float[] out = new float[2];
    a.readFloats(0, out, 2);
    assertThat(out).containsExactly(1.5f, -2f);
    file.find("b").orElseThrow().readFloats(1, out, 1);
    assertThat(out[0]).isEqualTo(3f);
    file.find("c").orElseThrow().readFloats(0, out, 1);
    assertThat(out[0]).isEqualTo(1.5f);
    assertThatThrownBy(() -> a.readFloats(1, out, 2)).isInstanceOf(IndexOutOfBoundsException.class);
    assertThat(file.find("d")).isEmpty();
  }

  @Test
  void everyTruncationIsRefused() {
    byte[] content = bytes(HEADER, 14);
    for (int length = 0; length < content.length; length++) {
      byte[] cut = Arrays.copyOf(content, length);
      assertThatThrownBy(() -> open(cut)).isInstanceOf(InvalidSafetensorsException.class)
          .hasMessageStartingWith("invalid safetensors: ").hasMessageContaining(" at byte ").hasMessageContaining("model.safetensors");
    }
  }

  @Test
  void flippedBytesNeverEscapeTheFile() {
    byte[] content = bytes(HEADER, 14);
    for (int at = 0; at < content.length - 14; at++) {
      for (int bit = 0; bit < 8; bit++) {
        byte[] damaged = content.clone();
        damaged[at] ^= (byte) (1 << bit);
        try {
          for (SafetensorsTensor tensor : open(damaged).tensors()) {
            assertThat(tensor.data().byteSize()).isEqualTo(tensor.elementCount() * tensor.type().bytes());
          }
        } catch (InvalidSafetensorsException expected) {
          assertThat(expected.offset()).isBetween(0L, (long) content.length);
        } catch (IOException e) {
          throw new AssertionError("byte " + at + " bit " + bit, e);
        }
      }
    }
  }

  @ParameterizedTest
  @CsvSource(delimiter = '|', quoteCharacter = '`', value = {
    "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},\"b\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[4,12]}} | 12 | overlaps",
    "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[4,12]}} | 12 | gap of 4",
    "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}} | 12 | 4 bytes after the last tensor",
    "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,16]}} | 12 | outside",
    "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,0]}} | 8 | outside",
    "{\"a\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,8]}} | 8 | not those of shape",
    "{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,8]}} | 8 | too large",
    "{\"a\":{\"dtype\":\"F32\",\"shape\":[-2],\"data_offsets\":[0,8]}} | 8 | out of range",
    "{\"a\":{\"dtype\":\"F32\",\"shape\":[99999999999999999999],\"data_offsets\":[0,8]}} | 8 | out of range",
    "{\"a\":{\"dtype\":\"F33\",\"shape\":[2],\"data_offsets\":[0,8]}} | 8 | unknown dtype",
    "{\"a\":{\"dtype\":\"F32\",\"shape\":[2]}} | 8 | no data_offsets",
    "{\"a\":{\"dtype\":\"F32\",\"shape\":[2.0],\"data_offsets\":[0,8]}} | 8 | not a whole number",
    "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}} | 8 | not JSON",
    "{} x | 0 | not JSON",
    "[] | 0 | does not begin"
  })
  void malformedHeadersAreNamed(String header, int dataBytes, String message) {
    assertThatThrownBy(() -> open(bytes(header, dataBytes))).isInstanceOf(InvalidSafetensorsException.class).hasMessageContaining(message);
  }

  @Test
  void opensAModel() throws IOException {
    SafetensorsFile file = SafetensorsFile.open(SharedFixtures.require("models/home/model.safetensors"));
    assertThat(file.tensors().stream().mapToLong(SafetensorsTensor::elementCount).sum()).isEqualTo(3_672_320);
  }
}
