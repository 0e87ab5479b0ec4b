package dev.nibble.energy;

import java.io.IOException;
import java.util.Optional;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.function.LongSupplier;

/**
 * Joules from a source, since the meter was started. A thread reads the source at its interval: power to add it up, counters before they go round twice.
 * Between two readings power is taken to stay as it was. While the source can't be read nothing is added for a sensor of power, and {@link #problem} tells why.
 * Thread-safe; the sum never goes back.
 */
public final class EnergyMeter implements AutoCloseable {
  private final EnergySource source;
  private final LongSupplier clock; // nanoseconds
  private final Consumer<String> complaints;
  private Optional<ScheduledExecutorService> thread = Optional.empty();

  private double joules;
  private double counted; // what a counter read when the meter was started
  private double watts; // last read; 0 while none can be
  private long at; // when
  private Optional<String> problem = Optional.empty();
  private boolean failing;

  /** Takes the first reading. */
  EnergyMeter(EnergySource source, LongSupplier clock, Consumer<String> complaints) {
    this.source = source;
    this.clock = clock;
    this.complaints = complaints;
    at = clock.getAsLong();
    try {
      switch (source) {
        case EnergySource.Counter counter -> counted = counter.joules();
        case EnergySource.Power power -> watts = power.watts();
      }
      at = clock.getAsLong();
    } catch (IOException unreadable) {
      fail(unreadable);
    }
  }

  /**
   * Begins to measure, until it is closed.
   *
   * @param complaints told why, each time that a source which could be read can't be any more
   */
  public static EnergyMeter start(EnergySource source, Consumer<String> complaints) {
    EnergyMeter meter = new EnergyMeter(source, System::nanoTime, complaints);
    ScheduledExecutorService thread = Executors.newSingleThreadScheduledExecutor(task -> Thread.ofPlatform().name("nibble-energy").daemon(true).unstarted(task));
    long interval = source.interval().toNanos();
    thread.scheduleWithFixedDelay(meter::sample, interval, interval, TimeUnit.NANOSECONDS);
    meter.thread = Optional.of(thread);
    return meter;
  }

  /** What it reads. */
  public EnergySource source() {
    return source;
  }

  /** Reads the source. */
  void sample() {
    try {
      switch (source) {
        case EnergySource.Counter counter -> count(counter.joules());
        case EnergySource.Power power -> hold(power.watts());
      }
    } catch (IOException unreadable) {
      fail(unreadable);
    }
  }

  private synchronized void count(double reading) {
    joules = Math.max(joules, reading - counted); // two threads' readings may arrive in another order
    failing = false;
  }

  private synchronized void hold(double reading) {
    advance();
    watts = reading;
    failing = false;
  }

  /** Adds what the last reading meant until now. */
  private void advance() {
    long now = clock.getAsLong();
    joules += watts * (now - at) / 1e9;
    at = now;
  }

  private void fail(IOException unreadable) {
    boolean first;
    synchronized (this) {
      advance();
      watts = 0;
      first = !failing;
      failing = true;
      problem = problem.isPresent() ? problem : Optional.of(unreadable.getMessage());
    }
    if (first) {
      complaints.accept(unreadable.getMessage());
    }
  }

  /** Joules since the start. A counter is read for it; power is not. */
  public double joules() {
    if (source instanceof EnergySource.Counter) {
      sample();
    }
    synchronized (this) {
      advance();
      return joules;
    }
  }

  /** Why the source could not be read when that first happened; energy is missing from the sum then. */
  public synchronized Optional<String> problem() {
    return problem;
  }

  /** Stops reading. */
  @Override
  public void close() {
    thread.ifPresent(ScheduledExecutorService::shutdownNow);
  }
}
