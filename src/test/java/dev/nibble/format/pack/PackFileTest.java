package dev.nibble.format.pack;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.nibble.format.UnwritableFileException;
import dev.nibble.format.gguf.GgufFile;
import dev.nibble.format.gguf.GgufTensor;
import dev.nibble.format.gguf.GgufValue;
import dev.nibble.format.gguf.GgufWriter;
import dev.nibble.format.gguf.ModelFile;
import dev.nibble.kernel.NativeMemory;
import dev.nibble.kernel.WorkerPool;
import dev.nibble.kernel.tile.TileLayout;
import dev.nibble.kernel.tile.TileMapping;
import dev.nibble.tensor.RandomBlocks;
import dev.nibble.tensor.TensorFormat;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.stream.Collectors;
import java.util.zip.CRC32C;
import net.jqwik.api.Example;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.lifecycle.AfterContainer;
import net.jqwik.api.lifecycle.BeforeContainer;

/** A packed file holds what was packed, and what is damaged is found: at once in the header, by {@code verify} in a section. */
class PackFileTest {
  private static final int COLUMNS = 256;
  private static final int ROWS = 40;

  private static Path folder;
  private static Path pack;
  private static byte[] whole;
  private static PackHeader header;

  @BeforeContainer
  static void packOnce() throws IOException {
    folder = Files.createTempDirectory("nibble-pack");
    pack = folder.resolve("model.nib");
    GgufWriter writer = new GgufWriter().metadata("general.architecture", GgufValue.text("test")).metadata("test.answer", GgufValue.uint32(42));
    for (TensorFormat format : formats()) {
      writer.tensor(format.name(), new long[] {COLUMNS, ROWS}, format, channel -> channel.write(ByteBuffer.wrap(weights(format))));
    }
    writer.tensor("norm", new long[] {3}, TensorFormat.F32,
        channel -> channel.write(ByteBuffer.allocate(12).order(ByteOrder.LITTLE_ENDIAN).putFloat(1).putFloat(2).putFloat(3).flip()));
    Path gguf = folder.resolve("model.gguf");
    writer.write(gguf);
    pack(gguf, pack);
    whole = Files.readAllBytes(pack);
    header = PackHeader.read(Arrays.copyOf(whole, PackHeader.length(whole, whole.length, "whole")), whole.length, "whole");
  }

  @AfterContainer
  static void remove() throws IOException {
    try (var files = Files.list(folder)) {
      for (Path file : files.toList()) {
        Files.delete(file);
      }
    }
    Files.delete(folder);
  }

  private static List<TensorFormat> formats() {
    return Arrays.stream(TensorFormat.values()).filter(format -> TileMapping.layoutOf(format).isPresent()).toList();
  }

  private static long pack(Path gguf, Path target) throws IOException {
    try (WorkerPool pool = new WorkerPool(2)) {
      return PackWriter.write(gguf, target, pool, model -> {}, packed -> {}, (done, total) -> {});
    }
  }

  private static byte[] weights(TensorFormat format) {
    byte[] bytes = new byte[(int) format.bytes(COLUMNS * ROWS)];
    new SplittableRandom(format.ordinal()).nextBytes(bytes);
    return RandomBlocks.finite(format, bytes);
  }

  @Example
  void holdsWhatWasPacked() throws IOException {
    PackFile file = PackFile.open(pack);
    assertThat(PackFile.openAny(pack)).isInstanceOf(PackFile.class);
    assertThat(file.size()).isEqualTo(whole.length);
    assertThat(file.metadata().integer("test.answer")).hasValue(42);
    assertThat(file.vector(file.find("norm").orElseThrow())).containsExactly(1, 2, 3);
    assertThat(file.facts()).containsEntry("tile_layouts",
        Arrays.stream(TileLayout.values()).map(layout -> layout + " version " + layout.version()).collect(Collectors.joining(", ")))
        .containsEntry("source_bytes", Long.toString(Files.size(folder.resolve("model.gguf")))).containsKey("source_sha256");
    assertThat(file.facts().get("source_sha256")).matches("[0-9a-f]{64}");
    assertThat(file.verify()).isEqualTo(formats().size() + 2);
    try (ModelFile gguf = GgufFile.open(folder.resolve("model.gguf")); WorkerPool pool = new WorkerPool(2)) {
      for (TensorFormat format : formats()) {
        GgufTensor tensor = file.find(format.name()).orElseThrow();
        assertThat(tensor.type()).isEqualTo(format);
        assertThat(tensor.offset() % PackHeader.MATRIX_ALIGNMENT).isZero();
        assertThat(file.matrix(tensor, ROWS, COLUMNS, new NativeMemory(), pool).segment()
            .mismatch(gguf.matrix(gguf.find(format.name()).orElseThrow(), ROWS, COLUMNS, new NativeMemory(), pool).segment())).as(format.name()).isEqualTo(-1);
      }
    }
  }

  @Example
  void packingTwiceGivesTheSameBytes() throws IOException {
    Path again = folder.resolve("again.nib");
    assertThat(pack(folder.resolve("model.gguf"), again)).isEqualTo(whole.length);
    assertThat(again).hasBinaryContent(whole);
    Files.delete(again);
  }

  @Example
  void leavesNothingBehindWhenTheTargetCantBeWritten() throws IOException {
    Path nowhere = folder.resolve("missing").resolve("x.nib");
    assertThatThrownBy(() -> pack(folder.resolve("model.gguf"), nowhere)).isInstanceOf(UnwritableFileException.class)
        .hasMessage(nowhere + " can't be written: its folder does not exist");
    // A folder in its place lets all be written but not moved.
    Path taken = Files.createDirectory(folder.resolve("taken"));
    Files.writeString(taken.resolve("file"), "x");
    assertThatThrownBy(() -> pack(folder.resolve("model.gguf"), taken)).isInstanceOf(UnwritableFileException.class);
    try (var files = Files.list(folder)) {
      assertThat(files.map(file -> file.getFileName().toString())).noneMatch(name -> name.endsWith(".part"));
    }
    Files.delete(taken.resolve("file"));
    Files.delete(taken);
  }

  private static Path with(byte[] bytes) throws IOException {
    return Files.write(folder.resolve("damaged.nib"), bytes);
  }

  @Property(tries = 300)
  void aChangedByteOfTheHeaderIsRefused(@ForAll @IntRange(min = 0, max = 1 << 20) int place, @ForAll @IntRange(min = 1, max = 255) int change)
      throws IOException {
    byte[] damaged = whole.clone();
    damaged[place % headerBytes()] ^= (byte) change;
    assertThatThrownBy(() -> PackFile.open(with(damaged))).isInstanceOf(InvalidPackException.class).hasMessageContaining("damaged.nib");
  }

  private static int headerBytes() throws IOException {
    return PackHeader.length(whole, whole.length, "whole");
  }

  @Property(tries = 200)
  void aChangedByteOfASectionIsFoundByItsName(
      @ForAll @IntRange(min = 0, max = 7) int number, @ForAll @IntRange(min = 0, max = 1 << 20) int place, @ForAll @IntRange(min = 1, max = 255) int change)
      throws IOException {
    PackHeader.Section section = header.sections().get(number);
    byte[] damaged = whole.clone();
    damaged[(int) (section.offset() + place % section.bytes())] ^= (byte) change;
    Path file = with(damaged);
    // Metadata are parsed at once, and may already be refused for what the damage made of them.
    assertThatThrownBy(() -> PackFile.open(file).verify()).isInstanceOf(InvalidPackException.class).hasMessageContaining("section " + section.name());
  }

  @Property(tries = 100)
  void aCutOffFileIsRefused(@ForAll @IntRange(min = 0, max = 1 << 24) int length) throws IOException {
    byte[] cut = Arrays.copyOf(whole, length % whole.length);
    assertThatThrownBy(() -> PackFile.open(with(cut))).isInstanceOf(InvalidPackException.class);
  }

  /** Headers with right checksums that say something else: whatever passes can be read to its last byte. */
  @Property(tries = 1000)
  void aForgedHeaderIsRefusedOrHarmless(
      @ForAll @IntRange(min = 12, max = 1 << 20) int place, @ForAll long value, @ForAll @IntRange(min = 1, max = 8) int width) throws IOException {
    byte[] forged = whole.clone();
    ByteBuffer bytes = ByteBuffer.wrap(forged).order(ByteOrder.LITTLE_ENDIAN);
    int end = headerBytes() - 4;
    for (int i = 0; i < width; i++) {
      int at = 12 + place % (end - 12) + i;
      if (at < end && (at < 16 || at >= 20)) { // the length would put the checksum elsewhere
        forged[at] = (byte) (value >>> 8 * i);
      }
    }
    sign(bytes, end);
    try (WorkerPool pool = new WorkerPool(1)) {
      PackFile file = PackFile.open(with(forged));
      for (GgufTensor tensor : file.tensors()) {
        assertThat(tensor.offset() + tensor.bytes()).isLessThanOrEqualTo(whole.length);
        if (tensor.shape().size() == 2) {
          assertThat(file.matrix(tensor, (int) tensor.rows(), (int) tensor.columns(), new NativeMemory(), pool).bytes()).isPositive();
        } else {
          file.vector(tensor);
        }
      }
    } catch (InvalidPackException refused) {
      assertThat(refused).hasMessageStartingWith("invalid pack ");
    }
  }

  /** Numbers that nobody reads are what they are in every pack: a tile layout of what has none, a flag other than 0 and 1, what is kept for later. */
  @Example
  void numbersThatNoPackHasAreRefused() throws IOException {
    int end = headerBytes() - 4;
    for (int at : new int[] {12, 48, 52, 88 + 8, 88 + 12}) {
      byte[] forged = whole.clone();
      ByteBuffer bytes = ByteBuffer.wrap(forged).order(ByteOrder.LITTLE_ENDIAN);
      bytes.putInt(at, 7);
      sign(bytes, end);
      assertThatThrownBy(() -> PackFile.open(with(forged))).as("at %d", at).isInstanceOf(InvalidPackException.class).hasMessageContaining("damaged.nib");
    }
  }

  private static void sign(ByteBuffer bytes, int end) {
    CRC32C checksum = new CRC32C();
    checksum.update(bytes.array(), 0, end);
    bytes.putInt(end, (int) checksum.getValue());
  }

  @Example
  void otherVersionsSayToPackAgain() throws IOException {
    byte[] version = whole.clone();
    version[8] = 3;
    assertThatThrownBy(() -> PackFile.open(with(version))).hasMessageContaining("format version 3, this program reads version 2: pack the model again");
    byte[] layout = whole.clone();
    int matrix = PackHeader.FIXED_BYTES + 56 + "metadata".length() + 56 + "norm".length() + 8;
    layout[matrix + 4] = 99;
    sign(ByteBuffer.wrap(layout).order(ByteOrder.LITTLE_ENDIAN), headerBytes() - 4);
    assertThatThrownBy(() -> PackFile.open(with(layout))).hasMessageContaining(
        "section F32 has version 99 of tile layout FLOAT, this program computes from version " + TileLayout.FLOAT.version() + ": pack the model again");
    layout[matrix] = 98;
    sign(ByteBuffer.wrap(layout).order(ByteOrder.LITTLE_ENDIAN), headerBytes() - 4);
    assertThatThrownBy(() -> PackFile.open(with(layout)))
        .hasMessageContaining("section F32 has tile layout 98, which this program does not know: pack the model again");
  }

  @Example
  void overlapsWrongSizesAndStrayShapesAreRefused() throws IOException {
    PackHeader.Section metadata = header.sections().getFirst();
    PackHeader.Section norm = header.sections().get(1);
    PackHeader.Section matrix = header.sections().get(2);
    refuses("overlaps", metadata, norm, matrix.at(matrix.offset()), matrixNamed("b", matrix).at(matrix.offset()));
    refuses("occurs twice", metadata, norm, norm);
    refuses("out of place", norm, metadata);
    refuses("takes", metadata, q4(32, 16, matrix.offset(), 289));
    refuses("not whole blocks", metadata, q4(33, 16, matrix.offset(), 288));
    refuses("allowed: 1 to", metadata, q4(32, 0, matrix.offset(), 288));
    refuses("unaligned", metadata, matrix.at(matrix.offset() + 64));
    refuses("takes", metadata, new PackHeader.Section(PackHeader.Kind.VECTOR, "a", TensorFormat.F16, Optional.empty(), 3, 0, norm.offset(), 12, 0));
  }

  private static PackHeader.Section q4(int columns, int rows, long offset, long bytes) {
    return new PackHeader.Section(PackHeader.Kind.MATRIX, "a", TensorFormat.Q4_0, Optional.of(TileLayout.INT4_SYMMETRIC), columns, rows, offset, bytes, 0);
  }

  private static PackHeader.Section matrixNamed(String name, PackHeader.Section like) {
    return new PackHeader.Section(like.kind(), name, like.format(), like.layout(), like.columns(), like.rows(), like.offset(), like.bytes(), like.checksum());
  }

  private static void refuses(String part, PackHeader.Section... sections) throws IOException {
    List<PackHeader.Section> list = new ArrayList<>(List.of(sections));
    byte[] bytes = whole.clone();
    byte[] head = new PackHeader(whole.length, new PackHeader.Source(1, 1, Optional.empty()), list).toBytes();
    System.arraycopy(head, 0, bytes, 0, head.length);
    assertThatThrownBy(() -> PackFile.open(with(bytes))).isInstanceOf(InvalidPackException.class).hasMessageContaining(part);
  }
}
