package dev.nibble.offload;

import static org.assertj.core.api.Assertions.assertThat;

import dev.nibble.engine.OffloadPolicy;
import dev.nibble.engine.Rates;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.OptionalDouble;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Where answers are computed: the table of decisions. */
final class ChoiceTest {
  private static AcceleratorStatus accelerator(String name, AcceleratorState state, double prefill, double decode, int queued, int running, double watts) {
    return new AcceleratorStatus(name, state, state == AcceleratorState.READY ? "" : "as told", "GPU", true, false, queued, 4, running, 2, 4096, new Rates(prefill, decode),
        0.002, watts > 0 ? OptionalDouble.of(watts) : OptionalDouble.empty(), OptionalDouble.empty());
  }

  // Here: 80 tokens/s of prompt, 30 of answer, unless the row says otherwise. There: 1000 and 40.
  @ParameterizedTest
  @CsvSource(delimiter = '|', textBlock = """
      # policy | prompt | answer | wait here | state    | prefill | decode | queued | running | watts | budget | there | words of the reason
      off      |   1000 |     64 |         0 | ready    |    1000 |     40 |      0 |       0 |     0 |      0 | no    | off
      auto     |   1000 |     64 |         0 | ready    |    1000 |     40 |      0 |       0 |     0 |      0 | yes   | 2.602 s expected at a, 14.633 s here
      auto     |      4 |     64 |         0 | ready    |    1000 |     31 |      0 |       0 |     0 |      0 | no    | 2.071 s expected at a, 2.183 s here
      auto     |      4 |     64 |         0 | ready    |    1000 |     40 |      0 |       0 |     0 |      0 | yes   | 1.606 s expected
      auto     |      4 |     64 |         5 | ready    |      50 |     20 |      0 |       0 |     0 |      0 | yes   | waiting 0.000 s there, 5.000 s here
      auto     |     10 |     64 |         0 | ready    |    1000 |     40 |      3 |       2 |     0 |      0 | no    | waiting 3.220 s there
      auto     |   1000 |     64 |         0 | ready    |    1000 |     40 |      4 |       2 |     0 |      0 | no    | a is full (2 running, 4 waiting)
      auto     |   1000 |     64 |         0 | ready    |       0 |      0 |      0 |       0 |     0 |      0 | no    | Nothing was measured at a
      auto     |   1000 |     64 |         0 | degraded |    1000 |     40 |      0 |       0 |     0 |      0 | yes   | expected at a
      auto     |   1000 |     64 |         0 | degraded |      60 |     20 |      0 |       0 |     0 |      0 | no    | expected at a
      auto     |   1000 |     64 |         0 | resting  |    1000 |     40 |      0 |       0 |     0 |      0 | no    | a is resting (as told)
      auto     |   1000 |     64 |         0 | ready    |    1000 |     40 |      0 |       0 |    16 |     15 | no    | draws 16.0 W, more than the budget of 15.0 W
      auto     |   1000 |     64 |         0 | ready    |    1000 |     40 |      0 |       0 |    14 |     15 | yes   | expected
      auto     |   4090 |     64 |         0 | ready    |    1000 |     40 |      0 |       0 |     0 |      0 | no    | a has a context of 4096 tokens
      prefer   |      4 |     64 |         0 | ready    |      50 |     20 |      0 |       0 |     0 |      0 | yes   | preferred
      prefer   |      4 |     64 |         0 | ready    |       0 |      0 |      0 |       0 |     0 |      0 | yes   | preferred
      prefer   |      4 |     64 |         0 | degraded |    1000 |     40 |      0 |       0 |     0 |      0 | no    | a is degraded (as told)
      prefer   |      4 |     64 |         0 | ready    |    1000 |     40 |      0 |       0 |    16 |     15 | no    | draws 16.0 W
      require  |      4 |     64 |         0 | ready    |    1000 |     40 |      0 |       0 |    16 |     15 | yes   | required
      require  |      4 |     64 |         0 | degraded |    1000 |     40 |      0 |       0 |     0 |      0 | no    | a is degraded (as told)
      require  |      4 |     64 |         0 | wrong_answers | 1000 |    40 |      0 |       0 |     0 |      0 | no    | a is wrong answers (as told)
      require  |      4 |     64 |         0 | unreachable | 1000 |      40 |      0 |       0 |     0 |      0 | no    | a is unreachable (as told)
      """)
  void decides(String policy, int prompt, int answer, double wait, String state, double prefill, double decode, int queued, int running, double watts, double budget,
      String there, String words) {
    Choice choice = Choice.of(
        new Choice.Situation(OffloadPolicy.of(policy).orElseThrow(), prompt, answer, new Rates(80, 30), wait, budget > 0 ? OptionalDouble.of(budget) : OptionalDouble.empty()),
        List.of(accelerator("a", AcceleratorState.valueOf(state.toUpperCase(Locale.ROOT)), prefill, decode, queued, running, watts)), List.of());
    assertThat(choice.reason()).contains(words);
    assertThat(choice.accelerators()).as(choice.reason()).isEqualTo(there.equals("yes") ? List.of("a") : List.of());
  }

  @Test
  void theFastestComesFirstAndTheUnmeasuredLast() {
    List<AcceleratorStatus> accelerators = new ArrayList<>(List.of(
        accelerator("new", AcceleratorState.READY, 0, 0, 0, 0, 0),
        accelerator("slow", AcceleratorState.READY, 500, 35, 0, 0, 0),
        accelerator("fast", AcceleratorState.READY, 2000, 60, 0, 0, 0),
        accelerator("broken", AcceleratorState.RESTING, 9000, 90, 0, 0, 0)));
    Choice.Situation situation = new Choice.Situation(OffloadPolicy.PREFER, 100, 64, new Rates(80, 30), 0, OptionalDouble.empty());
    assertThat(Choice.of(situation, accelerators, List.of()).accelerators()).containsExactly("fast", "slow", "new");
  }

  @Test
  void withoutAMeasurementHereNothingIsFaster() {
    Choice.Situation situation = new Choice.Situation(OffloadPolicy.AUTO, 100, 64, Rates.NONE, 0, OptionalDouble.empty());
    Choice choice = Choice.of(situation, List.of(accelerator("a", AcceleratorState.READY, 1000, 40, 0, 0, 0)), List.of());
    assertThat(choice.accelerators()).isEmpty();
    assertThat(choice.reason()).contains("Nothing was measured here");
  }

  @Test
  void saysWhyEachWasLeftOut() {
    Choice.Situation situation = new Choice.Situation(OffloadPolicy.PREFER, 100, 64, new Rates(80, 30), 0, OptionalDouble.empty());
    Choice choice = Choice.of(situation, List.of(accelerator("a", AcceleratorState.UNREACHABLE, 1, 1, 0, 0, 0)), List.of("b can't do penalties"));
    assertThat(choice.reason()).isEqualTo("No accelerator can take it: b can't do penalties; a is unreachable (as told).");
  }
}
