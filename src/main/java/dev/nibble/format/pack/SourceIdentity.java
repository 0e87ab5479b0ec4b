package dev.nibble.format.pack;

import dev.nibble.format.InputFile;
import dev.nibble.format.NewFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/**
 * By what a file is known again without reading all of it.
 *
 * @param bytes size
 * @param modifiedNanos when its content was last changed, since 1970; whoever copies a file can set it, and many set one time for all files
 * @param changedNanos when its entry was last changed, which nobody can set; 0 where the system does not tell
 * @param inode its number within the file system; 0 where there is none
 */
record SourceIdentity(long bytes, long modifiedNanos, long changedNanos, long inode) {
  private static final int PIECE_BYTES = 1 << 20;
  private static final int PAGE_BYTES = 4096;
  /** Pages of a sample, apart from the beginning: some two megabytes, in some ten milliseconds. Of 4 GB it is a page in each 8 MB, the size of a matrix. */
  private static final int PAGES = 512;
  private static final int TABLE_BYTES = 1 << 20; // behind the metadata: the table of tensors, or most of it
  private static final String LINE = "nibble-source-1 %s %s %d %d %d %d%n";

  static SourceIdentity of(Path file) throws IOException {
    long modified = Files.getLastModifiedTime(file).to(TimeUnit.NANOSECONDS);
    try {
      Map<String, Object> unix = Files.readAttributes(file, "unix:ctime,ino");
      return new SourceIdentity(Files.size(file), modified, ((FileTime) unix.get("ctime")).to(TimeUnit.NANOSECONDS), (Long) unix.get("ino"));
    } catch (UnsupportedOperationException | IllegalArgumentException notUnix) {
      return new SourceIdentity(Files.size(file), modified, 0, 0);
    }
  }

  /**
   * What is kept beside a pack about the file it was made of.
   *
   * @param sha256 of the whole file
   * @param sample as {@link SourceIdentity#sample} gives it
   */
  record Remembered(String sha256, String sample, SourceIdentity identity) {
    void write(Path path) throws IOException {
      try (NewFile file = NewFile.create(path)) {
        byte[] line = LINE.formatted(sha256, sample, identity.bytes, identity.modifiedNanos, identity.changedNanos, identity.inode)
            .getBytes(StandardCharsets.US_ASCII);
        file.write(ByteBuffer.wrap(line), 0);
        file.publish();
      }
    }

    /** Whether a file says just this. What is missing, damaged or of another version says something else. */
    boolean isIn(Path path) {
      try {
        return Files.isRegularFile(path) && Files.size(path) < PAGE_BYTES && Files.readString(path).equals(
            LINE.formatted(sha256, sample, identity.bytes, identity.modifiedNanos, identity.changedNanos, identity.inode));
      } catch (IOException unreadable) {
        return false;
      }
    }
  }

  /**
   * A hash of a file's beginning and of pages from its beginning to its end: another model of the same shapes has other weights everywhere.
   *
   * @param metadataBytes bytes before the table of tensors; they are hashed whole
   */
  static String sample(Path file, long metadataBytes) throws IOException {
    MessageDigest digest = sha256();
    try (FileChannel channel = InputFile.open(file)) {
      long size = channel.size();
      long beginning = Math.min(size, metadataBytes + TABLE_BYTES);
      hash(channel, 0, beginning, digest);
      long step = Math.max(PAGE_BYTES, Math.ceilDiv(size - beginning, PAGES));
      for (long at = beginning; at < size; at += step) {
        hash(channel, at, Math.min(PAGE_BYTES, size - at), digest);
      }
      hash(channel, Math.max(0, size - PAGE_BYTES), Math.min(PAGE_BYTES, size), digest);
    }
    return HexFormat.of().formatHex(digest.digest());
  }

  /** Of all of a file, in hexadecimal. */
  static String sha256(Path file) throws IOException {
    MessageDigest digest = sha256();
    try (FileChannel channel = InputFile.open(file)) {
      hash(channel, 0, Long.MAX_VALUE, digest);
    }
    return HexFormat.of().formatHex(digest.digest());
  }

  /** As many bytes as there are. */
  private static void hash(FileChannel channel, long from, long count, MessageDigest digest) throws IOException {
    ByteBuffer bytes = ByteBuffer.allocate((int) Math.min(PIECE_BYTES, count));
    for (long done = 0; done < count;) {
      int read = channel.read(bytes.clear().limit((int) Math.min(bytes.capacity(), count - done)), from + done);
      if (read < 0) {
        return;
      }
      digest.update(bytes.flip());
      done += read;
    }
  }

  private static MessageDigest sha256() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException impossible) {
      throw new IllegalStateException("every Java platform has SHA-256", impossible);
    }
  }
}
