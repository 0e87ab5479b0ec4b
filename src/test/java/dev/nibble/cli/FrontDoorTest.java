package dev.nibble.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * The script {@code nibble}, as it is called in the field: through a link, from elsewhere, in a folder whose name has spaces, by {@code sh}, with an environment
 * of nothing. It stands in a tree of its own that looks built, with a Java that only tells how it was called.
 */
final class FrontDoorTest {
  @TempDir
  Path folder;

  private Path tree;

  @BeforeEach
  void build() throws IOException {
    assumeTrue(Files.isExecutable(Path.of("/bin/bash")), "there is no bash");
    tree = Files.createDirectories(folder.resolve("a tree with spaces"));
    Files.copy(Path.of("nibble"), tree.resolve("nibble"));
    executable(tree.resolve("nibble"));
    for (String source : List.of("pom.xml", "proto/a.proto", "src/main/jvm/options", ".mvn/jvm.config")) {
      Path file = tree.resolve(source);
      Files.createDirectories(file.getParent());
      Files.createFile(file);
    }
    Path jar = tree.resolve("target/quarkus-app/quarkus-run.jar");
    Files.createDirectories(jar.getParent());
    Files.setLastModifiedTime(Files.createFile(jar), FileTime.from(Instant.now().plusSeconds(3600)));
    Path bin = Files.createDirectories(tree.resolve("a jdk/bin"));
    Files.writeString(tree.resolve("a jdk/release"), "JAVA_VERSION=\"25.0.2\"\n");
    executable(Files.createFile(bin.resolve("javac")));
    executable(Files.writeString(bin.resolve("java"), "#!/bin/sh\necho \"LC_ALL=$LC_ALL\"\nfor each in \"$@\"; do echo \"<$each>\"; done\n"));
  }

  private static void executable(Path file) throws IOException {
    Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rwxr-xr-x"));
  }

  private List<String> called(Path from, Map<String, String> environment, List<String> door, String... arguments) throws Exception {
    List<String> command = new ArrayList<>(door);
    command.addAll(List.of(arguments));
    ProcessBuilder builder = new ProcessBuilder(command).directory(from.toFile()).redirectErrorStream(true);
    builder.environment().clear();
    builder.environment().putAll(Map.of("PATH", "/usr/bin:/bin", "JAVA_HOME", tree.resolve("a jdk").toString()));
    builder.environment().putAll(environment);
    Process process = builder.start();
    String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
    assertThat(process.exitValue()).as(said).isZero();
    return said.lines().toList();
  }

  private void leadsIn(List<String> said) {
    assertThat(said).contains("<@" + tree.resolve("src/main/jvm/options") + ">", "<" + tree.resolve("target/quarkus-app/quarkus-run.jar") + ">");
    assertThat(said.subList(said.size() - 3, said.size())).containsExactly("<run>", "<--temp>", "<a b>");
  }

  @Test
  void itIsFoundFromEverywhere() throws Exception {
    String[] words = {"run", "--temp", "a b"};
    Path door = tree.resolve("nibble");
    Path link = Files.createSymbolicLink(folder.resolve("link to it"), Path.of("a tree with spaces/nibble"));
    Path linked = Files.createSymbolicLink(folder.resolve("another link"), Path.of("link to it"));
    leadsIn(called(tree, Map.of(), List.of("./nibble"), words));
    leadsIn(called(folder, Map.of(), List.of(door.toString()), words));
    leadsIn(called(Path.of("/"), Map.of(), List.of(link.toString()), words));
    leadsIn(called(Path.of("/"), Map.of(), List.of(linked.toString()), words));
    leadsIn(called(tree, Map.of(), List.of("/bin/sh", "nibble"), words));
    leadsIn(called(folder, Map.of(), List.of("/bin/sh", linked.toString()), words));
  }

  /** Java reads what it is given by the locale; only one of UTF-8 reads everything. */
  @Test
  void everyLocaleIsOneOfUtf8() throws Exception {
    for (Map<String, String> locale : List.of(Map.<String, String>of(), Map.of("LC_ALL", "C"), Map.of("LC_ALL", "POSIX"), Map.of("LANG", "xx_YY.UTF-8"), Map.of("LC_ALL", ""))) {
      assertThat(called(tree, locale, List.of("./nibble"), "--version")).as(locale.toString()).contains("LC_ALL=C.UTF-8");
    }
    assertThat(called(tree, Map.of("LANG", "C.UTF-8"), List.of("./nibble"), "--version")).as("a locale that is right stays").contains("LC_ALL=");
  }
}
