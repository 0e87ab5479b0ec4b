package dev.nibble.cli;

import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.util.Optional;

/** Standard output, which keeps why writing to it failed: a {@link java.io.PrintStream} above it tells only that it did. */
final class StandardOutput extends OutputStream {
  private static final String READER_LEFT = "Broken pipe"; // strerror(EPIPE)

  private final OutputStream out = new FileOutputStream(FileDescriptor.out);
  private volatile IOException failure;

  /** A command whose result nobody takes; that is told once, when it has ended. */
  static final class LostException extends IOException {
    private static final long serialVersionUID = 1;

    LostException() {
      super("standard output can't be written");
    }
  }

  /** Whether something that was written is lost. */
  boolean isLost() {
    return failure != null;
  }

  /** Why something is lost; empty where nothing is, and where who read a pipe had enough of it. */
  Optional<String> complaint() {
    return Optional.ofNullable(failure).map(IOException::getMessage).filter(reason -> !reason.equals(READER_LEFT)).map(reason -> "standard output can't be written: " + reason);
  }

  @Override
  public void write(int b) throws IOException {
    write(new byte[] {(byte) b}, 0, 1);
  }

  @Override
  public void write(byte[] bytes, int from, int length) throws IOException {
    try {
      out.write(bytes, from, length);
    } catch (IOException full) {
      if (failure == null) {
        failure = full;
      }
      throw full;
    }
  }
}
