package dev.nibble.energy;

import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

/**
 * Files of one value each, as the kernel shows devices. Every failure is an {@link IOException} whose message is a clause that begins with the file's path.
 *
 * @param root the folder that /sys is
 * @param reader gives a file's text
 */
record Sysfs(Path root, Reader reader) {
  private static final int LONGEST_SHOWN = 60; // of what is there instead of a number

  /** Reads a small file. */
  @FunctionalInterface
  interface Reader {
    String read(Path file) throws IOException;
  }

  Sysfs(Path root) {
    this(root, Files::readString);
  }

  /** What is in a folder, in the order of names; nothing if it is not there. */
  List<Path> list(Path folder) {
    if (!Files.isDirectory(folder)) {
      return List.of();
    }
    try (Stream<Path> entries = Files.list(folder)) {
      return entries.sorted().toList();
    } catch (IOException unreadable) {
      return List.of(); // as where it is not there: nothing in it can be opened
    }
  }

  /** A file's text without the white space around it. */
  String text(Path file) throws IOException {
    try {
      return reader.read(file).strip();
    } catch (AccessDeniedException closed) {
      throw new IOException(file + " can't be read: permission denied", closed);
    } catch (NoSuchFileException missing) {
      throw new IOException(file + " is missing", missing);
    } catch (IOException failure) {
      throw new IOException(file + " can't be read: " + failure.getMessage(), failure);
    }
  }

  /** A file's whole number. @param unit in the plural, for the message */
  long number(Path file, String unit) throws IOException {
    String text = text(file);
    try {
      return Long.parseLong(text);
    } catch (NumberFormatException nonsense) {
      throw new IOException(file + " holds \"" + shortened(text) + "\", which is no whole number of " + unit, nonsense);
    }
  }

  /** One short line of a text. */
  static String shortened(String text) {
    String line = text.strip().lines().findFirst().orElse("").replaceAll("\\p{Cntrl}", "?");
    return line.length() > LONGEST_SHOWN ? line.substring(0, LONGEST_SHOWN) + "…" : line;
  }
}
