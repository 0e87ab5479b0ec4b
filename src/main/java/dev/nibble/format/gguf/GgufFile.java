package dev.nibble.format.gguf;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Collection;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;

/**
 * A GGUF file, version 2 or 3, checked from the first byte to the last tensor's end.
 *
 * @see <a href="https://github.com/ggml-org/ggml/blob/master/docs/gguf.md">GGUF specification</a>
 */
public final class GgufFile {
  private final String name;
  private final int version;
  private final int alignment;
  private final long size;
  private final GgufMetadata metadata;
  private final Map<String, GgufTensor> tensors;

  GgufFile(String name, int version, int alignment, long size, GgufMetadata metadata, Map<String, GgufTensor> tensors) {
    this.name = name;
    this.version = version;
    this.alignment = alignment;
    this.size = size;
    this.metadata = metadata;
    this.tensors = Collections.unmodifiableMap(new LinkedHashMap<>(tensors));
  }

  /**
   * Maps a file into memory for as long as the process lives, and reads its header.
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
    try (FileChannel channel = FileChannel.open(path, StandardOpenOption.READ)) {
      return of(channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size(), Arena.global()), path.toString());
    }
  }

  /**
   * Reads a file held in memory.
   *
   * @param name of the file, for messages
   * @throws InvalidGgufException if it is damaged or no GGUF file
   */
  public static GgufFile of(MemorySegment bytes, String name) throws InvalidGgufException {
    return new GgufReader(bytes.asReadOnly(), name).read();
  }

  /** The path it was opened by, for messages. */
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

  /** Bytes of the whole file. */
  public long size() {
    return size;
  }

  public GgufMetadata metadata() {
    return metadata;
  }

  /** All tensors, in the file's order. */
  public Collection<GgufTensor> tensors() {
    return tensors.values();
  }

  public Optional<GgufTensor> find(String tensor) {
    return Optional.ofNullable(tensors.get(tensor));
  }
}
