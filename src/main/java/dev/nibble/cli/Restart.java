package dev.nibble.cli;

import java.nio.charset.StandardCharsets;
import java.util.List;
import org.graalvm.nativeimage.UnmanagedMemory;
import org.graalvm.nativeimage.c.function.CFunction;
import org.graalvm.nativeimage.c.type.CCharPointer;
import org.graalvm.nativeimage.c.type.CCharPointerPointer;
import org.graalvm.word.WordFactory;

/** execv(3): the same process begins the program anew. In a native executable only. */
final class Restart {
  private static final String SELF = "/proc/self/exe";

  private Restart() {}

  @CFunction("execv")
  private static native int execv(CCharPointer path, CCharPointerPointer words);

  /** Begins anew with these words, the first of which is the program's name. Returns only where the system refuses that. */
  static void with(List<byte[]> words) {
    CCharPointerPointer all = UnmanagedMemory.calloc(WordFactory.unsigned((long) Long.BYTES * (words.size() + 1)));
    for (int i = 0; i < words.size(); i++) {
      all.write(i, copy(words.get(i)));
    }
    execv(copy(SELF.getBytes(StandardCharsets.US_ASCII)), all);
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
