package dev.nibble.format;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/** Files that are given to be read: regular ones only, since opening a pipe waits for a writer, and a device has no end. */
public final class InputFile {
  private static final int KIND_MASK = 0170000; // of st_mode, as stat(2) has it

  private InputFile() {}

  /**
   * Opens a file to read it by position.
   *
   * @throws NoSuchFileException if there is none
   * @throws IOException if it is no regular file, or can't be opened; the message names it
   */
  public static FileChannel open(Path path) throws IOException {
    require(path);
    return FileChannel.open(path, StandardOpenOption.READ);
  }

  /**
   * Checks what a path leads to, symbolic links followed. Nothing is opened.
   *
   * @throws NoSuchFileException if there is no such file
   * @throws IOException if it is no regular file; the message names it and says what it is
   */
  public static void require(Path path) throws IOException {
    if (Files.isRegularFile(path)) {
      return;
    }
    if (!Files.exists(path)) {
      Files.readAttributes(path, "size"); // tells a path that may not be looked at from one that leads nowhere
      throw new NoSuchFileException(path.toString());
    }
    throw new IOException(path + " is " + kind(path) + ", not a regular file");
  }

  /**
   * Checks a file that is to be read whole.
   *
   * @param mostBytes it may have
   * @throws IOException as of {@link #require(Path)}, and if it is larger; the message names it
   */
  public static void requireSmall(Path path, long mostBytes) throws IOException {
    require(path);
    if (Files.size(path) > mostBytes) {
      throw new IOException(path + " is larger than " + mostBytes + " bytes");
    }
  }

  private static String kind(Path path) throws IOException {
    if (Files.isDirectory(path)) {
      return "a directory";
    }
    int mode;
    try {
      mode = (Integer) Files.getAttribute(path, "unix:mode");
    } catch (UnsupportedOperationException | IllegalArgumentException notUnix) {
      return "a special file";
    }
    return switch (mode & KIND_MASK) {
      case 0010000 -> "a pipe";
      case 0020000, 0060000 -> "a device";
      case 0140000 -> "a socket";
      default -> "a special file";
    };
  }
}
