package dev.nibble;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import org.junit.jupiter.api.Assumptions;

/** Files larger than the disk: what is not written takes no room. Their last tensor, "after", holds {@link #values}. */
public final class SparseFiles {
  public static final long GIB = 1L << 30;
  /** Shape of "after". */
  public static final int ROWS = 16;
  public static final int COLUMNS = 32;

  private SparseFiles() {}

  /** Row by row; none like another. */
  public static float[] values() {
    float[] values = new float[ROWS * COLUMNS];
    for (int i = 0; i < values.length; i++) {
      values[i] = i - 100.5f;
    }
    return values;
  }

  public static byte[] valueBytes() {
    ByteBuffer bytes = ByteBuffer.allocate(ROWS * COLUMNS * Float.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    bytes.asFloatBuffer().put(values());
    return bytes.array();
  }

  /** A GGUF file with a tensor of {@code hole} bytes that nobody wrote before the last; a multiple of 2^20. */
  public static Path gguf(Path path, long hole) throws IOException {
    ByteBuffer header = ByteBuffer.allocate(4096).order(ByteOrder.LITTLE_ENDIAN);
    header.put("GGUF".getBytes(StandardCharsets.US_ASCII)).putInt(3).putLong(2).putLong(1);
    text(header, "general.architecture").putInt(8);
    text(header, "none");
    text(header, "hole").putInt(2).putLong(1 << 20).putLong(hole >> 20).putInt(24).putLong(0); // I8
    text(header, "after").putInt(2).putLong(COLUMNS).putLong(ROWS).putInt(0).putLong(hole); // F32
    int data = (header.position() + 31) / 32 * 32;
    return write(path, header.flip(), data + hole, valueBytes());
  }

  private static ByteBuffer text(ByteBuffer out, String text) {
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    return out.putLong(bytes.length).put(bytes);
  }

  /** A safetensors file, likewise. */
  public static Path safetensors(Path path, long hole) throws IOException {
    byte[] json = ("{\"hole\":{\"dtype\":\"U8\",\"shape\":[" + hole + "],\"data_offsets\":[0," + hole + "]},\"after\":{\"dtype\":\"F32\",\"shape\":[" + ROWS + "," + COLUMNS
        + "],\"data_offsets\":[" + hole + "," + (hole + valueBytes().length) + "]}}").getBytes(StandardCharsets.US_ASCII);
    ByteBuffer header = ByteBuffer.allocate(8 + json.length).order(ByteOrder.LITTLE_ENDIAN).putLong(json.length).put(json);
    return write(path, header.flip(), header.limit() + hole, valueBytes());
  }

  /** Writes a beginning and an end, and nothing between; skips the test, saying so, where that would take room. */
  public static Path write(Path path, ByteBuffer beginning, long endFrom, byte[] end) throws IOException {
    try (FileChannel channel = FileChannel.open(path, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
      channel.write(beginning, 0);
      if (Files.getFileStore(path).getUsableSpace() < GIB / 4) {
        Assumptions.abort("skipped: hardly any room where temporary files are kept");
      }
      long before = Files.getFileStore(path).getUnallocatedSpace();
      channel.write(ByteBuffer.wrap(end), endFrom);
      channel.force(true);
      if (before - Files.getFileStore(path).getUnallocatedSpace() > endFrom / 2) {
        Files.delete(path);
        Assumptions.abort("skipped: the file system of " + path.getParent() + " has no sparse files");
      }
    } catch (IOException tooLarge) {
      Files.deleteIfExists(path);
      Assumptions.abort("skipped: the file system of " + path.getParent() + " takes no file of " + endFrom + " bytes: " + tooLarge.getMessage());
    }
    return path;
  }

  /** Makes a file longer, by a hole. */
  public static void extend(Path path, long size) throws IOException {
    try (FileChannel channel = FileChannel.open(path, StandardOpenOption.WRITE)) {
      channel.write(ByteBuffer.allocate(1), size - 1);
    }
  }

  /** Cuts a file short, as another program does that opens it to write it anew. */
  public static void truncate(Path path, long size) throws IOException {
    try (FileChannel channel = FileChannel.open(path, StandardOpenOption.WRITE)) {
      channel.truncate(size);
    }
  }
}
