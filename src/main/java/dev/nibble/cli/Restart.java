package dev.nibble.cli;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.graalvm.nativeimage.UnmanagedMemory;
import org.graalvm.nativeimage.c.function.CFunction;
import org.graalvm.nativeimage.c.type.CCharPointer;
import org.graalvm.nativeimage.c.type.CCharPointerPointer;
import org.graalvm.word.WordFactory;

/** execv(3): the same process begins the program anew. In a native executable only. */
final class Restart {
  private static final Path SELF = Path.of("/proc/self/exe");

  private Restart() {}

  @CFunction("execv")
  private static native int execv(CCharPointer path, CCharPointerPointer words);

  /**
   * Begins anew with these words, the first of which is the program's name. Returns only where the system refuses that.
   *
   * @throws IOException if the system does not tell where the program is
   */
  static void with(List<byte[]> words) throws IOException {
    CCharPointerPointer all = UnmanagedMemory.calloc(WordFactory.unsigned((long) Long.BYTES * (words.size() + 1)));
    for (int i = 0; i < words.size(); i++) {
      all.write(i, copy(words.get(i)));
    }
    // Where it leads, so that lists of processes show its name; or itself, if the file was replaced meanwhile.
    execv(copy(Files.readSymbolicLink(SELF).toString().getBytes(StandardCharsets.UTF_8)), all);
    execv(copy(SELF.toString().getBytes(StandardCharsets.UTF_8)), all);
  }

  /** Text with a 0 behind it, in native memory. What is taken here is gone with the program, or once and small. */
  private static CCharPointer copy(byte[] text) {
    CCharPointer copy = UnmanagedMemory.calloc(WordFactory.unsigned(text.length + 1));
    for (int i = 0; i < text.length; i++) {
      copy.write(i, text[i]);
    }
    return copy;
  }
}
