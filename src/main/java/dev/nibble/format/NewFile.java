package dev.nibble.format;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.channels.WritableByteChannel;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.time.Instant;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A file that appears under its name only when it is whole and on the disk. It is written beside its place under a name of its own,
 * {@code .NAME.PROCESS-TIME.part}, locked as long as its writer lives, and moved when it is done; whatever interrupts that leaves the old file, or
 * none. What a killed writer left is known by its lock being free, and removed by the next writer.
 *
 * <p>While one is being written, nothing else in this process may open and close it by its path: on POSIX systems that gives its lock away.
 */
public final class NewFile implements AutoCloseable {
  private static final int MAX_STEM = 100; // characters of the name that are repeated, as file names have at most 255 bytes
  private static final Pattern PARTIAL = Pattern.compile("\\.(.+)\\.(\\d+-\\d+)-\\d+\\.part");
  private static final int ATTEMPTS = 3; // a new file may be swept between its creation and its lock

  private final Path target;
  private final Path partial;
  private final FileChannel channel;

  private NewFile(Path target, Path partial, FileChannel channel) {
    this.target = target;
    this.partial = partial;
    this.channel = channel;
  }

  /**
   * Begins a file, and removes what killed writers of a file of this name left.
   *
   * @param target its place; what is there stays until {@link #publish}
   * @throws UnwritableFileException if nothing can be written there
   */
  public static NewFile create(Path target) throws UnwritableFileException {
    Path absolute = target.toAbsolutePath();
    String stem = stem(absolute.getFileName().toString());
    try {
      sweep(absolute.getParent(), stem);
      IOException swept = null;
      for (int i = 0; i < ATTEMPTS; i++) {
        Path partial = absolute.resolveSibling("." + stem + "." + process() + "-" + System.nanoTime() + ".part");
        // A kill leaves it behind, a termination does not.
        partial.toFile().deleteOnExit();
        FileChannel channel = FileChannel.open(partial, StandardOpenOption.CREATE_NEW, StandardOpenOption.READ, StandardOpenOption.WRITE);
        lock(channel);
        if (Files.exists(partial)) {
          return new NewFile(target, partial, channel);
        }
        channel.close();
        swept = new IOException(partial + " vanished");
      }
      throw swept;
    } catch (IOException e) {
      throw new UnwritableFileException(target, e);
    }
  }

  private static String stem(String name) {
    return name.length() > MAX_STEM ? name.substring(0, MAX_STEM) : name;
  }

  /** This process' number and start: numbers come again, and in containers all are 1. */
  private static String process() {
    ProcessHandle self = ProcessHandle.current();
    return self.pid() + "-" + self.info().startInstant().map(Instant::toEpochMilli).orElse(0L);
  }

  /** Held until the channel is closed. Where the file system has no locks, nothing can be swept either. */
  private static void lock(FileChannel channel) {
    try {
      channel.tryLock();
    } catch (IOException | OverlappingFileLockException unsupported) {
      // goes on without
    }
  }

  /**
   * Removes what killed writers left in a folder; what a living process holds stays, and what can't be removed.
   *
   * @param folder that holds files written by this class alone
   * @return files removed
   */
  public static int sweep(Path folder) {
    return sweep(folder, "");
  }

  /** @param stem of the files' name; empty for any */
  private static int sweep(Path folder, String stem) {
    int removed = 0;
    try (DirectoryStream<Path> files = Files.newDirectoryStream(folder, ".*.part")) {
      for (Path file : files) {
        Matcher name = PARTIAL.matcher(file.getFileName().toString());
        if (name.matches() && (stem.isEmpty() || name.group(1).equals(stem)) && !name.group(2).equals(process()) && removeAbandoned(file)) {
          removed++;
        }
      }
    } catch (IOException | java.nio.file.DirectoryIteratorException unreadable) {
      // the writer says what is wrong with the folder
    }
    return removed;
  }

  private static boolean removeAbandoned(Path file) {
    if (!Files.isRegularFile(file, LinkOption.NOFOLLOW_LINKS)) {
      return false;
    }
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE); FileLock lock = channel.tryLock()) {
      return lock != null && Files.deleteIfExists(file);
    } catch (IOException | OverlappingFileLockException notOurs) {
      return false;
    }
  }

  /** Where it is while it is written. */
  public Path path() {
    return partial;
  }

  /** For reading what was written; writing through it gives messages that name no file. */
  public FileChannel channel() {
    return channel;
  }

  /**
   * Writes all of a buffer.
   *
   * @param at offset in the file
   * @throws UnwritableFileException if the disk is full, or fails
   */
  public void write(ByteBuffer bytes, long at) throws UnwritableFileException {
    try {
      long position = at;
      while (bytes.hasRemaining()) {
        position += channel.write(bytes, position);
      }
    } catch (IOException e) {
      throw new UnwritableFileException(target, e);
    }
  }

  /** Writes one after the other, from the file's beginning; errors as {@link #write}. Closing it does nothing. */
  public WritableByteChannel sequence() {
    return new WritableByteChannel() {
      private long at;

      @Override
      public int write(ByteBuffer bytes) throws UnwritableFileException {
        int count = bytes.remaining();
        NewFile.this.write(bytes, at);
        at += count;
        return count;
      }

      @Override
      public boolean isOpen() {
        return channel.isOpen();
      }

      @Override
      public void close() {}
    };
  }

  /** Has what was written so far on the disk. @throws UnwritableFileException if it does not get there */
  public void force() throws UnwritableFileException {
    try {
      channel.force(true);
    } catch (IOException e) {
      throw new UnwritableFileException(target, e);
    }
  }

  /**
   * Moves the file to its place, where it replaces what is there; programs that have that open keep what they have.
   *
   * @throws UnwritableFileException if that fails
   */
  public void publish() throws UnwritableFileException {
    force();
    Path absolute = target.toAbsolutePath();
    try {
      Files.move(partial, absolute, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
      // The new name reaches the disk with the folder.
      try (FileChannel folder = FileChannel.open(absolute.getParent(), StandardOpenOption.READ)) {
        folder.force(true);
      }
    } catch (IOException e) {
      throw new UnwritableFileException(target, e);
    }
  }

  /** Removes what was not published. */
  @Override
  public void close() throws IOException {
    try (channel) {
      Files.deleteIfExists(partial);
    }
  }
}
