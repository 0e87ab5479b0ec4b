package dev.nibble.serve;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.nibble.RealModels;
import dev.nibble.eval.GreedyRun;
import dev.nibble.eval.LogitsDigest;
import dev.nibble.model.Decoder;
import dev.nibble.model.kvcache.KvCacheOptions;
import dev.nibble.runtime.ModelOpener;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The native executable on files that everybody has: it computes the bits that the JVM computes, from the file and from a pack, and answers what it is asked. */
@Timeout(value = 15, unit = TimeUnit.MINUTES) // longer than other tests: these compute for minutes on a machine that does nothing else
final class RealModelsIT {
  private static final int PROMPT = 24;
  private static final int GENERATED = 2;

  @TempDir
  Path folder;

  @BeforeEach
  void needsAnExecutable() {
    assumeTrue(Files.isExecutable(ServiceProcess.executable()), "there is no native executable");
  }

  private record Outcome(int status, String out, String err) {}

  private Outcome nibble(String input, String... arguments) throws Exception {
    List<String> command = new ArrayList<>(List.of(ServiceProcess.executable().toString()));
    command.addAll(List.of(arguments));
    Path in = Files.writeString(folder.resolve("in"), input);
    Path out = folder.resolve("out");
    Path err = folder.resolve("err");
    int status = new ProcessBuilder(command).redirectInput(in.toFile()).redirectOutput(out.toFile()).redirectError(err.toFile()).start().waitFor();
    return new Outcome(status, Files.readString(out, StandardCharsets.UTF_8), Files.readString(err, StandardCharsets.UTF_8));
  }

  @ParameterizedTest
  @EnumSource
  void theBitsAreThoseOfTheJvm(RealModels real) throws Exception {
    String file = real.file().toString();
    String expected = here(real.file());
    assertThat(digest(file)).isEqualTo(expected);
    Path pack = folder.resolve("model.nib");
    assertThat(nibble("", "pack", file, pack.toString()).err()).isEmpty();
    assertThat(digest(pack.toString())).as("from a pack").isEqualTo(expected);
    Files.delete(pack);
  }

  private static String here(Path file) throws IOException {
    try (ModelOpener opener = new ModelOpener(OptionalInt.of(2));
        ModelOpener.Opened opened = opener.open(Optional.of(file), Optional.empty(), KvCacheOptions.DEFAULT, (done, total) -> {})) {
      Decoder model = opened.loaded().model();
      return LogitsDigest.of(model, GreedyRun.prompt(PROMPT, model.vocabularySize()), GENERATED);
    }
  }

  private String digest(String model) throws Exception {
    Outcome outcome = nibble("", "bench", "--digest", "--model", model, "--prompt", Integer.toString(PROMPT), "--gen", Integer.toString(GENERATED));
    assertThat(outcome.status()).as(outcome.err()).isZero();
    return outcome.out().strip();
  }

  /** Where the model can, the second line is answered with the first in mind; SmolLM2 knows little, but this, with llama.cpp in the same words. */
  @ParameterizedTest
  @EnumSource
  void conversationsAreHeld(RealModels real) throws Exception {
    String questions = real == RealModels.SMOLLM2 ? "What is the boiling point of water in degrees Celsius?\n" : "What is the capital of France?\nAnd of Italy?\n";
    Outcome outcome = nibble(questions, "run", "--chat", "--temp", "0", "--max-tokens", "40", "--model", real.file().toString());
    switch (real) {
      case GEMMA3 -> {
        // The base model, whose file has no template.
        assertThat(outcome.status()).isEqualTo(2);
        assertThat(outcome.err()).startsWith("nibble: the model can't answer conversations: ").hasLineCount(1);
      }
      case SMOLLM2 -> {
        assertThat(outcome.status()).as(outcome.err()).isZero();
        assertThat(outcome.out()).startsWith("The boiling point of water is approximately 100").doesNotContain("<|im_");
      }
      case QWEN25_CODER -> {
        assertThat(outcome.status()).as(outcome.err()).isZero();
        assertThat(outcome.out()).contains("Paris", "Rome").doesNotContain("<|im_");
      }
    }
  }

  @ParameterizedTest
  @EnumSource
  void serviceAndTerminalContinueATextAlike(RealModels real) throws Exception {
    String model = real.file().toString();
    String text = "The capital of France is";
    Outcome terminal = nibble("", "run", "--temp", "0", "--max-tokens", "8", "--model", model, text);
    assertThat(terminal.status()).as(terminal.err()).isZero();
    try (ServiceProcess service = ServiceProcess.start(ServiceProcess.program(), Map.of("NIBBLE_MODEL", model), folder.resolve("log"))) {
      Api.Reply reply = service.api().post("/v1/completions", "{\"prompt\":\"" + text + "\",\"max_tokens\":8,\"temperature\":0}");
      assertThat(reply.status()).as(reply.text()).isEqualTo(200);
      String continued = reply.json().path("choices").path(0).path("text").asText();
      assertThat(text + continued + "\n").isEqualTo(terminal.out()).contains(real == RealModels.GEMMA3 ? "France" : "Paris");
    }
  }
}
