package dev.nibble.engine;

import static org.assertj.core.api.Assertions.assertThat;

import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class CounterRandomTest {
  /** Known answers of Random123, the authors' own implementation, for philox4x32 with 10 rounds. */
  @ParameterizedTest
  @CsvSource({
    "00000000 00000000 00000000 00000000, 00000000 00000000, 6627e8d5 e169c58d bc57ac4c 9b00dbd8",
    "ffffffff ffffffff ffffffff ffffffff, ffffffff ffffffff, 408f276d 41c83b0e a20bc7c6 6d5451fd",
    "243f6a88 85a308d3 13198a2e 03707344, a4093822 299f31d0, d16cfe09 94fdcceb 5001e420 24126ea1"
  })
  void givesThePublishedBlocks(String counter, String key, String expected) {
    int[] block = words(counter);
    int[] keys = words(key);
    CounterRandom.encrypt(block, keys[0], keys[1]);
    assertThat(block).containsExactly(words(expected));
  }

  @Test
  void takesKeyAndDrawFromTheLowWordsFirst() {
    assertThat(new CounterRandom(0).nextUniform(0)).isEqualTo((0xe169c58d6627e8d5L >>> 11) * 0x1p-53);
    int[] block = {7, 3, 0, 0};
    CounterRandom.encrypt(block, 2, 1);
    long bits = (long) block[1] << 32 | Integer.toUnsignedLong(block[0]);
    assertThat(new CounterRandom(1L << 32 | 2).nextUniform(3L << 32 | 7)).isEqualTo((bits >>> 11) * 0x1p-53);
  }

  @Property
  void drawsDependOnSeedAndCounterAlone(@ForAll long seed, @ForAll long counter, @ForAll long other) {
    CounterRandom random = new CounterRandom(seed);
    double draw = random.nextUniform(counter);
    random.nextUniform(other);
    assertThat(random.nextUniform(counter)).isEqualTo(draw).isGreaterThanOrEqualTo(0).isLessThan(1);
  }

  private static int[] words(String hex) {
    return java.util.Arrays.stream(hex.trim().split(" ")).mapToInt(word -> Integer.parseUnsignedInt(word, 16)).toArray();
  }
}
