package dev.nibble.kernel;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;

/**
 * The code that computes in a process, and why other code does not. Chosen once, when a model is opened; all else is handed the provider.
 *
 * @param provider the code that computes
 * @param notTaken all others, widest first
 * @param complaint what is missing and what to do about it, where less is used than was asked for, or no vectors at all
 */
public record Kernels(KernelProvider provider, List<NotTaken> notTaken, Optional<String> complaint) {
  /** Plain Java, the reference. */
  public static final KernelProvider SCALAR = new ScalarKernels();
  /** Vector API, 128 bits (NEON). */
  public static final KernelProvider VECTOR_128 = new VectorKernels128();
  /** Vector API, 256 bits (AVX2). */
  public static final KernelProvider VECTOR_256 = new VectorKernels256();
  /** Vector API, 512 bits (AVX-512) where that gains: products of integers. */
  public static final KernelProvider VECTOR_512 = new VectorKernels512();
  /** All providers, the best first. */
  public static final List<KernelProvider> ALL = List.of(VECTOR_512, VECTOR_256, VECTOR_128, SCALAR);

  /**
   * A provider that does not compute, and why.
   *
   * @param reason a part of a sentence
   */
  public record NotTaken(KernelProvider provider, String reason) {}

  public Kernels {
    notTaken = List.copyOf(notTaken);
  }

  /**
   * What this process uses.
   *
   * @throws IllegalArgumentException for a setting that is none, see {@link ProcessorFeatures#detect}
   */
  public static Kernels choose() {
    return choose(ProcessorFeatures.detect());
  }

  /** The widest vectors that there are and that were not ruled out, else plain Java. */
  public static Kernels choose(ProcessorFeatures features) {
    List<NotTaken> notTaken = new ArrayList<>();
    KernelProvider chosen = null;
    for (KernelProvider provider : ALL) {
      Optional<String> obstacle = obstacle(provider, features);
      if (obstacle.isPresent() || chosen != null) {
        notTaken.add(new NotTaken(provider, obstacle.orElse(chosen + " is faster")));
      } else {
        chosen = provider;
      }
    }
    return new Kernels(chosen, notTaken, complaint(chosen, features, notTaken));
  }

  /** Why a provider can't be used, or must not. */
  private static Optional<String> obstacle(KernelProvider provider, ProcessorFeatures features) {
    if (!provider.vectors()) {
      return Optional.empty();
    }
    if (features.wanted().isPresent() && features.wanted().getAsInt() < provider.vectorBits()) {
      return Optional.of(ProcessorFeatures.PROPERTY + " is " + features.wanted().getAsInt());
    }
    if (!features.vectorModule()) {
      return Optional.of("the module jdk.incubator.vector is not loaded; start Java with --add-modules jdk.incubator.vector");
    }
    // Wider vectors than the machine has still work, but are emulated, far slower than plain loops.
    return features.vectorBits() < provider.vectorBits() ? Optional.of(width(features)) : Optional.empty();
  }

  private static String width(ProcessorFeatures features) {
    return (features.nativeImage() ? "this executable was built for vectors of " : "this processor's vectors have ") + features.vectorBits() + " bits";
  }

  private static Optional<String> complaint(KernelProvider chosen, ProcessorFeatures features, List<NotTaken> notTaken) {
    if (!chosen.vectors()) {
      return Optional.of("matrix products run without vectors, many times slower: " + notTaken.getLast().reason());
    }
    if (features.wanted().isPresent() && features.wanted().getAsInt() > features.vectorBits()) {
      return Optional.of(ProcessorFeatures.PROPERTY + " is " + features.wanted().getAsInt() + ", but " + width(features) + "; " + chosen + " computes");
    }
    return Optional.empty();
  }

  /** For a line of a log, such as {@code VECTOR_256 (not VECTOR_512: this processor's vectors have 256 bits; …)}. */
  @Override
  public String toString() {
    return provider + notTaken.stream().map(other -> "not " + other.provider() + ": " + other.reason()).collect(Collectors.joining("; ", " (", ")"));
  }
}
