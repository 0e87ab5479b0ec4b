package dev.nibble.format.llama2c;

import dev.nibble.format.InputFile;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;

/**
 * A memory-mapped checkpoint of Andrej Karpathy's llama2.c, in the three layouts its exporter writes: version 0 (legacy: seven int32 and
 * float32 tensors, a negative vocabulary size meaning a head of its own), version 1 (magic number, 256 bytes of header, float32) and version 2
 * (the same header with a group size; matrices in int8 with a float32 scale per group). RoPE turns adjacent pairs (2i, 2i + 1). The file's
 * size must be exactly that of the tensors the header announces.
 *
 * @see <a href="https://github.com/karpathy/llama2.c/blob/master/export.py">llama2.c exporter</a>
 */
public final class Llama2cCheckpoint {
  private static final int MAGIC = 0x616b3432;
  private static final int LEGACY_HEADER_BYTES = 28;
  private static final int HEADER_BYTES = 256;
  private static final int CONFIG_OFFSET = 8;
  private static final int SHARED_OFFSET = 36;
  /** Not aligned: the exporter packs the group size right behind the one-byte flag. */
  private static final int GROUP_SIZE_OFFSET = 37;
  /** Bounds every header field, so that sizes cannot overflow a long. */
  private static final int MAXIMUM_FIELD = 1 << 24;
  private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private static final List<Llama2cRole> LEGACY_ORDER = List.of(
      Llama2cRole.TOKEN_EMBEDDING, Llama2cRole.ATTENTION_NORM, Llama2cRole.QUERY, Llama2cRole.KEY, Llama2cRole.VALUE,
      Llama2cRole.ATTENTION_OUTPUT, Llama2cRole.FEED_FORWARD_NORM, Llama2cRole.FEED_FORWARD_GATE, Llama2cRole.FEED_FORWARD_DOWN,
      Llama2cRole.FEED_FORWARD_UP, Llama2cRole.OUTPUT_NORM, Llama2cRole.OUTPUT);
  private static final List<Llama2cRole> ORDER = List.of(
      Llama2cRole.ATTENTION_NORM, Llama2cRole.FEED_FORWARD_NORM, Llama2cRole.OUTPUT_NORM, Llama2cRole.TOKEN_EMBEDDING, Llama2cRole.QUERY,
      Llama2cRole.KEY, Llama2cRole.VALUE, Llama2cRole.ATTENTION_OUTPUT, Llama2cRole.FEED_FORWARD_GATE, Llama2cRole.FEED_FORWARD_DOWN,
      Llama2cRole.FEED_FORWARD_UP, Llama2cRole.OUTPUT);

  private final Path path;
  private final int version;
  private final Llama2cConfig config;
  private final int groupSize;
  private final Map<Llama2cRole, List<Llama2cTensor>> tensors;

  private Llama2cCheckpoint(
      Path path, int version, Llama2cConfig config, int groupSize, Map<Llama2cRole, List<Llama2cTensor>> tensors) {
    this.path = path;
    this.version = version;
    this.config = config;
    this.groupSize = groupSize;
    this.tensors = tensors;
  }

  /**
   * Maps a checkpoint and checks its header and size.
   *
   * @throws InvalidCheckpointException if the file is damaged, malformed or of an unknown version
   * @throws IOException if it cannot be read
   */
  public static Llama2cCheckpoint open(Path path) throws IOException {
    MemorySegment file;
    try (FileChannel channel = InputFile.open(path)) {
      file = channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size(), Arena.ofAuto());
    }
    if (file.byteSize() < LEGACY_HEADER_BYTES) {
      throw new InvalidCheckpointException("file of " + file.byteSize() + " bytes has no room for a header", file.byteSize(), path);
    }
    if (file.get(INT, 0) != MAGIC) {
      return openLegacy(path, file);
    }
    int version = file.get(INT, 4);
    if (version != 1 && version != 2) {
      throw new InvalidCheckpointException("version " + version + " is neither 1 nor 2", 4, path);
    }
    if (file.byteSize() < HEADER_BYTES) {
      throw new InvalidCheckpointException("file ends within the header of " + HEADER_BYTES + " bytes", file.byteSize(), path);
    }
    byte shared = file.get(ValueLayout.JAVA_BYTE, SHARED_OFFSET);
    if (shared != 0 && shared != 1) {
      throw new InvalidCheckpointException("shared-classifier flag " + shared + " is neither 0 nor 1", SHARED_OFFSET, path);
    }
    Llama2cConfig config = config(path, file, CONFIG_OFFSET, file.get(INT, CONFIG_OFFSET + 20), shared == 1);
    int groupSize = 0;
    if (version == 2) {
      groupSize = positive(path, file.get(INT, GROUP_SIZE_OFFSET), "group size", GROUP_SIZE_OFFSET);
    }
    Layout layout = new Layout(path, file, config, groupSize, HEADER_BYTES);
    for (Llama2cRole role : ORDER) {
      layout.place(role);
    }
    layout.finish();
    return new Llama2cCheckpoint(path, version, config, groupSize, layout.tensors);
  }

  private static Llama2cCheckpoint openLegacy(Path path, MemorySegment file) throws InvalidCheckpointException {
    int vocabulary = file.get(INT, 20);
    if (vocabulary == Integer.MIN_VALUE) {
      throw new InvalidCheckpointException("vocabulary size " + vocabulary + " out of range", 20, path);
    }
    Llama2cConfig config = config(path, file, 0, Math.abs(vocabulary), vocabulary > 0);
    Layout layout = new Layout(path, file, config, 0, LEGACY_HEADER_BYTES);
    for (Llama2cRole role : LEGACY_ORDER) {
      if (role == Llama2cRole.OUTPUT) {
        // Two tables of cosines and sines, [sequence, head / 2] each, that readers compute for themselves today.
        layout.skip(2L * config.sequenceLength() * (config.headDimension() / 2) * Float.BYTES, "RoPE tables");
      }
      layout.place(role);
    }
    layout.finish();
    return new Llama2cCheckpoint(path, 0, config, 0, layout.tensors);
  }

  private static Llama2cConfig config(Path path, MemorySegment file, int offset, int vocabulary, boolean shared)
      throws InvalidCheckpointException {
    int dimension = positive(path, file.get(INT, offset), "dimension", offset);
    int hidden = positive(path, file.get(INT, offset + 4), "hidden dimension", offset + 4);
    int layers = positive(path, file.get(INT, offset + 8), "layer count", offset + 8);
    int heads = positive(path, file.get(INT, offset + 12), "head count", offset + 12);
    int keyValueHeads = positive(path, file.get(INT, offset + 16), "key-value head count", offset + 16);
    positive(path, vocabulary, "vocabulary size", offset + 20);
    int sequence = positive(path, file.get(INT, offset + 24), "sequence length", offset + 24);
    if (dimension % heads != 0 || dimension / heads % 2 != 0) {
      throw new InvalidCheckpointException(
          "dimension " + dimension + " does not give " + heads + " heads an even width", offset + 12, path);
    }
    if (heads % keyValueHeads != 0) {
      throw new InvalidCheckpointException(
          heads + " heads are not a multiple of " + keyValueHeads + " key-value heads", offset + 16, path);
    }
    return new Llama2cConfig(dimension, hidden, layers, heads, keyValueHeads, vocabulary, sequence, shared);
  }

  private static int positive(Path path, int value, String what, int offset) throws InvalidCheckpointException {
    if (value <= 0 || value > MAXIMUM_FIELD) {
      throw new InvalidCheckpointException(what + " " + value + " outside 1 to " + MAXIMUM_FIELD, offset, path);
    }
    return value;
  }

  public Path path() {
    return path;
  }

  /** 0 (legacy), 1 or 2. */
  public int version() {
    return version;
  }

  public Llama2cConfig config() {
    return config;
  }

  /** Weights that share a scale in version 2; 0 in others. */
  public int groupSize() {
    return groupSize;
  }

  /**
   * A tensor by role. {@code layer} counts from 0; it must be 0 for roles that are not per layer.
   *
   * @throws IllegalArgumentException if there is no such layer, or no output head of its own
   */
  public Llama2cTensor tensor(Llama2cRole role, int layer) {
    List<Llama2cTensor> layers = tensors.getOrDefault(role, List.of());
    if (layer < 0 || layer >= layers.size()) {
      throw new IllegalArgumentException("no tensor " + role + " of layer " + layer + " in " + path);
    }
    return layers.get(layer);
  }

  /** Cuts the file into tensors from front to back. */
  private static final class Layout {
    private final Path path;
    private final MemorySegment file;
    private final Llama2cConfig config;
    private final int groupSize;
    private final Map<Llama2cRole, List<Llama2cTensor>> tensors = new EnumMap<>(Llama2cRole.class);
    private long position;

    Layout(Path path, MemorySegment file, Llama2cConfig config, int groupSize, long position) {
      this.path = path;
      this.file = file;
      this.config = config;
      this.groupSize = groupSize;
      this.position = position;
    }

    void place(Llama2cRole role) throws InvalidCheckpointException {
      if (role == Llama2cRole.OUTPUT && config.sharedClassifier()) {
        return;
      }
      int rows = role.rows(config);
      int columns = role.columns(config);
      long elements = (long) rows * columns;
      List<Llama2cTensor> layers = new ArrayList<>();
      // A damaged layer count ends at the file's end, not in memory: each step takes at least a byte.
      for (int layer = 0; layer < (role.perLayer() ? config.layers() : 1); layer++) {
        String what = role + (role.perLayer() ? " of layer " + layer : "");
        if (groupSize == 0 || !role.matrix()) {
          layers.add(new Llama2cTensor(rows, columns, take(elements * Float.BYTES, what), MemorySegment.NULL, 0));
        } else {
          if (elements % groupSize != 0) {
            throw new InvalidCheckpointException(
                what + " of " + elements + " weights is not a whole number of groups of " + groupSize, GROUP_SIZE_OFFSET, path);
          }
          MemorySegment weights = take(elements, what);
          layers.add(new Llama2cTensor(rows, columns, weights, take(elements / groupSize * Float.BYTES, "scales of " + what), groupSize));
        }
      }
      tensors.put(role, layers);
    }

    void skip(long bytes, String what) throws InvalidCheckpointException {
      take(bytes, what);
    }

    void finish() throws InvalidCheckpointException {
      if (position != file.byteSize()) {
        throw new InvalidCheckpointException((file.byteSize() - position) + " bytes after the last tensor", position, path);
      }
    }

    private MemorySegment take(long bytes, String what) throws InvalidCheckpointException {
      if (bytes > file.byteSize() - position) {
        throw new InvalidCheckpointException(
            "file of " + file.byteSize() + " bytes ends within " + what + " (" + bytes + " bytes)", position, path);
      }
      MemorySegment slice = file.asSlice(position, bytes);
      position += bytes;
      return slice;
    }
  }
}
