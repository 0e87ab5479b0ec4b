package dev.nibble.engine;

/**
 * Cuts prompts into forward passes that do not take too long on a slow or busy machine, since one is given up between layers at the earliest. Not shorter than
 * need be: passes of few tokens are slower, one of 32 by a sixth, as weights are read for each. What a pass will take is judged by the last ones. How a prompt is cut
 * changes no bit of its answer. Used by one thread.
 */
final class PrefillPace {
  /** Sizes are multiples of this: kernels take so many tokens together. */
  private static final int STEP = 16;
  /** Fewer tokens than this are not worth reading the weights. */
  private static final int LEAST = 8;

  private final int most;
  private final long targetNanos; // Long.MAX_VALUE: as long as it takes
  private double nanosPerToken; // 0: nothing measured yet

  PrefillPace(EngineOptions options) {
    most = options.prefillChunk();
    targetNanos = options.prefillPass().isZero() ? Long.MAX_VALUE : options.prefillPass().toNanos();
  }

  /** Tokens of the next pass, of those that are left. */
  int next(int left) {
    return Math.min(left, size());
  }

  private int size() {
    if (targetNanos == Long.MAX_VALUE) {
      return most;
    }
    double fit = nanosPerToken == 0 ? STEP : targetNanos / nanosPerToken;
    int size = fit >= most ? most : fit < STEP ? LEAST : (int) fit / STEP * STEP;
    return Math.min(size, most);
  }

  /** What a pass took. */
  void took(int tokens, long nanos) {
    // A few tokens take nearly as long as many: they only tell something if they took too long.
    if (tokens < LEAST && nanos < targetNanos) {
      return;
    }
    double now = (double) nanos / tokens;
    // Slowness counts at once, speed step by step.
    nanosPerToken = nanosPerToken == 0 || now > nanosPerToken ? now : (now + nanosPerToken) / 2;
  }
}
