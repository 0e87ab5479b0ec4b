package dev.nibble.offload;

import dev.nibble.engine.NanoClock;
import dev.nibble.engine.Rates;
import dev.nibble.engine.SamplingParameters;
import dev.nibble.offload.v1.AcceleratorServiceGrpc;
import dev.nibble.offload.v1.DescribeRequest;
import dev.nibble.offload.v1.DescribeResponse;
import dev.nibble.offload.v1.Device;
import dev.nibble.offload.v1.DeviceKind;
import dev.nibble.offload.v1.Feature;
import dev.nibble.offload.v1.Finished;
import dev.nibble.offload.v1.Model;
import dev.nibble.offload.v1.Start;
import dev.nibble.runtime.ModelIdentity;
import io.grpc.ManagedChannel;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.Set;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.logging.Level;
import java.util.logging.Logger;

/** One accelerator: its connection, what is known of it, and its circuit breaker. */
final class Accelerator implements AutoCloseable {
  static final int PROTOCOL = 1;
  private static final Logger LOG = Logger.getLogger(Accelerator.class.getName());
  /** Rest after the first failure, doubled with each further one up to the longest; a fifth more or less, so that gateways do not come back as one. */
  private static final long FIRST_REST_NANOS = TimeUnit.MILLISECONDS.toNanos(500);
  private static final long LONGEST_REST_NANOS = TimeUnit.SECONDS.toNanos(60);
  private static final double JITTER = 0.2;
  private static final int LONGEST_TEXT = 120; // of what an accelerator says of itself

  private final String name;
  private final InetSocketAddress address;
  private final String authority;
  private final OffloadSettings settings;
  private final GrpcChannels channels;
  private final NanoClock clock;
  private final AtomicInteger inFlight = new AtomicInteger();

  private volatile ManagedChannel channel; // null until it could be opened
  private volatile AcceleratorStatus status;
  private volatile Set<Feature> features = Set.of();
  private volatile Rates measured = Rates.NONE;

  // Of the thread that looks.
  private List<FileTime> certificates = List.of();
  private String provenInstance = "";
  private AcceleratorState logged = AcceleratorState.UNKNOWN;

  // Guarded by this object's monitor.
  private int failures; // since the last finished answer
  private long restUntil;
  private boolean resting;

  /** @param clock tells how long it is left alone after a failure */
  Accelerator(String name, InetSocketAddress address, String authority, OffloadSettings settings, GrpcChannels channels, NanoClock clock) {
    this.name = name;
    this.address = address;
    this.authority = authority;
    this.settings = settings;
    this.channels = channels;
    this.clock = clock;
    status = AcceleratorStatus.unknown(name, AcceleratorState.UNKNOWN, "not looked at yet");
  }

  String name() {
    return name;
  }

  /** As last looked at; our own requests since then count. */
  AcceleratorStatus status() {
    AcceleratorStatus seen = status;
    int ours = inFlight.get();
    if (ours <= seen.running() + seen.queued()) {
      return seen;
    }
    int running = Math.min(ours, seen.parallel());
    return new AcceleratorStatus(seen.name(), seen.state(), seen.detail(), seen.device(), seen.gpu(), seen.exact(), ours - running, seen.queueCapacity(), running,
        seen.parallel(), seen.contextLength(), seen.rates(), seen.roundTripSeconds(), seen.powerWatts(), seen.temperatureCelsius());
  }

  Set<Feature> features() {
    return features;
  }

  // ---- looking

  /** Looks at it once, and tries it if it is new; logs what changed. */
  void look(Optional<ModelIdentity> identity, String whyNoIdentity, Optional<Canary> canary) throws InterruptedException {
    if (isResting()) {
      return;
    }
    AcceleratorStatus seen;
    try {
      seen = identity.isEmpty() ? AcceleratorStatus.unknown(name, AcceleratorState.MISMATCHED, whyNoIdentity) : describe(identity.get(), canary);
    } catch (StatusRuntimeException failure) {
      seen = AcceleratorStatus.unknown(name, AcceleratorState.UNREACHABLE, explain(failure.getStatus()));
    } catch (IOException unusable) {
      seen = AcceleratorStatus.unknown(name, AcceleratorState.UNREACHABLE, unusable.getMessage());
    }
    synchronized (this) {
      if (resting && clock.nanoTime() - restUntil < 0) {
        return; // it failed meanwhile
      }
      resting = false;
      status = seen;
    }
    log(seen);
  }

  private synchronized boolean isResting() {
    return resting && clock.nanoTime() - restUntil < 0;
  }

  private void log(AcceleratorStatus seen) {
    if (seen.state() == logged) {
      return;
    }
    logged = seen.state();
    Level level = switch (seen.state()) {
      case READY, UNKNOWN, NOT_SERVING -> Level.INFO;
      case DEGRADED, MISMATCHED, WRONG_ANSWERS, UNREACHABLE, RESTING -> Level.WARNING;
    };
    LOG.log(level, "Accelerator {0}", seen.line());
  }

  private AcceleratorStatus describe(ModelIdentity identity, Optional<Canary> canary) throws IOException, InterruptedException {
    ManagedChannel open = connected();
    // A look is worth a new attempt to connect, however long ago the last one failed.
    open.resetConnectBackoff();
    long start = System.nanoTime();
    DescribeResponse described = AcceleratorServiceGrpc.newBlockingStub(open).withDeadlineAfter(settings.connectTimeout().toNanos(), TimeUnit.NANOSECONDS)
        .describe(DescribeRequest.newBuilder().setProtocolVersion(PROTOCOL).build());
    double roundTrip = (System.nanoTime() - start) * 1e-9;
    if (described.getProtocolVersion() != PROTOCOL) {
      return AcceleratorStatus.unknown(name, AcceleratorState.MISMATCHED, "it speaks version " + described.getProtocolVersion() + " of the protocol; needed: " + PROTOCOL);
    }
    features = Set.copyOf(described.getFeaturesList().stream().filter(feature -> feature != Feature.UNRECOGNIZED).toList());
    Optional<Model> model = described.getModelsList().stream().filter(candidate -> isOf(candidate, identity)).findFirst();
    AcceleratorStatus seen = read(described, model, roundTrip);
    AcceleratorState told = switch (described.getState()) {
      case STATE_READY -> AcceleratorState.READY;
      case STATE_DEGRADED -> AcceleratorState.DEGRADED;
      case STATE_LOADING, STATE_DRAINING -> AcceleratorState.NOT_SERVING;
      case STATE_FAILED, STATE_UNSPECIFIED, UNRECOGNIZED -> AcceleratorState.UNREACHABLE;
    };
    String reason = cut(described.getStateReason());
    if (told != AcceleratorState.READY && told != AcceleratorState.DEGRADED) {
      return seen.in(told, reason.isEmpty() ? described.getState().name().toLowerCase(Locale.ROOT) : reason);
    }
    if (model.isEmpty()) {
      return seen.in(AcceleratorState.MISMATCHED, mismatch(described, identity));
    }
    if (!described.getInstanceId().equals(provenInstance)) {
      if (canary.isEmpty()) {
        return seen.in(AcceleratorState.UNKNOWN, "not tried yet");
      }
      Trial trial = attempt(open, model.get(), canary.get());
      if (!trial.objection().isEmpty()) {
        return seen.in(trial.state(), trial.objection());
      }
      provenInstance = described.getInstanceId();
    }
    return seen.with(rates(model.get())).in(told, reason);
  }

  private AcceleratorStatus read(DescribeResponse described, Optional<Model> model, double roundTrip) {
    Device device = described.getDevice();
    String words = cut(device.getName() + (device.hasComputeCapability() ? " (compute capability " + device.getComputeCapability() + ")" : "") + ", " + described.getEngine());
    return new AcceleratorStatus(name, AcceleratorState.UNKNOWN, "", words, device.getKind() == DeviceKind.DEVICE_KIND_GPU, features.contains(Feature.FEATURE_EXACT),
        Math.max(0, described.getQueued()), Math.max(0, described.getQueueCapacity()), Math.max(0, described.getRunning()),
        model.map(Model::getParallelSequences).filter(count -> count > 0).orElse(1),
        Math.min(model.map(Model::getContextLength).orElse(0), described.getMaxPromptTokens() > 0 ? described.getMaxPromptTokens() : Integer.MAX_VALUE),
        model.map(this::rates).orElse(Rates.NONE), roundTrip,
        device.hasPowerWatts() ? OptionalDouble.of(device.getPowerWatts()) : OptionalDouble.empty(),
        device.hasTemperatureCelsius() ? OptionalDouble.of(device.getTemperatureCelsius()) : OptionalDouble.empty());
  }

  /** What we measured counts more than what we are told. */
  private Rates rates(Model model) {
    return new Rates(measured.prefill() > 0 ? measured.prefill() : model.getPrefillTokensPerSecond(), measured.decode() > 0 ? measured.decode() : model.getDecodeTokensPerSecond());
  }

  private static boolean isOf(Model model, ModelIdentity identity) {
    return hex(model.getFileSha256().toByteArray()).equals(identity.file()) && hex(model.getTokenizerSha256().toByteArray()).equals(identity.tokenizer());
  }

  private static String mismatch(DescribeResponse described, ModelIdentity identity) {
    if (described.getModelsCount() == 0) {
      return "it serves no model";
    }
    Model first = described.getModels(0);
    boolean sameFile = hex(first.getFileSha256().toByteArray()).equals(identity.file());
    return sameFile
        ? "its vocabulary has SHA-256 " + beginning(hex(first.getTokenizerSha256().toByteArray())) + ", ours " + beginning(identity.tokenizer())
        : "its model's file has SHA-256 " + beginning(hex(first.getFileSha256().toByteArray())) + ", ours " + beginning(identity.file()) + "; give both the same file";
  }

  private static String hex(byte[] bytes) {
    return HexFormat.of().formatHex(bytes.length > 32 ? new byte[0] : bytes);
  }

  /** Enough of a hash to tell two apart. */
  private static String beginning(String hash) {
    return hash.substring(0, Math.min(12, hash.length())) + "…";
  }

  private static String cut(String text) {
    String line = text.replaceAll("\\p{Cntrl}", " ").strip();
    return line.length() <= LONGEST_TEXT ? line : line.substring(0, LONGEST_TEXT) + "…";
  }

  /** Why a call failed, in a few words. */
  static String explain(Status failure) {
    Throwable root = failure.getCause();
    while (root != null && root.getCause() != null) {
      root = root.getCause();
    }
    String cause = root == null || root.getMessage() == null ? "" : root.getMessage();
    String text = switch (failure.getCode()) {
      case DEADLINE_EXCEEDED -> "no answer in time";
      case UNIMPLEMENTED -> "what listens there is no accelerator";
      default -> failure.getDescription() == null ? failure.getCode().name() : failure.getDescription();
    };
    // The transport's own words tell of its pipeline; what happened stands in the cause.
    return cut(cause.isEmpty() ? text : failure.getCode() == Status.Code.UNAVAILABLE ? cause : text + ": " + cause);
  }

  /** How a trial went: no objection if well. */
  private record Trial(AcceleratorState state, String objection) {}

  private Trial attempt(ManagedChannel open, Model model, Canary canary) throws InterruptedException {
    Start start = Start.newBuilder().setFileSha256(model.getFileSha256()).setTokenizerSha256(model.getTokenizerSha256())
        .addAllPromptIds(Messages.list(canary.promptIds())).setMaxTokens(canary.ids().length).setSampling(Messages.sampling(SamplingParameters.GREEDY))
        .setCredit(canary.ids().length).setRequestId("trial").build();
    BlockingQueue<RemoteCall.Event> events = new LinkedBlockingQueue<>();
    long end = System.nanoTime() + settings.tokenTimeout().toNanos();
    RemoteCall call = RemoteCall.start(this, open, start, settings.tokenTimeout().toNanos(), events);
    List<Integer> answer = new ArrayList<>();
    while (true) {
      RemoteCall.Event event = events.poll(Math.max(0, end - System.nanoTime()), TimeUnit.NANOSECONDS);
      if (event == null) {
        call.cancel();
        return new Trial(AcceleratorState.UNREACHABLE, "its trial answer did not come in time");
      }
      if (event.status() != null) {
        return event.status().getCode() == Status.Code.RESOURCE_EXHAUSTED
            ? new Trial(AcceleratorState.UNKNOWN, "it was too busy to be tried")
            : new Trial(AcceleratorState.UNREACHABLE, "its trial answer failed: " + explain(event.status()));
      }
      call.taken();
      switch (event.response().getKindCase()) {
        case ACCEPTED, PROGRESS -> {}
        case TOKENS -> answer.addAll(event.response().getTokens().getIdsList());
        case FINISHED -> {
          call.cancel();
          measure(event.response().getFinished());
          String objection = canary.objection(answer.stream().mapToInt(Integer::intValue).toArray(), features.contains(Feature.FEATURE_EXACT));
          return new Trial(AcceleratorState.WRONG_ANSWERS, objection);
        }
        case KIND_NOT_SET -> {
          call.cancel();
          return new Trial(AcceleratorState.WRONG_ANSWERS, "a message of its trial answer is of no known kind");
        }
      }
      if (answer.size() > canary.ids().length) {
        call.cancel();
        return new Trial(AcceleratorState.WRONG_ANSWERS, "its trial answer has more tokens than asked for");
      }
    }
  }

  // ---- using

  /** The connection to send a request by. @throws IOException if certificates can't be read */
  ManagedChannel connected() throws IOException {
    List<FileTime> now = certificateTimes();
    ManagedChannel open = channel;
    if (open != null && now.equals(certificates)) {
      return open;
    }
    ManagedChannel fresh = channels.open(address, authority, settings.tls(), settings.keyFile());
    channel = fresh;
    certificates = now;
    if (open != null) {
      open.shutdown(); // what runs may finish
    }
    return fresh;
  }

  private List<FileTime> certificateTimes() throws IOException {
    if (settings.tls().isEmpty()) {
      return List.of();
    }
    OffloadSettings.Tls tls = settings.tls().get();
    List<FileTime> times = new ArrayList<>();
    for (Path file : List.of(tls.trust(), tls.certificate().orElse(tls.trust()), tls.key().orElse(tls.trust()))) {
      times.add(Files.getLastModifiedTime(file));
    }
    return times;
  }

  /** Sends a request; to be followed by {@link #ended}. */
  RemoteCall call(Start start, long leftNanos, BlockingQueue<RemoteCall.Event> events) {
    inFlight.incrementAndGet();
    return RemoteCall.start(this, channel, start, leftNanos, events);
  }

  /** A request sent there is over, however. */
  void ended() {
    inFlight.decrementAndGet();
  }

  /** It finished an answer. */
  void succeeded(Finished finished) {
    measure(finished);
    synchronized (this) {
      failures = 0;
    }
  }

  private void measure(Finished finished) {
    measured = measured.with(finished.getPromptTokensComputed(), Messages.nanos(finished.getPrefill()), finished.getCompletionTokens() - 1, Messages.nanos(finished.getDecode()));
    status = status.with(new Rates(measured.prefill() > 0 ? measured.prefill() : status.rates().prefill(), measured.decode() > 0 ? measured.decode() : status.rates().decode()));
  }

  /** It failed: the circuit breaker opens, and after a rest it is looked at and tried again before it gets another request. */
  synchronized void failed(String what) {
    long rest = (long) (Math.min(LONGEST_REST_NANOS, FIRST_REST_NANOS << Math.min(failures, 16)) * (1 + JITTER * ThreadLocalRandom.current().nextDouble(-1, 1)));
    failures++;
    restUntil = clock.nanoTime() + rest;
    resting = true;
    provenInstance = "";
    logged = AcceleratorState.RESTING;
    status = status.in(AcceleratorState.RESTING, String.format(Locale.ROOT, "%s; left alone for %.1f s", what, rest * 1e-9));
  }

  @Override
  public void close() {
    ManagedChannel open = channel;
    if (open != null) {
      open.shutdownNow();
    }
  }
}
