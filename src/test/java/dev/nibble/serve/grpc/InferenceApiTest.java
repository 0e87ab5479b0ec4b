package dev.nibble.serve.grpc;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import dev.nibble.v1.GenerateRequest;
import dev.nibble.v1.GenerationOptions;
import dev.nibble.v1.SamplingOptions;
import grpc.health.v1.HealthOuterClass.HealthCheckRequest;
import grpc.health.v1.HealthOuterClass.HealthCheckResponse.ServingStatus;
import inference.GRPCInferenceServiceGrpc;
import inference.InferParameter;
import inference.InferTensorContents;
import inference.ModelInferRequest;
import inference.ModelInferRequest.InferInputTensor;
import inference.ModelInferRequest.InferRequestedOutputTensor;
import inference.ModelInferResponse;
import inference.ModelMetadataRequest;
import inference.ModelMetadataResponse;
import inference.ModelReadyRequest;
import inference.ServerLiveRequest;
import inference.ServerMetadataRequest;
import inference.ServerReadyRequest;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.quarkus.test.junit.QuarkusTest;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
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
    refused(story().addRawInputContents(ByteString.copyFrom(new byte[] {9, 0, 0, 0, 65})), Status.Code.INVALID_ARGUMENT, "in the middle of an element");
    refused(story().addRawInputContents(ByteString.copyFrom(new byte[] {-1, -1, -1, -1})), Status.Code.INVALID_ARGUMENT, "in the middle of an element");
    refused(story().addRawInputContents(ByteString.copyFrom(new byte[] {1, 0, 0, 0, -1})), Status.Code.INVALID_ARGUMENT, "not UTF-8");
    refused(story().addInputs(tensor("top_k", "INT32")), Status.Code.INVALID_ARGUMENT, "0 elements, its shape 1");
  }

  private void refused(ModelInferRequest.Builder request, Status.Code code, String words) {
    StatusRuntimeException failure = Assertions.catchThrowableOfType(StatusRuntimeException.class, () -> inference().modelInfer(request.build()));
    assertThat(failure.getStatus().getCode()).isEqualTo(code);
    assertThat(failure.getStatus().getDescription()).contains(words);
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

  private static ByteBuffer bytes(int size) {
    return ByteBuffer.allocate(size).order(ByteOrder.LITTLE_ENDIAN);
  }

  private static ByteString element(String text) {
    ByteString utf8 = ByteString.copyFromUtf8(text);
    return ByteString.copyFrom(bytes(4).putInt(utf8.size()).flip()).concat(utf8);
  }
}
