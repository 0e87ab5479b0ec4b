package dev.nibble;

import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Assumptions;

/**
 * Files of real models, which {@code install.sh} beside their golden values assembles from PyPI: in the folder that the system property {@code nibble.models} or the
 * environment's NIBBLE_TEST_MODELS names, else in {@code ~/.cache/nibble-models}.
 */
public enum RealModels {
  SMOLLM2("smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf"),
  GEMMA3("gemma3-270m", "gemma-3-270m-q4_k_m.gguf"),
  QWEN25_CODER("qwen2.5-coder-0.5b", "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf");

  private final String golden;
  private final String file;

  RealModels(String golden, String file) {
    this.golden = golden;
    this.file = file;
  }

  /** The model's file; the test is skipped, saying so, where it is not installed. */
  public Path file() {
    String environment = System.getenv("NIBBLE_TEST_MODELS");
    String folder = System.getProperty("nibble.models", environment == null ? System.getProperty("user.home") + "/.cache/nibble-models" : environment);
    Path path = Path.of(folder, file);
    if (!Files.exists(path)) {
      String message = "skipped: " + file + " is not in " + folder + " (models/" + golden + "/install.sh of the fixtures puts it there)";
      System.err.println(message);
      Assumptions.abort(message);
    }
    return path;
  }

  /** A file of golden values. */
  public Path golden(String name) {
    return SharedFixtures.require("models/" + golden + "/" + name);
  }
}
