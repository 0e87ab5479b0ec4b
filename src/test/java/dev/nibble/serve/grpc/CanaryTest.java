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
import java.io.IOException;
import java.net.URI;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** An engine that the service watches: slow, damaged, broken, busy. */
@QuarkusTest
@TestProfile(CanaryTest.Watched.class)
class CanaryTest extends GrpcClientTest {
  /** A canary every 30 s, which may take 60 s, as it comes; the test says how late it is. */
  public static final class Watched implements QuarkusTestProfile {
    @Override
    public Set<Class<?>> getEnabledAlternatives() {
      return Set.of(PacedLoader.class, HeldClock.class);
    }
  }

  private static final int PLENTY = 1_000_000;

  @Inject PacedLoader loader;
  @Inject HeldClock clock;
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
    loader.damaged = false;
    loader.passFailure = null;
    Api.await("no canary of another test is under way", () -> loader.probes.get() == 0);
    run("fine");
    Api.await("the service is ready", () -> ready(""));
  }

  /** Lets time pass, and the canary see it. */
  private void pass(long seconds) throws Exception {
    clock.advanceSeconds(seconds);
    long reads = clock.reads();
    // One look may have begun before.
    Api.await("the canary has looked", () -> clock.reads() >= reads + 2);
  }

  /** Lets so much time pass that the canary runs, and waits until it has. */
  private void run(String outcome) throws Exception {
    double before = runs(outcome);
    // Once for it to see what the engine computed until now, once for it to see that nothing came since, and once for a run that began before either.
    for (int i = 0; i < 3 && runs(outcome) == before; i++) {
      pass(31);
      Api.await("no canary is under way, which time that passes would make late", () -> loader.probes.get() == 0);
      pass(0); // it sees the end
    }
    assertThat(runs(outcome)).as("canaries that ended " + outcome).isGreaterThan(before);
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
    pass(31);
    pass(31);
    assertThat(runs("late")).as("it has a minute").isEqualTo(late);
    pass(61);
    Api.await("it is late", () -> ready("canary_late"));
    assertThat(runs("late")).isEqualTo(late + 1);
    assertThat(engine().running() + engine().queueDepth()).as("nobody's request").isZero();
    // It may still be used by who comes all the same; the canary gives way.
    ListenableFuture<GenerateResponse> call = GenerationServiceGrpc.newFutureStub(channel).generate(request(command()));
    await(() -> engine().running() + engine().queueDepth() == 1, "the call is there");
    loader.permits.release(PLENTY);
    assertThat(call.get(60, TimeUnit.SECONDS).getText()).isEqualTo(ANSWER);
    run("fine");
    Api.await("it is well again", () -> ready(""));
  }

  @Test
  void anEngineThatComputesSomethingElse() throws Exception {
    loader.damaged = true;
    run("different");
    Api.await("it is noticed", () -> ready("canary_different"));
    loader.damaged = false;
    run("fine");
    Api.await("it is well again", () -> ready(""));
  }

  @Test
  void anEngineThatFails() throws Exception {
    loader.passFailure = new IllegalStateException("as the test wants");
    run("failed");
    Api.await("it is noticed", () -> ready("canary_failed"));
    loader.passFailure = null;
    run("fine");
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
    for (int interval = 0; interval < 3; interval++) {
      pass(31);
    }
    assertThat(runs("")).as("runs since then, but for one that had ended before the call came").isBetween(runs, runs + 1);
    assertThat(ready("")).isTrue();
    loader.permits.release(PLENTY);
    assertThat(call.get(60, TimeUnit.SECONDS).getText()).isEqualTo(ANSWER);
    int tokens = call.get().getUsage().getCompletionTokens();
    run("fine");
    assertThat(engine().forwardPasses() - before).as("passes of the call alone: its prompt, its tokens").isEqualTo(1L + tokens);
  }
}
