package dev.nibble.format.pack;

import dev.nibble.format.InputFile;
import dev.nibble.format.NewFile;
import dev.nibble.format.Sha256;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/**
 * By what a model's files are known again without reading all of them.
 *
 * @param files in their order; most models are in one
 */
record SourceIdentity(List<Entry> files) {
  private static final int PIECE_BYTES = 1 << 20;
  private static final int PAGE_BYTES = 4096;
  /** Pages of a sample, apart from the beginning: some two megabytes, in some ten milliseconds. Of 4 GB it is a page in each 8 MB, the size of a matrix. */
  private static final int PAGES = 512;
  private static final int TABLE_BYTES = 1 << 20; // behind the metadata: the table of tensors, or most of it
  private static final int MIN_PAGES = 16; // of each of many files
  private static final int ENTRY_CHARACTERS = 4 * 21; // four numbers of 64 bits

  SourceIdentity {
    files = List.copyOf(files);
  }

  /**
   * A file.
   *
   * @param bytes size
   * @param modifiedNanos when its content was last changed, since 1970; whoever copies a file can set it, and many set one time for all files
   * @param changedNanos when its entry was last changed, which nobody can set; 0 where the system does not tell
   * @param inode its number within the file system; 0 where there is none
   */
  record Entry(long bytes, long modifiedNanos, long changedNanos, long inode) {}

  static SourceIdentity of(List<Path> files) throws IOException {
    List<Entry> entries = new ArrayList<>();
    for (Path file : files) {
      entries.add(entry(file));
    }
    return new SourceIdentity(entries);
  }

  /** Of all files. */
  long bytes() {
    return files.stream().mapToLong(Entry::bytes).sum();
  }

  /** Of the file that was changed last. */
  long modifiedNanos() {
    return files.stream().mapToLong(Entry::modifiedNanos).max().orElseThrow();
  }

  private static Entry entry(Path file) throws IOException {
    long modified = Files.getLastModifiedTime(file).to(TimeUnit.NANOSECONDS);
    try {
      Map<String, Object> unix = Files.readAttributes(file, "unix:ctime,ino");
      return new Entry(Files.size(file), modified, ((FileTime) unix.get("ctime")).to(TimeUnit.NANOSECONDS), (Long) unix.get("ino"));
    } catch (UnsupportedOperationException | IllegalArgumentException notUnix) {
      return new Entry(Files.size(file), modified, 0, 0);
    }
  }

  /**
   * What is kept beside a pack about what it was made of.
   *
   * @param sha256 of all files, one after the other
   * @param sample as {@link SourceIdentity#sample} gives it
   */
  record Remembered(String sha256, String sample, SourceIdentity identity) {
    void write(Path path) throws IOException {
      try (NewFile file = NewFile.create(path)) {
        file.write(ByteBuffer.wrap(line().getBytes(StandardCharsets.US_ASCII)), 0);
        file.publish();
      }
    }

    /** Whether a file says just this. What is missing, damaged or of another version says something else. */
    boolean isIn(Path path) {
      try {
        return Files.isRegularFile(path) && Files.size(path) < PAGE_BYTES + (long) ENTRY_CHARACTERS * identity.files.size()
            && Files.readString(path).equals(line());
      } catch (IOException unreadable) {
        return false;
      }
    }

    private String line() {
      StringBuilder line = new StringBuilder("nibble-source-1 ").append(sha256).append(' ').append(sample);
      for (Entry entry : identity.files) {
        line.append(String.format(Locale.ROOT, " %d %d %d %d", entry.bytes, entry.modifiedNanos, entry.changedNanos, entry.inode));
      }
      return line.append(System.lineSeparator()).toString();
    }
  }

  /**
   * A hash of the files' beginnings and of pages from their beginnings to their ends: another model of the same shapes has other weights everywhere.
   *
   * @param metadataBytes bytes before the first file's table of tensors; they are hashed whole
   */
  static String sample(List<Path> files, long metadataBytes) throws IOException {
    MessageDigest digest = Sha256.digest();
    int pages = Math.max(MIN_PAGES, PAGES / files.size());
    for (Path file : files) {
      sample(file, file.equals(files.getFirst()) ? metadataBytes : 0, pages, digest);
    }
    return HexFormat.of().formatHex(digest.digest());
  }

  private static void sample(Path file, long metadataBytes, int pages, MessageDigest digest) throws IOException {
    try (FileChannel channel = InputFile.open(file)) {
      long size = channel.size();
      long beginning = Math.min(size, metadataBytes + TABLE_BYTES);
      hash(channel, 0, beginning, digest);
      long step = Math.max(PAGE_BYTES, Math.ceilDiv(size - beginning, pages));
      for (long at = beginning; at < size; at += step) {
        hash(channel, at, Math.min(PAGE_BYTES, size - at), digest);
      }
      hash(channel, Math.max(0, size - PAGE_BYTES), Math.min(PAGE_BYTES, size), digest);
    }
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
}
