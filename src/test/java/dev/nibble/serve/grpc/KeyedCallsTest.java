package dev.nibble.serve.grpc;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.rpc.ErrorInfo;
import dev.nibble.offload.GrpcChannels;
import dev.nibble.offload.v1.AcceleratorServiceGrpc;
import dev.nibble.offload.v1.DescribeRequest;
import dev.nibble.serve.Keyed;
import dev.nibble.v1.GenerationServiceGrpc;
import dev.nibble.v1.ListModelsRequest;
import dev.nibble.v1.TokenizeRequest;
import grpc.health.v1.HealthOuterClass.HealthCheckRequest;
import grpc.health.v1.HealthOuterClass.HealthCheckResponse.ServingStatus;
import inference.GRPCInferenceServiceGrpc;
import inference.ModelInferRequest;
import inference.ModelReadyRequest;
import inference.ModelStatisticsRequest;
import inference.ServerLiveRequest;
import inference.ServerMetadataRequest;
import inference.ServerReadyRequest;
import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientInterceptors;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.ProtoUtils;
import io.grpc.reflection.v1.ServerReflectionGrpc;
import io.grpc.reflection.v1.ServerReflectionRequest;
import io.grpc.reflection.v1.ServerReflectionResponse;
import io.grpc.stub.AbstractStub;
import io.grpc.stub.ClientCalls;
import io.grpc.stub.MetadataUtils;
import io.grpc.stub.StreamObserver;
import io.quarkus.test.junit.QuarkusTest;
import io.quarkus.test.junit.TestProfile;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** gRPC with keys. */
@QuarkusTest
@TestProfile(Keyed.class)
class KeyedCallsTest extends GrpcClientTest {
  @Override
  boolean waitsForModel() {
    return false;
  }

  /** Asked without a key: probes have none. */
  @BeforeEach
  void ready() {
    await(() -> health.check(HealthCheckRequest.getDefaultInstance()).getStatus() == ServingStatus.SERVING, "the service serves");
  }

  private static Metadata authorization(String value) {
    Metadata headers = new Metadata();
    headers.put(Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER), value);
    return headers;
  }

  private static <S extends AbstractStub<S>> S with(String key, S stub) {
    return stub.withInterceptors(MetadataUtils.newAttachHeadersInterceptor(authorization("Bearer " + key)));
  }

  @Test
  void letsInWhoHasAKey() {
    assertThat(with(Keyed.GENERATE, generation).generate(request(command())).getText()).isEqualTo(ANSWER);
    assertThat(with(Keyed.GENERATE, models).listModels(ListModelsRequest.getDefaultInstance()).getModelsCount()).isEqualTo(1);
    assertThat(with(Keyed.GENERATE, tokenizer).tokenize(TokenizeRequest.newBuilder().setText("x").build()).getIdsCount()).isPositive();
  }

  /** As over REST, see {@code KeysTest}. */
  @Test
  void theOpenInferenceProtocolsProbesNeedNone() {
    GRPCInferenceServiceGrpc.GRPCInferenceServiceBlockingStub inference = GRPCInferenceServiceGrpc.newBlockingStub(channel);
    assertThat(inference.serverLive(ServerLiveRequest.getDefaultInstance()).getLive()).isTrue();
    assertThat(inference.serverReady(ServerReadyRequest.getDefaultInstance()).getReady()).isTrue();
    assertThat(inference.modelReady(ModelReadyRequest.newBuilder().setName("nibble-home").build()).getReady()).isTrue();
    assertError(refusal(() -> inference.serverMetadata(ServerMetadataRequest.getDefaultInstance())), Status.Code.UNAUTHENTICATED, "API_KEY_MISSING");
    assertError(refusal(() -> inference.modelInfer(ModelInferRequest.getDefaultInstance())), Status.Code.UNAUTHENTICATED, "API_KEY_MISSING");
    assertError(refusal(() -> inference.modelStatistics(ModelStatisticsRequest.getDefaultInstance())), Status.Code.UNAUTHENTICATED, "API_KEY_MISSING");
    assertThat(with(Keyed.GENERATE, inference).serverMetadata(ServerMetadataRequest.getDefaultInstance()).getName()).isEqualTo("nibble");
  }

  @Test
  void refusesOthers() {
    ErrorInfo info = assertError(refusal(() -> generation.generate(request(command()))), Status.Code.UNAUTHENTICATED, "API_KEY_MISSING");
    assertThat(info.getMetadataMap()).containsExactly(java.util.Map.entry("scope", "generate"));
    assertError(refusal(() -> stream(command())), Status.Code.UNAUTHENTICATED, "API_KEY_MISSING");
    assertError(refusal(() -> models.listModels(ListModelsRequest.getDefaultInstance())), Status.Code.UNAUTHENTICATED, "API_KEY_MISSING");
    StatusRuntimeException invalid = refusal(() -> with("nib_wrong", generation).generate(request(command())));
    assertError(invalid, Status.Code.UNAUTHENTICATED, "API_KEY_INVALID");
    assertThat(invalid.toString()).doesNotContain("nib_");
    assertError(refusal(() -> with(Keyed.EXPIRED, tokenizer).tokenize(TokenizeRequest.getDefaultInstance())), Status.Code.UNAUTHENTICATED, "API_KEY_EXPIRED");
    for (String other : new String[] {Keyed.METRICS, Keyed.OFFLOAD}) {
      assertError(refusal(() -> with(other, generation).generate(request(command()))), Status.Code.PERMISSION_DENIED, "API_KEY_SCOPE");
    }
  }

  /** What does not exist is not told to strangers; what computes for neighbours has a scope of its own. */
  @Test
  void asksBeforeItLooksForTheMethod() {
    assertError(refusal(() -> call("nibble.v1.GenerationService/Nothing", "nib_wrong")), Status.Code.UNAUTHENTICATED, "API_KEY_INVALID");
    assertError(refusal(() -> call("nibble.v1.GenerationService/Nothing", Keyed.GENERATE)), Status.Code.UNIMPLEMENTED, "METHOD_NOT_FOUND");
    StatusRuntimeException offload = refusal(() -> call("nibble.offload.v1.AcceleratorService/Nothing", Keyed.GENERATE));
    assertThat(assertError(offload, Status.Code.PERMISSION_DENIED, "API_KEY_SCOPE").getMetadataMap()).containsEntry("scope", "offload");
    assertError(refusal(() -> call("nibble.offload.v1.AcceleratorService/Nothing", Keyed.OFFLOAD)), Status.Code.UNIMPLEMENTED, "METHOD_NOT_FOUND");
  }

  /** A gateway that computes for others asks theirs for keys, and a gateway that asks others brings one, from its file. */
  @Test
  void gatewaysBringKeysToEachOther(@TempDir Path folder) throws Exception {
    Path file = Files.writeString(folder.resolve("key"), Keyed.OFFLOAD + "\n");
    try (GrpcChannels channels = new GrpcChannels()) {
      ManagedChannel neighbour = channels.open(new InetSocketAddress("localhost", port), "localhost", Optional.empty(), Optional.of(file));
      AcceleratorServiceGrpc.AcceleratorServiceBlockingStub accelerator = AcceleratorServiceGrpc.newBlockingStub(neighbour);
      assertThat(accelerator.describe(DescribeRequest.getDefaultInstance()).getEngine()).startsWith("nibble");
      Files.writeString(file, Keyed.GENERATE);
      assertError(refusal(() -> accelerator.describe(DescribeRequest.getDefaultInstance())), Status.Code.PERMISSION_DENIED, "API_KEY_SCOPE");
      Files.delete(file);
      assertError(refusal(() -> accelerator.describe(DescribeRequest.getDefaultInstance())), Status.Code.UNAUTHENTICATED, "API_KEY_MISSING");
      neighbour.shutdownNow();
    }
  }

  private void call(String method, String key) {
    MethodDescriptor<ListModelsRequest, ListModelsRequest> descriptor = MethodDescriptor.<ListModelsRequest, ListModelsRequest>newBuilder()
        .setType(MethodDescriptor.MethodType.UNARY).setFullMethodName(method)
        .setRequestMarshaller(ProtoUtils.marshaller(ListModelsRequest.getDefaultInstance()))
        .setResponseMarshaller(ProtoUtils.marshaller(ListModelsRequest.getDefaultInstance())).build();
    Channel keyed = ClientInterceptors.intercept(channel, MetadataUtils.newAttachHeadersInterceptor(authorization("Bearer " + key)));
    ClientCalls.blockingUnaryCall(keyed, descriptor, CallOptions.DEFAULT, ListModelsRequest.getDefaultInstance());
  }

  @Test
  void reflectionNeedsAnyKey() throws Exception {
    assertThat(services(with(Keyed.OFFLOAD, ServerReflectionGrpc.newStub(channel)))).contains(GenerationServiceGrpc.SERVICE_NAME);
    try {
      services(ServerReflectionGrpc.newStub(channel));
      throw new AssertionError("answered");
    } catch (ExecutionException failure) {
      assertError((StatusRuntimeException) failure.getCause(), Status.Code.UNAUTHENTICATED, "API_KEY_MISSING");
    }
  }

  private static String services(ServerReflectionGrpc.ServerReflectionStub stub) throws Exception {
    CompletableFuture<String> answer = new CompletableFuture<>();
    StreamObserver<ServerReflectionRequest> requests = stub.serverReflectionInfo(new StreamObserver<>() {
      @Override
      public void onNext(ServerReflectionResponse response) {
        answer.complete(response.toString());
      }

      @Override
      public void onError(Throwable failure) {
        answer.completeExceptionally(failure);
      }

      @Override
      public void onCompleted() {}
    });
    requests.onNext(ServerReflectionRequest.newBuilder().setListServices("").build());
    return answer.get(20, TimeUnit.SECONDS);
  }
}
