package dev.nibble.format;

import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;

/** A file could not be written where it was to be. Nothing is left under its name but what was there before. */
public final class UnwritableFileException extends IOException {
  private static final long serialVersionUID = 1L;

  public UnwritableFileException(Path file, IOException cause) {
    super(Printable.message(file + " can't be written: " + reason(cause)), cause);
  }

  private static String reason(IOException cause) {
    return switch (cause) {
      case AccessDeniedException denied -> "permission denied";
      case NoSuchFileException missing -> "its folder does not exist";
      case FileSystemException other when other.getReason() != null -> other.getReason();
      default -> cause.getMessage() == null ? cause.toString() : cause.getMessage();
    };
  }
}
