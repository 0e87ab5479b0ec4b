package dev.nibble.hostile;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.EnumMap;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Mutated model files are refused by name, or work: GGUF in every format and family, in one file and in several, packs, Hugging Face folders. {@code src/bench/hostile.sh}
 * tries as many as one likes.
 */
final class MutatedModelsTest {
  private static final int COUNT = 1500;

  @TempDir
  Path folder;

  @Test
  void whatIsGoodWorks() throws IOException {
    Path seeds = Files.createDirectory(folder.resolve("seeds"));
    Trial trial = new Trial(folder);
    for (Seed seed : new Seeds(seeds).all()) {
      Trial.Result result = trial.run(new Mutator.Mutation(seed, seed.files(), "as it is"), "good");
      assertThat(result.outcome()).as("%s: %s", seed.name(), result.message()).isEqualTo(Trial.Outcome.WORKS);
    }
  }

  @Test
  void whatIsMutatedIsRefusedByNameOrWorks() throws IOException {
    MutatedModels models = new MutatedModels(folder);
    Map<Trial.Outcome, Integer> outcomes = new EnumMap<>(Trial.Outcome.class);
    for (int number = 0; number < COUNT; number++) {
      Mutator.Mutation mutation = models.mutator().mutate(number);
      Trial.Result result = models.trial().run(mutation, "m" + number);
      outcomes.merge(result.outcome(), 1, Integer::sum);
      if (result.outcome() == Trial.Outcome.FAULT) {
        throw new AssertionError("mutation " + number + ", " + mutation.how() + ": " + result.message(), result.failure().orElse(null));
      }
    }
    assertThat(outcomes.get(Trial.Outcome.REFUSED)).isGreaterThan(COUNT / 3);
    assertThat(outcomes.get(Trial.Outcome.WORKS)).isGreaterThan(COUNT / 10);
  }
}
