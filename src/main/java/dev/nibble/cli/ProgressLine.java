package dev.nibble.cli;

/** A line on a terminal's standard error that says how far something long has come; silent where nobody looks, or it is over at once. */
final class ProgressLine {
  private static final long PATIENCE_NANOS = 500_000_000L; // what takes less needs no line
  private static final long STEP_NANOS = 100_000_000L;

  private final boolean watched = Terminal.is(Terminal.ERROR);
  private final String what;
  private final long start = System.nanoTime();
  private long next = start + PATIENCE_NANOS;
  private boolean shown;

  /** @param what is being done, such as "loading" */
  ProgressLine(String what) {
    this.what = what;
  }

  void show(long done, long total) {
    long now = System.nanoTime();
    if (watched && now >= next && done < total) {
      next = now + STEP_NANOS;
      shown = true;
      System.err.printf("\r%s %d %%\u001b[K", what, 100 * done / total);
    }
  }

  /** Takes the line away. */
  void clear() {
    if (shown) {
      shown = false;
      System.err.print("\r\u001b[K");
    }
  }
}
