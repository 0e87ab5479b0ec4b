package dev.nibble.serve.grpc;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.common.util.concurrent.ListenableFuture;
import com.google.rpc.RetryInfo;
import dev.nibble.engine.Engine;
import dev.nibble.serve.api.ServedModels;
import dev.nibble.v1.GenerateResponse;
import dev.nibble.v1.GenerationServiceGrpc;
import dev.nibble.v1.ListModelsRequest;
import dev.nibble.v1.TokenizeRequest;
import grpc.health.v1.HealthGrpc;
import grpc.health.v1.HealthOuterClass.HealthCheckRequest;
import grpc.health.v1.HealthOuterClass.HealthCheckResponse;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.StreamObserver;
import io.quarkus.runtime.ShutdownDelayInitiatedEvent;
import io.quarkus.test.junit.QuarkusTest;
import io.quarkus.test.junit.QuarkusTestProfile;
import io.quarkus.test.junit.TestProfile;
import jakarta.enterprise.event.Event;
import jakarta.inject.Inject;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/** One service from before its model is loaded until it stops. A service does that once, so this is one test, of a service of its own. */
@QuarkusTest
@TestProfile(GrpcLifecycleTest.Once.class)
class GrpcLifecycleTest extends GrpcClientTest {
  /** As {@link PacedLoader.Profile}, but shared with nobody. */
  public static final class Once implements QuarkusTestProfile {
    @Override
    public Set<Class<?>> getEnabledAlternatives() {
      return Set.of(PacedLoader.class);
    }

    @Override
    public Map<String, String> getConfigOverrides() {
      return Map.of("nibble.queue-capacity", "1", "nibble.ready.canary-interval", "0");
    }
  }

  /** Protocol numbers of grpc.health.v1. */
  private static final int SERVING = 1;
  private static final int NOT_SERVING = 2;
  private static final int SERVICE_UNKNOWN = 3;
  private static final int PLENTY = 10_000;

  @Inject PacedLoader loader;
  @Inject ServedModels served;
  @Inject Event<ShutdownDelayInitiatedEvent> stopping;

  @Override
  boolean waitsForModel() {
    return false;
  }

  private Engine engine() {
    return served.all().getFirst();
  }

  @Test
  void tellsWhereItIs() throws Exception {
    tellsThatItIsLoading();
    tellsThatItIsStopping();
  }

  private void tellsThatItIsLoading() throws InterruptedException {
    assertThat(healthOf("")).isEqualTo(NOT_SERVING);
    assertThat(healthOf(GenerationServiceGrpc.SERVICE_NAME)).isEqualTo(NOT_SERVING);
    assertThat(refusal(() -> healthOf("nibble-home")).getStatus().getCode()).isEqualTo(Status.Code.NOT_FOUND);
    BlockingQueue<Integer> whole = watch("");
    BlockingQueue<Integer> model = watch("nibble-home");
    assertThat(whole.poll(10, TimeUnit.SECONDS)).isEqualTo(NOT_SERVING);
    assertThat(model.poll(10, TimeUnit.SECONDS)).isEqualTo(SERVICE_UNKNOWN);

    List<StatusRuntimeException> refusals = List.of(
        refusal(() -> generation.generate(request(command()))),
        refusal(() -> stream(command())),
        refusal(() -> models.listModels(ListModelsRequest.getDefaultInstance())),
        refusal(() -> tokenizer.tokenize(TokenizeRequest.newBuilder().setText("x").build())));
    for (StatusRuntimeException refusal : refusals) {
      assertError(refusal, Status.Code.UNAVAILABLE, "MODEL_LOADING");
      assertThat(detail(refusal, RetryInfo.class).getRetryDelay().getSeconds()).isEqualTo(1);
    }

    loader.mayLoad.countDown();
    assertThat(whole.poll(20, TimeUnit.SECONDS)).isEqualTo(SERVING);
    assertThat(model.poll(20, TimeUnit.SECONDS)).isEqualTo(SERVING);
    assertThat(healthOf("nibble-home")).isEqualTo(SERVING);
    loader.permits.release(PLENTY);
    assertThat(generation.generate(request(command())).getText()).isEqualTo(ANSWER);
  }

  private void tellsThatItIsStopping() throws Exception {
    BlockingQueue<Integer> whole = watch("");
    BlockingQueue<Integer> model = watch("nibble-home");
    assertThat(whole.poll(10, TimeUnit.SECONDS)).isEqualTo(SERVING);
    assertThat(model.poll(10, TimeUnit.SECONDS)).isEqualTo(SERVING);

    loader.permits.drainPermits();
    ListenableFuture<GenerateResponse> cut = GenerationServiceGrpc.newFutureStub(channel).generate(request(command()));
    await(() -> engine().running() == 1, "a call is computed");
    // Returns when the running call has ended.
    Thread stop = Thread.ofPlatform().start(() -> stopping.fire(new ShutdownDelayInitiatedEvent()));
    assertThat(whole.poll(10, TimeUnit.SECONDS)).isEqualTo(NOT_SERVING);
    assertThat(model.poll(10, TimeUnit.SECONDS)).isEqualTo(NOT_SERVING);
    assertThat(healthOf(GenerationServiceGrpc.SERVICE_NAME)).isEqualTo(NOT_SERVING);
    assertThat(stop.isAlive()).isTrue();

    assertThat(engine().drain(Duration.ZERO)).isFalse();
    loader.permits.release(PLENTY);
    try {
      cut.get(20, TimeUnit.SECONDS);
      throw new AssertionError("answered");
    } catch (ExecutionException failure) {
      assertError((StatusRuntimeException) failure.getCause(), Status.Code.UNAVAILABLE, "SHUTTING_DOWN");
    }
    assertThat(stop.join(Duration.ofSeconds(20))).isTrue();
    StatusRuntimeException refusal = refusal(() -> generation.generate(request(command())));
    assertError(refusal, Status.Code.UNAVAILABLE, "SHUTTING_DOWN");
    assertThat(detail(refusal, RetryInfo.class)).isNotNull();
  }

  // ---- health

  private int healthOf(String name) {
    return health.check(HealthCheckRequest.newBuilder().setService(name).build()).getStatusValue();
  }

  private BlockingQueue<Integer> watch(String name) {
    BlockingQueue<Integer> statuses = new LinkedBlockingQueue<>();
    HealthGrpc.newStub(channel).watch(HealthCheckRequest.newBuilder().setService(name).build(), new StreamObserver<>() {
      @Override
      public void onNext(HealthCheckResponse response) {
        statuses.add(response.getStatusValue());
      }

      @Override
      public void onError(Throwable failure) {}

      @Override
      public void onCompleted() {}
    });
    return statuses;
  }
}
