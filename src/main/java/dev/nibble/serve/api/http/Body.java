package dev.nibble.serve.api.http;

import dev.nibble.serve.api.Admission;
import dev.nibble.tokenizer.EncodingBudget;
import io.vertx.core.buffer.Buffer;
import java.io.IOException;
import java.io.InputStream;
import java.util.ArrayDeque;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.zip.GZIPInputStream;
import java.util.zip.InflaterInputStream;

/**
 * A request's body in blocks, as it came, and its place in the service. Written on the event loop, then read once by another thread, which lets go of each block
 * as it has read it. What is compressed is decompressed while it is read, up to the size that is allowed: a bomb costs no memory.
 */
public final class Body implements AutoCloseable {
  private static final int LEAST_BLOCK = 2 * 1024;
  private static final int BLOCK = 64 * 1024; // small pieces are put together, whatever sizes they were sent in

  /** How bodies are compressed. */
  enum Compression {
    NONE,
    GZIP,
    /** HTTP's name for the zlib format. */
    DEFLATE;

    /** What a request's Content-Encoding, null for none, says; empty if that is none of these. */
    static Optional<Compression> of(String encodingOrNull) {
      return switch (encodingOrNull == null ? "identity" : encodingOrNull.strip().toLowerCase(Locale.ROOT)) {
        case "identity" -> Optional.of(NONE);
        case "gzip", "x-gzip" -> Optional.of(GZIP);
        case "deflate" -> Optional.of(DEFLATE);
        default -> Optional.empty();
      };
    }
  }

  private final Admission.Place place;
  private final long maxSize;
  private final Compression compression;
  private final ArrayDeque<byte[]> blocks = new ArrayDeque<>();
  private long capacity; // of all blocks
  private long size;

  /** @param maxSize most bytes, decompressed */
  Body(Admission.Place place, long maxSize, Compression compression) {
    this.place = place;
    this.maxSize = maxSize;
    this.compression = compression;
  }

  public Admission.Place place() {
    return place;
  }

  /** Adds bytes that came. @throws dev.nibble.engine.EngineException QUEUE_FULL if there is no memory for them */
  void append(Buffer part) {
    int from = 0;
    while (from < part.length()) {
      if (size == capacity) {
        byte[] block = new byte[blocks.isEmpty() ? Math.clamp(part.length(), LEAST_BLOCK, BLOCK) : BLOCK];
        place.hold(capacity + block.length);
        blocks.add(block);
        capacity += block.length;
      }
      byte[] last = blocks.getLast();
      int at = last.length - (int) (capacity - size);
      int count = Math.min(last.length - at, part.length() - from);
      part.getBytes(from, from + count, last, at);
      from += count;
      size += count;
    }
  }

  /** Bytes received. */
  public long size() {
    return size;
  }

  /** Whether it is compressed. */
  public boolean compressed() {
    return compression != Compression.NONE;
  }

  /** Most bytes that reading it has to go through. */
  public long work() {
    return compressed() ? maxSize : size;
  }

  /**
   * Its bytes, decompressed, to be read once. Reading throws {@link RefusedException} 413 if there are too many, and ends when {@code budget} does.
   *
   * @throws IOException if it is not in the format that its sender announced
   */
  InputStream open(EncodingBudget budget) throws IOException {
    InputStream received = new Received(budget);
    return switch (compression) {
      case NONE -> received;
      case GZIP -> new Bounded(new GZIPInputStream(received, LEAST_BLOCK), maxSize);
      case DEFLATE -> new Bounded(new InflaterInputStream(received), maxSize);
    };
  }

  @Override
  public void close() {
    place.close();
  }

  /** The refusal of a body that has more bytes than are allowed. */
  static ApiError tooLarge(long maxSize, String when) {
    return ApiError.refused(413, "body_too_large", "The body is larger than " + maxSize + " bytes" + when + ", which are allowed.", Map.of());
  }

  private final class Received extends InputStream {
    private final EncodingBudget budget;
    private int at; // in the first block
    private long left = size;

    Received(EncodingBudget budget) {
      this.budget = budget;
    }

    @Override
    public int read() {
      byte[] one = new byte[1];
      return read(one, 0, 1) < 0 ? -1 : Byte.toUnsignedInt(one[0]);
    }

    @Override
    public int read(byte[] target, int offset, int length) {
      Objects.checkFromIndexSize(offset, length, target.length);
      budget.checkpoint();
      if (length == 0) {
        return 0;
      }
      if (left == 0) {
        return -1;
      }
      byte[] first = blocks.getFirst();
      int count = (int) Math.min(left, Math.min(length, first.length - at));
      System.arraycopy(first, at, target, offset, count);
      at += count;
      left -= count;
      if (at == first.length || left == 0) {
        blocks.removeFirst();
        at = 0;
      }
      return count;
    }
  }

  private static final class Bounded extends InputStream {
    private final InputStream source;
    private final long maxSize;
    private long left;

    Bounded(InputStream source, long maxSize) {
      this.source = source;
      this.maxSize = maxSize;
      left = maxSize;
    }

    @Override
    public int read() throws IOException {
      byte[] one = new byte[1];
      return read(one, 0, 1) < 0 ? -1 : Byte.toUnsignedInt(one[0]);
    }

    @Override
    public int read(byte[] target, int offset, int length) throws IOException {
      int count = source.read(target, offset, length);
      left -= Math.max(0, count);
      if (left < 0) {
        throw new RefusedException(tooLarge(maxSize, " once decompressed"));
      }
      return count;
    }

    @Override
    public void close() throws IOException {
      source.close();
    }
  }
}
