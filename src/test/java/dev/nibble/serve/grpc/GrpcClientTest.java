package dev.nibble.serve.grpc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import com.google.protobuf.Any;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Message;
import com.google.rpc.BadRequest;
import com.google.rpc.ErrorInfo;
import dev.nibble.v1.ChatInput;
import dev.nibble.v1.ChatMessage;
import dev.nibble.v1.GenerateRequest;
import dev.nibble.v1.GenerationOptions;
import dev.nibble.v1.GenerationServiceGrpc;
import dev.nibble.v1.ListModelsRequest;
import dev.nibble.v1.ModelServiceGrpc;
import dev.nibble.v1.SamplingOptions;
import dev.nibble.v1.StreamGenerateRequest;
import dev.nibble.v1.StreamGenerateResponse;
import dev.nibble.v1.TokenizerServiceGrpc;
import grpc.health.v1.HealthGrpc;
import io.grpc.ManagedChannel;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.netty.NettyChannelBuilder;
import io.grpc.protobuf.StatusProto;
import io.quarkus.test.common.QuarkusTestResource;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;

/** A gRPC client over a real socket, for tests. */
@QuarkusTestResource(FreeGrpcPort.class)
abstract class GrpcClientTest implements FreeGrpcPort.Client {
  static final String COMMAND = "dim the kitchen light to 30 percent";
  /** nibble-home's answer, the greedy one of its reference. */
  static final String ANSWER = "{\"device\":\"light\",\"room\":\"kitchen\",\"action\":\"dim\",\"value\":30}";

  int port;
  ManagedChannel channel;
  GenerationServiceGrpc.GenerationServiceBlockingStub generation;
  GenerationServiceGrpc.GenerationServiceStub asynchronous;
  ModelServiceGrpc.ModelServiceBlockingStub models;
  TokenizerServiceGrpc.TokenizerServiceBlockingStub tokenizer;
  HealthGrpc.HealthBlockingStub health;

  @Override
  public void grpcPort(int port) {
    this.port = port;
  }

  @BeforeEach
  void connect() {
    channel = newChannel();
    generation = GenerationServiceGrpc.newBlockingStub(channel);
    asynchronous = GenerationServiceGrpc.newStub(channel);
    models = ModelServiceGrpc.newBlockingStub(channel);
    tokenizer = TokenizerServiceGrpc.newBlockingStub(channel);
    health = HealthGrpc.newBlockingStub(channel);
    // An executable is started before its model is loaded.
    if (waitsForModel()) {
      await(this::ready, "the model is loaded");
    }
  }

  @AfterEach
  void disconnect() throws InterruptedException {
    channel.shutdownNow();
    assertThat(channel.awaitTermination(10, TimeUnit.SECONDS)).isTrue();
  }

  boolean waitsForModel() {
    return true;
  }

  ManagedChannel newChannel() {
    return NettyChannelBuilder.forAddress("localhost", port).usePlaintext().build();
  }

  private boolean ready() {
    try {
      models.listModels(ListModelsRequest.getDefaultInstance());
      return true;
    } catch (StatusRuntimeException failure) {
      assertThat(failure.getStatus().getCode()).isEqualTo(Status.Code.UNAVAILABLE);
      return false;
    }
  }

  static void await(BooleanSupplier condition, String what) {
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
    while (!condition.getAsBoolean()) {
      assertThat(System.nanoTime()).as("nanosecond clock while waiting until %s", what).isLessThan(end);
      try {
        Thread.sleep(5);
      } catch (InterruptedException interrupt) {
        throw new AssertionError(interrupt);
      }
    }
  }

  // ---- requests

  static ChatInput chat(String content) {
    return ChatInput.newBuilder().addMessages(ChatMessage.newBuilder().setRole("user").setContent(content)).build();
  }

  static SamplingOptions greedy() {
    return SamplingOptions.newBuilder().setTemperature(0).build();
  }

  static GenerationOptions.Builder command() {
    return GenerationOptions.newBuilder().setChat(chat(COMMAND)).setSampling(greedy());
  }

  /** A story that goes on until {@code maxTokens}. */
  static GenerationOptions.Builder story(int maxTokens) {
    return GenerationOptions.newBuilder()
        .setText("Once upon a time")
        .setSampling(SamplingOptions.newBuilder().setTemperature(1).setSeed(7))
        .setMaxTokens(maxTokens)
        .setIgnoreEndOfGeneration(true);
  }

  static GenerateRequest request(GenerationOptions.Builder options) {
    return GenerateRequest.newBuilder().setOptions(options).build();
  }

  static StreamGenerateRequest streamed(GenerationOptions.Builder options) {
    return StreamGenerateRequest.newBuilder().setOptions(options).build();
  }

  List<StreamGenerateResponse> stream(GenerationOptions.Builder options) {
    List<StreamGenerateResponse> pieces = new ArrayList<>();
    generation.streamGenerate(streamed(options)).forEachRemaining(pieces::add);
    return pieces;
  }

  static String text(List<StreamGenerateResponse> pieces) {
    StringBuilder text = new StringBuilder();
    pieces.forEach(piece -> text.append(piece.getText()));
    return text.toString();
  }

  // ---- errors

  static StatusRuntimeException refusal(ThrowingCallable call) {
    StatusRuntimeException refusal = catchThrowableOfType(StatusRuntimeException.class, call);
    assertThat(refusal).as("refusal").isNotNull();
    return refusal;
  }

  /** Details of a type; null if there are none. */
  static <T extends Message> T detail(StatusRuntimeException refusal, Class<T> type) {
    try {
      for (Any detail : StatusProto.fromThrowable(refusal).getDetailsList()) {
        if (detail.is(type)) {
          return detail.unpack(type);
        }
      }
      return null;
    } catch (InvalidProtocolBufferException broken) {
      throw new AssertionError(broken);
    }
  }

  static ErrorInfo assertError(StatusRuntimeException refusal, Status.Code code, String reason) {
    assertThat(refusal.getStatus().getCode()).as(refusal.toString()).isEqualTo(code);
    assertThat(refusal.getStatus().getDescription()).isNotBlank().doesNotContain("Exception", "\tat ");
    ErrorInfo info = detail(refusal, ErrorInfo.class);
    assertThat(info).as("ErrorInfo").isNotNull();
    assertThat(info.getDomain()).isEqualTo("nibble.dev");
    assertThat(info.getReason()).isEqualTo(reason);
    return info;
  }

  static void assertInvalid(StatusRuntimeException refusal, String field) {
    ErrorInfo info = assertError(refusal, Status.Code.INVALID_ARGUMENT, "INVALID_REQUEST");
    assertThat(info.getMetadataMap()).containsEntry("field", field);
    BadRequest bad = detail(refusal, BadRequest.class);
    assertThat(bad).as("BadRequest").isNotNull();
    assertThat(bad.getFieldViolationsList()).singleElement().satisfies(violation -> {
      assertThat(violation.getField()).isEqualTo(field);
      assertThat(violation.getDescription()).isEqualTo(refusal.getStatus().getDescription());
    });
  }
}
