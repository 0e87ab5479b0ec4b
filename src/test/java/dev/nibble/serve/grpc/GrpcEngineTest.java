package dev.nibble.serve.grpc;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.common.util.concurrent.ListenableFuture;
import com.google.rpc.QuotaFailure;
import com.google.rpc.RetryInfo;
import dev.nibble.engine.Engine;
import dev.nibble.serve.CallTracker;
import dev.nibble.serve.ServedModels;
import dev.nibble.v1.GenerateResponse;
import dev.nibble.v1.GenerationServiceGrpc;
import dev.nibble.v1.ListModelsRequest;
import dev.nibble.v1.StreamGenerateRequest;
import dev.nibble.v1.StreamGenerateResponse;
import dev.nibble.v1.TokenizeRequest;
import grpc.health.v1.HealthGrpc;
import grpc.health.v1.HealthOuterClass.HealthCheckRequest;
import grpc.health.v1.HealthOuterClass.HealthCheckResponse;
import io.grpc.Context;
import io.grpc.ManagedChannel;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.netty.NettyChannelBuilder;
import io.grpc.stub.ClientCallStreamObserver;
import io.grpc.stub.ClientResponseObserver;
import io.grpc.stub.StreamObserver;
import io.quarkus.runtime.ShutdownDelayInitiatedEvent;
import io.quarkus.test.junit.QuarkusTest;
import io.quarkus.test.junit.TestProfile;
import jakarta.enterprise.event.Event;
import jakarta.inject.Inject;
import java.time.Duration;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestMethodOrder;

/** What calls do to the engine, forward pass by forward pass, from before its model is loaded until it stops. */
@QuarkusTest
@TestProfile(PacedLoader.Profile.class)
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
class GrpcEngineTest extends GrpcClientTest {
  /** Protocol numbers of grpc.health.v1. */
  private static final int SERVING = 1;
  private static final int NOT_SERVING = 2;
  private static final int SERVICE_UNKNOWN = 3;
  private static final int PLENTY = 10_000;

  @Inject PacedLoader loader;
  @Inject ServedModels served;
  @Inject CallTracker calls;
  @Inject SentMessages sent;
  @Inject Event<ShutdownDelayInitiatedEvent> stopping;

  @Override
  boolean waitsForModel() {
    return false;
  }

  @BeforeEach
  void idle() {
    loader.permits.release(PLENTY);
    await(() -> served.all().isEmpty() || engine().running() + engine().queueDepth() == 0, "the engine is idle");
    loader.permits.drainPermits();
  }

  private Engine engine() {
    return served.all().getFirst();
  }

  @Test
  @Order(1)
  void tellsThatItIsLoading() throws InterruptedException {
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

  // ---- ends before the end: the model is stopped within one token

  @Test
  @Order(2)
  void cancellingAStreamStopsTheEngine() {
    Context.CancellableContext context = Context.current().withCancellation();
    stopsWithinOneToken(context, () -> context.cancel(null));
  }

  @Test
  @Order(2)
  void disconnectingStopsTheEngine() {
    stopsWithinOneToken(Context.current().withCancellation(), () -> channel.shutdownNow());
  }

  private void stopsWithinOneToken(Context.CancellableContext context, Runnable stop) {
    long before = engine().forwardPasses();
    loader.permits.release(4);
    Context outer = context.attach();
    try {
      Iterator<StreamGenerateResponse> pieces = generation.streamGenerate(streamed(story(500)));
      for (int i = 0; i < 4; i++) {
        assertThat(pieces.next().hasToken()).isTrue();
      }
    } finally {
      context.detach(outer);
    }
    stop.run();
    assertStopped(before, 4);
  }

  @Test
  @Order(2)
  void cancellingAUnaryCallStopsTheEngine() {
    long before = engine().forwardPasses();
    loader.permits.release(4);
    ListenableFuture<GenerateResponse> future = GenerationServiceGrpc.newFutureStub(channel).generate(request(story(500)));
    await(() -> engine().forwardPasses() >= before + 4, "four forward passes are done");
    future.cancel(true);
    assertStopped(before, 4);
  }

  @Test
  @Order(2)
  void deadlinesReachTheEngine() {
    long before = engine().forwardPasses();
    loader.permits.release(4);
    long start = System.nanoTime();
    StatusRuntimeException refusal = refusal(() -> generation.withDeadlineAfter(500, TimeUnit.MILLISECONDS).generate(request(story(500))));
    assertThat(refusal.getStatus().getCode()).isEqualTo(Status.Code.DEADLINE_EXCEEDED);
    assertThat(loader.submitted.deadlineNanos() - start).isBetween(TimeUnit.MILLISECONDS.toNanos(300), TimeUnit.MILLISECONDS.toNanos(700));
    assertStopped(before, 4);
  }

  /** The engine is at a forward pass that waits for its permit: at most that one may follow, though a thousand could. */
  private void assertStopped(long before, int passes) {
    assertThat(calls.awaitNone(Duration.ofSeconds(10))).as("the server has heard of it").isTrue();
    loader.permits.release(1000);
    await(() -> engine().running() == 0, "the engine is done");
    assertThat(engine().forwardPasses() - before).isBetween((long) passes, passes + 1L);
  }

  @Test
  @Order(2)
  void requestsHaveNoDeadlineUnlessTheyDo() {
    loader.permits.release(PLENTY);
    generation.generate(request(command()));
    assertThat(loader.submitted.deadlineNanos()).isEqualTo(Long.MAX_VALUE);
    assertThat(loader.submittedOnVirtualThread).isTrue();
  }

  @Test
  @Order(2)
  void refusesWhenTheLineIsFull() throws Exception {
    GenerationServiceGrpc.GenerationServiceFutureStub futures = GenerationServiceGrpc.newFutureStub(channel);
    ListenableFuture<GenerateResponse> running = futures.generate(request(command()));
    await(() -> engine().running() == 1, "the first call is computed");
    ListenableFuture<GenerateResponse> waiting = futures.generate(request(command()));
    await(() -> engine().queueDepth() == 1, "the second call waits");
    for (StatusRuntimeException refusal : List.of(refusal(() -> generation.generate(request(command()))), refusal(() -> stream(command())))) {
      assertThat(assertError(refusal, Status.Code.RESOURCE_EXHAUSTED, "QUEUE_FULL").getMetadataMap()).containsEntry("queue_capacity", "1");
      assertThat(detail(refusal, RetryInfo.class).getRetryDelay().getSeconds()).isPositive();
      assertThat(detail(refusal, QuotaFailure.class).getViolationsList()).hasSize(1);
    }
    // Who gives up waiting makes room, without a forward pass.
    long before = engine().forwardPasses();
    waiting.cancel(true);
    await(() -> engine().queueDepth() == 0, "the second call left");
    ListenableFuture<GenerateResponse> next = futures.generate(request(command()));
    await(() -> engine().queueDepth() == 1, "the third call waits");
    assertThat(engine().forwardPasses()).isEqualTo(before);
    loader.permits.release(PLENTY);
    assertThat(running.get(20, TimeUnit.SECONDS).getText()).isEqualTo(ANSWER);
    assertThat(next.get(20, TimeUnit.SECONDS).getText()).isEqualTo(ANSWER);
    assertThat(next.get().getTimings().getQueue().getNanos()).isPositive();
  }

  @Test
  @Order(2)
  void aSlowReaderDoesNotFloodTheTransport() throws InterruptedException {
    int tokens = 900;
    AtomicInteger received = new AtomicInteger();
    CountDownLatch done = new CountDownLatch(1);
    AtomicReference<ClientCallStreamObserver<StreamGenerateRequest>> call = new AtomicReference<>();
    ManagedChannel narrow = NettyChannelBuilder.forAddress("localhost", port).usePlaintext().flowControlWindow(65_535).build();
    try {
      long before = sent.count();
      loader.permits.release(PLENTY);
      GenerationServiceGrpc.newStub(narrow).streamGenerate(streamed(story(tokens).setLogProbabilities(20)),
          new ClientResponseObserver<StreamGenerateRequest, StreamGenerateResponse>() {
            @Override
            public void beforeStart(ClientCallStreamObserver<StreamGenerateRequest> stream) {
              stream.disableAutoRequestWithInitial(1);
              call.set(stream);
            }

            @Override
            public void onNext(StreamGenerateResponse piece) {
              received.incrementAndGet();
            }

            @Override
            public void onError(Throwable error) {
              done.countDown();
            }

            @Override
            public void onCompleted() {
              done.countDown();
            }
          });
      await(() -> received.get() == 1, "the first piece is there");
      await(() -> engine().running() == 0, "the engine is done");
      // The client's window and the transport's threshold (32 KiB) hold some 200 pieces; the others wait where max_tokens bounds them.
      Thread.sleep(200);
      assertThat(sent.count() - before).isBetween(2L, tokens / 2L);
      call.get().request(2 * tokens);
      assertThat(done.await(20, TimeUnit.SECONDS)).isTrue();
      assertThat(received.get()).isEqualTo(tokens + 1);
      assertThat(sent.count() - before).isEqualTo(tokens + 1);
    } finally {
      narrow.shutdownNow();
    }
  }

  @Test
  @Order(2)
  void aReaderThatLeavesWhileItsWriterWaitsFreesIt() throws InterruptedException {
    ManagedChannel narrow = NettyChannelBuilder.forAddress("localhost", port).usePlaintext().flowControlWindow(65_535).build();
    loader.permits.release(PLENTY);
    generationOn(narrow).streamGenerate(streamed(story(900).setLogProbabilities(20))).next();
    await(() -> engine().running() == 0, "the engine is done");
    assertThat(calls.awaitNone(Duration.ofMillis(100))).as("nobody is being answered").isFalse();
    narrow.shutdownNow();
    assertThat(calls.awaitNone(Duration.ofSeconds(10))).as("nobody is being answered").isTrue();
  }

  private static GenerationServiceGrpc.GenerationServiceBlockingStub generationOn(ManagedChannel channel) {
    return GenerationServiceGrpc.newBlockingStub(channel);
  }

  // ---- defects

  @Test
  @Order(2)
  void defectsAreToldWithoutTheirInsides() throws Exception {
    loader.permits.release(PLENTY);
    try {
      loader.passFailure = new IllegalStateException("secret of the model");
      for (StatusRuntimeException refusal : List.of(refusal(() -> generation.generate(request(command()))), refusal(() -> stream(command())))) {
        assertError(refusal, Status.Code.INTERNAL, "INTERNAL");
        assertThat(refusal.toString()).doesNotContain("secret");
      }
      loader.passFailure = null;
      loader.submitFailure = new IllegalStateException("secret of the engine");
      StatusRuntimeException refusal = refusal(() -> generation.generate(request(command())));
      String call = assertError(refusal, Status.Code.INTERNAL, "INTERNAL").getMetadataOrThrow("call_id");
      assertThat(refusal.getStatus().getDescription()).contains(call).doesNotContain("secret");
      assertThat(refusal.getTrailers().toString()).doesNotContain("secret");
    } finally {
      loader.passFailure = null;
      loader.submitFailure = null;
    }
    assertThat(generation.generate(request(command())).getText()).isEqualTo(ANSWER);
  }

  // ---- the end

  @Test
  @Order(3)
  void tellsThatItIsStopping() throws Exception {
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
