package dev.nibble.cli;

import java.nio.file.Path;
import java.util.List;

/** Packing with the native executable. */
final class PackCliIT extends PackCliTest {
  @Override
  List<String> program() {
    return List.of(Path.of(System.getProperty("native.image.path")).toString());
  }

  @Override
  List<String> programOfLittleHeap() {
    return program();
  }
}
