package dev.nibble.model.family;

import dev.nibble.format.gguf.GgufMetadata;
import dev.nibble.model.spec.InvalidModelException;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** The families that models may be of. */
public record Families(List<Family> all) {
  private static final String ARCHITECTURE = "general.architecture";
  /** Those that come with Nibble. */
  public static final Families KNOWN = new Families(List.of(
      new Llama(), new Qwen2(), new Qwen3(), new Gemma(), new Gemma2(), new Gemma3(), new Phi3()));

  public Families {
    all = List.copyOf(all);
  }

  /** These and one more. */
  public Families with(Family family) {
    return new Families(Stream.concat(all.stream(), Stream.of(family)).toList());
  }

  /** The family of a file's model. @throws InvalidModelException that names the known ones, if it is none of them */
  public Family of(GgufMetadata metadata) throws InvalidModelException {
    String architecture = metadata.requireString(ARCHITECTURE);
    return all.stream().filter(family -> family.architecture().equals(architecture)).findFirst().orElseThrow(() -> new InvalidModelException(
        "the model in " + metadata.file() + " can't be run: its architecture is \"" + architecture + "\"; supported: "
            + all.stream().map(Family::architecture).sorted().collect(Collectors.joining(", "))));
  }

  /** The family with a class name of {@code config.json}. */
  public Optional<Family> ofHuggingFaceClass(String name) {
    return all.stream().filter(family -> family.huggingFaceClasses().contains(name)).findFirst();
  }

  /** All class names of {@code config.json} that are known, for messages. */
  public List<String> huggingFaceClasses() {
    return all.stream().flatMap(family -> family.huggingFaceClasses().stream()).sorted().toList();
  }
}
