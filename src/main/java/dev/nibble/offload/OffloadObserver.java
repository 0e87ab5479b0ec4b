package dev.nibble.offload;

import dev.nibble.engine.OffloadPolicy;
import java.util.List;

/** Hears what becomes of offloading, for metrics. Called from several threads; implementations are thread-safe, quick and never block. */
public interface OffloadObserver {
  /** Hears nothing. */
  OffloadObserver NONE = new OffloadObserver() {};

  /** A request was sent to an accelerator, or is computed here, by this policy. */
  default void decided(OffloadPolicy policy, boolean accelerator) {}

  /** An accelerator finished an answer of so many tokens. */
  default void answered(String accelerator, int tokens) {}

  /** An accelerator failed; {@code inAnswer} if tokens of the answer had come, which then went on elsewhere. */
  default void failed(String accelerator, FailureCause cause, boolean inAnswer) {}

  /** All accelerators, after each round of looking at them. */
  default void looked(List<AcceleratorStatus> accelerators) {}
}
