package dev.nibble.serve.network;

import io.netty.buffer.ByteBuf;

/**
 * Follows the heads of HTTP/2 frames that a client sends, after its preface, and counts those that ask for nothing. By bytes and not as a listener of the
 * codec, since servers replace listeners, counters of theirs included, whenever settings arrive.
 */
final class FrameCounter {
  /** Bytes of a frame's head: length (3), type, flags, stream (4). */
  private static final int HEAD = 9;

  private static final long WINDOW_NANOS = 10_000_000_000L;
  private static final long RESETS_NANOS = 3 * WINDOW_NANOS;
  /** Clients that measure the way send a ping for each answer's piece, and some a window update as well; this is far above what streams of tokens need. */
  private static final int MAX_CONTROL = 50_000;
  /** Clients send settings once, or a few times. */
  private static final int MAX_SETTINGS = 100;
  /** Frames that carry the rest of a head: heads are small, so that a few will do. */
  private static final int MAX_CONTINUATIONS = 1_000;

  private static final int DATA = 0;
  private static final int HEADERS = 1;
  private static final int RST_STREAM = 3;
  private static final int SETTINGS = 4;
  private static final int CONTINUATION = 9;
  private static final int END_STREAM = 1;

  private final int maxResets;
  private final byte[] head = new byte[HEAD];
  private int filled;
  private int skip;
  private long windowStart;
  private long resetsStart;
  private int control;
  private int settings;
  private int continuations;
  private int resets;

  /** @param skip bytes before the first frame */
  FrameCounter(int maxResets, int skip, long now) {
    this.maxResets = maxResets;
    this.skip = skip;
    windowStart = now;
    resetsStart = now;
  }

  /** Whether more bytes, which stay unread, keep within the limits. */
  boolean accepts(ByteBuf bytes, long now) {
    int at = bytes.readerIndex();
    int end = bytes.writerIndex();
    while (at < end) {
      int skipped = Math.min(skip, end - at);
      skip -= skipped;
      at += skipped;
      while (skip == 0 && at < end && filled < HEAD) {
        head[filled++] = bytes.getByte(at++);
      }
      if (filled == HEAD) {
        filled = 0;
        skip = (head[0] & 0xff) << 16 | (head[1] & 0xff) << 8 | head[2] & 0xff;
        if (!count(head[3], skip, head[4], now)) {
          return false;
        }
      }
    }
    return true;
  }

  private boolean count(int type, int length, int flags, long now) {
    if (now - windowStart > WINDOW_NANOS) {
      windowStart = now;
      control = 0;
      settings = 0;
      continuations = 0;
    }
    if (now - resetsStart > RESETS_NANOS) {
      resetsStart = now;
      resets = 0;
    }
    return switch (type) {
      case DATA -> length > 0 || (flags & END_STREAM) != 0 || ++control <= MAX_CONTROL;
      case HEADERS -> true; // each is a request, which is counted as one
      case RST_STREAM -> ++resets <= maxResets;
      case SETTINGS -> ++settings <= MAX_SETTINGS;
      case CONTINUATION -> ++continuations <= MAX_CONTINUATIONS;
      default -> ++control <= MAX_CONTROL;
    };
  }
}
