package dev.nibble.format;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class NewFileTest {
  @TempDir
  Path folder;

  private static ByteBuffer text(String text) {
    return ByteBuffer.wrap(text.getBytes(StandardCharsets.UTF_8));
  }

  private List<String> names() throws IOException {
    try (var files = Files.list(folder)) {
      return files.map(file -> file.getFileName().toString()).sorted().toList();
    }
  }

  @Test
  void aFileAppearsWholeOrNotAtAll() throws Exception {
    Path target = Files.writeString(folder.resolve("model"), "old");
    try (NewFile file = NewFile.create(target)) {
      file.write(text("half"), 0);
      assertThat(target).hasContent("old");
    }
    assertThat(names()).containsExactly("model");
    try (NewFile file = NewFile.create(target)) {
      file.sequence().write(text("new"));
      file.publish();
    }
    assertThat(target).hasContent("new");
    assertThat(names()).containsExactly("model");
  }

  /** Each writes a file of its own, and the last to be done stays, whole. */
  @Test
  void twoWritersOfOneNameDoNotMeet() throws Exception {
    Path target = folder.resolve("model");
    try (NewFile first = NewFile.create(target); NewFile second = NewFile.create(target)) {
      assertThat(first.path()).exists().isNotEqualTo(second.path());
      first.write(text("first"), 0);
      second.write(text("second, longer"), 0);
      second.publish();
      first.publish();
    }
    assertThat(target).hasContent("first");
    assertThat(names()).containsExactly("model");
  }

  /** A process that holds its file, and is then killed. */
  public static final class Writer {
    public static void main(String[] arguments) throws Exception {
      NewFile file = NewFile.create(Path.of(arguments[0]));
      file.write(text("never done"), 0);
      System.out.println("writing");
      Thread.sleep(TimeUnit.MINUTES.toMillis(10));
    }
  }

  @Test
  void whatKilledWritersLeftIsSweptAndWhatLivingOnesHoldIsNot() throws Exception {
    Path target = folder.resolve("model.gguf");
    Process writer = new ProcessBuilder(Path.of(System.getProperty("java.home"), "bin", "java").toString(), "-cp",
        System.getProperty("surefire.test.class.path", System.getProperty("java.class.path")), Writer.class.getName(), target.toString())
        .redirectError(ProcessBuilder.Redirect.DISCARD).start();
    try {
      assertThat(writer.inputReader().readLine()).isEqualTo("writing");
      Files.writeString(folder.resolve("a.part"), "somebody else's");
      Files.writeString(folder.resolve(".wget.part"), "somebody else's");
      assertThat(names()).hasSize(3);
      assertThat(NewFile.sweep(folder)).isZero();
      try (NewFile ours = NewFile.create(target)) {
        assertThat(names()).hasSize(4);
        assertThat(NewFile.sweep(folder)).isZero();
        writer.destroyForcibly().waitFor();
        try (NewFile other = NewFile.create(folder.resolve("another.gguf"))) {
          assertThat(names()).as("another name's are left alone").hasSize(5);
        }
        assertThat(NewFile.sweep(folder)).isEqualTo(1);
        ours.write(text("done"), 0);
        ours.publish();
      }
      assertThat(names()).containsExactly(".wget.part", "a.part", "model.gguf");
      assertThat(NewFile.sweep(folder.resolve("nowhere"))).isZero();
    } finally {
      writer.destroyForcibly();
    }
  }

  @Test
  void whatCantBeWrittenIsNamed() {
    assertThatThrownBy(() -> NewFile.create(folder.resolve("nowhere/model"))).isInstanceOf(UnwritableFileException.class)
        .hasMessage(folder.resolve("nowhere/model") + " can't be written: its folder does not exist");
    assertThatThrownBy(() -> NewFile.create(Path.of("/proc/model"))).isInstanceOf(UnwritableFileException.class);
  }

  @Test
  void namesMayBeAsLongAsTheFileSystemTakes() throws Exception {
    Path target = folder.resolve("m".repeat(250));
    try (NewFile file = NewFile.create(target)) {
      file.publish();
    }
    assertThat(target).exists();
  }
}
