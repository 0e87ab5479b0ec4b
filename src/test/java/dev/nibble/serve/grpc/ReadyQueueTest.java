package dev.nibble.serve.grpc;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.common.util.concurrent.ListenableFuture;
import dev.nibble.engine.Engine;
import dev.nibble.serve.Api;
import dev.nibble.serve.api.ServedModels;
import dev.nibble.v1.GenerateResponse;
import dev.nibble.v1.GenerationServiceGrpc;
import grpc.health.v1.HealthOuterClass.HealthCheckRequest;
import grpc.health.v1.HealthOuterClass.HealthCheckResponse.ServingStatus;
import io.quarkus.test.common.http.TestHTTPResource;
import io.quarkus.test.junit.QuarkusTest;
import io.quarkus.test.junit.QuarkusTestProfile;
import io.quarkus.test.junit.TestProfile;
import jakarta.inject.Inject;
import java.net.URI;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** A waiting line that fills and drains, and a forward pass that does not end. */
@QuarkusTest
@TestProfile(ReadyQueueTest.Paced.class)
class ReadyQueueTest extends GrpcClientTest {
  /** Eight may wait; no canary; a body may take three seconds, and a stream's silence a tenth. */
  public static final class Paced implements QuarkusTestProfile {
    @Override
    public Set<Class<?>> getEnabledAlternatives() {
      return Set.of(PacedLoader.class);
    }

    @Override
    public Map<String, String> getConfigOverrides() {
      return Map.of("nibble.queue-capacity", "8", "nibble.ready.canary-interval", "0", "nibble.rest.body-timeout", "3s",
          "nibble.rest.stream-comment-interval", "PT0.1S");
    }
  }

  @Inject PacedLoader loader;
  @Inject ServedModels served;

  @TestHTTPResource("/")
  URI base;

  private Api api;

  @Override
  boolean waitsForModel() {
    return false;
  }

  @BeforeEach
  void load() throws Exception {
    api = new Api(base);
    loader.mayLoad.countDown();
    Api.await("the model is loaded", () -> api.get("/q/health/started").status() == 200);
    loader.permits.release(10_000);
    await(() -> engine().running() + engine().queueDepth() == 0, "nothing is left of other tests");
    loader.permits.drainPermits();
    loader.secondsSinceStep = -1;
  }

  private Engine engine() {
    return served.all().getFirst();
  }

  /** Both wires say the same. */
  private void ready(String reason) throws Exception {
    Api.Reply reply = api.get("/q/health/ready");
    ServingStatus status = health.check(HealthCheckRequest.getDefaultInstance()).getStatus();
    if (reason.isEmpty()) {
      assertThat(reply.status()).as(reply.text()).isEqualTo(200);
      assertThat(status).isEqualTo(ServingStatus.SERVING);
      assertThat(api.metric("nibble_ready", "")).isEqualTo(1);
    } else {
      assertThat(reply.status()).as(reply.text()).isEqualTo(503);
      assertThat(reply.text()).contains("\"reason\": \"" + reason + "\"");
      assertThat(status).isEqualTo(ServingStatus.NOT_SERVING);
      assertThat(health.check(HealthCheckRequest.newBuilder().setService("nibble-home").build()).getStatus()).isEqualTo(ServingStatus.NOT_SERVING);
      assertThat(api.metric("nibble_ready", "")).isZero();
    }
  }

  @Test
  void aFullLineCountsUntilAQuarterIsGone() throws Exception {
    List<ListenableFuture<GenerateResponse>> calls = new ArrayList<>();
    for (int waiting = 0; waiting <= 8; waiting++) {
      ready("");
      calls.add(GenerationServiceGrpc.newFutureStub(channel).generate(request(command())));
      int there = waiting;
      await(() -> engine().running() == 1 && engine().queueDepth() == there, "it is in line");
    }
    ready("queue_full");
    calls.removeLast().cancel(true);
    await(() -> engine().queueDepth() == 7, "one has left");
    ready("queue_full");
    calls.removeLast().cancel(true);
    await(() -> engine().queueDepth() == 6, "two have left");
    ready("");
    calls.add(GenerationServiceGrpc.newFutureStub(channel).generate(request(command())));
    await(() -> engine().queueDepth() == 7, "one has come");
    ready("");
    loader.permits.release(10_000);
    for (ListenableFuture<GenerateResponse> call : calls) {
      assertThat(call.get(20, TimeUnit.SECONDS).getText()).isEqualTo(ANSWER);
    }
  }

  @Test
  void aPassThatDoesNotEndIsNoLife() throws Exception {
    assertThat(api.get("/q/health/live").status()).as("idle").isEqualTo(200);
    ListenableFuture<GenerateResponse> call = GenerationServiceGrpc.newFutureStub(channel).generate(request(command()));
    await(() -> engine().running() == 1, "it runs");
    assertThat(engine().nanosSinceStep()).isPositive();
    loader.secondsSinceStep = 119;
    assertThat(api.get("/q/health/live").status()).isEqualTo(200);
    loader.secondsSinceStep = 121;
    Api.Reply reply = api.get("/q/health/live");
    assertThat(reply.status()).isEqualTo(503);
    assertThat(reply.text()).contains("\"nibble-home\": \"no step for 121 s\"");
    loader.secondsSinceStep = -1;
    loader.permits.release(10_000);
    assertThat(call.get(20, TimeUnit.SECONDS).getText()).isEqualTo(ANSWER);
    assertThat(api.get("/q/health/live").status()).isEqualTo(200);
  }
}
