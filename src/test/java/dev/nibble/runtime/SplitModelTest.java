package dev.nibble.runtime;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.nibble.HomeFile;
import dev.nibble.SharedFixtures;
import dev.nibble.SparseFiles;
import dev.nibble.SplitFile;
import dev.nibble.eval.LogitsDigest;
import dev.nibble.format.gguf.FileBytes;
import dev.nibble.format.gguf.GgufFile;
import dev.nibble.format.gguf.GgufKeyException;
import dev.nibble.format.gguf.GgufShards;
import dev.nibble.format.gguf.GgufTensor;
import dev.nibble.format.gguf.GgufType;
import dev.nibble.format.gguf.GgufValue;
import dev.nibble.format.gguf.InvalidGgufException;
import dev.nibble.format.gguf.InvalidSplitException;
import dev.nibble.format.gguf.ModelFile;
import dev.nibble.format.pack.PackCache;
import dev.nibble.format.pack.PackFile;
import dev.nibble.model.MemoryNeed;
import dev.nibble.model.kvcache.KvCacheOptions;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileTime;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** A model in several files is the model in one, bit for bit; files that do not go together are refused, with what to do. */
final class SplitModelTest {
  private static final Path HOME = Path.of("src/main/resources/models/nibble-home.gguf");
  private static final ModelOpener OPENER = new ModelOpener(OptionalInt.of(2));

  @TempDir
  Path folder;

  @AfterAll
  static void close() {
    OPENER.close();
  }

  private static ModelOpener.Opened open(Path path, Optional<PackCache> packs) throws IOException {
    return OPENER.open(Optional.of(path), Optional.empty(), KvCacheOptions.DEFAULT, packs, (done, total) -> {});
  }

  private static String logits(ModelOpener.Opened opened) {
    try (opened) {
      return LogitsDigest.of(opened.loaded().model(), opened.tokenizer().encodeWithSpecials("Once upon a time there was a light in the kitchen.", false), 8);
    }
  }

  private static String logits(Path path) throws IOException {
    return logits(open(path, Optional.empty()));
  }

  private Path split(int files) throws IOException {
    return new SplitFile(HOME, files, true).write(folder, "home");
  }

  private Path file(int number, int count) {
    return SplitFile.name(folder, "home", number, count);
  }

  @ParameterizedTest
  @CsvSource({"2, true", "3, true", "3, false", "38, true"})
  void theSameLogitsInAnyNumberOfFiles(int files, boolean first) throws IOException {
    assertThat(logits(new SplitFile(HOME, files, first).write(folder, "home"))).isEqualTo(logits(HOME));
  }

  @ParameterizedTest
  @CsvSource({"q4_k_m", "iq3_s", "q5_1"})
  void theSameLogitsOfLlamaCppsFormats(String format) throws IOException {
    Path whole = SharedFixtures.require("reference/gguf/home-" + format + ".gguf");
    assertThat(logits(new SplitFile(whole, 4, true).write(folder, "home"))).isEqualTo(logits(whole));
  }

  @Test
  void itIsToldAndWeighedAsOneModel() throws IOException {
    Path first = split(3);
    try (GgufFile whole = GgufFile.open(HOME); GgufFile split = GgufFile.open(first)) {
      assertThat(split.files()).isEqualTo(3);
      assertThat(split.size()).isEqualTo(Files.size(file(1, 3)) + Files.size(file(2, 3)) + Files.size(file(3, 3)));
      assertThat(split.kind()).isEqualTo("GGUF v3, " + split.size() + " bytes in 3 files, alignment 32");
      assertThat(split.tensors()).extracting(GgufTensor::name).containsExactlyElementsOf(whole.tensors().stream().map(GgufTensor::name).toList());
      assertThat(MemoryNeed.of(split, KvCacheOptions.DEFAULT)).isEqualTo(MemoryNeed.of(whole, KvCacheOptions.DEFAULT));
      GgufTensor last = split.tensors().stream().reduce((a, b) -> b).orElseThrow();
      assertThat(split.place(last).file()).isEqualTo(3);
      assertThat(split.place(last).offset() + last.bytes()).isLessThanOrEqualTo(Files.size(file(3, 3)));
      // Across the border of two files.
      byte[] expected = new byte[(int) split.size()];
      int at = 0;
      for (int number = 1; number <= 3; number++) {
        byte[] part = Files.readAllBytes(file(number, 3));
        System.arraycopy(part, 0, expected, at, part.length);
        at += part.length;
      }
      byte[] across = new byte[100];
      FileBytes.of(List.of(bytes(1), bytes(2), bytes(3))).read(Files.size(file(1, 3)) - 50, across, 0, 100);
      assertThat(across).isEqualTo(Arrays.copyOfRange(expected, (int) Files.size(file(1, 3)) - 50, (int) Files.size(file(1, 3)) + 50));
    }
    assertThat(GgufShards.named(first)).containsExactlyInAnyOrder(file(1, 3), file(2, 3), file(3, 3));
    ModelOpener.Opened opened = open(first, Optional.empty());
    assertThat(opened.info().name()).isEqualTo("home");
    opened.close();
  }

  private FileBytes bytes(int number) throws IOException {
    return FileBytes.of(MemorySegment.ofArray(Files.readAllBytes(file(number, 3))));
  }

  @Test
  void itsIdentityAndItsPacksAreOfAllFiles() throws Exception {
    Path first = split(3);
    MessageDigest digest = MessageDigest.getInstance("SHA-256");
    for (int number = 1; number <= 3; number++) {
      digest.update(Files.readAllBytes(file(number, 3)));
    }
    String expected = HexFormat.of().formatHex(digest.digest());
    ModelIdentity identity = ModelIdentity.of(Optional.of(first));
    assertThat(identity.file()).isEqualTo(expected);
    assertThat(identity.tokenizer()).isEqualTo(ModelIdentity.of(Optional.of(HOME)).tokenizer());
    Path pack = folder.resolve("home.nib");
    OPENER.pack(first, pack, (done, total) -> {});
    assertThat(ModelIdentity.of(Optional.of(pack))).isEqualTo(identity);
    assertThat(logits(pack)).isEqualTo(logits(HOME));
  }

  /** Of a file other than the first, a weight; then its time alone; then it is gone. */
  @Test
  void aCachedPackIsMadeAnewWhenAnyOfItsFilesChanges() throws IOException {
    Path first = split(3);
    List<String> said = new ArrayList<>();
    PackCache packs = new PackCache(folder.resolve("packs"), new PackCache.Log() {
      @Override
      public void note(String sentence) {
        said.add(sentence.replaceAll(" in \\d+\\.\\d s\\.", "."));
      }

      @Override
      public void warn(String sentence) {
        said.add("warning: " + sentence);
      }
    });
    String before = logits(open(first, Optional.of(packs)));
    assertThat(before).isEqualTo(logits(HOME));
    assertThat(said).singleElement().asString().startsWith("Packed " + first + " as ");
    said.clear();
    assertThat(logits(open(first, Optional.of(packs)))).isEqualTo(before);
    assertThat(said).isEmpty();
    byte[] bytes = Files.readAllBytes(file(3, 3));
    bytes[bytes.length - 2000] ^= 0x11;
    Files.write(file(3, 3), bytes);
    String after = logits(open(first, Optional.of(packs)));
    assertThat(after).isNotEqualTo(before).isEqualTo(logits(first));
    assertThat(said).first().asString().isEqualTo(first + " has changed since it was packed; it is packed again.");
    said.clear();
    Files.setLastModifiedTime(file(2, 3), FileTime.fromMillis(1_000_000));
    assertThat(logits(open(first, Optional.of(packs)))).isEqualTo(after);
    assertThat(said).singleElement().asString().contains("all of its content is the same; its pack stays in use");
    Files.delete(file(2, 3));
    assertThatThrownBy(() -> open(first, Optional.of(packs))).isInstanceOf(InvalidSplitException.class).hasMessageContaining("file 2 of 3 of the model is missing");
  }

  @Test
  void filesOtherThanTheFirstNameIt() throws IOException {
    split(3);
    assertThatThrownBy(() -> PackFile.openAny(file(2, 3))).isInstanceOf(InvalidSplitException.class)
        .hasMessage(file(2, 3) + " is file 2 of 3 of a model: open the first, " + file(1, 3));
    Path renamed = Files.copy(file(3, 3), folder.resolve("last.gguf"));
    assertThatThrownBy(() -> PackFile.openAny(renamed)).hasMessage(renamed + " is file 3 of 3 of a model: open the first, whose split.no is 0");
    assertThatThrownBy(() -> ModelIdentity.of(Optional.of(file(2, 3)))).isInstanceOf(InvalidSplitException.class);
    assertThatThrownBy(() -> OPENER.pack(file(2, 3), folder.resolve("p"), (done, total) -> {})).isInstanceOf(InvalidSplitException.class);
    assertThatThrownBy(() -> GgufFile.of(MemorySegment.ofArray(Files.readAllBytes(file(1, 3))), "memory"))
        .hasMessage("memory is one of 3 files of a model: open the first by its path");
  }

  @Test
  void aMissingFileIsNamedWithItsPlace() throws IOException {
    Path first = split(3);
    Files.delete(file(3, 3));
    refused(first, "file 3 of 3 of the model is missing: put home-00003-of-00003.gguf beside the first, " + first);
    Files.createDirectory(file(3, 3));
    assertThatThrownBy(() -> GgufFile.open(first)).hasMessage(file(3, 3) + " is a directory, not a regular file");
  }

  private static void refused(Path first, String... parts) {
    assertThatThrownBy(() -> GgufFile.open(first)).isInstanceOf(InvalidSplitException.class).satisfies(refusal -> assertThat(refusal.getMessage()).contains(parts));
  }

  @Test
  void namesThatDoNotSayWhatTheFilesSay() throws IOException {
    Path first = split(3);
    Path renamed = Files.copy(first, folder.resolve("home.gguf"));
    refused(renamed, "is the first of 3 files of a model, which are found by their names: it must be called NAME-00001-of-00003.gguf, and the last NAME-00003-of-00003.gguf");
    refused(Files.copy(first, file(1, 4)), "is the first of 3 files");
    refused(Files.copy(first, SplitFile.name(folder, "home", 2, 3).resolveSibling("x-00002-of-00003.gguf")), "is the first of 3 files");
    Files.move(file(2, 3), folder.resolve("aside"));
    Files.copy(file(3, 3), file(2, 3));
    refused(first, file(2, 3) + " is named as file 2 of 3, but says that it is file 3 of 3: it was renamed, or is another model's; get all files of the model again");
  }

  @Test
  void filesOfOtherModels() throws IOException {
    Path first = split(3);
    Files.copy(HOME, file(2, 3), StandardCopyOption.REPLACE_EXISTING);
    refused(first, file(2, 3) + " is named as file 2 of 3, but is a model of its own");
    new SplitFile(HOME, 3, true).metadata(2, values -> values.put("split.tensors.count", new GgufValue.Whole(GgufType.INT32, 99))).write(folder, "home");
    refused(first, "metadata split.tensors.count of " + file(2, 3) + " differs from that of " + first + ": they are files of different models");
    new SplitFile(HOME, 3, true).metadata(3, values -> values.put("general.name", GgufValue.text("another"))).write(folder, "home");
    refused(first, "metadata general.name of " + file(3, 3) + " differs");
    SplitFile more = new SplitFile(HOME, 3, true);
    for (int number = 1; number <= 3; number++) {
      more.metadata(number, values -> values.put("split.tensors.count", new GgufValue.Whole(GgufType.INT32, 99)));
    }
    refused(more.write(folder, "home"), "the 3 files of the model have 38 tensors together, but metadata split.tensors.count of " + first + " is 99");
    new SplitFile(HOME, 3, true).copy(1, 3).write(folder, "home");
    refused(first, "tensor token_embd.weight is in " + first + " and in " + file(3, 3));
  }

  /** A file of a model of the same shapes says nothing of its own; one that lacks tensors is found by the family. */
  @Test
  void numbersThatAreNone() throws IOException {
    for (long count : new long[] {0, -1, 65536, Long.MAX_VALUE}) {
      Path first = new SplitFile(HOME, 3, true).metadata(1, values -> values.put("split.count", new GgufValue.Whole(GgufType.INT64, count))).write(folder, "home");
      assertThatThrownBy(() -> GgufFile.open(first)).isInstanceOf(GgufKeyException.class).hasMessage("metadata split.count of " + first + " is " + count + "; allowed: 1 to 65535");
    }
    for (long number : new long[] {-1, 3, Long.MIN_VALUE}) {
      Path first = new SplitFile(HOME, 3, true).metadata(1, values -> values.put("split.no", new GgufValue.Whole(GgufType.INT64, number))).write(folder, "home");
      assertThatThrownBy(() -> GgufFile.open(first)).isInstanceOf(GgufKeyException.class).hasMessageContaining("split.no").hasMessageEndingWith("is " + number + "; allowed: 0 to 2");
    }
    Path first = new SplitFile(HOME, 3, true).metadata(1, values -> values.put("split.no", GgufValue.text("0"))).write(folder, "home");
    assertThatThrownBy(() -> GgufFile.open(first)).isInstanceOf(GgufKeyException.class).hasMessageContaining("is STRING, not a whole number");
    Path without = new SplitFile(HOME, 3, true).metadata(1, values -> values.remove("split.no")).write(folder, "home");
    assertThatThrownBy(() -> GgufFile.open(without)).isInstanceOf(GgufKeyException.class).hasMessageContaining("split.no is missing");
  }

  /** gguf-split writes one, of a model that fits into it. */
  @Test
  void oneFileOfOneIsTheModelWhateverItsName() throws IOException {
    Path one = new HomeFile().with("split.no", new GgufValue.Whole(GgufType.UINT16, 0)).with("split.count", new GgufValue.Whole(GgufType.UINT16, 1))
        .with("split.tensors.count", new GgufValue.Whole(GgufType.INT32, 38)).write(folder.resolve("one.gguf"));
    assertThat(logits(one)).isEqualTo(logits(HOME));
  }

  @Test
  void aFileThatWasCutShortIsNamed() throws IOException {
    Path first = split(3);
    for (long length : new long[] {Files.size(file(2, 3)) - 1000, 200, 10, 0}) {
      SparseFiles.truncate(file(2, 3), length);
      assertThatThrownBy(() -> GgufFile.open(first)).isInstanceOf(InvalidGgufException.class).hasMessageContaining("get it again").hasMessageEndingWith(" of " + file(2, 3));
    }
  }

  @Test
  void aFileThatIsCutShortWhileItIsReadIsNamed() throws IOException {
    try (GgufFile split = GgufFile.open(split(3))) {
      GgufTensor last = split.tensors().stream().reduce((a, b) -> b).orElseThrow();
      SparseFiles.truncate(file(3, 3), 1000);
      assertThatThrownBy(() -> split.source(last).read(0, new byte[16], 16)).isInstanceOf(InvalidGgufException.class)
          .hasMessageContaining("became shorter while tensor " + last.name()).hasMessageEndingWith("of " + file(3, 3));
    }
  }

  /** Two files of 5 GiB, of which nothing but headers and ends was written: places beyond 2^32 in each, and beyond 2^33 in both together. */
  @Test
  void filesBeyondFourGibibytes() throws IOException {
    long hole = 5 * SparseFiles.GIB;
    for (int number = 1; number <= 2; number++) {
      ByteBuffer header = ByteBuffer.allocate(4096).order(ByteOrder.LITTLE_ENDIAN).put("GGUF".getBytes(StandardCharsets.US_ASCII)).putInt(3).putLong(2).putLong(3);
      text(header, "split.no").putInt(2).putShort((short) (number - 1));
      text(header, "split.count").putInt(2).putShort((short) 2);
      text(header, "split.tensors.count").putInt(5).putInt(4);
      text(header, "hole" + number).putInt(2).putLong(1 << 20).putLong(hole >> 20).putInt(24).putLong(0);
      text(header, "after" + number).putInt(2).putLong(SparseFiles.COLUMNS).putLong(SparseFiles.ROWS).putInt(0).putLong(hole);
      int data = (header.position() + 31) / 32 * 32;
      SparseFiles.write(file(number, 2), header.flip(), data + hole, SparseFiles.valueBytes());
    }
    try (ModelFile split = GgufFile.open(file(1, 2))) {
      assertThat(split.size()).isGreaterThan(2 * hole);
      for (String name : List.of("after1", "after2")) {
        assertThat(split.vector(split.find(name).orElseThrow())).containsExactly(SparseFiles.values());
      }
    }
    try (FileChannel second = FileChannel.open(file(2, 2), StandardOpenOption.WRITE)) {
      second.truncate(hole + 1000);
    }
    assertThatThrownBy(() -> GgufFile.open(file(1, 2))).hasMessageContaining("the data of tensor after2").hasMessageContaining("ends beyond the file's " + (hole + 1000) + " bytes");
  }

  private static ByteBuffer text(ByteBuffer out, String text) {
    return out.putLong(text.length()).put(text.getBytes(StandardCharsets.US_ASCII));
  }
}
