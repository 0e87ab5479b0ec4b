package dev.nibble.format.gguf;

import dev.nibble.kernel.NativeMemory;
import dev.nibble.kernel.TiledMatrix;
import dev.nibble.kernel.WorkerPool;
import dev.nibble.kernel.tile.TileLayout;
import java.io.IOException;
import java.util.Collection;
import java.util.Map;
import java.util.Optional;

/** A file of metadata and named tensors, checked as far as that goes without reading all of it. */
public interface ModelFile extends AutoCloseable {
  /** Says whether a model is one that can be used. */
  @FunctionalInterface
  interface Check {
    /** @throws IOException if not: the message says why */
    void check(ModelFile model) throws IOException;
  }

  /** The path it was opened by, for messages. */
  String name();

  /** Kind of file and what there is to say of the whole of it, for people; such as "GGUF v3, 1000 bytes, alignment 32". */
  String kind();

  /** What else a file of this kind tells of itself, by names in snake case; in the order it is to be shown. */
  default Map<String, String> facts() {
    return Map.of();
  }

  /** Bytes of the whole file. */
  long size();

  GgufMetadata metadata();

  /** All tensors, in the file's order. */
  Collection<GgufTensor> tensors();

  Optional<GgufTensor> find(String tensor);

  /** The layout of tiles that a matrix has in the file itself; empty where it is arranged when it is loaded. */
  default Optional<TileLayout> layout(GgufTensor matrix) {
    return Optional.empty();
  }

  /**
   * A tensor's weights as kernels read them.
   *
   * @param tensor of this file, [columns, rows]
   * @param memory that holds them; the same one for all matrices of this file
   * @param pool workers that share what is to do
   * @throws IOException if it can't be read
   * @throws IllegalArgumentException for a weight or scale that is not finite, as far as weights are looked at
   */
  TiledMatrix matrix(GgufTensor tensor, int rows, int columns, NativeMemory memory, WorkerPool pool) throws IOException;

  /**
   * A tensor's weights.
   *
   * @param tensor of this file, F32
   * @throws IOException if it can't be read
   */
  float[] vector(GgufTensor tensor) throws IOException;

  /**
   * From now on the process ends, with one line on standard error, if what its matrices are mapped from is cut short or changed. Files whose matrices are
   * copied have nothing to guard.
   *
   * @throws IOException if the file can't be looked at
   */
  default void guard() throws IOException {}

  /** Lets go of what only loading needs; matrices and metadata stay usable. */
  @Override
  void close() throws IOException;
}
