package dev.nibble.serve.network;

import static org.assertj.core.api.Assertions.assertThat;

import dev.nibble.serve.Http2Wire;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;

/** What counts as a flood, however its bytes are cut into reads. */
final class FrameCounterTest {
  private static final long SECOND = 1_000_000_000L;

  private static byte[] repeat(byte[] bytes, int times) {
    ByteArrayOutputStream all = new ByteArrayOutputStream();
    for (int i = 0; i < times; i++) {
      all.writeBytes(bytes);
    }
    return all.toByteArray();
  }

  private static boolean accepts(FrameCounter counter, byte[] bytes, int cut, long now) {
    for (int at = 0; at < bytes.length; at += cut) {
      ByteBuf part = Unpooled.wrappedBuffer(bytes, at, Math.min(cut, bytes.length - at));
      if (!counter.accepts(part, now)) {
        return false;
      }
      assertThat(part.readableBytes()).as("nothing is taken").isEqualTo(Math.min(cut, bytes.length - at));
    }
    return true;
  }

  @Test
  void resetsAreCountedInWindowsOfThirtySeconds() {
    byte[] reset = Http2Wire.frame(Http2Wire.RST_STREAM, 0, 1, new byte[4]);
    for (int cut : new int[] {1, 7, 13, 4096}) {
      FrameCounter counter = new FrameCounter(100, 0, 0);
      assertThat(accepts(counter, repeat(reset, 100), cut, SECOND)).isTrue();
      assertThat(accepts(counter, reset, cut, 2 * SECOND)).isFalse();
      FrameCounter later = new FrameCounter(100, 0, 0);
      assertThat(accepts(later, repeat(reset, 100), cut, SECOND)).isTrue();
      assertThat(accepts(later, repeat(reset, 100), cut, 40 * SECOND)).isTrue();
    }
  }

  @Test
  void settingsBetweenResetsChangeNothing() {
    FrameCounter counter = new FrameCounter(100, 0, 0);
    for (int i = 0; i < 50; i++) {
      assertThat(accepts(counter, Http2Wire.frame(Http2Wire.SETTINGS, 0, 0, new byte[6]), 3, SECOND)).isTrue();
      assertThat(accepts(counter, repeat(Http2Wire.frame(Http2Wire.RST_STREAM, 0, 1, new byte[4]), 2), 3, SECOND)).isTrue();
    }
    assertThat(accepts(counter, Http2Wire.frame(Http2Wire.RST_STREAM, 0, 1, new byte[4]), 3, SECOND)).isFalse();
  }

  @Test
  void thePrefaceIsNoFrameAndBodiesAreNotLookedInto() {
    ByteArrayOutputStream stream = new ByteArrayOutputStream();
    stream.writeBytes("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".getBytes(StandardCharsets.US_ASCII));
    for (int i = 0; i < 100; i++) {
      // A body that looks like frames of resets.
      stream.writeBytes(Http2Wire.frame(Http2Wire.DATA, 0, 1, repeat(Http2Wire.frame(Http2Wire.RST_STREAM, 0, 1, new byte[4]), 100)));
    }
    for (int cut : new int[] {1, 10, 1000}) {
      assertThat(accepts(new FrameCounter(1, 24, 0), stream.toByteArray(), cut, SECOND)).isTrue();
    }
  }

  @Test
  void dataWithoutBytesIsCountedAndWithThemIsNot() {
    assertThat(accepts(new FrameCounter(1, 0, 0), repeat(Http2Wire.frame(Http2Wire.DATA, 0, 1, new byte[1]), 60_000), 4096, SECOND)).isTrue();
    assertThat(accepts(new FrameCounter(1, 0, 0), repeat(Http2Wire.frame(Http2Wire.DATA, 0, 1, new byte[0]), 60_000), 4096, SECOND)).isFalse();
  }
}
