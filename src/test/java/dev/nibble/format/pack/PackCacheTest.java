package dev.nibble.format.pack;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.nibble.format.ModelFile;
import dev.nibble.format.gguf.GgufFile;
import dev.nibble.format.gguf.InvalidGgufException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class PackCacheTest {
  private static final Path HOME = Path.of("src/main/resources/models/nibble-home.gguf");

  @TempDir
  Path folder;

  private final List<String> notes = new ArrayList<>();
  private final List<String> warnings = new ArrayList<>();
  private Path model;
  private Path packs;

  private final PackCache.Log log = new PackCache.Log() {
    @Override
    public void note(String sentence) {
      notes.add(sentence);
    }

    @Override
    public void warn(String sentence) {
      warnings.add(sentence);
    }
  };

  @BeforeEach
  void copy() throws IOException {
    model = Files.copy(HOME, folder.resolve("home.gguf"));
    packs = folder.resolve("made").resolve("packs");
  }

  private ModelFile open() throws IOException {
    return new PackCache(packs, log).open(model, 2, file -> {}, (done, total) -> {});
  }

  private List<Path> kept() throws IOException {
    try (var files = Files.list(packs)) {
      return files.toList();
    }
  }

  @Test
  void packsOnFirstUseAndMapsFromThenOn() throws IOException {
    assertThat(open()).isInstanceOf(PackFile.class);
    assertThat(notes).singleElement().asString().startsWith("Packed " + model);
    assertThat(kept()).singleElement().asString().matches(".*/home-[0-9a-f]{16}\\.nib");
    FileTime made = Files.getLastModifiedTime(kept().getFirst());
    assertThat(open()).isInstanceOf(PackFile.class);
    assertThat(notes).hasSize(1);
    assertThat(Files.getLastModifiedTime(kept().getFirst())).isEqualTo(made);
    assertThat(warnings).isEmpty();
  }

  @Test
  void packsAgainWhenTheModelHasChanged() throws IOException {
    open();
    Files.setLastModifiedTime(model, FileTime.fromMillis(1_700_000_000_000L));
    assertThat(open()).isInstanceOf(PackFile.class);
    assertThat(notes).hasSize(3);
    assertThat(notes.get(1)).contains("has changed since it was packed");
    open();
    assertThat(notes).hasSize(3);
    assertThat(kept()).hasSize(1);
  }

  @Test
  void packsAgainWhenThePackIsDamaged() throws IOException {
    open();
    Path pack = kept().getFirst();
    byte[] bytes = Files.readAllBytes(pack);
    bytes[100] ^= 1;
    Files.write(pack, bytes);
    assertThat(open()).isInstanceOf(PackFile.class);
    assertThat(warnings).singleElement().asString().contains("the header is damaged").contains("is made again");
    assertThat(((PackFile) open()).verify()).isPositive();
    assertThat(warnings).hasSize(1);
  }

  @Test
  void filesOfOneNameHavePacksOfTheirOwn() throws IOException {
    open();
    Path other = Files.createDirectory(folder.resolve("other"));
    model = Files.copy(model, other.resolve("home.gguf"));
    open();
    assertThat(kept()).hasSize(2);
    model = Files.createSymbolicLink(folder.resolve("link.gguf"), model);
    open();
    assertThat(kept()).hasSize(2);
  }

  @Test
  void goesOnWithoutPacksWhereTheyCantBeKept() throws IOException {
    packs = Files.writeString(folder.resolve("file"), "a file, no folder");
    assertThat(open()).isInstanceOf(GgufFile.class);
    assertThat(warnings).singleElement().asString().startsWith("No pack is kept: " + packs);
    packs = Path.of("/proc/nibble");
    assertThat(open()).isInstanceOf(GgufFile.class);
    assertThat(warnings).hasSize(2);
    assertThat(notes).isEmpty();
  }

  @Test
  void packedModelsAreOpenedAsTheyAre() throws IOException {
    open();
    model = kept().getFirst();
    packs = folder.resolve("unused");
    assertThat(open()).isInstanceOf(PackFile.class);
    assertThat(packs).doesNotExist();
  }

  @Test
  void brokenModelsAreRefusedForWhatTheyAre() throws IOException {
    Files.writeString(model, "this is no model");
    assertThatThrownBy(this::open).isInstanceOf(InvalidGgufException.class);
    assertThat(kept()).isEmpty();
    Files.delete(model);
    assertThatThrownBy(this::open).isInstanceOf(java.nio.file.NoSuchFileException.class);
  }
}
