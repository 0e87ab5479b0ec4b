package dev.nibble.serve.grpc;

import dev.nibble.engine.EngineException;
import dev.nibble.serve.PromptBuilder;
import dev.nibble.serve.ServedModels;
import dev.nibble.tokenizer.Tokenizer;
import dev.nibble.v1.DetokenizeRequest;
import dev.nibble.v1.DetokenizeResponse;
import dev.nibble.v1.TokenizeRequest;
import dev.nibble.v1.TokenizeResponse;
import dev.nibble.v1.TokenizerServiceGrpc;
import io.grpc.stub.StreamObserver;
import io.quarkus.grpc.GrpcService;
import jakarta.inject.Inject;
import java.util.Arrays;
import java.util.function.UnaryOperator;

/** {@code nibble.v1.TokenizerService}. */
@GrpcService
final class TokenizerApi extends TokenizerServiceGrpc.TokenizerServiceImplBase {
  private final ServedModels models;
  private final Calls calls;

  @Inject
  TokenizerApi(ServedModels models, Calls calls) {
    this.models = models;
    this.calls = calls;
  }

  @Override
  public void tokenize(TokenizeRequest request, StreamObserver<TokenizeResponse> observer) {
    calls.answer(observer, TokenizerApi::path, () -> {
      Tokenizer tokenizer = models.require(request.getModel()).tokenizer();
      TokenizeResponse.Builder response = TokenizeResponse.newBuilder();
      Arrays.stream(ids(request, tokenizer)).forEach(response::addIds);
      return response.build();
    });
  }

  private static int[] ids(TokenizeRequest request, Tokenizer tokenizer) {
    return switch (request.getInputCase()) {
      case TEXT ->
          request.getAddSpecial()
              ? tokenizer.encodeWithSpecials(request.getText(), request.getParseSpecial())
              : tokenizer.encode(request.getText(), request.getParseSpecial());
      case CHAT -> PromptBuilder.chat(tokenizer, GenerationReader.messages(request.getChat()));
      case INPUT_NOT_SET -> throw EngineException.invalid("input", "There is neither text nor chat; one of them is needed.");
    };
  }

  private static String path(String field) {
    return field.startsWith("messages") ? "chat." + field : field;
  }

  @Override
  public void detokenize(DetokenizeRequest request, StreamObserver<DetokenizeResponse> observer) {
    calls.answer(observer, UnaryOperator.identity(), () -> {
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
}
