package dev.nibble.serve.network;

import io.micrometer.core.instrument.Metrics;
import io.quarkus.logging.LoggingFilter;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.logging.Filter;
import java.util.logging.Level;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import org.jboss.logmanager.ExtLogRecord;

/**
 * Keeps strangers from filling the log: the libraries that speak with them tell of each malformed message by a stack trace. One line of a kind in ten
 * minutes is left, and all are counted. Whoever sets such a library's category to DEBUG gets everything.
 */
@LoggingFilter(name = "strangers")
public final class StrangersFilter implements Filter {
  /** The metric that counts what the libraries tell. */
  static final String METRIC = "nibble.connections.errors";

  private static final List<Source> SOURCES = List.of(
      new Source("io.grpc.", "grpc"), new Source("io.netty.", "netty"), new Source("io.vertx.", "http"), new Source("io.quarkus.vertx.http.", "http"),
      new Source("io.quarkus.grpc.runtime.", "grpc"));
  private static final long AGAIN_NANOS = TimeUnit.MINUTES.toNanos(10);
  private static final int LONGEST = 200;
  /** Far more than there are kinds; names of loggers and classes are the program's own. */
  private static final int MAX_KINDS = 500;

  private final Map<String, Long> told = new ConcurrentHashMap<>();

  /** Loggers by the beginning of their names, and what the metric calls them. */
  record Source(String prefix, String label) {}

  public StrangersFilter() {}

  static List<String> labels() {
    return SOURCES.stream().map(Source::label).distinct().toList();
  }

  @Override
  public boolean isLoggable(LogRecord record) {
    String name = String.valueOf(record.getLoggerName());
    Optional<Source> source = SOURCES.stream().filter(candidate -> name.startsWith(candidate.prefix())).findFirst();
    if (source.isEmpty() || record.getLevel().intValue() < Level.INFO.intValue() || Logger.getLogger(name).isLoggable(Level.FINE)) {
      return true;
    }
    Metrics.counter(METRIC, "source", source.get().label()).increment();
    Throwable thrown = record.getThrown();
    String kind = name + " " + record.getLevel() + " " + (thrown == null ? "" : thrown.getClass().getName());
    long now = System.nanoTime();
    Long last = told.get(kind);
    if (last != null && now - last < AGAIN_NANOS || told.size() >= MAX_KINDS && last == null) {
      return false;
    }
    told.put(kind, now);
    if (thrown != null) {
      String text = line(record instanceof ExtLogRecord extended ? extended.getFormattedMessage() : record.getMessage()) + ": " + line(thrown.toString())
          + " (more of the kind are not logged for ten minutes, but counted: nibble_connections_errors_total)";
      record.setThrown(null);
      record.setParameters(null);
      if (record instanceof ExtLogRecord extended) {
        extended.setMessage(text, ExtLogRecord.FormatStyle.NO_FORMAT);
      } else {
        record.setMessage(text);
      }
    }
    return true;
  }

  /** The first line of a text, without what terminals take for commands. */
  private static String line(String text) {
    String first = String.valueOf(text).lines().findFirst().orElse("").replaceAll("\\p{Cntrl}", "?");
    return first.length() > LONGEST ? first.substring(0, LONGEST) + "…" : first;
  }
}
