package dev.nibble.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;

/** The commands of the native executable. */
final class CliIT extends CliTest {
  @Override
  List<String> program() {
    return List.of(Path.of(System.getProperty("native.image.path")).toString());
  }

  @Override
  boolean readsEveryLocale() {
    return true;
  }

  /** Under the JVM only the packaged program can serve. */
  @Test
  void serveEndsWithWhatIsWrongWithTheModel() throws Exception {
    Path text = Files.writeString(folder.resolve("text.gguf"), "this is no model");
    Process process = new ProcessBuilder(program().getFirst(), "serve", "--model", text.toString(), "-Dquarkus.http.port=0",
        "-Dquarkus.grpc.server.port=0").redirectErrorStream(true).start();
    String log = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(process.waitFor()).isEqualTo(2);
    assertThat(log).contains("invalid GGUF: ").doesNotContain("\tat ");
  }

  /** Vectors that were not compiled as such compute the same, hundreds of times slower, and nothing else would tell. */
  @Test
  void kernelsAreVectorCode() throws Exception {
    Process process = new ProcessBuilder(program().getFirst(), "bench", "--kernels").redirectErrorStream(true).start();
    String table = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(process.waitFor()).as(table).isZero();
  }
}
