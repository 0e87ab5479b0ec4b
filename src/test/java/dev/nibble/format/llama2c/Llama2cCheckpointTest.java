package dev.nibble.format.llama2c;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.nibble.SharedFixtures;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class Llama2cCheckpointTest {
  @TempDir Path directory;

  private static Llama2cCheckpoint open(String name) throws IOException {
    return Llama2cCheckpoint.open(SharedFixtures.require("models/stories260K/" + name));
  }

  private static float[] floats(Llama2cCheckpoint checkpoint, Llama2cRole role, int layer) {
    Llama2cTensor tensor = checkpoint.tensor(role, layer);
    float[] out = new float[(int) tensor.elementCount()];
    tensor.readFloats(0, out, out.length);
    return out;
  }

  @Test
  void versionsHoldTheSameWeights() throws IOException {
    Llama2cCheckpoint legacy = open("stories260K.bin");
    Llama2cCheckpoint first = open("stories260K_v1.bin");
    Llama2cCheckpoint second = open("stories260K_q80.bin");
    assertThat(legacy.config()).isEqualTo(new Llama2cConfig(64, 172, 5, 8, 4, 512, 512, true)).isEqualTo(first.config()).isEqualTo(second.config());
    assertThat(legacy.version()).isZero();
    assertThat(first.version()).isEqualTo(1);
    assertThat(second.version()).isEqualTo(2);
    long weights = 0;
    for (Llama2cRole role : Llama2cRole.values()) {
      for (int layer = 0; layer < (role == Llama2cRole.OUTPUT ? 0 : role.perLayer() ? 5 : 1); layer++) {
        float[] expected = floats(legacy, role, layer);
        weights += expected.length;
        assertThat(floats(first, role, layer)).isEqualTo(expected);
        float[] coarse = floats(second, role, layer);
        float largest = 0;
        for (float weight : expected) {
          largest = Math.max(largest, Math.abs(weight));
        }
        for (int i = 0; i < expected.length; i++) {
          assertThat(coarse[i]).isCloseTo(expected[i], within(largest / 250));
        }
      }
    }
    assertThat(weights).isEqualTo(260_032);
    assertThatThrownBy(() -> legacy.tensor(Llama2cRole.OUTPUT, 0)).isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void partsOfQuantizedTensorsAgreeWithTheWhole() throws IOException {
    Llama2cCheckpoint checkpoint = open("stories260K_q80.bin");
    float[] whole = floats(checkpoint, Llama2cRole.FEED_FORWARD_DOWN, 2);
    float[] part = new float[172];
    for (int row = 0; row < 64; row++) {
      checkpoint.tensor(Llama2cRole.FEED_FORWARD_DOWN, 2).readFloats(row * 172L, part, 172);
      assertThat(part).isEqualTo(Arrays.copyOfRange(whole, row * 172, row * 172 + 172));
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"stories260K.bin", "stories260K_v1.bin", "stories260K_q80.bin"})
  void damageIsRefused(String name) throws IOException {
    byte[] content = Files.readAllBytes(SharedFixtures.require("models/stories260K/" + name));
    for (int length : new int[] {0, 4, 27, 28, 40, 255, 256, 5000, content.length / 2, content.length - 1, content.length + 1}) {
      Path file = Files.write(directory.resolve("cut.bin"), Arrays.copyOf(content, length));
      assertThatThrownBy(() -> Llama2cCheckpoint.open(file)).isInstanceOf(InvalidCheckpointException.class)
          .hasMessageStartingWith("invalid llama2.c checkpoint: ").hasMessageContaining(" at byte ");
    }
    for (int at = 0; at < 41; at++) {
      byte[] damaged = content.clone();
      damaged[at] ^= (byte) 0x80;
      Path file = Files.write(directory.resolve("flipped.bin"), damaged);
      try {
        Llama2cCheckpoint.open(file);
      } catch (InvalidCheckpointException expected) {
        assertThat(expected.offset()).isBetween(0L, (long) content.length);
      }
    }
  }
}
