package dev.nibble.format.pack;

import dev.nibble.format.NewFile;
import dev.nibble.format.Sha256;
import dev.nibble.format.UnwritableFileException;
import dev.nibble.format.gguf.GgufFile;
import dev.nibble.format.gguf.GgufShards;
import dev.nibble.format.gguf.InvalidSplitException;
import dev.nibble.format.gguf.ModelFile;
import dev.nibble.kernel.WorkerPool;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/**
 * A folder of packed files, one for each GGUF file (or first of several) that was opened through it, made on first use. A pack is found by its source's canonical
 * path, and used as long as the source is what was packed: the same size, times and inode, and the same sample of its content, or, where
 * one of the former differs, the same SHA-256. Sections' checksums are not compared. What killed packers left is removed.
 */
public final class PackCache {
  private static final int KEY_BYTES = 8; // of a SHA-256: enough to tell a folder's files apart

  /** Told what is done, in whole sentences. */
  public interface Log {
    /** Of something that happened as it should. */
    void note(String sentence);

    /** Of something that an operator should look at. */
    void warn(String sentence);
  }

  private final Path folder;
  private final Log log;

  /** @param folder made where it is missing */
  public PackCache(Path folder, Log log) {
    this.folder = folder;
    this.log = log;
  }

  /**
   * Opens a model by its pack, which is made if there is none, or none that is whole and fresh. Where packs can't be kept the model itself is
   * opened, with one warning.
   *
   * @param model a GGUF file, or the first of several; a packed one is opened as it is
   * @param pool the threads that pack
   * @param check that the model can be run
   * @throws IOException if the model can't be opened
   */
  public ModelFile open(Path model, WorkerPool pool, ModelFile.Check check, PackWriter.Progress progress) throws IOException {
    if (!Files.isRegularFile(model) || PackFile.recognises(model)) {
      return PackFile.openAny(model);
    }
    int swept = NewFile.sweep(folder);
    if (swept > 0) {
      log.note("Removed " + swept + (swept == 1 ? " file" : " files") + " that packing left in " + folder + " when it was killed.");
    }
    Path pack = folder.resolve(name(model.toRealPath()));
    Path memory = pack.resolveSibling(pack.getFileName() + ".source");
    try {
      if (Files.isRegularFile(pack)) {
        PackFile found = PackFile.open(pack);
        if (isOf(found, model, memory)) {
          return found;
        }
        found.close();
        log.note(model + " has changed since it was packed; it is packed again.");
      }
    } catch (InvalidPackException damaged) {
      log.warn("A pack of " + model + " can't be used, and is made again: " + damaged.getMessage());
    } catch (IOException unreadable) {
      log.warn("A pack of " + model + " can't be read, and is made again: " + unreadable.getMessage());
    }
    try {
      Files.createDirectories(folder);
      long start = System.nanoTime();
      // The first pass through the model, which loading makes, is the trial.
      List<Path> files = GgufShards.of(model);
      SourceIdentity before = SourceIdentity.of(files);
      PackWriter.write(model, pack, pool, check, packed -> {}, progress);
      log.note(String.format(Locale.ROOT, "Packed %s as %s in %.1f s.", model, pack, (System.nanoTime() - start) / 1e9));
      PackFile packed = PackFile.open(pack);
      String sample = SourceIdentity.sample(files, packed.metadataBytes());
      if (SourceIdentity.of(files).equals(before)) { // else the next start finds out
        keep(new SourceIdentity.Remembered(packed.sourceSha256().orElseThrow(), sample, before), memory);
      }
      return packed;
    } catch (UnwritableFileException e) {
      log.warn("No pack is kept: " + e.getMessage() + "; the model is loaded from " + model + ".");
    } catch (java.nio.file.FileSystemException e) {
      log.warn("No pack is kept: " + folder + " can't be used (" + e + "); the model is loaded from " + model + ".");
    }
    return GgufFile.open(model);
  }

  /**
   * Whether a pack was made of what the model's file holds now. Times and inode can be those of another file (images and stores of packages give all
   * files one time), or others for the same content (a copy, a new layer of a container), so that neither decides alone.
   */
  private boolean isOf(PackFile pack, Path model, Path memory) throws IOException {
    Optional<String> packed = pack.sourceSha256();
    List<Path> files;
    try {
      files = GgufShards.of(model, pack.metadata());
    } catch (InvalidSplitException renamed) {
      return false;
    }
    if (!files.stream().allMatch(Files::isRegularFile)) {
      return false; // told when the model is opened
    }
    SourceIdentity identity = SourceIdentity.of(files);
    if (packed.isEmpty() || identity.bytes() != pack.sourceBytes()) {
      return false;
    }
    SourceIdentity.Remembered now = new SourceIdentity.Remembered(packed.get(), SourceIdentity.sample(files, pack.metadataBytes()), identity);
    if (now.isIn(memory)) {
      return true;
    }
    if (!Sha256.of(files).equals(packed.get())) {
      return false;
    }
    log.note(model + " is another file than the one that was packed, or has other times, but all of its content is the same; its pack stays in use.");
    keep(now, memory);
    return true;
  }

  private void keep(SourceIdentity.Remembered now, Path memory) {
    try {
      now.write(memory);
    } catch (IOException e) {
      log.warn("All of the model is read again at the next start: " + e.getMessage());
    }
  }

  /** The file's name, for people, and a hash of its whole path, for files of the same name. */
  private static String name(Path real) {
    String file = real.getFileName().toString();
    String stem = file.endsWith(".gguf") ? file.substring(0, file.length() - ".gguf".length()) : file;
    byte[] hash = Sha256.digest().digest(real.toString().getBytes(StandardCharsets.UTF_8));
    return stem + "-" + HexFormat.of().formatHex(hash, 0, KEY_BYTES) + ".nib";
  }
}
