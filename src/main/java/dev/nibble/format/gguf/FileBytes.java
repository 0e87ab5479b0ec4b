package dev.nibble.format.gguf;

import java.io.EOFException;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.util.List;
import java.util.Objects;

/** Bytes of a file, or of a part of one, read by position; by several threads at once, each into memory of its own. All sizes are 64 bit. */
public interface FileBytes {
  long size();

  /**
   * Copies bytes {@code offset … offset + length - 1} to {@code target} from {@code targetFrom} on.
   *
   * @throws EOFException if the file has become shorter
   * @throws IOException if they can't be read
   * @throws IndexOutOfBoundsException if they are not within {@link #size}
   */
  void read(long offset, byte[] target, int targetFrom, int length) throws IOException;

  /** Parts one after the other. */
  static FileBytes of(List<FileBytes> parts) {
    long[] ends = new long[parts.size()];
    long end = 0;
    for (int i = 0; i < ends.length; i++) {
      end = Math.addExact(end, parts.get(i).size());
      ends[i] = end;
    }
    long size = end;
    return new FileBytes() {
      @Override
      public long size() {
        return size;
      }

      @Override
      public void read(long offset, byte[] target, int targetFrom, int length) throws IOException {
        Objects.checkFromIndexSize(offset, length, size);
        int done = 0;
        for (int i = 0; done < length; i++) {
          long from = offset + done - (i == 0 ? 0 : ends[i - 1]);
          if (from < parts.get(i).size()) {
            int count = (int) Math.min(length - done, parts.get(i).size() - from);
            parts.get(i).read(from, target, targetFrom + done, count);
            done += count;
          }
        }
      }
    };
  }

  /** Bytes that are in memory. */
  static FileBytes of(MemorySegment segment) {
    return new FileBytes() {
      @Override
      public long size() {
        return segment.byteSize();
      }

      @Override
      public void read(long offset, byte[] target, int targetFrom, int length) {
        MemorySegment.copy(segment, ValueLayout.JAVA_BYTE, offset, target, targetFrom, length);
      }
    };
  }

  /**
   * A part of a file. Pages of a mapping would count as the process' memory once they are read, and a file that is cut short would end the process.
   *
   * @param from first byte
   * @param size bytes
   */
  static FileBytes of(FileChannel channel, long from, long size) {
    return new FileBytes() {
      @Override
      public long size() {
        return size;
      }

      @Override
      public void read(long offset, byte[] target, int targetFrom, int length) throws IOException {
        Objects.checkFromIndexSize(offset, length, size);
        ByteBuffer into = ByteBuffer.wrap(target, targetFrom, length);
        while (into.hasRemaining()) {
          if (channel.read(into, from + offset + into.position() - targetFrom) < 0) {
            throw new EOFException("the file became shorter while it was read");
          }
        }
      }
    };
  }
}
