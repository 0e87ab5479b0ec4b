package dev.nibble.kernel;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.junit.jupiter.api.Test;

/** That all bytes are read, by every kernel; how fast is for benchmarks to say. */
final class BandwidthCheckTest {
  private static final long MEBIBYTE = 1 << 20;

  @Test
  void everyKernelReadsEveryByte() {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment memory = arena.allocate(3 * MEBIBYTE, 64);
      // One bit in each of the 32 ints of a round of the widest loop, its last ones included; plain loops fold pairs of ints together.
      for (KernelProvider mode : TestModes.all()) {
        for (int at = 0; at < 128; at += 4) {
          long offset = MEBIBYTE + (at % 8 == 0 ? at : MEBIBYTE - 128 + at);
          memory.set(ValueLayout.JAVA_INT, offset, 5);
          assertThat(mode.read(memory, 1, 2)).as("%s, byte %d", mode, offset).isEqualTo(5);
          assertThat(mode.read(memory, 0, 3)).as("%s, byte %d", mode, offset).isEqualTo(5);
          assertThat(mode.read(memory, 0, 1)).as("%s, before byte %d", mode, offset).isZero();
          assertThat(mode.read(memory, 2, 3)).as("%s, after byte %d", mode, offset).isZero();
          memory.set(ValueLayout.JAVA_INT, offset, 0);
        }
      }
    }
  }

  @Test
  void measuresWithAnyNumberOfThreads() {
    for (KernelProvider mode : TestModes.all()) {
      for (int threads = 1; threads <= 3; threads++) {
        assertThat(BandwidthCheck.bytesPerSecond(threads, mode, 8 * MEBIBYTE)).as("%s, %d threads", mode, threads).isPositive().isFinite();
      }
    }
  }

  @Test
  void buffersAreLargeButNeverMoreThanHalfOfWhatIsFree() {
    assertThat(BandwidthCheck.bufferBytes(2_000_000, Long.MAX_VALUE)).isEqualTo(256 * MEBIBYTE);
    assertThat(BandwidthCheck.bufferBytes(100 * MEBIBYTE, Long.MAX_VALUE)).isEqualTo(400 * MEBIBYTE);
    assertThat(BandwidthCheck.bufferBytes(4096 * MEBIBYTE, Long.MAX_VALUE)).isEqualTo(1024 * MEBIBYTE);
    assertThat(BandwidthCheck.bufferBytes(4096 * MEBIBYTE, 300 * MEBIBYTE + 5)).isEqualTo(150 * MEBIBYTE);
    assertThat(BandwidthCheck.bufferBytes(1, 0)).isEqualTo(MEBIBYTE);
  }
}
