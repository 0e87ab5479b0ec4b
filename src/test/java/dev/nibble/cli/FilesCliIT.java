package dev.nibble.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.nibble.SparseFiles;
import java.io.BufferedReader;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Files, with the native executable. */
final class FilesCliIT extends FilesCliTest {
  @Override
  List<String> program() {
    return List.of(Path.of(System.getProperty("native.image.path")).toString());
  }

  @Override
  List<String> programOfLittleHeap() {
    return program();
  }

  @Override
  List<Integer> endings() {
    return List.of(1);
  }

  /** Half a machine's address space would be reserved for the heap, were that left to the compiler. */
  @Test
  void limitsOfAddressSpaceAreMet() throws Exception {
    String line = "ulimit -v 33554432; exec \"$@\"";
    Outcome outcome = shell(line, "inspect", EMBEDDED.toString());
    assertThat(outcome.err()).isEmpty();
    assertThat(outcome.status()).isZero();
    Outcome tight = shell("ulimit -v 3000000; exec \"$@\"", "-XX:ReservedAddressSpaceSize=2g", "inspect", EMBEDDED.toString());
    assertThat(tight).isEqualTo(outcome);
  }

  /** Under the JVM only the packaged program can serve. */
  @Test
  void aServerWhosePackIsCutShortEndsWithOneLine() throws Exception {
    Path pack = folder.resolve("home.nib");
    assertThat(nibble("pack", EMBEDDED.toString(), pack.toString()).status()).isZero();
    assertThat(pack.toFile().setWritable(true)).isTrue();
    Process process = start(program(), "serve", "--model", pack.toString(), "-Dquarkus.http.port=0", "-Dquarkus.grpc.server.port=0");
    BufferedReader log = process.inputReader();
    for (String line = log.readLine(); !line.contains("Serving model"); line = log.readLine()) {
      assertThat(line).doesNotContain("ERROR");
    }
    SparseFiles.truncate(pack, 100_000);
    Outcome outcome = await(process);
    assertThat(outcome.err()).startsWith("nibble: " + pack + " was cut short").hasLineCount(1);
    assertThat(outcome.status()).isIn(endings());
  }
}
