package dev.nibble.format.pack;

import dev.nibble.format.ModelFile;
import dev.nibble.format.gguf.GgufFile;
import dev.nibble.kernel.WorkerPool;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.Locale;

/**
 * A folder of packed files, one for each GGUF file that was opened through it, made on first use. A pack is found by its source's canonical
 * path, and used as long as the source has the size and time of last change that the pack remembers: hashing gigabytes at each start would
 * cost what packs save. Sections' checksums are not compared either.
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
   * @param model a GGUF file; a packed one is opened as it is
   * @param threads that pack
   * @param check that the model can be run
   * @throws IOException if the model can't be opened
   */
  public ModelFile open(Path model, int threads, PackWriter.Check check, PackWriter.Progress progress) throws IOException {
    if (!Files.isRegularFile(model) || PackFile.recognises(model)) {
      return PackFile.openAny(model);
    }
    long bytes = Files.size(model);
    long modified = PackWriter.modifiedNanos(model);
    Path pack = folder.resolve(name(model.toRealPath()));
    try {
      if (Files.isRegularFile(pack)) {
        PackFile found = PackFile.open(pack);
        if (found.isOf(bytes, modified)) {
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
    try (WorkerPool pool = new WorkerPool(threads)) {
      Files.createDirectories(folder);
      long start = System.nanoTime();
      PackWriter.write(model, pack, false, pool, check, progress);
      log.note(String.format(Locale.ROOT, "Packed %s as %s in %.1f s.", model, pack, (System.nanoTime() - start) / 1e9));
      return PackFile.open(pack);
    } catch (UnwritablePackException e) {
      log.warn("No pack is kept: " + e.getMessage() + "; the model is loaded from " + model + ".");
    } catch (java.nio.file.FileSystemException e) {
      log.warn("No pack is kept: " + folder + " can't be used (" + e + "); the model is loaded from " + model + ".");
    }
    return GgufFile.open(model);
  }

  /** The file's name, for people, and a hash of its whole path, for files of the same name. */
  private static String name(Path real) {
    String file = real.getFileName().toString();
    String stem = file.endsWith(".gguf") ? file.substring(0, file.length() - ".gguf".length()) : file;
    try {
      byte[] hash = MessageDigest.getInstance("SHA-256").digest(real.toString().getBytes(StandardCharsets.UTF_8));
      return stem + "-" + HexFormat.of().formatHex(hash, 0, KEY_BYTES) + ".nib";
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e); // every Java has it
    }
  }
}
