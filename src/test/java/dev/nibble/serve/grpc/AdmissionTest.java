package dev.nibble.serve.grpc;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.common.util.concurrent.ListenableFuture;
import dev.nibble.engine.Engine;
import dev.nibble.offload.v1.AcceleratorServiceGrpc;
import dev.nibble.offload.v1.DescribeRequest;
import dev.nibble.offload.v1.Model;
import dev.nibble.offload.v1.Start;
import dev.nibble.offload.v1.State;
import dev.nibble.serve.Api;
import dev.nibble.serve.Http2Wire;
import dev.nibble.serve.api.Admission;
import dev.nibble.serve.api.ServedModels;
import dev.nibble.v1.GenerateRequest;
import dev.nibble.v1.GenerateResponse;
import dev.nibble.v1.GenerationOptions;
import dev.nibble.v1.GenerationServiceGrpc;
import dev.nibble.v1.TokenizeRequest;
import dev.nibble.v1.TokenizeResponse;
import dev.nibble.v1.TokenizerServiceGrpc;
import inference.GRPCInferenceServiceGrpc;
import inference.InferTensorContents;
import inference.ModelInferRequest;
import inference.ModelInferRequest.InferInputTensor;
import io.grpc.CallOptions;
import io.grpc.ClientCall;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.StreamObserver;
import io.quarkus.test.common.http.TestHTTPResource;
import io.quarkus.test.junit.QuarkusTest;
import io.quarkus.test.junit.TestProfile;
import jakarta.inject.Inject;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Requests before they are in line: texts over which a tokenizer takes for ever, bodies of four megabytes, senders that stop in the middle. Eight may wait. */
@QuarkusTest
@TestProfile(ReadyQueueTest.Paced.class)
class AdmissionTest extends GrpcClientTest {
  private static final int PLENTY = 1_000_000;
  private static final String COMPLETIONS = "/v1/completions";
  private static final String HELD = "{\"prompt\":\"" + HeldTokenizer.MARK + "\",\"max_tokens\":1}";
  private static final String SMALL = "{\"prompt\":\"Once\",\"max_tokens\":1}";
  private static final String STREAM = "{\"prompt\":\"Once\",\"max_tokens\":3,\"ignore_eos\":true,\"stream\":true}";
  /** A hopeless text of legal size. */
  private static final String GIANT = "{\"prompt\":\"" + "a".repeat(4_000_000) + "\"}";
  /** Small by its text, and large by its bytes. */
  private static final String LARGE_HELD = HELD.replace("{", "{" + " ".repeat(100_000));

  @Inject PacedLoader loader;
  @Inject ServedModels served;
  @Inject Admission admission;

  @TestHTTPResource("/")
  URI base;

  private Api api;
  private final List<Api.Wire> wires = new ArrayList<>();

  @Override
  boolean waitsForModel() {
    return false;
  }

  @BeforeEach
  void load() throws Exception {
    api = new Api(base);
    loader.mayLoad.countDown();
    Api.await("the model is loaded", () -> api.get("/q/health/started").status() == 200);
    loader.permits.drainPermits();
    loader.tokenizer.held = true;
  }

  @AfterEach
  void letGo() throws Exception {
    loader.tokenizer.held = false;
    loader.permits.release(PLENTY);
    for (Api.Wire wire : wires) {
      wire.close();
    }
    Api.await("nothing is left", () -> depth() == 0 && engine().running() == 0 && api.metric("nibble_prepare_memory_bytes", "") == 0);
  }

  private Engine engine() {
    return served.all().getFirst();
  }

  /** What the metric {@code nibble_queue_depth} tells, which the loader of this test does not publish. */
  private int depth() {
    return admission.waiting(engine());
  }

  private Api.Wire post(String path, String body) throws IOException {
    Api.Wire wire = api.connect();
    wires.add(wire);
    wire.post(path, body);
    return wire;
  }

  private GenerateRequest held() {
    return GenerateRequest.newBuilder().setOptions(GenerationOptions.newBuilder().setText(HeldTokenizer.MARK).setMaxTokens(1)).build();
  }

  private static ModelInferRequest infer(String prompt) {
    return ModelInferRequest.newBuilder().setModelName("nibble-home")
        .addInputs(InferInputTensor.newBuilder().setName("prompt").setDatatype("BYTES").addShape(1)
            .setContents(InferTensorContents.newBuilder().addBytesContents(com.google.protobuf.ByteString.copyFromUtf8(prompt))))
        .build();
  }

  /** What a neighbour hears whose gateway asks for an answer to so many tokens. */
  private StatusRuntimeException neighbour(int tokens) throws Exception {
    Api.await("the model's file is hashed",
        () -> AcceleratorServiceGrpc.newBlockingStub(channel).describe(DescribeRequest.getDefaultInstance()).getState() == State.STATE_READY);
    Model model = AcceleratorServiceGrpc.newBlockingStub(channel).describe(DescribeRequest.getDefaultInstance()).getModels(0);
    CompletableFuture<StatusRuntimeException> end = new CompletableFuture<>();
    var call = AcceleratorServiceGrpc.newStub(channel).generate(new StreamObserver<>() {
      @Override
      public void onNext(dev.nibble.offload.v1.GenerateResponse message) {
        end.completeExceptionally(new AssertionError("answered " + message));
      }

      @Override
      public void onError(Throwable failure) {
        end.complete((StatusRuntimeException) failure);
      }

      @Override
      public void onCompleted() {
        end.completeExceptionally(new AssertionError("completed"));
      }
    });
    Start.Builder start = Start.newBuilder().setFileSha256(model.getFileSha256()).setTokenizerSha256(model.getTokenizerSha256()).setMaxTokens(1).setCredit(1);
    for (int i = 0; i < tokens; i++) {
      start.addPromptIds(1);
    }
    call.onNext(dev.nibble.offload.v1.GenerateRequest.newBuilder().setStart(start).build());
    return end.get(60, TimeUnit.SECONDS);
  }

  @Test
  void whatIsPreparedCountsAndTheRestIsRefusedAtOnce() throws Exception {
    // One that the engine would take at once, and eight that would wait, by turns of every wire; nobody's text is done.
    List<ListenableFuture<GenerateResponse>> calls = new ArrayList<>();
    for (int i = 0; i < 9; i++) {
      switch (i % 3) {
        case 0 -> post(COMPLETIONS, HELD);
        case 1 -> post("/v2/models/nibble-home/generate", "{\"text_input\":\"" + HeldTokenizer.MARK + "\",\"max_tokens\":1}");
        default -> calls.add(GenerationServiceGrpc.newFutureStub(channel).generate(held()));
      }
      int there = i + 1;
      Api.await("it is counted", () -> depth() == there);
    }
    assertThat(api.metric("nibble_requests_preparing", "")).isEqualTo(9);
    assertThat(engine().queueDepth() + engine().running()).as("of these the engine knows none").isZero();
    assertThat(api.get("/q/health/ready").status()).isEqualTo(503);
    assertThat(api.get("/q/health/ready").text()).contains("\"reason\": \"queue_full\"").contains("\"queue_depth\": 9");
    assertThat(api.get("/q/health/live").status()).isEqualTo(200);
    assertThat(api.get("/v1/models").status()).isEqualTo(200);

    Api.Reply reply = api.post(COMPLETIONS, SMALL);
    assertThat(reply.status()).as(reply.text()).isEqualTo(429);
    assertThat(reply.json().get("error").get("code").textValue()).isEqualTo("queue_full");
    assertThat(Integer.parseInt(reply.header("Retry-After"))).isPositive();
    assertThat(api.post("/v2/models/nibble-home/generate", "{\"text_input\":\"Once\"}").status()).isEqualTo(429);
    Api.Wire head = api.connect();
    wires.add(head);
    head.write("POST /v1/completions HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\nContent-Length: 4000000\r\n\r\n");
    assertThat(head.readResponse()).as("before the body is sent").startsWith("HTTP/1.1 429");
    assertError(refusal(() -> generation.generate(held())), Status.Code.RESOURCE_EXHAUSTED, "QUEUE_FULL");
    assertError(refusal(() -> GRPCInferenceServiceGrpc.newBlockingStub(channel).modelInfer(infer("Once"))), Status.Code.RESOURCE_EXHAUSTED, "QUEUE_FULL");
    assertError(refusal(() -> tokenizer.tokenize(TokenizeRequest.newBuilder().setText("Once").build())), Status.Code.RESOURCE_EXHAUSTED, "QUEUE_FULL");
    assertError(neighbour(3), Status.Code.RESOURCE_EXHAUSTED, "QUEUE_FULL");

    // Who leaves is gone at once, whether its text was being read or waited for that.
    wires.getFirst().close();
    Api.await("the first has left", () -> depth() == 8);
    calls.getLast().cancel(true);
    Api.await("the last has left", () -> depth() == 7);
    loader.tokenizer.held = false;
    loader.permits.release(PLENTY);
    assertThat(calls.getFirst().get(60, TimeUnit.SECONDS).getUsage().getCompletionTokens()).isEqualTo(1);
    assertThat(wires.get(1).readResponse()).startsWith("HTTP/1.1 200");
    assertThat(api.post(COMPLETIONS, SMALL).status()).isEqualTo(200);
  }

  @Test
  void giantsHoldUpNeitherAStreamNorSmallRequests() throws Exception {
    Api.Wire stream = post(COMPLETIONS, STREAM);
    loader.permits.release(1);
    stream.readThrough("data: {");
    // The thread for large requests stands still, and giants come.
    post(COMPLETIONS, LARGE_HELD);
    Api.await("it is being prepared", () -> depth() == 1);
    try (ExecutorService clients = Executors.newVirtualThreadPerTaskExecutor()) {
      Callable<Integer> giant = () -> api.post(COMPLETIONS, GIANT).status();
      List<Future<Integer>> giants = new ArrayList<>();
      for (int i = 0; i < 40; i++) {
        giants.add(clients.submit(giant));
      }
      Api.await("all but those that memory was set aside for are refused", () -> giants.stream().filter(Future::isDone).count() >= 37);
      assertThat(api.metric("nibble_prepare_memory_bytes", "")).isLessThanOrEqualTo(Math.max(8 << 20, Runtime.getRuntime().maxMemory() / 8));
      // Each permit lets the stream go on by a token; a small request is read, and waits for its turn with the engine alone.
      Api.Wire small = post(COMPLETIONS, SMALL);
      Api.await("it is in line", () -> engine().queueDepth() == 1);
      for (int token = 0; token < 2; token++) {
        loader.permits.release(1);
        stream.readThrough("data: {");
      }
      loader.permits.release(PLENTY);
      stream.readThrough("data: [DONE]");
      assertThat(small.readResponse()).startsWith("HTTP/1.1 200");
      loader.tokenizer.held = false;
      for (Future<Integer> answer : giants) {
        assertThat(answer.get(60, TimeUnit.SECONDS)).as("hopeless, or told to come back").isIn(400, 429);
      }
    }
    Api.Reply alone = api.post(COMPLETIONS, GIANT);
    assertThat(alone.status()).isEqualTo(400);
    assertThat(alone.json().get("error").get("code").textValue()).isEqualTo("context_length_exceeded");
    assertThat(alone.json().get("error").get("message").textValue()).contains("maximum context length is 1024 tokens");
  }

  @Test
  void giantCallsAreRefusedByTheirLength() throws Exception {
    GenerateRequest giant = GenerateRequest.newBuilder().setOptions(GenerationOptions.newBuilder().setText("a".repeat(4_000_000))).build();
    for (int i = 0; i < 3; i++) {
      assertThat(assertError(refusal(() -> generation.generate(giant)), Status.Code.OUT_OF_RANGE, "CONTEXT_LENGTH_EXCEEDED").getMetadataOrThrow("context_length")).isEqualTo("1024");
    }
    assertError(refusal(() -> GRPCInferenceServiceGrpc.newBlockingStub(channel).modelInfer(infer("a".repeat(4_000_000)))), Status.Code.OUT_OF_RANGE, "CONTEXT_LENGTH_EXCEEDED");
    assertError(neighbour(1_000_000), Status.Code.OUT_OF_RANGE, "CONTEXT_LENGTH_EXCEEDED");
    assertThat(loader.permits.hasQueuedThreads()).as("nothing reached the model").isFalse();
  }

  @Test
  void whoLeavesInTheMiddleOfItsBodyLeavesNothing() throws Exception {
    Api.Wire large = api.connect();
    wires.add(large);
    large.write("POST /v1/completions HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\nContent-Length: 4000000\r\n\r\n{\"prompt\":\"aaaa");
    Api.await("memory is set aside", () -> api.metric("nibble_prepare_memory_bytes", "") == 4_000_000 && depth() == 1);
    large.close();
    Api.await("and given back", () -> api.metric("nibble_prepare_memory_bytes", "") == 0 && depth() == 0);
    Api.Wire small = api.connect();
    wires.add(small);
    small.write("POST /v1/completions HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{\"prompt\":\"aaaa");
    Api.await("the bytes are there", () -> api.metric("nibble_prepare_memory_bytes", "") > 0);
    assertThat(depth()).as("who sends slowly keeps no place from others").isZero();
  }

  @Test
  void slowBodiesAreGivenUp() throws Exception {
    for (String length : List.of("Content-Length: 100", "Content-Length: 4000000", "Transfer-Encoding: chunked")) {
      Api.Wire slow = api.connect();
      wires.add(slow);
      slow.write("POST /v1/completions HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\n" + length + "\r\n\r\n" + (length.startsWith("T") ? "5\r\n{\"pro\r\n" : "{\"pro"));
      String response = slow.readResponse();
      assertThat(response).startsWith("HTTP/1.1 408").containsIgnoringCase("Connection: close").contains("body_timeout");
      assertThat(slow.readThrough("\n")).as("the connection is closed").isEmpty();
    }
    try (Http2Wire slow = new Http2Wire(new InetSocketAddress(base.getHost(), base.getPort()))) {
      slow.write(Http2Wire.frame(Http2Wire.HEADERS, Http2Wire.END_HEADERS, 1, Http2Wire.heads(List.of(":method", "POST", ":scheme", "http", ":path", COMPLETIONS,
          ":authority", "localhost", "content-type", "application/json"))));
      slow.write(Http2Wire.frame(Http2Wire.DATA, 0, 1, "{\"pro".getBytes(StandardCharsets.US_ASCII)));
      StringBuilder answer = new StringBuilder();
      var frame = slow.read().orElseThrow();
      for (; frame.type() != Http2Wire.RST_STREAM; frame = slow.read().orElseThrow()) {
        answer.append(frame.type() == Http2Wire.DATA ? new String(frame.payload(), StandardCharsets.UTF_8) : "");
      }
      assertThat(answer.toString()).contains("body_timeout");
      assertThat(frame.stream()).as("the rest is not wanted").isEqualTo(1);
      assertThat(frame.payload()).as("NO_ERROR").containsExactly(0, 0, 0, 0);
    }
    assertThat(api.metric("nibble_prepare_memory_bytes", "")).isZero();
  }

  /** Who asks for the ids of much text and does not read them holds memory, which counts; an answer of a few ids holds no place. */
  @Test
  void aLargeAnswerOfTheTokenizerCountsUntilItIsRead() throws Exception {
    loader.tokenizer.held = false;
    String text = "a b ".repeat(250_000);
    try (Api.Wire wire = api.connectWithSmallBuffer()) {
      wire.post("/tokenize", "{\"prompt\":\"" + text + "\",\"return_token_strs\":true}");
      assertThat(wire.readThrough("\r\n\r\n")).startsWith("HTTP/1.1 200 ");
      assertThat(api.metric("nibble_prepare_memory_bytes", "")).isGreaterThan(1_000_000);
      assertThat(depth()).isEqualTo(1);
      assertThat(api.post("/tokenize", "{\"prompt\":\"a b\"}").status()).as("others").isEqualTo(200);
      assertThat(wire.readThrough("\"token_strs\":[").length()).isGreaterThan(100_000);
    }
    Api.await("gone with its reader", () -> depth() == 0);

    CompletableFuture<Integer> answered = new CompletableFuture<>();
    var call = channel.newCall(TokenizerServiceGrpc.getTokenizeMethod(), CallOptions.DEFAULT);
    call.start(new ClientCall.Listener<>() {
      @Override
      public void onMessage(TokenizeResponse message) {
        answered.complete(message.getIdsCount());
      }

      @Override
      public void onClose(Status status, Metadata trailers) {
        answered.completeExceptionally(new AssertionError(status));
      }
    }, new Metadata());
    call.sendMessage(TokenizeRequest.newBuilder().setText("a b ".repeat(900_000)).build()); // whose ids are more than windows of HTTP/2 let through
    call.halfClose();
    // Without a request for the message, flow control keeps all but its beginning with the server.
    Api.await("it is answered as far as its reader lets it", () -> depth() == 1);
    Thread.sleep(500);
    assertThat(depth()).isEqualTo(1);
    call.request(1);
    assertThat(answered.get(60, TimeUnit.SECONDS)).isGreaterThan(100_000);
  }

  @Test
  void streamsBeginBeforeTheirFirstTokenAndAreKeptOpenByComments() throws Exception {
    for (String path : List.of(COMPLETIONS, "/v2/models/nibble-home/generate_stream")) {
      Api.Wire first = post(path, path.startsWith("/v2") ? "{\"text_input\":\"Once\",\"max_tokens\":3,\"ignore_eos\":true}" : STREAM);
      Api.Wire second = post(COMPLETIONS, STREAM);
      for (Api.Wire wire : List.of(first, second)) {
        String head = wire.readThrough("\r\n\r\n");
        assertThat(head).startsWith("HTTP/1.1 200").contains("text/event-stream");
        assertThat(wire.readThrough(": waiting\n\n")).doesNotContain("data:");
        assertThat(wire.readThrough(": waiting\n\n")).doesNotContain("data:");
      }
      loader.permits.release(PLENTY);
      assertThat(first.readThrough("\r\n0\r\n\r\n")).contains("data: {");
      assertThat(second.readThrough("data: [DONE]\n\n")).contains("\"finish_reason\":\"length\"");
      Api.await("both are done", () -> engine().running() + engine().queueDepth() == 0);
      loader.permits.drainPermits();
    }
  }

  @Test
  void whatGoesWrongAfterAStreamsBeginIsAnEvent() throws Exception {
    Api.Wire stream = post(COMPLETIONS, STREAM);
    assertThat(stream.readThrough("\r\n\r\n")).startsWith("HTTP/1.1 200");
    loader.passFailure = new IllegalStateException("as the test wants");
    try {
      loader.permits.release(1);
      assertThat(stream.readThrough("\r\n0\r\n\r\n")).contains("data: {\"error\":{").contains("\"code\":\"internal\"").doesNotContain("[DONE]");
    } finally {
      loader.passFailure = null;
    }
  }
}
