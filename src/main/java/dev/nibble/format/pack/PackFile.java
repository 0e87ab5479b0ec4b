package dev.nibble.format.pack;

import dev.nibble.format.InputFile;
import dev.nibble.format.gguf.FileBytes;
import dev.nibble.format.gguf.GgufFile;
import dev.nibble.format.gguf.GgufMetadata;
import dev.nibble.format.gguf.GgufTensor;
import dev.nibble.format.gguf.InvalidGgufException;
import dev.nibble.format.gguf.ModelFile;
import dev.nibble.kernel.NativeMemory;
import dev.nibble.kernel.TiledMatrix;
import dev.nibble.kernel.WorkerPool;
import dev.nibble.kernel.tile.TileLayout;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.zip.CRC32C;

/**
 * A packed model: tiles as kernels read them, mapped into memory. Opening reads the header and the metadata; weights are read from the page cache
 * when they are first computed with, and shared with every other process that maps the file.
 */
public final class PackFile implements ModelFile {
  private static final int VERIFY_BYTES = 1 << 20;

  private final Path path;
  private final PackHeader header;
  private final GgufMetadata metadata;
  private final Map<String, GgufTensor> tensors;
  private final Map<String, TileLayout> layouts; // of matrices
  private final FileChannel channel;
  private final boolean owned; // the channel is this one's, and the file in its place
  private boolean guarded;
  private NativeMemory mappedIn; // null until the first matrix is asked for
  private MemorySegment mapping; // of the whole file

  private PackFile(Path path, FileChannel channel, boolean owned, PackHeader header, GgufMetadata metadata, Map<String, GgufTensor> tensors) {
    this.path = path;
    this.channel = channel;
    this.owned = owned;
    this.header = header;
    this.metadata = metadata;
    this.tensors = Collections.unmodifiableMap(tensors);
    layouts = header.sections().stream().filter(section -> section.layout().isPresent())
        .collect(Collectors.toMap(PackHeader.Section::name, section -> section.layout().orElseThrow()));
  }

  /** Whether a file's first bytes say that it is a packed model. @throws IOException if it can't be read */
  public static boolean recognises(Path path) throws IOException {
    if (!Files.isRegularFile(path)) {
      return false;
    }
    try (FileChannel channel = InputFile.open(path)) {
      return PackHeader.isMagic(read(channel, 8));
    }
  }

  /** Opens a model file of either kind, by its first bytes. @throws IOException if it is missing, damaged, or no model */
  public static ModelFile openAny(Path path) throws IOException {
    return recognises(path) ? open(path) : GgufFile.open(path);
  }

  /**
   * Opens a file; it is mapped once a matrix is asked for. Its structure is checked (header checksum, bounds,
   * overlaps, sizes against shapes), the sections' checksums are not: see {@link #verify}.
   *
   * @throws InvalidPackException if it is damaged, or of another version
   * @throws IOException if it can't be read
   */
  public static PackFile open(Path path) throws IOException {
    FileChannel channel = InputFile.open(path);
    try {
      return open(path, channel, true);
    } catch (IOException | RuntimeException e) {
      channel.close();
      throw e;
    }
  }

  /** Opens a file that is being written, and mapped no longer than that. @param channel to read it through; closed by its owner */
  static PackFile open(Path path, FileChannel channel) throws IOException {
    return open(path, channel, false);
  }

  private static PackFile open(Path path, FileChannel channel, boolean owned) throws IOException {
    String name = path.toString();
    long size = channel.size();
    int length = PackHeader.length(read(channel, PackHeader.FIXED_BYTES), size, name);
    byte[] bytes = read(channel, length);
    if (bytes.length < length) {
      throw new InvalidPackException("the file became shorter while it was read", name);
    }
    PackHeader header = PackHeader.read(bytes, size, name);
    Map<String, GgufTensor> tensors = new LinkedHashMap<>();
    GgufMetadata metadata = null;
    for (PackHeader.Section section : header.sections()) {
      switch (section.kind()) {
        case METADATA -> metadata = metadata(FileBytes.of(channel, section.offset(), section.bytes()), name);
        case VECTOR, MATRIX -> tensors.put(section.name(), PackHeader.tensor(section));
      }
    }
    return new PackFile(path, channel, owned, header, metadata, tensors);
  }

  private static GgufMetadata metadata(FileBytes data, String name) throws IOException {
    try {
      return GgufMetadata.read(data, name);
    } catch (InvalidGgufException e) {
      throw new InvalidPackException("section metadata is damaged: " + e.getMessage(), name);
    }
  }

  /** As many of the first bytes as there are. */
  private static byte[] read(FileChannel channel, int length) throws IOException {
    ByteBuffer bytes = ByteBuffer.allocate(length);
    while (bytes.hasRemaining() && channel.read(bytes, bytes.position()) >= 0) {
      // until all is there
    }
    return Arrays.copyOf(bytes.array(), bytes.position());
  }

  /**
   * Reads all of the file, and compares every section with its checksum.
   *
   * @return sections compared
   * @throws InvalidPackException that names the damaged sections
   * @throws IOException if it can't be read
   */
  public int verify() throws IOException {
    List<String> damaged = new ArrayList<>();
    byte[] bytes = new byte[VERIFY_BYTES];
    // Through the channel: what is read through the mapping would count as memory of this process.
    for (PackHeader.Section section : header.sections()) {
      CRC32C checksum = new CRC32C();
      long at = section.offset();
      long end = at + section.bytes();
      while (at < end) {
        int count = channel.read(ByteBuffer.wrap(bytes, 0, (int) Math.min(bytes.length, end - at)), at);
        if (count < 0) {
          throw new InvalidPackException("the file became shorter while it was read", name());
        }
        checksum.update(bytes, 0, count);
        at += count;
      }
      if ((int) checksum.getValue() != section.checksum()) {
        damaged.add(section.name());
      }
    }
    if (!damaged.isEmpty()) {
      throw new InvalidPackException("damaged section" + (damaged.size() == 1 ? " " : "s ") + String.join(", ", damaged)
          + ": the checksum is wrong; pack the model again", name());
    }
    return header.sections().size();
  }

  /** Size of the file that was packed, or of all that the model was in. */
  long sourceBytes() {
    return header.source().bytes();
  }

  /** Size of the metadata, which are those of the source, or of its first file, byte for byte: there, the table of tensors follows them. */
  long metadataBytes() {
    return header.sections().getFirst().bytes();
  }

  /** SHA-256 of the file that was packed, or of all that the model was in one after the other, in hexadecimal; empty where it was not computed. */
  public Optional<String> sourceSha256() {
    return header.source().sha256();
  }

  @Override
  public String name() {
    return path.toString();
  }

  @Override
  public String kind() {
    return "packed v" + PackHeader.VERSION + ", " + size() + " bytes";
  }

  @Override
  public Map<String, String> facts() {
    Map<String, String> facts = new LinkedHashMap<>();
    facts.put("tile_layouts", layouts.values().stream().distinct().sorted()
        .map(layout -> layout + " version " + layout.version()).collect(Collectors.joining(", ")));
    facts.put("source_bytes", Long.toString(header.source().bytes()));
    facts.put("source_sha256", header.source().sha256().orElse("not computed"));
    return facts;
  }

  @Override
  public long size() {
    return header.fileBytes();
  }

  @Override
  public GgufMetadata metadata() {
    return metadata;
  }

  @Override
  public Collection<GgufTensor> tensors() {
    return tensors.values();
  }

  @Override
  public Optional<GgufTensor> find(String tensor) {
    return Optional.ofNullable(tensors.get(tensor));
  }

  @Override
  public Optional<TileLayout> layout(GgufTensor matrix) {
    return Optional.ofNullable(layouts.get(matrix.name()));
  }

  /** The mapped tiles themselves: nothing is read, so nothing is known of the weights' values. */
  @Override
  public TiledMatrix matrix(GgufTensor tensor, int rows, int columns, NativeMemory memory, WorkerPool pool) throws IOException {
    if (mappedIn != memory) {
      mappedIn = memory;
      mapping = memory.map(channel, size());
      if (owned) {
        memory.closes(channel);
      }
    }
    return TiledMatrix.of(layouts.get(tensor.name()), rows, columns, mapping.asSlice(tensor.offset(), tensor.bytes()));
  }

  @Override
  public float[] vector(GgufTensor tensor) throws IOException {
    byte[] bytes = new byte[Math.toIntExact(tensor.bytes())];
    FileBytes.of(channel, tensor.offset(), tensor.bytes()).read(0, bytes, 0, bytes.length);
    float[] values = new float[bytes.length / Float.BYTES];
    ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer().get(values);
    return values;
  }

  @Override
  public void guard() throws IOException {
    if (mappedIn != null) {
      MappingGuard.start(path, channel, this::verify);
      guarded = true;
    }
  }

  /** Closes the channel, unless the file is guarded, when the mapping's end closes it; the mapping stays. */
  @Override
  public void close() throws IOException {
    if (owned && !guarded) {
      channel.close();
    }
  }
}
