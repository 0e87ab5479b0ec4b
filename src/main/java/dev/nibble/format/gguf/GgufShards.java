package dev.nibble.format.gguf;

import dev.nibble.format.InputFile;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Models in several GGUF files, as llama.cpp's gguf-split and Python's gguf write them. The files lie in one folder and are named
 * {@code NAME-00001-of-00003.gguf} and so on. Each is a GGUF file with some of the tensors, and says by {@code split.no}, from 0 on, {@code split.count} and
 * {@code split.tensors.count}, which is of all files together, what part it is; the other metadata are the first's. Wherever a model has one file, its files
 * one after the other stand for it: in sizes, hashes and offsets.
 *
 * @see <a href="https://github.com/ggml-org/llama.cpp/tree/master/tools/gguf-split">gguf-split</a>
 */
public final class GgufShards {
  private static final Pattern NAME = Pattern.compile("(.+)-(\\d{5})-of-(\\d{5})\\.gguf", Pattern.DOTALL);
  private static final String NUMBER = "split.no";
  private static final String COUNT = "split.count";
  private static final String TENSORS = "split.tensors.count";
  private static final int MAX_SHARDS = 65535; // numbers of files are stored in 16 bits
  private static final String AGAIN = "get all files of the model again";

  private GgufShards() {}

  /**
   * A model's name, by that of its file: without its ending, and without a shard's number.
   *
   * @param file such as {@code model.gguf}, {@code model.nib} or {@code model-00001-of-00003.gguf}
   */
  public static String modelName(Path file) {
    String name = file.getFileName().toString();
    Matcher shard = NAME.matcher(name);
    if (shard.matches()) {
      return shard.group(1);
    }
    return name.endsWith(".gguf") || name.endsWith(".nib") ? name.substring(0, name.lastIndexOf('.')) : name;
  }

  /** The files that a model may be in, by their names alone, as far as they are there: the file itself, and those named as other shards beside it. */
  public static List<Path> named(Path file) {
    Matcher name = NAME.matcher(String.valueOf(file.getFileName())); // the root has none
    List<Path> files = new ArrayList<>(List.of(file));
    if (name.matches()) {
      int own = Integer.parseInt(name.group(2));
      int count = Math.min(Integer.parseInt(name.group(3)), MAX_SHARDS);
      for (int number = 1; number <= count; number++) {
        Path shard = shard(file, name.group(1), number, count);
        if (number != own && Files.isRegularFile(shard)) {
          files.add(shard);
        }
      }
    }
    return files;
  }

  /**
   * All files of a model, in their order, by its first file's metadata; those but the first need not be there.
   *
   * @param first the model's only file, or the first of several
   * @throws InvalidSplitException if it is another than the first, or is not named as one
   * @throws IOException if it can't be read, or is no GGUF file
   */
  public static List<Path> of(Path first) throws IOException {
    try (FileChannel channel = InputFile.open(first)) {
      return of(first, GgufMetadata.read(FileBytes.of(channel, 0, channel.size()), first.toString()));
    }
  }

  /**
   * All files of a model.
   *
   * @param metadata of its first file
   * @throws InvalidSplitException if these are not a first file's, or it is not named as one
   * @throws GgufKeyException if its number or their count is none
   */
  public static List<Path> of(Path first, GgufMetadata metadata) throws InvalidSplitException {
    int count = count(metadata);
    if (count == 1) {
      return List.of(first);
    }
    int number = metadata.requireInteger(NUMBER, 0, count - 1) + 1;
    Matcher name = NAME.matcher(first.getFileName().toString()); // it was opened: it has a name
    boolean named = name.matches() && Integer.parseInt(name.group(3)) == count;
    if (number != 1) {
      throw new InvalidSplitException(first + " is file " + number + " of " + count + " of a model: open the first"
          + (named ? ", " + shard(first, name.group(1), 1, count) : ", whose " + NUMBER + " is 0"));
    }
    if (!named || Integer.parseInt(name.group(2)) != 1) {
      throw new InvalidSplitException(first + " is the first of " + count + " files of a model, which are found by their names: it must be called NAME"
          + suffix(1, count) + ", and the last NAME" + suffix(count, count));
    }
    List<Path> files = new ArrayList<>();
    for (int i = 1; i <= count; i++) {
      files.add(shard(first, name.group(1), i, count));
    }
    return files;
  }

  /** Refuses a file that is not the whole of a model. */
  static void requireWhole(GgufMetadata metadata) throws InvalidSplitException {
    if (count(metadata) != 1) {
      throw new InvalidSplitException(metadata.file() + " is one of " + count(metadata) + " files of a model: open the first by its path");
    }
  }

  /** Opens another file than the first. @throws InvalidSplitException if it is not there */
  static FileChannel open(Path shard, int number, int count) throws IOException {
    try {
      return InputFile.open(shard);
    } catch (NoSuchFileException missing) {
      throw new InvalidSplitException("file " + number + " of " + count + " of the model is missing: put " + shard.getFileName() + " beside the first, "
          + shard.resolveSibling(shard.getFileName().toString().replace(suffix(number, count), suffix(1, count))));
    }
  }

  /**
   * Checks that a file goes with the first.
   *
   * @param number from 1 on
   * @throws InvalidSplitException if it is another's
   */
  static void requireSame(GgufMetadata first, GgufMetadata shard, int number, int count) throws InvalidSplitException {
    if (count(shard) != count || shard.integer(NUMBER).orElse(-1) != number - 1) {
      String what = shard.integer(COUNT).isEmpty() ? "is a model of its own" : "says that it is file " + (shard.integer(NUMBER).orElse(-1) + 1) + " of "
          + count(shard);
      throw new InvalidSplitException(shard.file() + " is named as file " + number + " of " + count + ", but " + what + ": it was renamed, or is another model's; "
          + AGAIN);
    }
    for (String key : shard.keys()) {
      GgufValue own = shard.find(key).orElseThrow();
      GgufValue other = first.find(key).orElse(own);
      boolean may = key.equals(NUMBER) || key.equals("general.alignment") || own instanceof GgufValue.Array && other instanceof GgufValue.Array;
      if (!may && !own.equals(other)) {
        throw new InvalidSplitException("metadata " + key + " of " + shard.file() + " differs from that of " + first.file() + ": they are files of different models; "
            + AGAIN);
      }
    }
  }

  /** Checks that there are as many tensors as the first file says. */
  static void requireTensors(GgufMetadata first, int count, int tensors) throws InvalidSplitException {
    int told = first.integer(TENSORS).isPresent() ? first.requireInteger(TENSORS, 0, Integer.MAX_VALUE) : tensors;
    if (told != tensors) {
      throw new InvalidSplitException("the " + count + " files of the model have " + tensors + " tensors together, but metadata " + TENSORS + " of " + first.file()
          + " is " + told + ": they are files of different models; " + AGAIN);
    }
  }

  /** For a tensor that two files have. */
  static InvalidSplitException twice(String tensor, String file, String other) {
    return new InvalidSplitException("tensor " + tensor + " is in " + other + " and in " + file + ": they are files of different models; " + AGAIN);
  }

  private static int count(GgufMetadata metadata) {
    return metadata.find(COUNT).isEmpty() ? 1 : metadata.requireInteger(COUNT, 1, MAX_SHARDS);
  }

  private static Path shard(Path like, String name, int number, int count) {
    return like.resolveSibling(name + suffix(number, count));
  }

  private static String suffix(int number, int count) {
    return String.format(Locale.ROOT, "-%05d-of-%05d.gguf", number, count);
  }
}
