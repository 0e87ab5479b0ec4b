package dev.nibble.serve.grpc;

import dev.nibble.engine.Engine;
import dev.nibble.offload.AcceleratorServer;
import dev.nibble.offload.v1.AcceleratorServiceGrpc;
import dev.nibble.offload.v1.DescribeRequest;
import dev.nibble.offload.v1.DescribeResponse;
import dev.nibble.offload.v1.GenerateRequest;
import dev.nibble.offload.v1.GenerateResponse;
import dev.nibble.runtime.ModelIdentity;
import dev.nibble.serve.api.Admission;
import dev.nibble.serve.api.CallTracker;
import dev.nibble.serve.api.ServeConfig;
import dev.nibble.serve.api.ServedModels;
import io.grpc.Status;
import io.grpc.stub.StreamObserver;
import io.quarkus.grpc.GrpcService;
import jakarta.inject.Inject;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.UnaryOperator;
import org.eclipse.microprofile.config.inject.ConfigProperty;
import org.jboss.logging.Logger;

/**
 * {@code nibble.offload.v1.AcceleratorService}: this box's cores for neighbours. The model's file is hashed when a neighbour first asks, on a thread of its
 * own, so that those who have none pay nothing.
 */
@GrpcService
final class AcceleratorApi extends AcceleratorServiceGrpc.AcceleratorServiceImplBase {
  private static final Logger LOG = Logger.getLogger(AcceleratorApi.class);

  private final ServedModels models;
  private final ServeConfig config;
  private final AcceleratorServer server;
  private final AtomicBoolean hashing = new AtomicBoolean();
  private volatile Optional<ModelIdentity> identity = Optional.empty();
  private volatile String whyNone = "";

  @Inject
  AcceleratorApi(ServedModels models, ServeConfig config, CallTracker tracker, Admission admission, @ConfigProperty(name = "quarkus.application.version") String version) {
    this.models = models;
    this.config = config;
    String device = Runtime.getRuntime().availableProcessors() + " processors, " + System.getProperty("os.arch");
    server = new AcceleratorServer(this::source, new AcceleratorServer.Facts("nibble " + version, device, config.queueCapacity()),
        failure -> GrpcErrors.of(failure, UnaryOperator.identity()), () -> new AdmittedCall(tracker.begin(), admission));
  }

  @Override
  public void describe(DescribeRequest request, StreamObserver<DescribeResponse> observer) {
    if (offers(observer)) {
      server.describe(request, observer);
    }
  }

  @Override
  public StreamObserver<GenerateRequest> generate(StreamObserver<GenerateResponse> observer) {
    return offers(observer) ? server.generate(observer) : new Unheard<>();
  }

  private boolean offers(StreamObserver<?> observer) {
    if (!config.offload().serve()) {
      Status off = Status.UNIMPLEMENTED.withDescription("This service computes no answers for neighbours: nibble.offload.serve is false.");
      observer.onError(GrpcErrors.of(off, "ACCELERATOR_OFF", Map.of()));
      return false;
    }
    return true;
  }

  private AcceleratorServer.Source source() {
    List<Engine> engines = models.all();
    if (!engines.isEmpty() && identity.isEmpty() && hashing.compareAndSet(false, true)) {
      Thread.ofPlatform().name("nibble-identity").daemon(true).start(this::identify);
    }
    return new AcceleratorServer.Source(engines.stream().findFirst(), identity, whyNone, models.stopping());
  }

  private void identify() {
    try {
      identity = Optional.of(ModelIdentity.of(config.model().map(Path::of)));
    } catch (IOException | RuntimeException problem) {
      whyNone = String.valueOf(problem.getMessage());
      LOG.warnf("No answers can be computed for neighbours: %s", whyNone);
    }
  }

  /** A neighbour's call, which goes through the same door as everybody's. */
  private static final class AdmittedCall implements AcceleratorServer.Call {
    private final CallTracker.Call call;
    private final Admission admission;
    private volatile Optional<Admission.Place> place = Optional.empty();

    AdmittedCall(CallTracker.Call call, Admission admission) {
      this.call = call;
      this.admission = admission;
    }

    @Override
    public void enter(Engine engine, long bytes) {
      place = Optional.of(admission.enter(engine, bytes));
    }

    @Override
    public void handOver(Runnable submit) {
      place.orElseThrow().handOver(submit);
    }

    @Override
    public void leave() {
      place.ifPresent(Admission.Place::leave);
    }

    @Override
    public void close() {
      place.ifPresent(Admission.Place::close);
      call.close();
    }
  }

  /** Takes what no one listens to. */
  private static final class Unheard<T> implements StreamObserver<T> {
    @Override
    public void onNext(T message) {}

    @Override
    public void onError(Throwable failure) {}

    @Override
    public void onCompleted() {}
  }
}
