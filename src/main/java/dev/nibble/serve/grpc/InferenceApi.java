package dev.nibble.serve.grpc;

import com.google.protobuf.ByteString;
import dev.nibble.engine.Engine;
import dev.nibble.engine.EngineException;
import dev.nibble.engine.GeneratedToken;
import dev.nibble.engine.GenerationRequest;
import dev.nibble.engine.GenerationResult;
import dev.nibble.serve.Admission;
import dev.nibble.serve.Answer;
import dev.nibble.serve.ServeConfig;
import dev.nibble.serve.ServedModels;
import dev.nibble.serve.health.LivenessCheck;
import dev.nibble.serve.health.ReadinessJudge;
import dev.nibble.serve.rest.InferInput;
import dev.nibble.serve.rest.InferOutput;
import dev.nibble.serve.rest.InferRequest;
import dev.nibble.serve.rest.OpenInferenceRoutes;
import inference.GRPCInferenceServiceGrpc;
import inference.InferTensorContents;
import inference.ModelInferRequest;
import inference.ModelInferResponse;
import inference.ModelInferResponse.InferOutputTensor;
import inference.ModelMetadataRequest;
import inference.ModelMetadataResponse;
import inference.ModelMetadataResponse.TensorMetadata;
import inference.ModelReadyRequest;
import inference.ModelReadyResponse;
import inference.ServerLiveRequest;
import inference.ServerLiveResponse;
import inference.ServerMetadataRequest;
import inference.ServerMetadataResponse;
import inference.ServerReadyRequest;
import inference.ServerReadyResponse;
import io.grpc.stub.StreamObserver;
import io.quarkus.grpc.GrpcService;
import jakarta.inject.Inject;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.UnaryOperator;
import org.eclipse.microprofile.config.inject.ConfigProperty;
import org.eclipse.microprofile.health.HealthCheckResponse;
import org.eclipse.microprofile.health.Liveness;

/** {@code inference.GRPCInferenceService}: the Open Inference Protocol, which is read as over REST. */
@GrpcService
final class InferenceApi extends GRPCInferenceServiceGrpc.GRPCInferenceServiceImplBase {
  private final ServedModels models;
  private final ServeConfig config;
  private final LivenessCheck liveness;
  private final ReadinessJudge judge;
  private final Admission admission;
  private final Calls calls;
  private final String version;

  @Inject
  InferenceApi(
      ServedModels models, ServeConfig config, @Liveness LivenessCheck liveness, ReadinessJudge judge, Admission admission, Calls calls,
      @ConfigProperty(name = "quarkus.application.version") String version) {
    this.models = models;
    this.config = config;
    this.liveness = liveness;
    this.judge = judge;
    this.admission = admission;
    this.calls = calls;
    this.version = version;
  }

  @Override
  public void serverLive(ServerLiveRequest request, StreamObserver<ServerLiveResponse> observer) {
    boolean live = liveness.call().getStatus() == HealthCheckResponse.Status.UP;
    calls.answer(observer, UnaryOperator.identity(), () -> ServerLiveResponse.newBuilder().setLive(live).build());
  }

  @Override
  public void serverReady(ServerReadyRequest request, StreamObserver<ServerReadyResponse> observer) {
    calls.answer(observer, UnaryOperator.identity(), () -> ServerReadyResponse.newBuilder().setReady(judge.judge().ready()).build());
  }

  @Override
  public void modelReady(ModelReadyRequest request, StreamObserver<ModelReadyResponse> observer) {
    calls.answer(observer, UnaryOperator.identity(), () -> {
      // While a model is being loaded its name is not known: not ready, rather than not found.
      boolean ready = judge.judge().ready();
      if (ready) {
        require(request.getName(), request.getVersion());
      }
      return ModelReadyResponse.newBuilder().setReady(ready).build();
    });
  }

  @Override
  public void serverMetadata(ServerMetadataRequest request, StreamObserver<ServerMetadataResponse> observer) {
    // The generate extension is REST's alone.
    calls.answer(observer, UnaryOperator.identity(),
        () -> ServerMetadataResponse.newBuilder().setName("nibble").setVersion(version).addExtensions("parameters").build());
  }

  @Override
  public void modelMetadata(ModelMetadataRequest request, StreamObserver<ModelMetadataResponse> observer) {
    calls.answer(observer, UnaryOperator.identity(), () -> {
      Engine engine = require(request.getName(), request.getVersion());
      ModelMetadataResponse.Builder response = ModelMetadataResponse.newBuilder()
          .setName(engine.model().name()).addVersions(OpenInferenceRoutes.VERSION).setPlatform(OpenInferenceRoutes.PLATFORM);
      for (InferInput input : InferInput.values()) {
        response.addInputs(TensorMetadata.newBuilder().setName(input.tensor()).setDatatype(input.datatype()).addShape(input.length()));
      }
      for (InferOutput output : InferOutput.values()) {
        response.addOutputs(TensorMetadata.newBuilder().setName(output.tensor()).setDatatype(output.datatype()).addShape(1));
      }
      return response.build();
    });
  }

  @Override
  public void modelInfer(ModelInferRequest request, StreamObserver<ModelInferResponse> observer) {
    Answer answer = new Answer();
    long bytes = request.getSerializedSize();
    // Let go of once it is prepared: calls may wait long in line, and their tensors be large.
    AtomicReference<ModelInferRequest> unread = new AtomicReference<>(request);
    String name = request.getModelName();
    String modelVersion = request.getModelVersion();
    calls.admit(observer, () -> admission.enter(require(name, modelVersion), bytes), answer::cancel, UnaryOperator.identity(),
        (exchange, place) -> infer(unread.getAndSet(null), bytes, answer, exchange, place));
  }

  private Engine require(String name, String modelVersion) {
    if (name.isEmpty()) {
      throw EngineException.invalid("name", "The model's name is missing.");
    }
    OpenInferenceRoutes.requireVersion(name, modelVersion);
    return models.require(name);
  }

  /** A request that is ready for the engine, and what its response depends on. */
  private record Prepared(GenerationRequest generation, Answering answering, boolean ownText) {}

  /** @param raw whether elements are wanted as bytes: as clients send them, so they read them */
  private record Answering(Engine engine, Optional<String> id, List<InferOutput> outputs, boolean raw) {}

  private Prepared prepare(ModelInferRequest message, long deadlineNanos, Admission.Place place) {
    Engine engine = require(message.getModelName(), message.getModelVersion());
    InferRequest request = InferRequest.read(TensorReader.read(message), engine.model().name());
    GenerationRequest generation = request.generation(engine, config, deadlineNanos, place.budget(engine.model().contextLength()));
    return new Prepared(generation, new Answering(engine, request.id(), request.outputs(), message.getRawInputContentsCount() > 0), request.beginsText());
  }

  private Answering start(ModelInferRequest message, long bytes, Answer answer, long deadlineNanos, Admission.Place place) throws InterruptedException {
    Prepared prepared = place.prepare(bytes, () -> prepare(message, deadlineNanos, place));
    Engine engine = prepared.answering().engine();
    place.handOver(() -> {
      if (prepared.ownText()) {
        answer.startOwnText(engine, prepared.generation());
      } else {
        answer.start(engine, prepared.generation());
      }
    });
    return prepared.answering();
  }

  private void infer(ModelInferRequest message, long bytes, Answer answer, Exchange<ModelInferResponse> exchange, Admission.Place place)
      throws InterruptedException {
    Answering answering = start(message, bytes, answer, exchange.deadlineNanos(), place);
    StringBuilder text = new StringBuilder();
    while (true) {
      switch (answer.next()) {
        case Answer.Piece.Token(GeneratedToken token) -> text.append(token.text());
        case Answer.Piece.End(var result) -> {
          String whole = text.append(result.text()).toString();
          if (exchange.send(response(answering, whole, result))) {
            exchange.complete();
          }
          return;
        }
      }
    }
  }

  private static ModelInferResponse response(Answering answering, String text, GenerationResult result) {
    ModelInferResponse.Builder response = ModelInferResponse.newBuilder().setModelName(answering.engine().model().name()).setModelVersion(OpenInferenceRoutes.VERSION);
    answering.id().ifPresent(response::setId);
    for (InferOutput output : answering.outputs()) {
      InferTensorContents contents =
          switch (output) {
            case TEXT -> bytes(text);
            case FINISH_REASON -> bytes(result.reason().name().toLowerCase(Locale.ROOT));
            case PROMPT_TOKENS -> InferTensorContents.newBuilder().addIntContents(result.promptTokens()).build();
            case COMPLETION_TOKENS -> InferTensorContents.newBuilder().addIntContents(result.completionTokens()).build();
          };
      InferOutputTensor.Builder tensor = response.addOutputsBuilder().setName(output.tensor()).setDatatype(output.datatype()).addShape(1);
      if (answering.raw()) {
        response.addRawOutputContents(TensorReader.raw(contents));
      } else {
        tensor.setContents(contents);
      }
    }
    return response.build();
  }

  private static InferTensorContents bytes(String text) {
    return InferTensorContents.newBuilder().addBytesContents(ByteString.copyFromUtf8(text)).build();
  }
}
