package dev.nibble.serve.grpc;

import dev.nibble.engine.Engine;
import dev.nibble.engine.EngineException;
import dev.nibble.engine.GeneratedToken;
import dev.nibble.engine.GenerationRequest;
import dev.nibble.serve.api.Admission;
import dev.nibble.serve.api.Answer;
import dev.nibble.serve.api.CallTracker;
import dev.nibble.serve.api.RequestStatistics;
import dev.nibble.serve.api.ServeConfig;
import dev.nibble.serve.api.ServedModels;
import dev.nibble.serve.api.request.InferInput;
import dev.nibble.serve.api.request.InferOutput;
import dev.nibble.serve.api.request.InferRequest;
import dev.nibble.serve.api.request.OpenInference;
import dev.nibble.serve.health.LivenessCheck;
import dev.nibble.serve.health.ReadinessJudge;
import dev.nibble.serve.health.ReadinessVerdict;
import inference.GRPCInferenceServiceGrpc;
import inference.ModelConfigRequest;
import inference.ModelConfigResponse;
import inference.ModelInferRequest;
import inference.ModelInferResponse;
import inference.ModelMetadataRequest;
import inference.ModelMetadataResponse;
import inference.ModelMetadataResponse.TensorMetadata;
import inference.ModelReadyRequest;
import inference.ModelReadyResponse;
import inference.ModelStatisticsRequest;
import inference.ModelStatisticsResponse;
import inference.ModelStreamInferResponse;
import inference.RepositoryIndexRequest;
import inference.RepositoryIndexResponse;
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
  private final CallTracker tracker;
  private final RequestStatistics statistics;
  private final String version;

  @Inject
  InferenceApi(
      ServedModels models, ServeConfig config, @Liveness LivenessCheck liveness, ReadinessJudge judge, Admission admission, Calls calls, CallTracker tracker,
      RequestStatistics statistics,
      @ConfigProperty(name = "quarkus.application.version") String version) {
    this.models = models;
    this.config = config;
    this.liveness = liveness;
    this.judge = judge;
    this.admission = admission;
    this.calls = calls;
    this.tracker = tracker;
    this.statistics = statistics;
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
        () -> ServerMetadataResponse.newBuilder().setName("nibble").setVersion(version).addAllExtensions(OpenInference.EXTENSIONS).build());
  }

  @Override
  public void modelMetadata(ModelMetadataRequest request, StreamObserver<ModelMetadataResponse> observer) {
    calls.answer(observer, UnaryOperator.identity(), () -> {
      Engine engine = require(request.getName(), request.getVersion());
      ModelMetadataResponse.Builder response = ModelMetadataResponse.newBuilder()
          .setName(engine.model().name()).addVersions(OpenInference.VERSION).setPlatform(OpenInference.PLATFORM);
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
    calls.admit(observer, () -> admission.enter(require(name, modelVersion), bytes), answer::cancel, InferenceApi::path,
        (exchange, place) -> infer(unread.getAndSet(null), bytes, answer, exchange, place));
  }

  @Override
  public StreamObserver<ModelInferRequest> modelStreamInfer(StreamObserver<ModelStreamInferResponse> observer) {
    return new InferStream(observer, tracker, new InferStream.Work() {
      @Override
      public Admission.Place enter(ModelInferRequest request, long bytes) {
        return admission.enter(require(request.getModelName(), request.getModelVersion()), bytes);
      }

      @Override
      public InferForm start(ModelInferRequest request, long bytes, Answer answer, long deadlineNanos, Admission.Place place) throws InterruptedException {
        return InferenceApi.this.start(request, bytes, answer, deadlineNanos, place);
      }
    });
  }

  @Override
  public void modelConfig(ModelConfigRequest request, StreamObserver<ModelConfigResponse> observer) {
    calls.answer(observer, UnaryOperator.identity(),
        () -> ModelConfigResponse.newBuilder().setConfig(ModelMessages.config(require(request.getName(), request.getVersion()))).build());
  }

  @Override
  public void modelStatistics(ModelStatisticsRequest request, StreamObserver<ModelStatisticsResponse> observer) {
    calls.answer(observer, UnaryOperator.identity(), () -> {
      List<Engine> engines = request.getName().isEmpty() ? models.all() : List.of(require(request.getName(), request.getVersion()));
      ModelStatisticsResponse.Builder response = ModelStatisticsResponse.newBuilder();
      engines.forEach(engine -> response.addModelStats(ModelMessages.statistics(engine.model().name(), statistics.of(engine.model().name()))));
      return response.build();
    });
  }

  @Override
  public void repositoryIndex(RepositoryIndexRequest request, StreamObserver<RepositoryIndexResponse> observer) {
    calls.answer(observer, UnaryOperator.identity(), () -> {
      ReadinessVerdict verdict = judge.judge();
      RepositoryIndexResponse.Builder response = RepositoryIndexResponse.newBuilder();
      if (verdict.ready() || !request.getReady()) {
        for (Engine engine : models.all()) {
          response.addModelsBuilder().setName(engine.model().name()).setVersion(OpenInference.VERSION)
              .setState(verdict.ready() ? "READY" : "UNAVAILABLE").setReason(verdict.reason());
        }
      }
      return response.build();
    });
  }

  private Engine require(String name, String modelVersion) {
    if (name.isEmpty()) {
      throw EngineException.invalid("name", "The model's name is missing.");
    }
    OpenInference.requireVersion(name, modelVersion);
    return models.require(name);
  }

  /** A request that is ready for the engine, and what its response depends on. */
  private record Prepared(Engine engine, GenerationRequest generation, InferForm form, boolean ownText) {}

  private Prepared prepare(ModelInferRequest message, long deadlineNanos, Admission.Place place) {
    Engine engine = require(message.getModelName(), message.getModelVersion());
    InferRequest request = TensorReader.read(message, engine.model().name());
    GenerationRequest generation = request.generation(engine, config, deadlineNanos, place.budget(engine.model().contextLength()));
    InferForm form = new InferForm(engine.model().name(), message.getId(), request.outputs(), message.getRawInputContentsCount() > 0);
    return new Prepared(engine, generation, form, request.beginsText());
  }

  private InferForm start(ModelInferRequest message, long bytes, Answer answer, long deadlineNanos, Admission.Place place) throws InterruptedException {
    Prepared prepared = place.prepareForEngine(bytes, () -> prepare(message, deadlineNanos, place));
    place.handOver(() -> {
      if (prepared.ownText()) {
        answer.startOwnText(prepared.engine(), prepared.generation());
      } else {
        answer.start(prepared.engine(), prepared.generation());
      }
    });
    return prepared.form();
  }

  private void infer(ModelInferRequest message, long bytes, Answer answer, Exchange<ModelInferResponse> exchange, Admission.Place place)
      throws InterruptedException {
    InferForm form = start(message, bytes, answer, exchange.deadlineNanos(), place);
    StringBuilder text = new StringBuilder();
    while (true) {
      switch (answer.next()) {
        case Answer.Piece.Token(GeneratedToken token) -> text.append(token.text());
        case Answer.Piece.End(var result) -> {
          if (exchange.send(form.whole(text.append(result.text()).toString(), result))) {
            exchange.complete();
          }
          return;
        }
      }
    }
  }

  /** Where a field is in a message that has another name over REST. */
  private static String path(String field) {
    return field.startsWith("inputs[") && field.endsWith(".data") ? field.substring(0, field.length() - 4) + "contents" : field;
  }
}
