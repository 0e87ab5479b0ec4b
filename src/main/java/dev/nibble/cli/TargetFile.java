package dev.nibble.cli;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;

/** A file to be written, which takes the place of another only where that is asked for, and never of what it is made from. */
final class TargetFile {
  private TargetFile() {}

  /**
   * @param force whether a file that is there may be replaced
   * @param sources files it is made from, and folders of such; of a folder, files named as GGUF alone may be replaced
   * @throws IllegalArgumentException one line that names the target and what keeps it from being written
   */
  static void require(Path target, boolean force, Path... sources) throws IOException {
    if (!Files.exists(target, LinkOption.NOFOLLOW_LINKS)) {
      return;
    }
    if (!Files.isRegularFile(target)) {
      throw new IllegalArgumentException(target + " is not a regular file");
    }
    for (Path source : sources) {
      if (Files.isDirectory(source)) {
        requireNotIn(source, target);
      } else if (Files.exists(source) && Files.isSameFile(source, target)) {
        throw new IllegalArgumentException(target + " is the model itself; name another file");
      }
    }
    if (!force) {
      throw new IllegalArgumentException(target + " exists; --force replaces it");
    }
  }

  private static void requireNotIn(Path folder, Path target) throws IOException {
    try (DirectoryStream<Path> files = Files.newDirectoryStream(folder)) {
      for (Path file : files) {
        if (Files.exists(file) && Files.isSameFile(file, target) && !file.getFileName().toString().endsWith(".gguf")) {
          throw new IllegalArgumentException(target + " is part of the model in " + folder + "; name another file");
        }
      }
    }
  }
}
