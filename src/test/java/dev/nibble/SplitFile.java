package dev.nibble;

import dev.nibble.format.gguf.GgufFile;
import dev.nibble.format.gguf.GgufTensor;
import dev.nibble.format.gguf.GgufType;
import dev.nibble.format.gguf.GgufValue;
import dev.nibble.format.gguf.GgufWriter;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Consumer;

/** Splits a model into several files, as llama.cpp's gguf-split does; and otherwise than it does, for files that are wrong. */
public final class SplitFile {
  private final GgufFile model;
  private final List<List<GgufTensor>> tensors = new ArrayList<>();
  private final List<Map<String, GgufValue>> metadata = new ArrayList<>();

  /** @param first whether the first file has tensors; without, as with gguf-split's {@code --no-tensor-first-split} */
  public SplitFile(Path whole, int files, boolean first) throws IOException {
    model = GgufFile.open(whole);
    List<GgufTensor> all = List.copyOf(model.tensors());
    int with = first ? files : files - 1;
    for (int i = 0; i < files; i++) {
      int part = first ? i : i - 1;
      tensors.add(new ArrayList<>(part < 0 ? List.of() : all.subList(all.size() * part / with, all.size() * (part + 1) / with)));
      metadata.add(new LinkedHashMap<>());
      if (i == 0) {
        model.metadata().keys().forEach(key -> metadata.getFirst().put(key, model.metadata().find(key).orElseThrow()));
      }
      metadata.get(i).put("split.no", new GgufValue.Whole(GgufType.UINT16, i));
      metadata.get(i).put("split.count", new GgufValue.Whole(GgufType.UINT16, files));
      metadata.get(i).put("split.tensors.count", new GgufValue.Whole(GgufType.INT32, all.size()));
    }
  }

  /** Changes a file's metadata. @param number from 1 on */
  public SplitFile metadata(int number, Consumer<Map<String, GgufValue>> change) {
    change.accept(metadata.get(number - 1));
    return this;
  }

  /** Puts a tensor of another file into a file as well. */
  public SplitFile copy(int from, int to) {
    tensors.get(to - 1).add(tensors.get(from - 1).getFirst());
    return this;
  }

  /** Name of a file. */
  public static Path name(Path folder, String stem, int number, int count) {
    return folder.resolve(String.format(Locale.ROOT, "%s-%05d-of-%05d.gguf", stem, number, count));
  }

  /** Writes the files. @return the first */
  public Path write(Path folder, String stem) throws IOException {
    for (int i = 0; i < tensors.size(); i++) {
      GgufWriter writer = new GgufWriter();
      metadata.get(i).forEach(writer::metadata);
      for (GgufTensor tensor : tensors.get(i)) {
        byte[] bytes = new byte[Math.toIntExact(tensor.bytes())];
        model.source(tensor).read(0, bytes, bytes.length);
        writer.tensor(tensor.name(), tensor.shape().stream().mapToLong(Long::longValue).toArray(), tensor.type(), channel -> channel.write(ByteBuffer.wrap(bytes)));
      }
      try (FileChannel out = FileChannel.open(name(folder, stem, i + 1, tensors.size()), StandardOpenOption.CREATE, StandardOpenOption.TRUNCATE_EXISTING,
          StandardOpenOption.WRITE)) {
        writer.write(out);
      }
    }
    return name(folder, stem, 1, tensors.size());
  }
}
