package dev.nibble.cli;

import dev.nibble.model.MemoryPlan;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Gives a native executable the largest heap that its model leaves room for. The runtime takes that size as it starts, and from nobody later; so the program
 * starts itself anew in the same process, which costs some milliseconds, with the option that a user would have given.
 */
final class HeapLimit {
  private static final Path WORDS = Path.of("/proc/self/cmdline");
  private static final List<String> OPTIONS = List.of("-Xmx", "-XX:MaxHeapSize=", "-XX:MaximumHeapSizePercent=");

  private HeapLimit() {}

  /** Does not return where the process starts anew. A JVM, and one whose user gave it a heap, stay as they are; if there is no way to start anew, loading says what does not fit. */
  static void require(MemoryPlan plan) {
    if (!"runtime".equals(System.getProperty("org.graalvm.nativeimage.imagecode")) || !plan.overfilledBy(Runtime.getRuntime().maxMemory())) {
      return;
    }
    try {
      List<byte[]> words = words(Files.readAllBytes(WORDS));
      if (!words.isEmpty() && words.stream().noneMatch(HeapLimit::setsHeap)) {
        words.addAll(1, List.of(option("-Xmx", plan.heap()), option("-XX:MaxDirectMemorySize=", plan.buffers())));
        Restart.with(words);
      }
    } catch (IOException unknown) {
      // no /proc: the heap stays as it is
    }
  }

  private static byte[] option(String name, long bytes) {
    return (name + bytes).getBytes(StandardCharsets.US_ASCII);
  }

  private static boolean setsHeap(byte[] word) {
    String text = new String(word, StandardCharsets.ISO_8859_1);
    return OPTIONS.stream().anyMatch(text::startsWith);
  }

  /** Words that each end with a byte of 0. */
  static List<byte[]> words(byte[] line) {
    List<byte[]> words = new ArrayList<>();
    int from = 0;
    for (int at = 0; at < line.length; at++) {
      if (line[at] == 0) {
        words.add(Arrays.copyOfRange(line, from, at));
        from = at + 1;
      }
    }
    return words;
  }
}
