package dev.nibble.format.gguf;

import dev.nibble.format.InputFile;
import dev.nibble.kernel.NativeMemory;
import dev.nibble.kernel.RowSource;
import dev.nibble.kernel.TilePacker;
import dev.nibble.kernel.TiledMatrix;
import dev.nibble.kernel.WorkerPool;
import dev.nibble.kernel.tile.TileMapping;
import java.io.EOFException;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;

/**
 * A GGUF file, version 2 or 3, checked from the first byte to the last tensor's end; or a model in several such files ({@link GgufShards}), which are read as
 * though they were one after the other.
 *
 * @see <a href="https://github.com/ggml-org/ggml/blob/master/docs/gguf.md">GGUF specification</a>
 */
public final class GgufFile implements ModelFile {
  private static final int TENSOR_COUNT_AT = 8; // GGUF specification: after magic and version

  private final List<Part> parts;
  private final GgufReader.Header header; // the first part's
  private final Map<String, GgufTensor> tensors;
  private final FileBytes bytes; // of all parts
  /** What the bytes are read through, closed with this; none for a file held in memory, or behind a channel of somebody else's. */
  private final List<FileChannel> channels;
  private NativeMemory preparedIn; // null until the first matrix is asked for
  private Map<String, MemorySegment> prepared; // places in it for the tiles of matrices that were not asked for yet, by tensor

  /**
   * A file of the model.
   *
   * @param from where it begins when all are put one after the other
   */
  private record Part(String name, FileBytes bytes, GgufReader.Header header, long from) {
    static Part of(FileBytes bytes, String name, long from) throws IOException {
      return new Part(name, bytes, new GgufReader(bytes, name).read(), from);
    }
  }

  private GgufFile(List<Part> parts, List<FileChannel> channels) throws InvalidSplitException {
    this.parts = List.copyOf(parts);
    this.channels = channels;
    header = parts.getFirst().header;
    bytes = parts.size() == 1 ? parts.getFirst().bytes : FileBytes.of(parts.stream().map(Part::bytes).toList());
    tensors = Collections.unmodifiableMap(parts.size() == 1 ? header.tensors() : tensors(parts));
  }

  private static Map<String, GgufTensor> tensors(List<Part> parts) throws InvalidSplitException {
    Map<String, GgufTensor> all = new LinkedHashMap<>();
    Map<String, String> files = new HashMap<>();
    for (Part part : parts) {
      for (GgufTensor tensor : part.header.tensors().values()) {
        String other = files.put(tensor.name(), part.name);
        if (other != null) {
          throw GgufShards.twice(tensor.name(), part.name, other);
        }
        all.put(tensor.name(), new GgufTensor(tensor.name(), tensor.shape(), tensor.type(), part.from + tensor.offset(), tensor.bytes()));
      }
    }
    GgufShards.requireTensors(parts.getFirst().header.metadata(), parts.size(), all.size());
    return all;
  }

  /**
   * Opens a model and reads its header, and those of its other files if it is in several. They are read through channels, to be closed when the model is loaded.
   *
   * @param path of the model's only file, or of its first
   * @throws InvalidGgufException if one is damaged or no GGUF file
   * @throws InvalidSplitException if its files do not go together, one is missing, or the path is another than the first's
   * @throws IOException if one can't be read
   */
  public static GgufFile open(Path path) throws IOException {
    List<FileChannel> channels = new ArrayList<>();
    try {
      channels.add(InputFile.open(path));
      List<Part> parts = new ArrayList<>();
      parts.add(Part.of(FileBytes.of(channels.getFirst(), 0, channels.getFirst().size()), path.toString(), 0));
      GgufMetadata first = parts.getFirst().header.metadata();
      List<Path> files = GgufShards.of(path, first);
      for (int number = 2; number <= files.size(); number++) {
        FileChannel channel = GgufShards.open(files.get(number - 1), number, files.size());
        channels.add(channel);
        Part before = parts.getLast();
        Part part = Part.of(FileBytes.of(channel, 0, channel.size()), files.get(number - 1).toString(), before.from + before.bytes.size());
        GgufShards.requireSame(first, part.header.metadata(), number, files.size());
        parts.add(part);
      }
      return new GgufFile(parts, channels);
    } catch (IOException | RuntimeException e) {
      for (FileChannel channel : channels) {
        channel.close();
      }
      throw e;
    }
  }

  /**
   * Reads a file held in memory.
   *
   * @param name of the file, for messages
   * @throws InvalidGgufException if it is damaged or no GGUF file
   * @throws InvalidSplitException if it is not the whole of a model
   */
  public static GgufFile of(MemorySegment bytes, String name) throws IOException {
    return of(FileBytes.of(bytes.asReadOnly()), name);
  }

  /**
   * Reads a file that is open already, or is a part of another.
   *
   * @param name of the file, for messages
   * @throws InvalidGgufException if it is damaged or no GGUF file
   * @throws InvalidSplitException if it is not the whole of a model
   * @throws IOException if it can't be read
   */
  public static GgufFile of(FileBytes bytes, String name) throws IOException {
    Part part = Part.of(bytes, name, 0);
    GgufShards.requireWhole(part.header.metadata());
    return new GgufFile(List.of(part), List.of());
  }

  @Override
  public String name() {
    return parts.getFirst().name;
  }

  /** How many files the model is in. */
  public int files() {
    return parts.size();
  }

  /**
   * Where a tensor's data are.
   *
   * @param file from 1 on
   * @param offset from that file's beginning
   */
  public record Place(int file, long offset) {}

  /** Where the data of one of its tensors are. */
  public Place place(GgufTensor tensor) {
    int file = parts.size();
    while (tensor.offset() < parts.get(file - 1).from) {
      file--;
    }
    return new Place(file, tensor.offset() - parts.get(file - 1).from);
  }

  public int version() {
    return header.version();
  }

  /** Tensor data begin at multiples of this many bytes. */
  public int alignment() {
    return header.alignment();
  }

  @Override
  public String kind() {
    return "GGUF v" + version() + ", " + size() + " bytes" + (files() == 1 ? "" : " in " + files() + " files") + ", alignment " + alignment();
  }

  @Override
  public long size() {
    return bytes.size();
  }

  /** A GGUF file in itself, with this one's metadata and no tensors; of several files, the first's. */
  public FileBytes withoutTensors() {
    return new FileBytes() {
      @Override
      public long size() {
        return header.metadataEnd();
      }

      @Override
      public void read(long offset, byte[] target, int targetFrom, int length) throws IOException {
        Objects.checkFromIndexSize(offset, length, size());
        bytes.read(offset, target, targetFrom, length);
        for (long at = Math.max(offset, TENSOR_COUNT_AT); at < Math.min(offset + length, TENSOR_COUNT_AT + Long.BYTES); at++) {
          target[targetFrom + (int) (at - offset)] = 0;
        }
      }
    };
  }

  @Override
  public GgufMetadata metadata() {
    return header.metadata();
  }

  @Override
  public Collection<GgufTensor> tensors() {
    return tensors.values();
  }

  @Override
  public Optional<GgufTensor> find(String tensor) {
    return Optional.ofNullable(tensors.get(tensor));
  }

  /** Reads a tensor's bytes. */
  public RowSource source(GgufTensor tensor) {
    return (offset, target, length) -> {
      if (offset < 0 || offset > tensor.bytes() - length) {
        throw new IndexOutOfBoundsException(length + " bytes from " + offset + " on are not within tensor " + tensor.name());
      }
      try {
        bytes.read(tensor.offset() + offset, target, 0, length);
      } catch (EOFException shorter) {
        Place place = place(tensor);
        throw new InvalidGgufException("the file became shorter while tensor " + tensor.name() + " was read", place.offset, parts.get(place.file - 1).name);
      }
    };
  }

  @Override
  public TiledMatrix matrix(GgufTensor tensor, int rows, int columns, NativeMemory memory, WorkerPool pool) throws IOException {
    if (preparedIn != memory) {
      prepared = allocate(memory, pool);
      preparedIn = memory;
    }
    MemorySegment target = prepared.remove(tensor.name());
    if (target == null) {
      target = memory.allocate(TileMapping.require(tensor.type()).bytes(rows, columns), 64);
    }
    TilePacker.pack(tensor.type(), source(tensor), rows, columns, 0, TiledMatrix.tiles(rows), target, pool);
    return TiledMatrix.of(TileMapping.require(tensor.type()), rows, columns, target);
  }

  /** Memory for the tiles of all matrices. It comes filled with zeros, and one thread alone would do that for a good part of the whole loading time. */
  private Map<String, MemorySegment> allocate(NativeMemory memory, WorkerPool pool) {
    List<GgufTensor> matrices = tensors().stream().filter(tensor -> tensor.shape().size() == 2 && TileMapping.layoutOf(tensor.type()).isPresent()
        && tensor.columns() <= Integer.MAX_VALUE && tensor.rows() <= Integer.MAX_VALUE - TiledMatrix.TILE_ROWS).toList(); // others are no matrices to compute with
    MemorySegment[] segments = new MemorySegment[matrices.size()];
    pool.run(segments.length, 1, (worker, from, to) -> {
      for (int i = from; i < to; i++) {
        GgufTensor tensor = matrices.get(i);
        long size = TileMapping.require(tensor.type()).bytes((int) tensor.rows(), (int) tensor.columns());
        segments[i] = memory.allocate(size, 64);
      }
    });
    Map<String, MemorySegment> named = new HashMap<>();
    for (int i = 0; i < segments.length; i++) {
      named.put(matrices.get(i).name(), segments[i]);
    }
    return named;
  }

  @Override
  public float[] vector(GgufTensor tensor) throws IOException {
    byte[] bytes = new byte[Math.toIntExact(tensor.bytes())];
    source(tensor).read(0, bytes, bytes.length);
    float[] values = new float[bytes.length / Float.BYTES];
    ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer().get(values);
    return values;
  }

  /** Closes the channels. */
  @Override
  public void close() throws IOException {
    for (FileChannel channel : channels) {
      channel.close();
    }
  }
}
