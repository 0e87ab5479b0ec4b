package dev.nibble.serve.grpc;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.common.util.concurrent.ListenableFuture;
import com.google.protobuf.ByteString;
import com.google.rpc.QuotaFailure;
import com.google.rpc.RetryInfo;
import dev.nibble.engine.Engine;
import dev.nibble.serve.api.CallTracker;
import dev.nibble.serve.api.ServedModels;
import dev.nibble.v1.GenerateResponse;
import dev.nibble.v1.GenerationServiceGrpc;
import dev.nibble.v1.StreamGenerateRequest;
import dev.nibble.v1.StreamGenerateResponse;
import inference.GRPCInferenceServiceGrpc;
import inference.InferParameter;
import inference.InferTensorContents;
import inference.ModelInferRequest;
import inference.ModelStreamInferResponse;
import io.grpc.Context;
import io.grpc.ManagedChannel;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.netty.NettyChannelBuilder;
import io.grpc.stub.ClientCallStreamObserver;
import io.grpc.stub.ClientResponseObserver;
import io.grpc.stub.StreamObserver;
import io.quarkus.test.junit.QuarkusTest;
import io.quarkus.test.junit.TestProfile;
import jakarta.inject.Inject;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What calls do to the engine, forward pass by forward pass. */
@QuarkusTest
@TestProfile(PacedLoader.Profile.class)
class GrpcEngineTest extends GrpcClientTest {
  private static final int PLENTY = 10_000;

  @Inject PacedLoader loader;
  @Inject ServedModels served;
  @Inject CallTracker calls;
  @Inject SentMessages sent;

  @Override
  boolean waitsForModel() {
    return false;
  }

  @BeforeEach
  void idle() {
    loader.mayLoad.countDown();
    await(() -> !served.all().isEmpty(), "the model is loaded");
    loader.permits.release(PLENTY);
    await(() -> engine().running() + engine().queueDepth() == 0 && calls.awaitNone(Duration.ZERO), "nothing is left of other tests");
    loader.permits.drainPermits();
  }

  private Engine engine() {
    return served.all().getFirst();
  }

  // ---- ends before the end: the model is stopped within one token

  @Test
  void cancellingAStreamStopsTheEngine() {
    Context.CancellableContext context = Context.current().withCancellation();
    stopsWithinOneToken(context, () -> context.cancel(null));
  }

  @Test
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
  void cancellingAUnaryCallStopsTheEngine() {
    long before = engine().forwardPasses();
    loader.permits.release(4);
    ListenableFuture<GenerateResponse> future = GenerationServiceGrpc.newFutureStub(channel).generate(request(story(500)));
    await(() -> engine().forwardPasses() >= before + 4, "four forward passes are done");
    future.cancel(true);
    assertStopped(before, 4);
  }

  @Test
  void deadlinesReachTheEngine() {
    long start = System.nanoTime();
    ListenableFuture<GenerateResponse> call =
        GenerationServiceGrpc.newFutureStub(channel).withDeadlineAfter(1, TimeUnit.HOURS).generate(request(story(500)));
    await(() -> engine().running() == 1, "the call is computed");
    // The hour began after `start`, and before the engine had the request; a millisecond for rounding on the wire.
    assertThat(loader.submitted.deadlineNanos()).isBetween(start + TimeUnit.HOURS.toNanos(1) - 1_000_000, loader.submittedNanos + TimeUnit.HOURS.toNanos(1));
    call.cancel(true);
  }

  @Test
  void deadlinesStopTheEngine() {
    long before = engine().forwardPasses();
    loader.permits.release(4);
    StatusRuntimeException refusal = refusal(() -> generation.withDeadlineAfter(500, TimeUnit.MILLISECONDS).generate(request(story(500))));
    assertThat(refusal.getStatus().getCode()).isEqualTo(Status.Code.DEADLINE_EXCEEDED);
    // Where the machine is too busy to have begun within that time, fewer.
    assertStopped(before, 0, 4);
  }

  /** The engine is at a forward pass that waits for its permit: at most that one may follow, though a thousand could. */
  private void assertStopped(long before, int passes) {
    assertStopped(before, passes, passes);
  }

  private void assertStopped(long before, int least, int most) {
    assertThat(calls.awaitNone(Duration.ofSeconds(10))).as("the server has heard of it").isTrue();
    loader.permits.release(1000);
    await(() -> engine().running() == 0, "the engine is done");
    assertThat(engine().forwardPasses() - before).isBetween((long) least, most + 1L);
  }

  @Test
  void requestsHaveNoDeadlineUnlessTheyDo() {
    loader.permits.release(PLENTY);
    generation.generate(request(command()));
    assertThat(loader.submitted.deadlineNanos()).isEqualTo(Long.MAX_VALUE);
    assertThat(loader.submittedOnVirtualThread).isTrue();
  }

  @Test
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
      // Others are answered meanwhile, each by way of the same event loops as the rest of this one would take.
      int others = 20;
      for (int other = 0; other < others; other++) {
        assertThat(generation.generate(request(command())).getText()).isEqualTo(ANSWER);
      }
      assertThat(sent.count() - others - before).isBetween(2L, tokens / 2L);
      call.get().request(2 * tokens);
      assertThat(done.await(20, TimeUnit.SECONDS)).isTrue();
      assertThat(received.get()).isEqualTo(tokens + 1);
      assertThat(sent.count() - others - before).isEqualTo(tokens + 1);
    } finally {
      narrow.shutdownNow();
    }
  }

  /** The Open Inference Protocol's streams too; the id makes each response large. */
  @Test
  void aSlowReaderOfTensorsDoesNotFloodTheTransport() throws InterruptedException {
    int tokens = 900;
    ModelInferRequest request = ModelInferRequest.newBuilder().setModelName("nibble-home").setId("x".repeat(500))
        .addInputs(ModelInferRequest.InferInputTensor.newBuilder().setName("prompt").setDatatype("BYTES").addShape(1)
            .setContents(InferTensorContents.newBuilder().addBytesContents(ByteString.copyFromUtf8("Once upon a time"))))
        .putParameters("max_tokens", InferParameter.newBuilder().setInt64Param(tokens).build())
        .putParameters("seed", InferParameter.newBuilder().setInt64Param(7).build())
        .putParameters("ignore_eos", InferParameter.newBuilder().setBoolParam(true).build()).build();
    BlockingQueue<ModelStreamInferResponse> received = new LinkedBlockingQueue<>();
    CountDownLatch done = new CountDownLatch(1);
    ManagedChannel narrow = NettyChannelBuilder.forAddress("localhost", port).usePlaintext().flowControlWindow(65_535).build();
    try {
      long before = sent.count();
      loader.permits.release(PLENTY);
      AtomicReference<ClientCallStreamObserver<ModelInferRequest>> call = new AtomicReference<>();
      StreamObserver<ModelInferRequest> requests = GRPCInferenceServiceGrpc.newStub(narrow).modelStreamInfer(
          new ClientResponseObserver<ModelInferRequest, ModelStreamInferResponse>() {
            @Override
            public void beforeStart(ClientCallStreamObserver<ModelInferRequest> stream) {
              stream.disableAutoRequestWithInitial(1);
              call.set(stream);
            }

            @Override
            public void onNext(ModelStreamInferResponse piece) {
              received.add(piece);
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
      requests.onNext(request);
      requests.onCompleted();
      assertThat(received.poll(60, TimeUnit.SECONDS)).isNotNull();
      await(() -> engine().running() == 0, "the engine is done");
      int others = 20;
      for (int other = 0; other < others; other++) {
        assertThat(generation.generate(request(command())).getText()).isEqualTo(ANSWER);
      }
      assertThat(sent.count() - others - before).isBetween(1L, tokens / 2L);
      call.get().request(2 * tokens);
      assertThat(done.await(60, TimeUnit.SECONDS)).isTrue();
      List<ModelStreamInferResponse> rest = new ArrayList<>(received);
      assertThat(rest.size()).isGreaterThan(tokens / 2);
      assertThat(rest.getLast().getInferResponse().getOutputs(3).getContents().getIntContents(0)).isEqualTo(tokens);
    } finally {
      narrow.shutdownNow();
    }
  }

  @Test
  void aReaderThatLeavesWhileItsWriterWaitsFreesIt() throws InterruptedException {
    ManagedChannel narrow = NettyChannelBuilder.forAddress("localhost", port).usePlaintext().flowControlWindow(65_535).build();
    loader.permits.release(PLENTY);
    generationOn(narrow).streamGenerate(streamed(story(900).setLogProbabilities(20))).next();
    await(() -> engine().running() == 0, "the engine is done");
    assertThat(calls.awaitNone(Duration.ZERO)).as("nobody is being answered").isFalse();
    narrow.shutdownNow();
    assertThat(calls.awaitNone(Duration.ofSeconds(10))).as("nobody is being answered").isTrue();
  }

  private static GenerationServiceGrpc.GenerationServiceBlockingStub generationOn(ManagedChannel channel) {
    return GenerationServiceGrpc.newBlockingStub(channel);
  }

  // ---- defects

  @Test
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
}
