package dev.nibble.serve.network;

import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.netty.util.AttributeKey;
import io.quarkus.arc.Unremovable;
import io.quarkus.vertx.http.HttpServerOptionsCustomizer;
import io.vertx.core.http.HttpConnection;
import io.vertx.core.http.HttpServerOptions;
import io.vertx.core.net.impl.ConnectionBase;
import jakarta.inject.Inject;
import jakarta.inject.Singleton;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.Stream;
import org.jboss.logging.Logger;

/**
 * All connections of both ports: how many there are, whose, and which has to go for a new one. Strangers open them, so nothing here grows with what
 * they send, and what they do is logged once in a while and counted otherwise.
 */
@Singleton
@Unremovable
public class Connections implements HttpServerOptionsCustomizer {
  /** Where a channel's guard is found. */
  static final AttributeKey<ConnectionGuard> GUARD = AttributeKey.valueOf("dev.nibble.connection");

  private static final Logger LOG = Logger.getLogger(Connections.class);
  /** Connections beyond the limit that are answered health alone: probes get in when everything is taken. */
  private static final int RESERVE = 16;
  /** File descriptors left for files, keys, and calls of accelerators; the rest is for connections. */
  private static final int OTHER_FILES = 12;
  private static final long LOG_AGAIN_NANOS = TimeUnit.MINUTES.toNanos(10);
  private static final int RESET_SECONDS = 30;

  private final ConnectionConfig config;
  private final Map<Port, Map<Closure, Counter>> closed = new EnumMap<>(Port.class);
  private final Counter malformedCalls;
  private final AtomicInteger requests = new AtomicInteger();

  private final AtomicLong unfinished = new AtomicLong();
  /** Those of the gRPC port, for its calls to be found. */
  private final Map<SocketAddress, ConnectionGuard> callers = new ConcurrentHashMap<>();

  // Guarded by this object's monitor: connections by arrival, how many each address has, how many are of the reserve, and when each reason was last logged.
  private final Set<ConnectionGuard> guards = new LinkedHashSet<>();
  private final Map<InetAddress, Integer> addresses = new HashMap<>();
  private final Map<Closure, Long> logged = new EnumMap<>(Closure.class);
  private int reserved;
  private int room;

  private volatile HttpServerOptions http;

  @Inject
  Connections(ConnectionConfig config, MeterRegistry registry) {
    this.config = config;
    for (Port port : Port.values()) {
      Map<Closure, Counter> counters = new EnumMap<>(Closure.class);
      for (Closure closure : Closure.values()) {
        counters.put(closure, Counter.builder("nibble.connections.closed").description("Connections closed, and requests refused, before a route or a method was looked for.")
            .tag("port", port.label()).tag("reason", closure.label()).register(registry));
      }
      closed.put(port, counters);
    }
    for (String source : StrangersFilter.labels()) {
      errors(source, registry);
    }
    malformedCalls = errors("grpc", registry);
    Gauge.builder("nibble.connections", this, Connections::size).description("Open connections, of both ports.").register(registry);
    Gauge.builder("nibble.connections.requests", requests, AtomicInteger::get).description("Requests under way, of both ports.").register(registry);
  }

  private static Counter errors(String source, MeterRegistry registry) {
    return Counter.builder(StrangersFilter.METRIC).description("Malformed messages, and what else the libraries that speak with clients tell of.").tag("source", source)
        .register(registry);
  }

  ConnectionConfig config() {
    return config;
  }

  // ---- how the HTTP server is set up

  @Override
  public void customizeHttpServer(HttpServerOptions options) {
    customize(options);
  }

  @Override
  public void customizeHttpsServer(HttpServerOptions options) {
    customize(options);
  }

  private void customize(HttpServerOptions options) {
    options.getInitialSettings().setMaxConcurrentStreams(config.maxRequestsPerConnection());
    options.setHttp2RstFloodMaxRstFramePerWindow(config.maxResets()).setHttp2RstFloodWindowDuration(RESET_SECONDS);
    http = options;
  }

  /** Limits of the HTTP server that heads are read with. */
  HttpServerOptions http() {
    return http;
  }

  // ---- who is let in

  private synchronized int size() {
    return guards.size();
  }

  /** Lets a new connection in, for which another may have to go; false if it is to be closed. */
  synchronized boolean admit(ConnectionGuard guard) {
    if (room == 0) {
      room = room();
    }
    int ofAddress = addresses.getOrDefault(guard.address(), 0);
    if (ofAddress >= config.maxPerAddress() && !makeRoom(Optional.of(guard.address())) && !reserve(guard, Closure.TOO_MANY_OF_ADDRESS)) {
      return false;
    }
    if (!guard.reserved() && guards.size() - reserved >= room && !makeRoom(Optional.empty()) && !reserve(guard, Closure.TOO_MANY)) {
      return false;
    }
    guards.add(guard);
    addresses.merge(guard.address(), 1, Integer::sum);
    return true;
  }

  private boolean reserve(ConnectionGuard guard, Closure otherwise) {
    if (reserved >= RESERVE) {
      Optional<ConnectionGuard> oldest = guards.stream().filter(ConnectionGuard::reserved).filter(other -> !other.busy()).findFirst();
      if (oldest.isEmpty()) {
        count(guard, otherwise);
        return false;
      }
      evict(oldest.get());
    }
    reserved++;
    guard.reserve(otherwise);
    return true;
  }

  /** Closes the connection that has been idle for longest: of one address, or of the address that has most. False if all are busy. */
  private boolean makeRoom(Optional<InetAddress> address) {
    ConnectionGuard last = null;
    int most = 0;
    for (ConnectionGuard guard : guards) {
      if (guard.busy() || guard.reserved() || address.isPresent() && !guard.address().equals(address.get())) {
        continue;
      }
      int count = addresses.get(guard.address());
      if (last == null || count > most || count == most && guard.lastUse() - last.lastUse() < 0) {
        last = guard;
        most = count;
      }
    }
    if (last == null) {
      return false;
    }
    evict(last);
    return true;
  }

  private void evict(ConnectionGuard guard) {
    count(guard, Closure.MADE_ROOM);
    forget(guard);
    guard.close();
  }

  /** A connection speaks gRPC. */
  void calls(ConnectionGuard guard) {
    callers.put(guard.remote(), guard);
  }

  /** A connection is closed. */
  synchronized void forget(ConnectionGuard guard) {
    callers.remove(guard.remote(), guard);
    if (guards.remove(guard)) {
      addresses.computeIfPresent(guard.address(), (address, count) -> count == 1 ? null : count - 1);
      if (guard.reserved()) {
        reserved--;
      }
    }
  }

  /** Accepting failed: makes room, and says why. */
  synchronized void acceptFailed(Throwable cause) {
    for (int i = 0; i < RESERVE && makeRoom(Optional.empty()); i++) {
      // one after the other
    }
    say(Closure.TOO_MANY, "A connection could not be accepted: " + cause.getMessage() + ".");
  }

  /** How many connections there may be: as configured, or what the process may open less what it has open otherwise. */
  private int room() {
    long files = openable().orElse(Long.MAX_VALUE) - open() - OTHER_FILES - RESERVE;
    if (files >= config.max()) {
      return config.max();
    }
    int room = (int) Math.max(1, files);
    LOG.warnf("The process may open so few files that there is room for %d connections instead of %d (nibble.connections.max); \"ulimit -n\" or LimitNOFILE= raises that.",
        room, config.max());
    return room;
  }

  private static Optional<Long> openable() {
    try (Stream<String> lines = Files.lines(Path.of("/proc/self/limits"))) {
      return lines.filter(line -> line.startsWith("Max open files")).map(line -> line.replaceAll("\\D+", " ").strip().split(" ")[0])
          .filter(number -> !number.isEmpty()).map(Long::valueOf).findFirst();
    } catch (IOException | RuntimeException elsewhere) {
      return Optional.empty(); // not Linux: the limit is met when accepting fails
    }
  }

  private static long open() {
    try (Stream<Path> files = Files.list(Path.of("/proc/self/fd"))) {
      return files.count();
    } catch (IOException | RuntimeException elsewhere) {
      return 0;
    }
  }

  // ---- requests

  /** A request begins; to be ended by {@link #requestEnded}. */
  void requestBegan() {
    requests.incrementAndGet();
  }

  void requestEnded() {
    requests.decrementAndGet();
  }

  /** Whether there are more requests under way, with the one that asks, than there may be. */
  public boolean tooManyRequests() {
    return requests.get() > config.maxRequests();
  }

  /** Whether there are as many requests under way as there may be. */
  boolean tooManyToBegin() {
    return requests.get() >= config.maxRequests();
  }

  /** Whether a client has a connection beyond the limit, which is answered health alone. */
  public boolean forHealthAlone(SocketAddress client) {
    ConnectionGuard guard = callers.get(client);
    return guard != null && guard.reserved();
  }

  /** Whether a request came by a connection beyond the limit. */
  public boolean forHealthAlone(HttpConnection connection) {
    ConnectionGuard guard = ((ConnectionBase) connection).channel().attr(GUARD).get();
    return guard != null && guard.reserved();
  }

  /** Counts a refusal of a request that came by HTTP/2 or gRPC. */
  public void countRefused(boolean grpc) {
    closed.get(grpc ? Port.GRPC : Port.REST).get(Closure.TOO_MANY_REQUESTS).increment();
  }

  /** Counts a message of gRPC that is none. */
  public void countMalformedCall() {
    malformedCalls.increment();
  }

  // ---- messages of gRPC that have not arrived whole

  /** Counts the bytes of one client's messages that have not arrived whole. */
  @FunctionalInterface
  public interface Inbound {
    /** @param bytes more of them, or fewer where a message is whole or given up */
    void add(long bytes);
  }

  /** Whether a message of a client is arriving. */
  public boolean receiving(SocketAddress client) {
    ConnectionGuard guard = callers.get(client);
    return guard != null && guard.unfinished() > 0;
  }

  /** Counts a call whose message does not come. */
  public void countLateCall() {
    closed.get(Port.GRPC).get(Closure.SLOW_HEAD).increment();
  }

  /** The counter of a client's connection to the gRPC port; empty if that is closed. */
  public Optional<Inbound> inbound(SocketAddress client) {
    return Optional.ofNullable(callers.get(client)).map(guard -> bytes -> {
      guard.unfinished(bytes);
      if (unfinished.addAndGet(bytes) > config.maxUnfinished().asLongValue() && bytes > 0) {
        // The one that has most of them: whose messages are small is not to suffer.
        callers.values().stream().max(Comparator.comparingLong(ConnectionGuard::unfinished)).ifPresent(most -> most.closeSoon(Closure.UNFINISHED));
      }
    });
  }

  // ---- what is told

  void count(ConnectionGuard guard, Closure closure) {
    closed.get(guard.port()).get(closure).increment();
    if (closure != Closure.IDLE && closure != Closure.MADE_ROOM) {
      say(closure, "Closed a connection of " + guard.address().getHostAddress() + " to the " + guard.port().label().toUpperCase(Locale.ROOT) + " port: "
          + closure.reason() + ".");
    }
  }

  /** Counts a refusal of a request on a connection that goes on. */
  void countRefused(ConnectionGuard guard, Closure closure) {
    closed.get(guard.port()).get(closure).increment();
    say(closure, "Refused a request of " + guard.address().getHostAddress() + " to the " + guard.port().label().toUpperCase(Locale.ROOT) + " port: " + closure.reason() + ".");
  }

  private void say(Closure closure, String what) {
    long now = System.nanoTime();
    synchronized (this) {
      Long last = logged.get(closure);
      if (last != null && now - last < LOG_AGAIN_NANOS) {
        return;
      }
      logged.put(closure, now);
    }
    LOG.infof("%s More of the kind are not logged for ten minutes, but counted: nibble_connections_closed_total{reason=\"%s\"}.", what, closure.label());
  }

  /** The address of a socket; of one that is none, the loopback. */
  static InetSocketAddress inet(SocketAddress address) {
    return address instanceof InetSocketAddress inet && inet.getAddress() != null ? inet : new InetSocketAddress(InetAddress.getLoopbackAddress(), 0);
  }
}
