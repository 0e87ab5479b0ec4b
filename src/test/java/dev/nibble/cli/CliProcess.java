package dev.nibble.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.io.TempDir;

/** The program as a process of its own, as a user calls it. */
abstract class CliProcess {
  static final Path EMBEDDED = Path.of("src/main/resources/models/nibble-home.gguf");

  @TempDir
  Path folder;

  /** What a process left. */
  record Outcome(int status, String out, String err) {}

  /** The words that start the program. */
  List<String> program() {
    return List.of(Path.of(System.getProperty("java.home"), "bin", "java").toString(), "@src/main/jvm/options",
        "-Djava.util.logging.manager=org.jboss.logmanager.LogManager", "-cp",
        System.getProperty("surefire.test.class.path", System.getProperty("java.class.path")), Main.class.getName());
  }

  /** The same with a heap small enough for what is measured not to drown in garbage that nobody collected yet; only a JVM has so much. */
  List<String> programOfLittleHeap() {
    List<String> words = new ArrayList<>(program());
    words.add(1, "-Xmx100m");
    return words;
  }

  Outcome nibble(String... arguments) throws IOException, InterruptedException {
    return run(program(), arguments);
  }

  /** The program below a line of the shell's; {@code "$@"} in it are its words. */
  Outcome shell(String line, String... arguments) throws IOException, InterruptedException {
    List<String> words = new ArrayList<>(List.of("/bin/sh", "-c", line, "sh"));
    words.addAll(program());
    return run(words, arguments);
  }

  static Process start(List<String> program, String... arguments) throws IOException {
    List<String> command = new ArrayList<>(program);
    command.addAll(List.of(arguments));
    return new ProcessBuilder(command).start();
  }

  static Outcome run(List<String> program, String... arguments) throws IOException, InterruptedException {
    Process process = start(program, arguments);
    process.getOutputStream().close();
    return await(process);
  }

  /** Reads all that a process says, to its end. */
  static Outcome await(Process process) throws InterruptedException {
    CompletableFuture<String> out = CompletableFuture.supplyAsync(() -> text(process.getInputStream()));
    CompletableFuture<String> err = CompletableFuture.supplyAsync(() -> text(process.getErrorStream()));
    boolean ended = process.waitFor(120, TimeUnit.SECONDS);
    if (!ended) {
      process.destroyForcibly(); // closes the streams as well, so not where they are still read
    }
    assertThat(ended).as("ends").isTrue();
    String complaints = err.join().lines().filter(line -> !line.startsWith("WARNING: Using incubator modules")).reduce("", (a, b) -> a + b + "\n");
    return new Outcome(process.exitValue(), out.join(), complaints);
  }

  private static String text(InputStream stream) {
    try (stream) {
      return new String(stream.readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException broken) {
      return "unreadable: " + broken;
    }
  }

  static String[] with(String[] arguments, String... more) {
    List<String> all = new ArrayList<>(List.of(arguments));
    all.addAll(1, List.of(more));
    return all.toArray(String[]::new);
  }

  /** Exit code 2 and one line, which names what is wrong. */
  Outcome refuses(String part, String... arguments) throws IOException, InterruptedException {
    return refused(part, nibble(arguments));
  }

  static Outcome refused(String part, Outcome outcome) {
    assertThat(outcome.err()).startsWith("nibble: ").contains(part);
    assertThat(outcome.err().lines()).hasSize(1);
    assertThat(outcome.out()).isEmpty();
    assertThat(outcome.status()).isEqualTo(2);
    return outcome;
  }
}
