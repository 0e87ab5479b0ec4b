package dev.nibble.format.pack;

import dev.nibble.format.NewFile;
import dev.nibble.format.Sha256;
import dev.nibble.format.UnwritableFileException;
import dev.nibble.format.gguf.FileBytes;
import dev.nibble.format.gguf.GgufFile;
import dev.nibble.format.gguf.GgufShards;
import dev.nibble.format.gguf.GgufTensor;
import dev.nibble.format.gguf.ModelFile;
import dev.nibble.kernel.RowSource;
import dev.nibble.kernel.TilePacker;
import dev.nibble.kernel.WorkerPool;
import dev.nibble.kernel.tile.TileLayout;
import dev.nibble.kernel.tile.TileMapping;
import dev.nibble.tensor.TensorFormat;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermission;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.zip.CRC32C;

/**
 * Packs a GGUF file. The packed file appears under its name only when it is complete, on the disk, and read back without a difference: it is
 * written beside its place under another name, and moved. A few megabytes of memory are enough for any model.
 */
public final class PackWriter {
  private static final int CHUNK_BYTES = 1 << 23; // tiles packed before they are written: enough for all workers, little enough for caches
  private static final int PIECE_BYTES = 1 << 20; // read at a time where nothing is packed

  /** Told of each piece packed. */
  @FunctionalInterface
  public interface Progress {
    void packed(long bytes, long totalBytes);
  }

  private final Path source;
  private final Path target;
  private final WorkerPool pool;
  private final Progress progress;
  private ByteBuffer chunk = ByteBuffer.allocateDirect(0);
  private long total;
  private long done;

  private PackWriter(Path source, Path target, WorkerPool pool, Progress progress) {
    this.source = source;
    this.target = target;
    this.pool = pool;
    this.progress = progress;
  }

  /**
   * Packs a file; one of the target's name is replaced.
   *
   * @param source a GGUF file, or the first of several
   * @param pool workers that pack
   * @param check of the source, before anything is written
   * @param trial of the packed file, before it gets its name
   * @return the packed file's size
   * @throws UnwritableFileException if the target can't be written
   * @throws IOException if the source can't be read, or a check fails
   */
  public static long write(Path source, Path target, WorkerPool pool, ModelFile.Check check, ModelFile.Check trial, Progress progress) throws IOException {
    return new PackWriter(source, target, pool, progress).write(check, trial);
  }

  private long write(ModelFile.Check check, ModelFile.Check trial) throws IOException {
    List<Path> files = GgufShards.of(source);
    SourceIdentity before = SourceIdentity.of(files);
    try (GgufFile file = GgufFile.open(source)) {
      check.check(file);
      List<PackHeader.Section> sections = sections(file);
      CompletableFuture<String> sha256 = new CompletableFuture<>();
      Thread.ofPlatform().name("nibble-digest").daemon(true).start(() -> digest(files, sha256));
      try (NewFile out = NewFile.create(target)) {
        long bytes = write(file, sections, out, before.modifiedNanos(), sha256);
        // Read by the same channel: opening it by its path once more would give its lock away.
        PackFile written = PackFile.open(target, out.channel());
        written.verify();
        trial.check(written);
        if (!SourceIdentity.of(files).equals(before) || before.bytes() != file.size()) {
          throw new IOException(source + " changed while it was packed");
        }
        protect(out.path());
        out.publish();
        return bytes;
      }
    }
  }

  /** A pack is replaced, not written into, and copying another file over it would end whoever has it mapped. */
  private static void protect(Path file) {
    try {
      Set<PosixFilePermission> permissions = Files.getPosixFilePermissions(file);
      permissions.removeAll(Set.of(PosixFilePermission.OWNER_WRITE, PosixFilePermission.GROUP_WRITE, PosixFilePermission.OTHERS_WRITE));
      Files.setPosixFilePermissions(file, permissions);
    } catch (IOException | UnsupportedOperationException noPermissions) {
      // the file is as good without
    }
  }

  private List<PackHeader.Section> sections(GgufFile file) throws IOException {
    List<PackHeader.Section> vectors = new ArrayList<>();
    List<PackHeader.Section> matrices = new ArrayList<>();
    for (GgufTensor tensor : file.tensors()) {
      TensorFormat format = tensor.type();
      if (TileMapping.of(format) instanceof TileMapping.None none) {
        throw new IOException("tensor " + tensor.name() + " is " + format + ", which can't be packed: " + none.reason());
      }
      if (tensor.shape().size() == 1 && format == TensorFormat.F32) {
        vectors.add(PackHeader.Section.vector(tensor.name(), size(tensor, tensor.columns())));
      } else if (tensor.shape().size() == 2) {
        matrices.add(PackHeader.Section.matrix(tensor.name(), format, size(tensor, tensor.columns()), size(tensor, tensor.rows())));
      } else {
        throw new IOException("tensor " + tensor.name() + " of shape " + tensor.shape() + " and format " + format + " can't be packed");
      }
      total += tensor.bytes();
    }
    List<PackHeader.Section> all = new ArrayList<>(List.of(PackHeader.Section.metadata(file.withoutTensors().size())));
    all.addAll(vectors);
    all.addAll(matrices);
    return all;
  }

  private static int size(GgufTensor tensor, long size) throws IOException {
    if (size > PackHeader.MOST) {
      throw new IOException("tensor " + tensor.name() + " of shape " + tensor.shape() + " can't be packed; allowed are sizes up to " + PackHeader.MOST);
    }
    return (int) size;
  }

  private long write(GgufFile file, List<PackHeader.Section> sections, NewFile out, long modified, CompletableFuture<String> sha256) throws IOException {
    PackHeader places = PackHeader.of(new PackHeader.Source(file.size(), modified, Optional.empty()), sections);
    List<PackHeader.Section> written = new ArrayList<>();
    for (PackHeader.Section section : places.sections()) {
      int checksum = switch (section.kind()) {
        case METADATA -> metadata(out, section.offset(), file.withoutTensors());
        case VECTOR -> {
          byte[] bytes = new byte[Math.toIntExact(section.bytes())];
          file.source(file.find(section.name()).orElseThrow()).read(0, bytes, bytes.length);
          CRC32C sum = new CRC32C();
          put(out, section.offset(), ByteBuffer.wrap(bytes), sum);
          yield (int) sum.getValue();
        }
        case MATRIX -> matrix(file.find(section.name()).orElseThrow(), file, section, out);
      };
      written.add(section.checked(checksum));
    }
    PackHeader header = new PackHeader(places.fileBytes(), new PackHeader.Source(file.size(), modified, Optional.of(await(sha256))), written);
    out.write(ByteBuffer.wrap(header.toBytes()), 0);
    out.force();
    return header.fileBytes();
  }

  private static int metadata(NewFile out, long at, FileBytes metadata) throws IOException {
    CRC32C checksum = new CRC32C();
    byte[] bytes = new byte[PIECE_BYTES];
    for (long from = 0; from < metadata.size(); from += bytes.length) {
      int count = (int) Math.min(bytes.length, metadata.size() - from);
      metadata.read(from, bytes, 0, count);
      put(out, at + from, ByteBuffer.wrap(bytes, 0, count), checksum);
    }
    return (int) checksum.getValue();
  }

  private static void put(NewFile out, long at, ByteBuffer bytes, CRC32C checksum) throws IOException {
    checksum.update(bytes.duplicate());
    out.write(bytes, at);
  }

  private int matrix(GgufTensor tensor, GgufFile file, PackHeader.Section section, NewFile out) throws IOException {
    RowSource rows = file.source(tensor);
    long tileBytes = section.layout().orElseThrow().tileBytes(section.columns());
    int tiles = TileLayout.tiles(section.rows());
    int most = (int) Math.max(1, Math.min(tiles, CHUNK_BYTES / tileBytes));
    if (chunk.capacity() < most * tileBytes) {
      chunk = ByteBuffer.allocateDirect(Math.toIntExact(most * tileBytes));
    }
    CRC32C checksum = new CRC32C();
    long before = done;
    for (int from = 0; from < tiles; from += most) {
      int to = Math.min(tiles, from + most);
      ByteBuffer bytes = chunk.slice(0, Math.toIntExact((to - from) * tileBytes));
      try {
        TilePacker.pack(section.format(), rows, section.rows(), section.columns(), from, to, MemorySegment.ofBuffer(bytes), pool);
      } catch (IllegalArgumentException e) {
        throw new IOException("tensor " + section.name() + " of " + source + ": " + e.getMessage(), e);
      }
      put(out, section.offset() + from * tileBytes, bytes, checksum);
      done = before + tensor.bytes() * to / tiles;
      progress.packed(done, total);
    }
    return (int) checksum.getValue();
  }

  private static void digest(List<Path> files, CompletableFuture<String> result) {
    try {
      result.complete(Sha256.of(files));
    } catch (IOException | RuntimeException e) {
      result.completeExceptionally(e);
    }
  }

  private static String await(CompletableFuture<String> sha256) throws IOException {
    try {
      return sha256.join();
    } catch (CompletionException e) {
      throw new IOException("the SHA-256 can't be computed: " + e.getCause().getMessage(), e);
    }
  }
}
