package dev.nibble.kernel;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Which code computes, and why other code does not. */
final class KernelsTest {
  private static final OptionalInt NOBODY_ASKS = OptionalInt.empty();

  private static Kernels on(OptionalInt wanted, int vectorBits) {
    return Kernels.choose(new ProcessorFeatures(wanted, true, vectorBits, false));
  }

  @ParameterizedTest
  @CsvSource({"512, VECTOR_512", "256, VECTOR_256", "128, VECTOR_128", "64, SCALAR"})
  void theWidestThatThereAreCompute(int vectorBits, String provider) {
    Kernels kernels = on(NOBODY_ASKS, vectorBits);
    assertThat(kernels.provider()).hasToString(provider);
    assertThat(kernels.notTaken()).hasSize(Kernels.ALL.size() - 1).extracting(Kernels.NotTaken::provider).doesNotContain(kernels.provider());
    assertThat(kernels.complaint().isPresent()).isEqualTo(vectorBits < 128);
  }

  @Test
  void tellsWhyOthersDoNot() {
    assertThat(on(NOBODY_ASKS, 256).notTaken()).containsExactly(
        new Kernels.NotTaken(Kernels.VECTOR_512, "this processor's vectors have 256 bits"),
        new Kernels.NotTaken(Kernels.VECTOR_128, "VECTOR_256 is faster"),
        new Kernels.NotTaken(Kernels.SCALAR, "VECTOR_256 is faster"));
    assertThat(on(NOBODY_ASKS, 128)).hasToString(
        "VECTOR_128 (not VECTOR_512: this processor's vectors have 128 bits; not VECTOR_256: this processor's vectors have 128 bits; not SCALAR: VECTOR_128 is faster)");
    assertThat(on(OptionalInt.of(128), 512).notTaken()).startsWith(
        new Kernels.NotTaken(Kernels.VECTOR_512, "nibble.vector.bits is 128"), new Kernels.NotTaken(Kernels.VECTOR_256, "nibble.vector.bits is 128"));
    Kernels compiled = Kernels.choose(new ProcessorFeatures(NOBODY_ASKS, true, 256, true));
    assertThat(compiled.notTaken()).startsWith(new Kernels.NotTaken(Kernels.VECTOR_512, "this executable was built for vectors of 256 bits"));
  }

  @Test
  void narrowerThanThereAreIsNoReasonToComplain() {
    assertThat(on(OptionalInt.of(256), 512).complaint()).isEmpty();
    assertThat(on(OptionalInt.of(256), 512).provider()).isEqualTo(Kernels.VECTOR_256);
  }

  @Test
  void widerThanThereAreIsTold() {
    Kernels kernels = on(OptionalInt.of(512), 256);
    assertThat(kernels.provider()).isEqualTo(Kernels.VECTOR_256);
    assertThat(kernels.complaint()).contains("nibble.vector.bits is 512, but this processor's vectors have 256 bits; VECTOR_256 computes");
  }

  @Test
  void withoutVectorsItSaysWhy() {
    assertThat(on(OptionalInt.of(0), 512)).satisfies(kernels -> {
      assertThat(kernels.provider()).isEqualTo(Kernels.SCALAR);
      assertThat(kernels.complaint()).contains("matrix products run without vectors, many times slower: nibble.vector.bits is 0");
    });
    Kernels none = Kernels.choose(new ProcessorFeatures(NOBODY_ASKS, false, 0, false));
    assertThat(none.provider()).isEqualTo(Kernels.SCALAR);
    assertThat(none.complaint().orElseThrow()).endsWith("start Java with --add-modules jdk.incubator.vector");
    assertThat(on(NOBODY_ASKS, 64).complaint().orElseThrow()).endsWith("this processor's vectors have 64 bits");
  }

  @Test
  void providersAreOrderedAndNamed() {
    assertThat(Kernels.ALL).extracting(KernelProvider::toString).containsExactly("VECTOR_512", "VECTOR_256", "VECTOR_128", "SCALAR");
    assertThat(Kernels.ALL).extracting(KernelProvider::vectorBits).isEqualTo(List.of(512, 256, 128, 0));
    assertThat(Kernels.ALL).extracting(KernelProvider::vectors).isEqualTo(List.of(true, true, true, false));
  }
}
