package dev.nibble;

import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Assumptions;

/** Finds the fixtures kept beside the project: models, vocabularies, texts. */
public final class SharedFixtures {
  private SharedFixtures() {}

  /** Path of a fixture; skips the test, saying so, where it is absent. */
  public static Path require(String relative) {
    Path path = Path.of(System.getProperty("nibble.shared", "../shared")).resolve(relative);
    Assumptions.assumeTrue(Files.exists(path), () -> "skipped: fixture " + relative + " is not beside this checkout (expected at " + path + ")");
    return path;
  }
}
