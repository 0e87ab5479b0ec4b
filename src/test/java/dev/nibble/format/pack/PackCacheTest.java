package dev.nibble.format.pack;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.nibble.format.gguf.GgufFile;
import dev.nibble.format.gguf.GgufTensor;
import dev.nibble.format.gguf.InvalidGgufException;
import dev.nibble.format.gguf.ModelFile;
import dev.nibble.kernel.WorkerPool;
import dev.nibble.tensor.TensorFormat;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.FileTime;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.stream.Stream;
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
    return new PackCache(packs, log).open(model, new WorkerPool(2), file -> {}, (done, total) -> {});
  }

  /** Packs; beside each lies what is remembered of its source. */
  private List<Path> kept() throws IOException {
    try (var files = Files.list(packs)) {
      List<Path> all = files.toList();
      List<Path> kept = all.stream().filter(file -> file.toString().endsWith(".nib")).toList();
      assertThat(all).containsExactlyInAnyOrderElementsOf(Stream.concat(kept.stream(), kept.stream().map(pack -> pack.resolveSibling(pack.getFileName() + ".source"))).toList());
      return kept;
    }
  }

  private String source() throws IOException {
    try (ModelFile file = open()) {
      return ((PackFile) file).sourceSha256().orElseThrow();
    }
  }

  private static String sha256(Path file) throws Exception {
    return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(Files.readAllBytes(file)));
  }

  /** A valid model of the same shapes and other weights: all bytes of the tensors but scales are changed. */
  private static byte[] retrained(Path model) throws IOException {
    byte[] bytes = Files.readAllBytes(model);
    try (GgufFile file = GgufFile.open(model)) {
      for (GgufTensor tensor : file.tensors()) {
        for (long i = 0; tensor.type() == TensorFormat.Q4_0 && i < tensor.bytes(); i++) {
          bytes[(int) (tensor.offset() + i)] ^= (byte) (i % 18 < 2 ? 0 : 0x11);
        }
      }
    }
    return bytes;
  }

  /** As stores of packages, image layers and rsync do: another content under the name, of the same size and time. */
  private void replace(byte[] bytes) throws IOException {
    FileTime time = Files.getLastModifiedTime(model);
    Path other = Files.write(folder.resolve("other"), bytes);
    Files.setLastModifiedTime(other, time);
    Files.move(other, model, StandardCopyOption.REPLACE_EXISTING);
    assertThat(Files.getLastModifiedTime(model)).isEqualTo(time);
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
  void anotherModelOfTheSameSizeAndTimeIsNoticed() throws Exception {
    Files.setLastModifiedTime(model, FileTime.fromMillis(1000)); // as ostree has all files
    String first = source();
    assertThat(first).isEqualTo(sha256(model));
    replace(retrained(model));
    assertThat(source()).isEqualTo(sha256(model)).isNotEqualTo(first);
    assertThat(notes).hasSize(3);
    assertThat(notes.get(1)).contains("has changed since it was packed");
    assertThat(source()).isEqualTo(sha256(model));
    assertThat(notes).hasSize(3);
    assertThat(kept()).hasSize(1);
  }

  /** One weight of one tensor; a sample need not see it, but whoever exchanges a file leaves traces. */
  @Test
  void aSingleChangedByteIsNoticed() throws Exception {
    byte[] bytes = Files.readAllBytes(model);
    try (GgufFile file = GgufFile.open(model)) {
      bytes[(int) file.find("blk.2.ffn_up.weight").orElseThrow().offset() + 1000 * 18 + 7] ^= 1;
    }
    source();
    replace(bytes);
    assertThat(source()).isEqualTo(sha256(model));
  }

  /** Where even inode and time of change are the same (file systems that make them up), the content's sample tells. */
  @Test
  void otherWeightsAreNoticedWhateverTheFileSystemSays() throws Exception {
    source();
    byte[] bytes = retrained(model);
    String before = SourceIdentity.sample(List.of(model), 1000);
    Path other = Files.write(folder.resolve("retrained"), bytes);
    assertThat(SourceIdentity.sample(List.of(other), 1000)).isNotEqualTo(before);
    Path memory = kept().getFirst().resolveSibling(kept().getFirst().getFileName() + ".source");
    long metadata = ((PackFile) open()).metadataBytes();
    String packed = sha256(model);
    // All that the file system says of the model as it is now, with the sample as it was before.
    Files.write(model, bytes);
    new SourceIdentity.Remembered(packed, SourceIdentity.sample(List.of(Path.of("src/main/resources/models/nibble-home.gguf")), metadata),
        SourceIdentity.of(List.of(model))).write(memory);
    assertThat(source()).isEqualTo(sha256(model)).isNotEqualTo(packed);
  }

  @Test
  void theSameContentIsNotPackedAgain() throws Exception {
    open();
    FileTime made = Files.getLastModifiedTime(kept().getFirst());
    for (int i = 0; i < 2; i++) {
      if (i == 0) {
        Files.setLastModifiedTime(model, FileTime.fromMillis(1_700_000_000_000L));
      } else {
        replace(Files.readAllBytes(model)); // another inode
      }
      assertThat(open()).isInstanceOf(PackFile.class);
      assertThat(notes).hasSize(2 + i);
      assertThat(notes.getLast()).contains("all of its content is the same");
      open();
      assertThat(notes).as("remembered").hasSize(2 + i);
    }
    assertThat(Files.getLastModifiedTime(kept().getFirst())).isEqualTo(made);
    assertThat(warnings).isEmpty();
  }

  @Test
  void whatKilledPackersLeftIsRemovedAtTheStart() throws IOException {
    open();
    for (int i = 0; i < 3; i++) {
      Files.writeString(packs.resolve(".home-0123456789abcdef.nib.1-1700000000000-" + i + ".part"), "cut off");
    }
    open();
    assertThat(kept()).hasSize(1);
    assertThat(notes.getLast()).startsWith("Removed 3 files that packing left in " + packs);
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
