package dev.nibble.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** Whether somebody looks at a stream. */
final class Terminal {
  /** Descriptor of standard output. */
  static final int OUTPUT = 1;
  /** Descriptor of standard error. */
  static final int ERROR = 2;

  private Terminal() {}

  /** Linux tells where the descriptor leads; {@link System#console} would ask for input and output to be terminals as well. */
  static boolean is(int descriptor) {
    try {
      String target = Files.readSymbolicLink(Path.of("/proc/self/fd/" + descriptor)).toString();
      return target.startsWith("/dev/pts/") || target.startsWith("/dev/tty") || target.equals("/dev/console");
    } catch (IOException | UnsupportedOperationException unknown) {
      return false;
    }
  }
}
