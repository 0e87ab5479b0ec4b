package dev.nibble.cli;

import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

/** Standard output, which keeps why writing to it failed: a {@link java.io.PrintStream} above it tells only that it did. */
final class StandardOutput extends OutputStream {
  private static final Path SELF = Path.of("/proc/self/fd/1");
  /** Of a file's mode, the bits that tell its kind, and those of pipes and sockets (inode(7)). */
  private static final int KIND = 0170000;
  private static final int PIPE = 0010000;
  private static final int SOCKET = 0140000;

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
    return Optional.ofNullable(failure).filter(told -> !goesToReader()).map(told -> "standard output can't be written: " + told.getMessage());
  }

  /** Whether output is a pipe or a socket, which fail when their reader is gone; what the failure says of that depends on the user's language. */
  private static boolean goesToReader() {
    try {
      int kind = (int) Files.getAttribute(SELF, "unix:mode") & KIND;
      return kind == PIPE || kind == SOCKET;
    } catch (IOException | UnsupportedOperationException | IllegalArgumentException unknown) {
      return false; // then the failure is told
    }
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
