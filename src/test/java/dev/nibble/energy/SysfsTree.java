package dev.nibble.energy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;

/** Machines' device files, as folders to be read. */
final class SysfsTree {
  private static final Path RECORDED = Path.of("src/test/resources/energy");

  private SysfsTree() {}

  /** Writes a machine's files below a folder. Its list has a line for each: path, tab, content. */
  static Path unpack(String machine, Path folder) throws IOException {
    for (String line : Files.readAllLines(RECORDED.resolve(machine + ".tsv"))) {
      if (!line.startsWith("#")) {
        String[] parts = line.split("\t", 2);
        put(folder, parts[0], parts[1] + "\n");
      }
    }
    return folder;
  }

  static void put(Path folder, String file, String content) throws IOException {
    Path path = folder.resolve(file);
    Files.createDirectories(path.getParent());
    Files.writeString(path, content);
  }

  /** What a Raspberry Pi's vcgencmd prints. */
  static String recorded(String file) throws IOException {
    return Files.readString(RECORDED.resolve(file));
  }

  /** A program in vcgencmd's place. */
  static String program(Path folder, String script) throws IOException {
    Path program = Files.writeString(folder.resolve("vcgencmd"), "#!/bin/sh\n" + script + "\n");
    return Files.setPosixFilePermissions(program, PosixFilePermissions.fromString("rwx------")).toString();
  }
}
