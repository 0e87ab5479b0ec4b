package dev.nibble.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.InstanceOfAssertFactories.type;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import net.jqwik.api.constraints.FloatRange;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.Size;
import org.junit.jupiter.api.Test;

class SamplerTest {
  private static final int[] NO_PROMPT = {};

  @Test
  void greedyTakesTheLowestIdOfEquals() {
    Sampler sampler = new Sampler(5, SamplingParameters.GREEDY, NO_PROMPT);
    assertThat(sampler.choose(new float[] {1, 3, 2, 3, -1}, 0)).isEqualTo(1);
    assertThat(sampler.choose(new float[] {-5, -5, -5, -5, -5}, 1)).isZero();
  }

  @Test
  void refusesLogitsThatAreNoNumbers() {
    for (SamplingParameters parameters : List.of(SamplingParameters.GREEDY, plain(1, 0))) {
      Sampler sampler = new Sampler(3, parameters, NO_PROMPT);
      float negative = Float.NEGATIVE_INFINITY;
      for (float[] logits : List.of(new float[] {0, Float.NaN, 1}, new float[] {0, Float.POSITIVE_INFINITY, 1}, new float[] {negative, negative, negative})) {
        assertThatThrownBy(() -> sampler.choose(logits, 0))
            .asInstanceOf(type(EngineException.class))
            .extracting(EngineException::error)
            .isEqualTo(EngineError.INTERNAL);
      }
      assertThat(sampler.choose(new float[] {negative, 0, negative}, 0)).as("impossible tokens are fine").isEqualTo(1);
    }
  }

  @Test
  void leavesTheLogitsAsTheyAre() {
    float[] logits = {1, 2, 3};
    Sampler sampler = new Sampler(3, new SamplingParameters(1, 2, 0.9f, 0.1f, 1.5f, 1, 1, Map.of(0, 5f), 1), new int[] {1});
    sampler.accept(sampler.choose(logits, 0));
    sampler.choose(logits, 1);
    assertThat(logits).containsExactly(1, 2, 3);
  }

  @Test
  void biasForcesAndForbids() {
    float[] logits = {4, 3, 2, 1};
    for (long seed = 0; seed < 200; seed++) {
      assertThat(new Sampler(4, biased(Map.of(3, 100f), seed), NO_PROMPT).choose(logits, 0)).isEqualTo(3);
      assertThat(new Sampler(4, biased(Map.of(0, -100f, 1, -100f), seed), NO_PROMPT).choose(logits, 0)).isIn(2, 3);
    }
    assertThatThrownBy(() -> new Sampler(4, biased(Map.of(4, 1f), 0), NO_PROMPT)).isInstanceOf(EngineException.class).hasMessageContaining("token 4");
  }

  @Test
  void repetitionPenaltyLooksAtPromptAndAnswer() {
    Sampler sampler = new Sampler(4, new SamplingParameters(0, 0, 1, 0, 2, 0, 0, Map.of(), 0), new int[] {0, 0, 900});
    float[] logits = {4, 3, 2.5f, -1};
    assertThat(sampler.choose(logits, 0)).as("4 / 2 is less than 3").isEqualTo(1);
    sampler.accept(1);
    assertThat(sampler.choose(logits, 1)).as("3 / 2 is less than 2.5").isEqualTo(2);
    sampler.accept(2);
    assertThat(sampler.choose(new float[] {-9, -1, -9, -1.5f}, 2)).as("-1 x 2 is less than -1.5").isEqualTo(3);
  }

  @Test
  void presenceCountsOnceAndFrequencyEachTime() {
    Sampler presence = new Sampler(2, new SamplingParameters(0, 0, 1, 0, 1, 1, 0, Map.of(), 0), new int[] {0});
    assertThat(presence.choose(new float[] {1.5f, 1}, 0)).as("the prompt does not count").isZero();
    presence.accept(0);
    presence.accept(0);
    assertThat(presence.choose(new float[] {2.5f, 1}, 0)).isZero();
    assertThat(presence.choose(new float[] {1.5f, 1}, 0)).isEqualTo(1);

    Sampler frequency = new Sampler(2, new SamplingParameters(0, 0, 1, 0, 1, 0, 1, Map.of(), 0), new int[] {0});
    frequency.accept(0);
    assertThat(frequency.choose(new float[] {2.5f, 1}, 0)).isZero();
    frequency.accept(0);
    assertThat(frequency.choose(new float[] {2.5f, 1}, 0)).isEqualTo(1);
  }

  @Test
  void drawsFollowTheSoftmax() {
    float[] logits = {2, 1, 0, -1, 1.5f, 0.5f};
    double temperature = 0.8;
    int draws = 60_000;
    long[] counts = new long[logits.length];
    Sampler sampler = new Sampler(logits.length, plain((float) temperature, 20_240_607), NO_PROMPT);
    for (int position = 0; position < draws; position++) {
      counts[sampler.choose(logits, position)]++;
    }
    double total = 0;
    for (float logit : logits) {
      total += Math.exp(logit / temperature);
    }
    double chiSquare = 0;
    for (int id = 0; id < logits.length; id++) {
      double expected = draws * Math.exp(logits[id] / temperature) / total;
      chiSquare += (counts[id] - expected) * (counts[id] - expected) / expected;
    }
    assertThat(chiSquare).as("five degrees of freedom: 20.5 is passed once in a thousand").isLessThan(20.5);
  }

  @Property
  void topOneIsGreedy(@ForAll @Size(min = 1, max = 60) List<@FloatRange(min = -20, max = 20) Float> logits, @ForAll long seed) {
    float[] values = array(logits);
    Sampler one = new Sampler(values.length, new SamplingParameters(1.3f, 1, 1, 0, 1, 0, 0, Map.of(), seed), NO_PROMPT);
    assertThat(one.choose(values, 0)).isEqualTo(new Sampler(values.length, SamplingParameters.GREEDY, NO_PROMPT).choose(values, 0));
    Sampler narrow = new Sampler(values.length, new SamplingParameters(1.3f, 0, 0, 0, 1, 0, 0, Map.of(), seed), NO_PROMPT);
    assertThat(narrow.choose(values, 0)).as("top-p 0").isEqualTo(one.choose(values, 0));
  }

  @Property
  void minPOfOneKeepsOnlyTheLikeliest(@ForAll @Size(min = 1, max = 60) List<@IntRange(min = -3, max = 3) Integer> logits, @ForAll long seed) {
    float[] values = new float[logits.size()];
    for (int id = 0; id < values.length; id++) {
      values[id] = logits.get(id);
    }
    float largest = logits.stream().max(Comparator.naturalOrder()).orElseThrow();
    Sampler sampler = new Sampler(values.length, new SamplingParameters(1, 0, 1, 1, 1, 0, 0, Map.of(), seed), NO_PROMPT);
    assertThat(values[sampler.choose(values, 0)]).isEqualTo(largest);
  }

  @Property
  void theSameSeedGivesTheSameTokens(@ForAll("parameters") SamplingParameters parameters, @ForAll long scramble) {
    int[] first = answer(parameters, 30, scramble);
    assertThat(answer(parameters, 30, scramble)).containsExactly(first);
  }

  @Property(tries = 2000)
  void choosesLikeAFullSort(
      @ForAll("parameters") SamplingParameters parameters,
      @ForAll @Size(min = 20, max = 20) List<@IntRange(min = -12, max = 12) Integer> halves,
      @ForAll @Size(max = 6) List<@IntRange(min = 0, max = 19) Integer> prompt,
      @ForAll @Size(max = 6) List<@IntRange(min = 0, max = 19) Integer> answer) {
    float[] logits = new float[20];
    for (int id = 0; id < logits.length; id++) {
      // Halves: ties are frequent.
      logits[id] = halves.get(id) / 2f;
    }
    int[] promptIds = prompt.stream().mapToInt(Integer::intValue).toArray();
    Sampler sampler = new Sampler(20, parameters, promptIds);
    answer.forEach(sampler::accept);
    for (long position = 0; position < 5; position++) {
      assertThat(sampler.choose(logits, position)).isEqualTo(reference(logits, parameters, prompt, answer, position));
    }
  }

  @Property(tries = 200)
  void manyTokensAreRankedLikeAFullSort(@ForAll("parameters") SamplingParameters parameters, @ForAll long scramble) {
    float[] logits = new float[1000];
    CounterRandom noise = new CounterRandom(scramble);
    for (int id = 0; id < logits.length; id++) {
      logits[id] = (float) (12 * noise.nextUniform(id) - 6);
    }
    Sampler sampler = new Sampler(1000, parameters, NO_PROMPT);
    assertThat(sampler.choose(logits, 7)).isEqualTo(reference(logits, parameters, List.of(), List.of(), 7));
  }

  @Provide
  Arbitrary<SamplingParameters> parameters() {
    Arbitrary<Float> temperature = Arbitraries.of(0f, 0.01f, 0.7f, 1f, 2f);
    Arbitrary<Integer> topK = Arbitraries.of(0, 1, 2, 5, 19, 20, 50);
    Arbitrary<Float> topP = Arbitraries.of(0f, 0.3f, 0.9f, 0.999f, 1f);
    Arbitrary<Float> minP = Arbitraries.of(0f, 0f, 0.05f, 0.5f, 1f);
    Arbitrary<Float> repetition = Arbitraries.of(1f, 1.3f, 0.5f);
    Arbitrary<Float> presence = Arbitraries.of(0f, 0.75f, -2f);
    Arbitrary<Float> frequency = Arbitraries.of(0f, 0.25f, 2f);
    Arbitrary<Map<Integer, Float>> bias = Arbitraries.of(Map.of(), Map.of(3, 100f), Map.of(0, -100f, 7, 1.5f));
    return Combinators.combine(temperature, topK, topP, minP, repetition, presence, frequency, bias)
        .as((t, k, p, m, r, s, f, b) -> new SamplingParameters(t, k, p, m, r, s, f, b, Float.floatToIntBits(t) * 31L + k));
  }

  /** The same rules, step by step, on sorted lists. */
  private static int reference(float[] logits, SamplingParameters parameters, List<Integer> prompt, List<Integer> answer, long position) {
    float[] values = logits.clone();
    parameters.logitBias().forEach((id, bias) -> values[id] += bias);
    Set<Integer> occurred = new TreeSet<>(prompt);
    occurred.addAll(answer);
    for (int id : occurred) {
      values[id] = values[id] > 0 ? values[id] / parameters.repetitionPenalty() : values[id] * parameters.repetitionPenalty();
    }
    Map<Integer, Integer> counts = new HashMap<>();
    answer.forEach(id -> counts.merge(id, 1, Integer::sum));
    counts.forEach((id, count) -> values[id] -= parameters.presencePenalty() + parameters.frequencyPenalty() * count);

    List<Integer> ranked = new ArrayList<>();
    for (int id = 0; id < values.length; id++) {
      ranked.add(id);
    }
    ranked.sort(Comparator.<Integer>comparingDouble(id -> -values[id]).thenComparingInt(id -> id));
    int best = ranked.getFirst();
    if (parameters.temperature() == 0) {
      return best;
    }
    if (parameters.topK() > 0 && parameters.topK() < ranked.size()) {
      ranked = ranked.subList(0, parameters.topK());
    }
    double[] weights = new double[values.length];
    for (int id = 0; id < values.length; id++) {
      weights[id] = StrictMath.exp(((double) values[id] - values[best]) / parameters.temperature());
    }
    double total = ranked.stream().mapToDouble(id -> weights[id]).reduce(0, Double::sum);
    if (parameters.topP() < 1) {
      int kept = 0;
      double sum = 0;
      do {
        sum += weights[ranked.get(kept++)];
      } while (kept < ranked.size() && sum < parameters.topP() * total);
      ranked = ranked.subList(0, kept);
    }
    ranked = ranked.stream().filter(id -> weights[id] >= parameters.minP() * weights[best]).toList();
    double target = new CounterRandom(parameters.seed()).nextUniform(position) * ranked.stream().mapToDouble(id -> weights[id]).reduce(0, Double::sum);
    double sum = 0;
    for (int id : ranked) {
      sum += weights[id];
      if (target < sum) {
        return id;
      }
    }
    return ranked.getLast();
  }

  private static int[] answer(SamplingParameters parameters, int length, long scramble) {
    int[] ids = new int[length];
    float[] logits = new float[50];
    Sampler sampler = new Sampler(logits.length, parameters, new int[] {1, 2, 3});
    CounterRandom noise = new CounterRandom(scramble);
    for (int position = 0; position < length; position++) {
      for (int id = 0; id < logits.length; id++) {
        logits[id] = (float) (8 * noise.nextUniform(50L * position + id));
      }
      ids[position] = sampler.choose(logits, position);
      sampler.accept(ids[position]);
    }
    return Arrays.copyOf(ids, length);
  }

  private static SamplingParameters plain(float temperature, long seed) {
    return new SamplingParameters(temperature, 0, 1, 0, 1, 0, 0, Map.of(), seed);
  }

  private static SamplingParameters biased(Map<Integer, Float> bias, long seed) {
    return new SamplingParameters(1, 0, 1, 0, 1, 0, 0, bias, seed);
  }

  private static float[] array(List<Float> values) {
    float[] array = new float[values.size()];
    for (int i = 0; i < array.length; i++) {
      array[i] = values.get(i);
    }
    return array;
  }
}
