package dev.nibble.format.gguf;

import dev.nibble.format.ModelFile;
import dev.nibble.kernel.NumericFormat;
import dev.nibble.kernel.RowSource;
import dev.nibble.kernel.TilePacker;
import dev.nibble.kernel.TiledMatrix;
import dev.nibble.kernel.WorkerPool;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.Collection;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * A GGUF file, version 2 or 3, checked from the first byte to the last tensor's end.
 *
 * @see <a href="https://github.com/ggml-org/ggml/blob/master/docs/gguf.md">GGUF specification</a>
 */
public final class GgufFile implements ModelFile {
  private static final int TENSOR_COUNT_AT = 8; // GGUF specification: after magic and version

  private final String name;
  private final int version;
  private final int alignment;
  private final GgufMetadata metadata;
  private final Map<String, GgufTensor> tensors;
  private final MemorySegment bytes;
  private final long headerBytes; // before the tensor table: magic, version, counts, metadata
  /** What tensors are loaded through; absent for a file held in memory. Pages of the mapping that are read would count as the process' memory. */
  private final Optional<FileChannel> channel;
  /** Of matrices that are not packed yet, by tensor; null before the first. */
  private Map<String, MemorySegment> memory;

  GgufFile(String name, int version, int alignment, MemorySegment bytes, GgufMetadata metadata, Map<String, GgufTensor> tensors, long headerBytes,
      Optional<FileChannel> channel) {
    this.name = name;
    this.version = version;
    this.alignment = alignment;
    this.bytes = bytes;
    this.metadata = metadata;
    this.tensors = Collections.unmodifiableMap(new LinkedHashMap<>(tensors));
    this.headerBytes = headerBytes;
    this.channel = channel;
  }

  /**
   * Maps a file into memory for as long as the process lives, and reads its header. Matrices and vectors are read through a channel, to be closed
   * when the model is loaded.
   *
   * @throws InvalidGgufException if it is damaged or no GGUF file
   * @throws IOException if it can't be read
   */
  public static GgufFile open(Path path) throws IOException {
    if (!Files.exists(path)) {
      throw new NoSuchFileException(path.toString(), null, "no such file");
    }
    if (!Files.isRegularFile(path)) {
      throw new IOException(path + " is not a regular file");
    }
    FileChannel channel = FileChannel.open(path, StandardOpenOption.READ);
    try {
      MemorySegment mapping = channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size(), Arena.global());
      return new GgufReader(mapping, path.toString(), Optional.of(channel)).read();
    } catch (IOException | RuntimeException e) {
      channel.close();
      throw e;
    }
  }

  /**
   * Reads a file held in memory.
   *
   * @param name of the file, for messages
   * @throws InvalidGgufException if it is damaged or no GGUF file
   */
  public static GgufFile of(MemorySegment bytes, String name) throws InvalidGgufException {
    return new GgufReader(bytes.asReadOnly(), name, Optional.empty()).read();
  }

  @Override
  public String name() {
    return name;
  }

  public int version() {
    return version;
  }

  /** Tensor data begin at multiples of this many bytes. */
  public int alignment() {
    return alignment;
  }

  @Override
  public String kind() {
    return "GGUF v" + version + ", " + size() + " bytes, alignment " + alignment;
  }

  @Override
  public long size() {
    return bytes.byteSize();
  }

  /** A GGUF file in itself, with this one's metadata and no tensors. */
  public byte[] withoutTensors() {
    byte[] copy = new byte[Math.toIntExact(headerBytes)];
    MemorySegment.copy(bytes, ValueLayout.JAVA_BYTE, 0, copy, 0, copy.length);
    Arrays.fill(copy, TENSOR_COUNT_AT, TENSOR_COUNT_AT + Long.BYTES, (byte) 0);
    return copy;
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

  /** Reads a tensor's bytes, without their pages counting as the process' memory. */
  public RowSource source(GgufTensor tensor) {
    if (channel.isEmpty()) {
      return RowSource.of(tensor.data());
    }
    FileChannel file = channel.get();
    return (offset, target, length) -> {
      if (offset < 0 || offset > tensor.bytes() - length) {
        throw new IndexOutOfBoundsException(length + " bytes from " + offset + " on are not within tensor " + tensor.name());
      }
      ByteBuffer into = ByteBuffer.wrap(target, 0, length);
      while (into.hasRemaining()) {
        if (file.read(into, tensor.offset() + offset + into.position()) < 0) {
          throw new InvalidGgufException("the file became shorter while tensor " + tensor.name() + " was read", tensor.offset(), name);
        }
      }
    };
  }

  @Override
  public TiledMatrix matrix(GgufTensor tensor, NumericFormat format, int rows, int columns, WorkerPool pool) throws IOException {
    if (memory == null) {
      memory = allocate(pool);
    }
    MemorySegment target = memory.remove(tensor.name());
    if (target == null) {
      return TilePacker.pack(format, source(tensor), rows, columns, Arena.global(), pool);
    }
    TilePacker.pack(format, source(tensor), rows, columns, 0, TiledMatrix.tiles(rows), target, pool);
    return TiledMatrix.of(format, rows, columns, target);
  }

  /** Memory for the tiles of all matrices. It comes filled with zeros, and one thread alone would do that for a good part of the whole loading time. */
  private Map<String, MemorySegment> allocate(WorkerPool pool) {
    List<GgufTensor> matrices = tensors().stream().filter(tensor -> tensor.shape().size() == 2 && tensor.format().isPresent()
        && tensor.columns() <= Integer.MAX_VALUE && tensor.rows() <= Integer.MAX_VALUE - TiledMatrix.TILE_ROWS).toList(); // others are no matrices to compute with
    MemorySegment[] segments = new MemorySegment[matrices.size()];
    pool.run(segments.length, 1, (worker, from, to) -> {
      for (int i = from; i < to; i++) {
        GgufTensor tensor = matrices.get(i);
        long tile = TiledMatrix.tileBytes(tensor.format().orElseThrow(), (int) tensor.columns());
        segments[i] = Arena.global().allocate(tile * TiledMatrix.tiles((int) tensor.rows()), 64);
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

  /** Closes the channel. */
  @Override
  public void close() throws IOException {
    if (channel.isPresent()) {
      channel.get().close();
    }
  }
}
