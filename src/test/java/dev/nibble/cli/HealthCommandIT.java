package dev.nibble.cli;

import io.quarkus.test.junit.QuarkusIntegrationTest;
import java.nio.file.Path;
import java.util.List;

/** {@code health} of the native executable, asking one that serves. */
@QuarkusIntegrationTest
class HealthCommandIT extends HealthCommandTest {
  @Override
  List<String> program() {
    return List.of(Path.of(System.getProperty("native.image.path")).toString());
  }
}
