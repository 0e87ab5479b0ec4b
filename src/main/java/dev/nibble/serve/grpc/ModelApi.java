package dev.nibble.serve.grpc;

import com.google.protobuf.Timestamp;
import dev.nibble.engine.Engine;
import dev.nibble.engine.ModelInfo;
import dev.nibble.serve.api.ServedModels;
import dev.nibble.v1.GetModelRequest;
import dev.nibble.v1.GetModelResponse;
import dev.nibble.v1.ListModelsRequest;
import dev.nibble.v1.ListModelsResponse;
import dev.nibble.v1.Model;
import dev.nibble.v1.ModelServiceGrpc;
import io.grpc.stub.StreamObserver;
import io.quarkus.grpc.GrpcService;
import jakarta.inject.Inject;
import java.util.function.UnaryOperator;

/** {@code nibble.v1.ModelService}. */
@GrpcService
final class ModelApi extends ModelServiceGrpc.ModelServiceImplBase {
  private final ServedModels models;
  private final Calls calls;

  @Inject
  ModelApi(ServedModels models, Calls calls) {
    this.models = models;
    this.calls = calls;
  }

  @Override
  public void listModels(ListModelsRequest request, StreamObserver<ListModelsResponse> observer) {
    calls.answer(observer, UnaryOperator.identity(), () -> {
      // Says that loading is not over, rather than that there are none.
      models.require("");
      return ListModelsResponse.newBuilder().addAllModels(models.all().stream().map(ModelApi::describe).toList()).build();
    });
  }

  @Override
  public void getModel(GetModelRequest request, StreamObserver<GetModelResponse> observer) {
    calls.answer(observer, UnaryOperator.identity(), () -> GetModelResponse.newBuilder().setModel(describe(models.require(request.getName()))).build());
  }

  private static Model describe(Engine engine) {
    ModelInfo info = engine.model();
    return Model.newBuilder()
        .setName(info.name())
        .setArchitecture(info.architecture())
        .setParameters(info.parameters())
        .setContextLength(info.contextLength())
        .setVocabularySize(info.vocabularySize())
        .setBitsPerWeight(info.bitsPerWeight())
        .setChat(engine.tokenizer().hasChatTemplate())
        .setCreateTime(Timestamp.newBuilder().setSeconds(info.createdEpochSeconds()))
        .build();
  }
}
