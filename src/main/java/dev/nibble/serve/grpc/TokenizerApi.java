package dev.nibble.serve.grpc;

import com.google.protobuf.MessageLite;
import dev.nibble.engine.Engine;
import dev.nibble.engine.EngineException;
import dev.nibble.serve.api.Admission;
import dev.nibble.serve.api.PromptBuilder;
import dev.nibble.serve.api.ServedModels;
import dev.nibble.tokenizer.EncodingBudget;
import dev.nibble.tokenizer.Tokenizer;
import dev.nibble.v1.DetokenizeRequest;
import dev.nibble.v1.DetokenizeResponse;
import dev.nibble.v1.TokenizeRequest;
import dev.nibble.v1.TokenizeResponse;
import dev.nibble.v1.TokenizerServiceGrpc;
import io.grpc.stub.StreamObserver;
import io.quarkus.grpc.GrpcService;
import jakarta.inject.Inject;
import java.util.function.Function;
import java.util.function.UnaryOperator;

/** {@code nibble.v1.TokenizerService}. */
@GrpcService
final class TokenizerApi extends TokenizerServiceGrpc.TokenizerServiceImplBase {
  private final ServedModels models;
  private final Admission admission;
  private final Calls calls;

  @Inject
  TokenizerApi(ServedModels models, Admission admission, Calls calls) {
    this.models = models;
    this.admission = admission;
    this.calls = calls;
  }

  @Override
  public void tokenize(TokenizeRequest request, StreamObserver<TokenizeResponse> observer) {
    prepare(observer, request.getSerializedSize(), TokenizerApi::path, budget -> {
      Engine engine = models.require(request.getModel());
      TokenizeResponse.Builder response = TokenizeResponse.newBuilder();
      for (int id : ids(request, engine, budget)) {
        response.addIds(id);
      }
      return response.build();
    });
  }

  private static int[] ids(TokenizeRequest request, Engine engine, EncodingBudget budget) {
    Tokenizer tokenizer = engine.tokenizer();
    return switch (request.getInputCase()) {
      case TEXT ->
          request.getAddSpecial()
              ? tokenizer.encodeWithSpecials(request.getText(), request.getParseSpecial(), budget)
              : tokenizer.encode(request.getText(), request.getParseSpecial(), budget);
      case CHAT -> PromptBuilder.chat(engine, GenerationReader.messages(request.getChat()), budget);
      case INPUT_NOT_SET -> throw EngineException.invalid("input", "There is neither text nor chat; one of them is needed.");
    };
  }

  private static String path(String field) {
    return field.startsWith("messages") ? "chat." + field : field;
  }

  @Override
  public void detokenize(DetokenizeRequest request, StreamObserver<DetokenizeResponse> observer) {
    prepare(observer, request.getSerializedSize(), UnaryOperator.identity(), budget -> {
      Tokenizer tokenizer = models.require(request.getModel()).tokenizer();
      int[] ids = request.getIdsList().stream().mapToInt(Integer::intValue).toArray();
      for (int i = 0; i < ids.length; i++) {
        if (ids[i] < 0 || ids[i] >= tokenizer.vocabularySize()) {
          String field = "ids[" + i + "]";
          throw EngineException.invalid(field, field + " is " + ids[i] + "; the vocabulary has ids 0 to " + (tokenizer.vocabularySize() - 1) + ".");
        }
      }
      return DetokenizeResponse.newBuilder().setText(tokenizer.decode(ids, request.getRenderSpecial())).build();
    });
  }

  /** Makes a response where prompts are prepared: as they do, it takes time by its length. */
  private <T extends MessageLite> void prepare(StreamObserver<T> observer, long bytes, UnaryOperator<String> paths, Function<EncodingBudget, T> response) {
    calls.admit(observer, () -> admission.enter(bytes), () -> {}, paths, (exchange, place) -> {
      T message = place.prepare(bytes, () -> response.apply(place.budget(Integer.MAX_VALUE)));
      place.answer(message.getSerializedSize());
      if (exchange.send(message)) {
        exchange.complete();
        exchange.awaitEnd();
      }
    });
  }
}
