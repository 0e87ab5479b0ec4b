package dev.nibble.serve.grpc;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import dev.nibble.v1.GenerateRequest;
import dev.nibble.v1.GenerationOptions;
import dev.nibble.v1.SamplingOptions;
import grpc.health.v1.HealthOuterClass.HealthCheckRequest;
import grpc.health.v1.HealthOuterClass.HealthCheckResponse.ServingStatus;
import inference.DataType;
import inference.GRPCInferenceServiceGrpc;
import inference.InferParameter;
import inference.InferStatistics;
import inference.InferTensorContents;
import inference.ModelConfig;
import inference.ModelConfigRequest;
import inference.ModelInferRequest;
import inference.ModelInferRequest.InferInputTensor;
import inference.ModelInferRequest.InferRequestedOutputTensor;
import inference.ModelInferResponse;
import inference.ModelMetadataRequest;
import inference.ModelMetadataResponse;
import inference.ModelReadyRequest;
import inference.ModelStatistics;
import inference.ModelStatisticsRequest;
import inference.ModelStreamInferResponse;
import inference.RepositoryIndexRequest;
import inference.ServerLiveRequest;
import inference.ServerMetadataRequest;
import inference.ServerReadyRequest;
import io.grpc.CallOptions;
import io.grpc.Context;
import io.grpc.MethodDescriptor;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.ProtoUtils;
import io.grpc.stub.ClientCalls;
import io.grpc.stub.StreamObserver;
import io.quarkus.test.junit.QuarkusTest;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.assertj.core.api.Assertions;
import org.junit.jupiter.api.Test;

/** The Open Inference Protocol over gRPC, by a client's own stubs. */
@QuarkusTest
class InferenceApiTest extends GrpcClientTest {
  private GRPCInferenceServiceGrpc.GRPCInferenceServiceBlockingStub inference() {
    return GRPCInferenceServiceGrpc.newBlockingStub(channel);
  }

  private static InferInputTensor.Builder tensor(String name, String datatype) {
    return InferInputTensor.newBuilder().setName(name).setDatatype(datatype).addShape(1);
  }

  private static InferTensorContents text(String text) {
    return InferTensorContents.newBuilder().addBytesContents(ByteString.copyFromUtf8(text)).build();
  }

  private static InferParameter integer(long value) {
    return InferParameter.newBuilder().setInt64Param(value).build();
  }

  private static ModelInferRequest.Builder story() {
    return ModelInferRequest.newBuilder().setModelName("nibble-home").setId("42")
        .addInputs(tensor("prompt", "BYTES").setContents(text("Once upon a time")))
        .putParameters("max_tokens", integer(24)).putParameters("seed", integer(7))
        .putParameters("temperature", InferParameter.newBuilder().setDoubleParam(0.8).build());
  }

  private String ours() {
    return generation.generate(GenerateRequest.newBuilder().setOptions(GenerationOptions.newBuilder().setText("Once upon a time").setMaxTokens(24)
        .setSampling(SamplingOptions.newBuilder().setTemperature(0.8f).setSeed(7))).build()).getText();
  }

  @Test
  void tellsHealthAndMetadata() {
    assertThat(inference().serverLive(ServerLiveRequest.getDefaultInstance()).getLive()).isTrue();
    assertThat(inference().serverReady(ServerReadyRequest.getDefaultInstance()).getReady()).isTrue();
    assertThat(inference().modelReady(ModelReadyRequest.newBuilder().setName("nibble-home").setVersion("1").build()).getReady()).isTrue();
    assertThat(inference().serverMetadata(ServerMetadataRequest.getDefaultInstance()).getName()).isEqualTo("nibble");
    ModelMetadataResponse model = inference().modelMetadata(ModelMetadataRequest.newBuilder().setName("nibble-home").build());
    assertThat(model.getPlatform()).isEqualTo("nibble_gguf");
    assertThat(model.getInputs(0).getName()).isEqualTo("prompt");
    assertThat(model.getOutputs(0).getDatatype()).isEqualTo("BYTES");
    assertThat(health.check(HealthCheckRequest.newBuilder().setService(GRPCInferenceServiceGrpc.SERVICE_NAME).build()).getStatus()).isEqualTo(ServingStatus.SERVING);
    assertThat(GRPCInferenceServiceGrpc.SERVICE_NAME).isEqualTo("inference.GRPCInferenceService");
  }

  @Test
  void infersAsTheOtherServiceGenerates() {
    ModelInferResponse response = inference().modelInfer(story().build());
    assertThat(response.getModelName()).isEqualTo("nibble-home");
    assertThat(response.getModelVersion()).isEqualTo("1");
    assertThat(response.getId()).isEqualTo("42");
    assertThat(response.getOutputsList()).extracting(ModelInferResponse.InferOutputTensor::getName)
        .containsExactly("text", "finish_reason", "prompt_tokens", "completion_tokens");
    assertThat(response.getOutputs(0).getContents().getBytesContents(0).toStringUtf8()).isEqualTo(ours()).isNotEmpty();
    assertThat(response.getOutputs(1).getContents().getBytesContents(0).toStringUtf8()).isEqualTo("length");
    assertThat(response.getOutputs(3).getContents().getIntContents(0)).isEqualTo(24);
    assertThat(response.getRawOutputContentsCount()).isZero();
  }

  @Test
  void takesAndGivesBytes() {
    ModelInferRequest request = ModelInferRequest.newBuilder().setModelName("nibble-home")
        .addInputs(tensor("prompt", "BYTES")).addInputs(tensor("max_tokens", "INT32")).addInputs(tensor("temperature", "FP32")).addInputs(tensor("seed", "INT64"))
        .addOutputs(InferRequestedOutputTensor.newBuilder().setName("text")).addOutputs(InferRequestedOutputTensor.newBuilder().setName("completion_tokens"))
        .addRawInputContents(element("Once upon a time")).addRawInputContents(ByteString.copyFrom(bytes(4).putInt(24).flip()))
        .addRawInputContents(ByteString.copyFrom(bytes(4).putFloat(0.8f).flip())).addRawInputContents(ByteString.copyFrom(bytes(8).putLong(7).flip()))
        .build();
    ModelInferResponse response = inference().modelInfer(request);
    assertThat(response.getOutputsList()).allSatisfy(output -> assertThat(output.hasContents()).isFalse());
    assertThat(response.getRawOutputContentsList()).containsExactly(element(ours()), ByteString.copyFrom(bytes(4).putInt(24).flip()));
  }

  @Test
  void infersAnswersToMessages() {
    ModelInferResponse response = inference().modelInfer(ModelInferRequest.newBuilder().setModelName("nibble-home")
        .addInputs(tensor("messages", "BYTES").setContents(text("[{\"role\":\"user\",\"content\":\"" + COMMAND + "\"}]")))
        .addInputs(tensor("temperature", "FP32").setContents(InferTensorContents.newBuilder().addFp32Contents(0))).build());
    assertThat(response.getOutputs(0).getContents().getBytesContents(0).toStringUtf8()).isEqualTo(ANSWER);
  }

  @Test
  void endsAnswersWhereTheContextEnds() {
    ModelInferResponse response = inference().modelInfer(
        story().putParameters("max_tokens", integer(4000)).putParameters("ignore_eos", InferParameter.newBuilder().setBoolParam(true).build()).build());
    assertThat(response.getOutputs(1).getContents().getBytesContents(0).toStringUtf8()).isEqualTo("length");
    assertThat(response.getOutputs(2).getContents().getIntContents(0) + response.getOutputs(3).getContents().getIntContents(0)).isEqualTo(1024);
  }

  @Test
  void refusesWhatItCannotTake() {
    refused(ModelInferRequest.newBuilder(), Status.Code.INVALID_ARGUMENT, "name is missing");
    refused(story().setModelName("gpt-4"), Status.Code.NOT_FOUND, "gpt-4");
    refused(story().setModelVersion("2"), Status.Code.NOT_FOUND, "version");
    refused(ModelInferRequest.newBuilder().setModelName("nibble-home").addInputs(tensor("prompt", "BYTES").setContents(text("word ".repeat(2000)))),
        Status.Code.OUT_OF_RANGE, "1024 tokens");
    for (String name : List.of("guided_json", "guided_regex", "structured_outputs", "grammar", "json_schema", "response_format")) {
      refused(story().putParameters(name, InferParameter.newBuilder().setStringParam("{}").build()), Status.Code.INVALID_ARGUMENT, name);
    }
    refused(story().putParameters("temperature", integer(3)), Status.Code.INVALID_ARGUMENT, "0 to 2");
    refused(story().clearInputs(), Status.Code.INVALID_ARGUMENT, "prompt or messages is needed");
    refused(story().addRawInputContents(ByteString.EMPTY).addRawInputContents(ByteString.EMPTY), Status.Code.INVALID_ARGUMENT, "2 entries for 1 inputs");
    refused(raw(new byte[] {9, 0, 0, 0, 65}), Status.Code.INVALID_ARGUMENT, "in the middle of an element");
    refused(raw(new byte[] {-1, -1, -1, -1}), Status.Code.INVALID_ARGUMENT, "in the middle of an element");
    refused(story().addRawInputContents(element("Once")), Status.Code.INVALID_ARGUMENT, "prompt has its elements twice");
    refused(raw(new byte[] {1, 0, 0, 0, -1}), Status.Code.INVALID_ARGUMENT, "are not UTF-8");
    refused(story().addInputs(tensor("top_k", "INT32")), Status.Code.INVALID_ARGUMENT, "0 elements, its shape 1");
  }

  private void refused(ModelInferRequest.Builder request, Status.Code code, String words) {
    StatusRuntimeException failure = Assertions.catchThrowableOfType(StatusRuntimeException.class, () -> inference().modelInfer(request.build()));
    assertThat(failure.getStatus().getCode()).isEqualTo(code);
    assertThat(failure.getStatus().getDescription()).contains(words);
  }

  // ---- Triton's extensions

  /** A client's side of {@code ModelStreamInfer}. */
  private final class Stream implements StreamObserver<ModelStreamInferResponse> {
    private final BlockingQueue<Object> heard = new LinkedBlockingQueue<>();
    private final Context.CancellableContext context = Context.current().withCancellation();
    private final StreamObserver<ModelInferRequest> requests;

    Stream() throws Exception {
      requests = context.call(() -> GRPCInferenceServiceGrpc.newStub(channel).modelStreamInfer(this));
    }

    @Override
    public void onNext(ModelStreamInferResponse response) {
      heard.add(response);
    }

    @Override
    public void onError(Throwable failure) {
      heard.add(failure);
    }

    @Override
    public void onCompleted() {
      heard.add("completed");
    }

    Object next() throws InterruptedException {
      return heard.poll(60, TimeUnit.SECONDS);
    }

    /** The pieces of the next answer, the last one included. */
    List<ModelInferResponse> answer() throws InterruptedException {
      List<ModelInferResponse> pieces = new ArrayList<>();
      do {
        ModelStreamInferResponse response = (ModelStreamInferResponse) next();
        assertThat(response.getErrorMessage()).isEmpty();
        pieces.add(response.getInferResponse());
      } while (!pieces.getLast().getParametersOrThrow("triton_final_response").getBoolParam());
      return pieces;
    }
  }

  @Test
  void streamsAnswersPieceByPiece() throws Exception {
    Stream stream = new Stream();
    stream.requests.onNext(story().build());
    stream.requests.onNext(story().setId("43").putParameters("temperature", integer(3)).build());
    stream.requests.onNext(story().setId("44").clearInputs().addInputs(tensor("prompt", "BYTES")).addRawInputContents(element("Once upon a time"))
        .putParameters("triton_enable_empty_final_response", InferParameter.newBuilder().setBoolParam(true).build()).build());
    stream.requests.onNext(story().setId("45").addOutputs(InferRequestedOutputTensor.newBuilder().setName("completion_tokens")).build());
    stream.requests.onCompleted();

    List<ModelInferResponse> pieces = stream.answer();
    assertThat(pieces.size()).isGreaterThan(15);
    StringBuilder text = new StringBuilder();
    for (ModelInferResponse piece : pieces) {
      assertThat(piece.getId()).isEqualTo("42");
      assertThat(piece.getModelName()).isEqualTo("nibble-home");
      assertThat(piece.getOutputs(0).getName()).isEqualTo("text");
      text.append(piece.getOutputs(0).getContents().getBytesContents(0).toStringUtf8());
      assertThat(piece.getOutputsCount()).isEqualTo(piece == pieces.getLast() ? 4 : 1);
    }
    assertThat(text).hasToString(ours());
    assertThat(pieces.getLast().getOutputs(1).getContents().getBytesContents(0).toStringUtf8()).isEqualTo("length");
    assertThat(pieces.getLast().getOutputs(3).getContents().getIntContents(0)).isEqualTo(24);

    // What is wrong with one is told, and the stream goes on.
    ModelStreamInferResponse refused = (ModelStreamInferResponse) stream.next();
    assertThat(refused.getErrorMessage()).contains("temperature", "0 to 2");
    assertThat(refused.getInferResponse().getId()).isEqualTo("43");

    // Bytes for bytes.
    ByteBuffer told = ByteBuffer.allocate(1 << 16);
    for (ModelInferResponse piece : stream.answer()) {
      assertThat(piece.getId()).isEqualTo("44");
      assertThat(piece.getOutputs(0).hasContents()).isFalse();
      told.put(piece.getRawOutputContents(0).substring(4).toByteArray());
    }
    assertThat(new String(told.array(), 0, told.position(), StandardCharsets.UTF_8)).isEqualTo(ours());

    // Who does not want text gets no pieces of it.
    List<ModelInferResponse> counted = stream.answer();
    assertThat(counted).hasSize(1);
    assertThat(counted.getFirst().getOutputsList()).singleElement().satisfies(output -> assertThat(output.getContents().getIntContents(0)).isEqualTo(24));
    assertThat(stream.next()).isEqualTo("completed");
  }

  @Test
  void cancellingAStreamStopsTheEngine() throws Exception {
    long failed = statistics().getInferenceStats().getFail().getCount();
    long answered = statistics().getInferenceCount();
    Stream stream = new Stream();
    stream.requests.onNext(story().putParameters("ignore_eos", InferParameter.newBuilder().setBoolParam(true).build()).putParameters("max_tokens", integer(1000)).build());
    assertThat(stream.next()).isInstanceOf(ModelStreamInferResponse.class);
    stream.context.cancel(null);
    await(() -> statistics().getInferenceStats().getFail().getCount() == failed + 1, "the answer is cancelled");
    assertThat(statistics().getInferenceCount()).isEqualTo(answered);
  }

  private ModelStatistics statistics() {
    return inference().modelStatistics(ModelStatisticsRequest.newBuilder().setName("nibble-home").build()).getModelStats(0);
  }

  @Test
  void countsAndTimesRequests() {
    InferStatistics before = statistics().getInferenceStats();
    inference().modelInfer(story().build());
    ModelStatistics after = inference().modelStatistics(ModelStatisticsRequest.getDefaultInstance()).getModelStats(0);
    InferStatistics stats = after.getInferenceStats();
    assertThat(stats.getSuccess().getCount() - before.getSuccess().getCount()).isEqualTo(1);
    assertThat(stats.getFail()).isEqualTo(before.getFail());
    assertThat(stats.getComputeInfer().getNs() - before.getComputeInfer().getNs()).isPositive();
    assertThat(stats.getSuccess().getNs()).isEqualTo(stats.getQueue().getNs() + stats.getComputeInfer().getNs());
    assertThat(after.getBatchStats(0).getComputeInfer()).isEqualTo(stats.getComputeInfer());
    assertThat(after.getInferenceCount()).isEqualTo(stats.getSuccess().getCount());
    StatusRuntimeException unknown =
        refusal(() -> inference().modelStatistics(ModelStatisticsRequest.newBuilder().setName("gpt-4").build()));
    assertError(unknown, Status.Code.NOT_FOUND, "MODEL_NOT_FOUND");
  }

  @Test
  void tellsConfigurationAndModels() {
    ModelConfig config = inference().modelConfig(ModelConfigRequest.newBuilder().setName("nibble-home").build()).getConfig();
    assertThat(config.getName()).isEqualTo("nibble-home");
    assertThat(config.getInput(0).getDataType()).isEqualTo(DataType.TYPE_STRING);
    assertThat(config.getOutput(2).getDataType()).isEqualTo(DataType.TYPE_INT32);
    assertThat(config.getModelTransactionPolicy().getDecoupled()).isTrue();
    assertThat(config.getParametersOrThrow("context_length").getStringValue()).isEqualTo("1024");
    for (boolean ready : new boolean[] {false, true}) {
      assertThat(inference().repositoryIndex(RepositoryIndexRequest.newBuilder().setReady(ready).build()).getModelsList()).singleElement().satisfies(model -> {
        assertThat(model.getName()).isEqualTo("nibble-home");
        assertThat(model.getVersion()).isEqualTo("1");
        assertThat(model.getState()).isEqualTo("READY");
      });
    }
  }

  /** Triton's other methods, by their names: unmodified clients call them with messages that are not here. */
  @Test
  void saysWhichExtensionsThereAre() {
    for (String name : List.of("RepositoryModelLoad", "RepositoryModelUnload", "SystemSharedMemoryStatus", "CudaSharedMemoryRegister", "TraceSetting", "LogSettings")) {
      MethodDescriptor<ServerLiveRequest, ServerLiveRequest> method = MethodDescriptor.<ServerLiveRequest, ServerLiveRequest>newBuilder()
          .setType(MethodDescriptor.MethodType.UNARY).setFullMethodName(GRPCInferenceServiceGrpc.SERVICE_NAME + "/" + name)
          .setRequestMarshaller(ProtoUtils.marshaller(ServerLiveRequest.getDefaultInstance()))
          .setResponseMarshaller(ProtoUtils.marshaller(ServerLiveRequest.getDefaultInstance())).build();
      StatusRuntimeException refusal = refusal(() -> ClientCalls.blockingUnaryCall(channel, method, CallOptions.DEFAULT, ServerLiveRequest.getDefaultInstance()));
      assertError(refusal, Status.Code.UNIMPLEMENTED, "METHOD_NOT_FOUND");
      assertThat(refusal.getStatus().getDescription()).contains(name, "ModelStreamInfer", "chosen when the service starts");
    }
  }

  @Test
  void deadlinesStopTheEngine() {
    ModelInferRequest endless = story().putParameters("ignore_eos", InferParameter.newBuilder().setBoolParam(true).build()).putParameters("max_tokens", integer(1000)).build();
    StatusRuntimeException failure = Assertions.catchThrowableOfType(
        StatusRuntimeException.class, () -> inference().withDeadlineAfter(30, TimeUnit.MILLISECONDS).modelInfer(endless));
    assertThat(failure.getStatus().getCode()).isEqualTo(Status.Code.DEADLINE_EXCEEDED);
    // The next in line is not kept waiting by what nobody wants any more.
    assertThat(inference().withDeadlineAfter(20, TimeUnit.SECONDS).modelInfer(story().build()).getId()).isEqualTo("42");
  }

  private static ModelInferRequest.Builder raw(byte[] prompt) {
    return story().clearInputs().addInputs(tensor("prompt", "BYTES")).addRawInputContents(ByteString.copyFrom(prompt));
  }

  private static ByteBuffer bytes(int size) {
    return ByteBuffer.allocate(size).order(ByteOrder.LITTLE_ENDIAN);
  }

  private static ByteString element(String text) {
    ByteString utf8 = ByteString.copyFromUtf8(text);
    return ByteString.copyFrom(bytes(4).putInt(utf8.size()).flip()).concat(utf8);
  }
}
