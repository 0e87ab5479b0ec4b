package dev.nibble.format.gguf;

import dev.nibble.format.NewFile;
import dev.nibble.tensor.TensorFormat;
import java.io.BufferedOutputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.WritableByteChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Writes GGUF files of version 3. A file appears under its name only when it is complete: it is written beside its place under another
 * name, and moved. Not thread-safe.
 */
public final class GgufWriter {
  private static final int VERSION = 3;
  private static final int ALIGNMENT = 32; // the default; no general.alignment needs to be written

  private final Map<String, GgufValue> metadata = new LinkedHashMap<>();
  private final List<Entry> tensors = new ArrayList<>();
  private final Set<String> names = new HashSet<>();

  private record Entry(String name, long[] shape, TensorFormat format, long bytes, DataSource source) {}

  /** Writes a tensor's bytes. */
  @FunctionalInterface
  public interface DataSource {
    void writeTo(WritableByteChannel channel) throws IOException;
  }

  /** Adds a key, or gives it another value. */
  public GgufWriter metadata(String key, GgufValue value) {
    if (key.equals("general.alignment")) {
      throw new IllegalArgumentException("general.alignment is fixed at " + ALIGNMENT);
    }
    metadata.put(key, value);
    return this;
  }

  /**
   * Adds a tensor; its bytes are asked for during {@link #write}.
   *
   * @param shape innermost dimension first
   * @throws IllegalArgumentException for a name given before, or rows that are not whole blocks
   */
  public GgufWriter tensor(String name, long[] shape, TensorFormat format, DataSource source) {
    if (!names.add(name)) {
      throw new IllegalArgumentException("tensor " + name + " was added before");
    }
    format.bytes(shape[0]);
    long elements = 1;
    for (long dimension : shape) {
      elements = Math.multiplyExact(elements, dimension);
    }
    tensors.add(new Entry(name, shape.clone(), format, format.bytes(elements), source));
    return this;
  }

  /**
   * Writes the file; one that was there is replaced.
   *
   * @throws IOException if writing fails, or a data source gives another number of bytes than its tensor takes: then no file is left behind
   */
  public void write(Path path) throws IOException {
    write(path, file -> {});
  }

  /**
   * Writes the file; one that was there is replaced.
   *
   * @param check of the file on the disk, before it gets its name
   * @throws IOException as {@link #write(Path)}, or if the check fails
   */
  public void write(Path path, ModelFile.Check check) throws IOException {
    try (NewFile file = NewFile.create(path)) {
      write(file.sequence());
      file.force();
      check.check(GgufFile.of(FileBytes.of(file.channel(), 0, file.channel().size()), path.toString()));
      file.publish();
    }
  }

  /** Writes the file's bytes. */
  public void write(WritableByteChannel channel) throws IOException {
    OutputStream out = new BufferedOutputStream(Channels.newOutputStream(channel), 1 << 16);
    long written = header(out);
    for (Entry tensor : tensors) {
      written += pad(out, written);
      out.flush();
      Counting counting = new Counting(channel);
      tensor.source.writeTo(counting);
      if (counting.written != tensor.bytes) {
        throw new IOException("tensor " + tensor.name + " takes " + tensor.bytes + " bytes, but " + counting.written + " were given");
      }
      written += counting.written;
    }
    pad(out, written);
    out.flush();
  }

  private long header(OutputStream out) throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    Little little = new Little(bytes);
    bytes.writeBytes("GGUF".getBytes(StandardCharsets.US_ASCII));
    little.int32(VERSION);
    little.int64(tensors.size());
    little.int64(metadata.size());
    metadata.forEach((key, value) -> {
      little.string(key);
      little.int32(value.type().ordinal());
      little.value(value);
    });
    long offset = 0;
    for (Entry tensor : tensors) {
      little.string(tensor.name);
      little.int32(tensor.shape.length);
      for (long dimension : tensor.shape) {
        little.int64(dimension);
      }
      little.int32(tensor.format.ggufNumber());
      little.int64(offset);
      offset += Math.ceilDiv(tensor.bytes, ALIGNMENT) * ALIGNMENT;
    }
    bytes.writeTo(out);
    return bytes.size();
  }

  private static int pad(OutputStream out, long written) throws IOException {
    int padding = (int) (Math.ceilDiv(written, ALIGNMENT) * ALIGNMENT - written);
    out.write(new byte[padding]);
    return padding;
  }

  /** Little-endian values, to memory. */
  private record Little(DataOutputStream out) {
    Little(OutputStream out) {
      this(new DataOutputStream(out));
    }

    void bits(long value, int bytes) {
      try {
        for (int i = 0; i < bytes; i++) {
          out.writeByte((int) (value >>> 8 * i));
        }
      } catch (IOException e) {
        throw new UncheckedIOException(e); // memory does not fail
      }
    }

    void int32(int value) {
      bits(value, 4);
    }

    void int64(long value) {
      bits(value, 8);
    }

    void string(String text) {
      byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
      int64(bytes.length);
      try {
        out.write(bytes);
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }

    void real(GgufType type, double value) {
      if (type == GgufType.FLOAT32) {
        int32(Float.floatToRawIntBits((float) value));
      } else {
        int64(Double.doubleToRawLongBits(value));
      }
    }

    void value(GgufValue value) {
      switch (value) {
        case GgufValue.Whole whole -> bits(whole.value(), whole.type().leastBytes());
        case GgufValue.Real real -> real(real.type(), real.value());
        case GgufValue.Bool bool -> bits(bool.value() ? 1 : 0, 1);
        case GgufValue.Text text -> string(text.value());
        case GgufValue.LongText text -> throw new IllegalArgumentException("a text of " + text.bytes() + " bytes was not kept, so it can't be written");
        case GgufValue.Array array -> {
          int32(array.elementType().ordinal());
          int64(array.size());
          elements(array);
        }
      }
    }

    private void elements(GgufValue.Array array) {
      switch (array) {
        case GgufValue.Wholes wholes -> {
          for (long element : wholes.values()) {
            bits(element, wholes.elementType().leastBytes());
          }
        }
        case GgufValue.Reals reals -> {
          for (double element : reals.values()) {
            real(reals.elementType(), element);
          }
        }
        case GgufValue.Bools bools -> {
          for (boolean element : bools.values()) {
            bits(element ? 1 : 0, 1);
          }
        }
        case GgufValue.Texts texts -> texts.values().forEach(this::string);
        case GgufValue.Arrays arrays -> arrays.values().forEach(this::value);
      }
    }
  }

  private static final class Counting implements WritableByteChannel {
    private final WritableByteChannel to;
    private long written;

    Counting(WritableByteChannel to) {
      this.to = to;
    }

    @Override
    public int write(ByteBuffer bytes) throws IOException {
      int count = to.write(bytes);
      written += count;
      return count;
    }

    @Override
    public boolean isOpen() {
      return to.isOpen();
    }

    @Override
    public void close() {}
  }
}
