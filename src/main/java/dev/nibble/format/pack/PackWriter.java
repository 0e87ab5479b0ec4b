package dev.nibble.format.pack;

import dev.nibble.format.ModelFile;
import dev.nibble.format.gguf.FileBytes;
import dev.nibble.format.gguf.GgufFile;
import dev.nibble.format.gguf.GgufTensor;
import dev.nibble.kernel.NumericFormat;
import dev.nibble.kernel.RowSource;
import dev.nibble.kernel.TilePacker;
import dev.nibble.kernel.TiledMatrix;
import dev.nibble.kernel.WorkerPool;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.TimeUnit;
import java.util.zip.CRC32C;

/**
 * Packs a GGUF file. The packed file appears under its name only when it is complete, on the disk, and read back without a difference: it is
 * written beside its place under another name, and moved. A few megabytes of memory are enough for any model.
 */
public final class PackWriter {
  private static final int CHUNK_BYTES = 1 << 23; // tiles packed before they are written: enough for all workers, little enough for caches
  private static final int PIECE_BYTES = 1 << 20; // read at a time where nothing is packed

  /** Says whether a model is one that can be run, before it is packed. */
  @FunctionalInterface
  public interface Check {
    /** @throws IOException if not: the message says why */
    void check(ModelFile model) throws IOException;
  }

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

  /** When a file was last changed, in nanoseconds since 1970. */
  static long modifiedNanos(Path file) throws IOException {
    return Files.getLastModifiedTime(file).to(TimeUnit.NANOSECONDS);
  }

  /**
   * Packs a file; one of the target's name is replaced.
   *
   * @param digest whether to compute the source's SHA-256, which takes longer than all the rest
   * @return the packed file's size
   * @throws UnwritablePackException if the target can't be written
   * @throws IOException if the source can't be read, or is no model that can be run
   */
  public static long write(Path source, Path target, boolean digest, WorkerPool pool, Check check, Progress progress) throws IOException {
    return new PackWriter(source, target, pool, progress).write(digest, check);
  }

  private long write(boolean digest, Check check) throws IOException {
    long modified = modifiedNanos(source);
    try (GgufFile file = GgufFile.open(source)) {
      check.check(file);
      List<PackHeader.Section> sections = sections(file);
      CompletableFuture<String> sha256 = new CompletableFuture<>();
      if (digest) {
        Thread.ofPlatform().name("nibble-digest").daemon(true).start(() -> digest(sha256));
      }
      Path partial = target.toAbsolutePath().resolveSibling("." + target.getFileName() + "." + ProcessHandle.current().pid() + "-" + System.nanoTime() + ".part");
      // A kill leaves it behind, a termination does not.
      partial.toFile().deleteOnExit();
      try {
        long bytes;
        try (FileChannel out = create(partial)) {
          bytes = write(file, sections, out, modified, digest ? Optional.of(sha256) : Optional.empty());
        }
        try (PackFile written = PackFile.open(partial)) {
          written.verify();
        }
        if (modifiedNanos(source) != modified || Files.size(source) != file.size()) {
          throw new IOException(source + " changed while it was packed");
        }
        publish(partial);
        return bytes;
      } finally {
        Files.deleteIfExists(partial);
      }
    }
  }

  private List<PackHeader.Section> sections(GgufFile file) throws IOException {
    List<PackHeader.Section> vectors = new ArrayList<>();
    List<PackHeader.Section> matrices = new ArrayList<>();
    for (GgufTensor tensor : file.tensors()) {
      NumericFormat format = tensor.format().orElseThrow(() -> new IOException("tensor " + tensor.name() + " is " + tensor.type() + ", which can't be packed"));
      if (tensor.shape().size() == 1 && format == NumericFormat.F32) {
        vectors.add(PackHeader.Section.vector(tensor.name(), Math.toIntExact(tensor.columns())));
      } else if (tensor.shape().size() == 2) {
        matrices.add(PackHeader.Section.matrix(tensor.name(), format, Math.toIntExact(tensor.columns()), Math.toIntExact(tensor.rows())));
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

  private FileChannel create(Path partial) throws UnwritablePackException {
    try {
      return FileChannel.open(partial, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE);
    } catch (FileAlreadyExistsException impossible) {
      throw new UnwritablePackException(target, impossible);
    } catch (IOException e) {
      throw new UnwritablePackException(target, e);
    }
  }

  private long write(GgufFile file, List<PackHeader.Section> sections, FileChannel out, long modified, Optional<CompletableFuture<String>> sha256)
      throws IOException {
    PackHeader places = PackHeader.of(new PackHeader.Source(file.size(), modified, Optional.empty()), sections);
    List<PackHeader.Section> written = new ArrayList<>();
    for (PackHeader.Section section : places.sections()) {
      int checksum = switch (section.kind()) {
        case METADATA -> metadata(out, section.offset(), file.withoutTensors());
        case VECTOR -> {
          byte[] bytes = new byte[Math.toIntExact(section.bytes())];
          file.source(file.find(section.name()).orElseThrow()).read(0, bytes, bytes.length);
          yield put(out, section.offset(), bytes);
        }
        case MATRIX -> matrix(file.find(section.name()).orElseThrow(), file, section, out);
      };
      written.add(section.checked(checksum));
    }
    PackHeader header = new PackHeader(places.layout(), places.fileBytes(),
        new PackHeader.Source(file.size(), modified, sha256.isPresent() ? Optional.of(await(sha256.get())) : Optional.empty()), written);
    put(out, 0, header.toBytes());
    try {
      out.force(true);
    } catch (IOException e) {
      throw new UnwritablePackException(target, e);
    }
    return header.fileBytes();
  }

  private int put(FileChannel out, long at, byte[] bytes) throws IOException {
    CRC32C checksum = new CRC32C();
    put(out, at, ByteBuffer.wrap(bytes), checksum);
    return (int) checksum.getValue();
  }

  private int metadata(FileChannel out, long at, FileBytes metadata) throws IOException {
    CRC32C checksum = new CRC32C();
    byte[] bytes = new byte[PIECE_BYTES];
    for (long from = 0; from < metadata.size(); from += bytes.length) {
      int count = (int) Math.min(bytes.length, metadata.size() - from);
      metadata.read(from, bytes, 0, count);
      put(out, at + from, ByteBuffer.wrap(bytes, 0, count), checksum);
    }
    return (int) checksum.getValue();
  }

  private void put(FileChannel out, long at, ByteBuffer bytes, CRC32C checksum) throws UnwritablePackException {
    checksum.update(bytes.duplicate());
    try {
      while (bytes.hasRemaining()) {
        at += out.write(bytes, at);
      }
    } catch (IOException e) {
      throw new UnwritablePackException(target, e);
    }
  }

  private int matrix(GgufTensor tensor, GgufFile file, PackHeader.Section section, FileChannel out) throws IOException {
    RowSource rows = file.source(tensor);
    long tileBytes = TiledMatrix.tileBytes(section.format(), section.columns());
    int tiles = TiledMatrix.tiles(section.rows());
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

  private void digest(CompletableFuture<String> result) {
    try (FileChannel channel = FileChannel.open(source, StandardOpenOption.READ)) {
      MessageDigest digest = MessageDigest.getInstance("SHA-256");
      ByteBuffer bytes = ByteBuffer.allocate(PIECE_BYTES);
      while (channel.read(bytes) >= 0) {
        digest.update(bytes.flip());
        bytes.clear();
      }
      result.complete(HexFormat.of().formatHex(digest.digest()));
    } catch (IOException | NoSuchAlgorithmException | RuntimeException e) {
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

  private void publish(Path partial) throws UnwritablePackException {
    Path absolute = target.toAbsolutePath();
    try {
      Files.move(partial, absolute, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
      // The new name reaches the disk with the folder.
      try (FileChannel folder = FileChannel.open(absolute.getParent(), StandardOpenOption.READ)) {
        folder.force(true);
      }
    } catch (IOException e) {
      throw new UnwritablePackException(target, e);
    }
  }
}
