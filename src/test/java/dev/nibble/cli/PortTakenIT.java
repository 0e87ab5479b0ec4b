package dev.nibble.cli;

import java.nio.file.Path;
import java.util.List;

/** The same against the native executable. */
class PortTakenIT extends PortTakenTest {
  @Override
  List<String> program() {
    return List.of(Path.of(System.getProperty("native.image.path", "target/nibble")).toString());
  }
}
