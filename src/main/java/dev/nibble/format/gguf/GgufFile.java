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
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.util.Collection;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;

/**
 * A GGUF file, version 2 or 3, checked from the first byte to the last tensor's end.
 *
 * @see <a href="https://github.com/ggml-org/ggml/blob/master/docs/gguf.md">GGUF specification</a>
 */
public final class GgufFile implements ModelFile {
  private static final int TENSOR_COUNT_AT = 8; // GGUF specification: after magic and version

  private final String name;
  private final GgufReader.Header header;
  private final Map<String, GgufTensor> tensors;
  private final FileBytes bytes;
  /** What the bytes are read through, closed with this; absent for a file held in memory, or behind a channel of somebody else's. */
  private final Optional<FileChannel> channel;
  /** Of matrices that are not packed yet, by tensor; null before the first. */
  private NativeMemory preparedIn;
  private Map<String, MemorySegment> prepared; // places for the tiles of matrices that were not asked for yet; null before the first is

  private GgufFile(FileBytes bytes, String name, Optional<FileChannel> channel) throws IOException {
    this.name = name;
    this.bytes = bytes;
    this.channel = channel;
    header = new GgufReader(bytes, name).read();
    tensors = Collections.unmodifiableMap(header.tensors());
  }

  /**
   * Opens a file and reads its header. It is read through a channel, to be closed when the model is loaded.
   *
   * @throws InvalidGgufException if it is damaged or no GGUF file
   * @throws IOException if it can't be read
   */
  public static GgufFile open(Path path) throws IOException {
    FileChannel channel = InputFile.open(path);
    try {
      return new GgufFile(FileBytes.of(channel, 0, channel.size()), path.toString(), Optional.of(channel));
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
    try {
      return of(FileBytes.of(bytes.asReadOnly()), name);
    } catch (InvalidGgufException damaged) {
      throw damaged;
    } catch (IOException e) {
      throw new UncheckedIOException(e); // memory does not fail
    }
  }

  /**
   * Reads a file that is open already, or is a part of another.
   *
   * @param name of the file, for messages
   * @throws InvalidGgufException if it is damaged or no GGUF file
   * @throws IOException if it can't be read
   */
  public static GgufFile of(FileBytes bytes, String name) throws IOException {
    return new GgufFile(bytes, name, Optional.empty());
  }

  @Override
  public String name() {
    return name;
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
    return "GGUF v" + version() + ", " + size() + " bytes, alignment " + alignment();
  }

  @Override
  public long size() {
    return bytes.size();
  }

  /** A GGUF file in itself, with this one's metadata and no tensors. */
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
        throw new InvalidGgufException("the file became shorter while tensor " + tensor.name() + " was read", tensor.offset(), name);
      }
    };
  }

  @Override
  public TiledMatrix matrix(GgufTensor tensor, int rows, int columns, NativeMemory memory, WorkerPool pool) throws IOException {
    if (prepared == null || preparedIn != memory) {
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

  /** Closes the channel. */
  @Override
  public void close() throws IOException {
    if (channel.isPresent()) {
      channel.get().close();
    }
  }
}
