package dev.nibble.serve.grpc;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.common.util.concurrent.ListenableFuture;
import dev.nibble.engine.Engine;
import dev.nibble.serve.Api;
import dev.nibble.serve.ServedModels;
import dev.nibble.v1.GenerateResponse;
import dev.nibble.v1.GenerationServiceGrpc;
import grpc.health.v1.HealthOuterClass.HealthCheckRequest;
import grpc.health.v1.HealthOuterClass.HealthCheckResponse.ServingStatus;
import io.quarkus.test.common.http.TestHTTPResource;
import io.quarkus.test.junit.QuarkusTest;
import io.quarkus.test.junit.QuarkusTestProfile;
import io.quarkus.test.junit.TestProfile;
import jakarta.inject.Inject;
import java.io.IOException;
import java.net.URI;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** An engine that the service watches: slow, damaged, broken, busy. */
@QuarkusTest
@TestProfile(CanaryTest.Watched.class)
class CanaryTest extends GrpcClientTest {
  /** A canary every 0.3 s, which may take a second. */
  public static final class Watched implements QuarkusTestProfile {
    @Override
    public Set<Class<?>> getEnabledAlternatives() {
      return Set.of(PacedLoader.class);
    }

    @Override
    public Map<String, String> getConfigOverrides() {
      return Map.of("nibble.ready.canary-interval", "PT0.3S", "nibble.ready.canary-timeout", "1s");
    }
  }

  private static final int PLENTY = 1_000_000;

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
  void fine() throws Exception {
    api = new Api(base);
    loader.mayLoad.countDown();
    Api.await("the model is loaded", () -> api.get("/q/health/started").status() == 200);
    loader.permits.release(PLENTY);
    double fine = runs("fine");
    Api.await("the canary is fine", () -> runs("fine") > fine && ready(""));
  }

  private double runs(String outcome) throws IOException, InterruptedException {
    return api.metric("nibble_canary_runs_total", "outcome=\"" + outcome);
  }

  private boolean ready(String reason) throws IOException, InterruptedException {
    Api.Reply reply = api.get("/q/health/ready");
    boolean serving = health.check(HealthCheckRequest.getDefaultInstance()).getStatus() == ServingStatus.SERVING;
    return reason.isEmpty() ? reply.status() == 200 && serving : reply.status() == 503 && !serving && reply.text().contains("\"reason\": \"" + reason + "\"");
  }

  private Engine engine() {
    return served.all().getFirst();
  }

  @Test
  void anEngineThatIsTooSlow() throws Exception {
    double late = runs("late");
    loader.permits.drainPermits();
    Api.await("it is late", () -> ready("canary_late"));
    assertThat(runs("late")).isEqualTo(late + 1);
    assertThat(engine().running() + engine().queueDepth()).as("nobody's request").isZero();
    // It may still be used by who comes all the same; the canary gives way.
    ListenableFuture<GenerateResponse> call = GenerationServiceGrpc.newFutureStub(channel).generate(request(command()));
    await(() -> engine().running() + engine().queueDepth() == 1, "the call is there");
    loader.permits.release(PLENTY);
    assertThat(call.get(20, TimeUnit.SECONDS).getText()).isEqualTo(ANSWER);
    Api.await("it is well again", () -> ready(""));
  }

  @Test
  void anEngineThatComputesSomethingElse() throws Exception {
    loader.damaged = true;
    Api.await("it is noticed", () -> ready("canary_different"));
    loader.damaged = false;
    Api.await("it is well again", () -> ready(""));
  }

  @Test
  void anEngineThatFails() throws Exception {
    loader.passFailure = new IllegalStateException("as the test wants");
    Api.await("it is noticed", () -> ready("canary_failed"));
    loader.passFailure = null;
    Api.await("it is well again", () -> ready(""));
  }

  @Test
  void aBusyEngineIsLeftAlone() throws Exception {
    long before = engine().forwardPasses();
    double runs = runs("");
    loader.permits.drainPermits();
    ListenableFuture<GenerateResponse> call = GenerationServiceGrpc.newFutureStub(channel).generate(request(command()));
    // Either it runs, or a canary under way gives way as soon as its pass ends.
    await(() -> engine().running() + engine().queueDepth() == 1, "the call is there");
    loader.permits.release(1);
    await(() -> engine().running() == 1, "the call runs");
    Thread.sleep(1000); // three intervals
    assertThat(runs("")).as("runs since then, but for one that had ended before the call came").isBetween(runs, runs + 1);
    assertThat(ready("")).isTrue();
    loader.permits.release(PLENTY);
    assertThat(call.get(20, TimeUnit.SECONDS).getText()).isEqualTo(ANSWER);
    int tokens = call.get().getUsage().getCompletionTokens();
    double fine = runs("fine");
    Api.await("the canary runs again", () -> runs("fine") > fine);
    assertThat(engine().forwardPasses() - before).as("passes of the call alone: its prompt, its tokens").isEqualTo(1L + tokens);
  }
}
