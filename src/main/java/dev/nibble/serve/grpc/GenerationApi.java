package dev.nibble.serve.grpc;

import dev.nibble.engine.Engine;
import dev.nibble.engine.GeneratedToken;
import dev.nibble.engine.GenerationRequest;
import dev.nibble.serve.Answer;
import dev.nibble.serve.ServeConfig;
import dev.nibble.serve.ServedModels;
import dev.nibble.v1.GenerateRequest;
import dev.nibble.v1.GenerateResponse;
import dev.nibble.v1.GenerationOptions;
import dev.nibble.v1.GenerationServiceGrpc;
import dev.nibble.v1.StreamGenerateRequest;
import dev.nibble.v1.StreamGenerateResponse;
import io.grpc.stub.StreamObserver;
import io.quarkus.grpc.GrpcService;
import jakarta.inject.Inject;

/** {@code nibble.v1.GenerationService}. */
@GrpcService
final class GenerationApi extends GenerationServiceGrpc.GenerationServiceImplBase {
  private final ServedModels models;
  private final ServeConfig config;
  private final Calls calls;

  @Inject
  GenerationApi(ServedModels models, ServeConfig config, Calls calls) {
    this.models = models;
    this.config = config;
    this.calls = calls;
  }

  @Override
  public void generate(GenerateRequest request, StreamObserver<GenerateResponse> observer) {
    GenerationOptions options = request.getOptions();
    Answer answer = new Answer();
    calls.start(observer, answer::cancel, field -> GenerationReader.path(options, field), exchange -> whole(options, answer, exchange));
  }

  @Override
  public void streamGenerate(StreamGenerateRequest request, StreamObserver<StreamGenerateResponse> observer) {
    GenerationOptions options = request.getOptions();
    Answer answer = new Answer();
    calls.start(observer, answer::cancel, field -> GenerationReader.path(options, field), exchange -> stream(options, answer, exchange));
  }

  private Engine start(GenerationOptions options, Answer answer, Exchange<?> exchange) {
    Engine engine = models.require(options.getModel());
    GenerationRequest generation = GenerationReader.read(options, engine, config, exchange.deadlineNanos());
    if (options.hasChat() || options.getText().isEmpty()) {
      answer.startOwnText(engine, generation);
    } else {
      answer.start(engine, generation);
    }
    return engine;
  }

  private void whole(GenerationOptions options, Answer answer, Exchange<GenerateResponse> exchange) throws InterruptedException {
    Engine engine = start(options, answer, exchange);
    GenerateResponse.Builder response = GenerateResponse.newBuilder().setModel(engine.model().name());
    StringBuilder text = new StringBuilder();
    while (true) {
      switch (answer.next()) {
        case Answer.Piece.Token(GeneratedToken token) -> {
          text.append(token.text());
          response.addTokens(AnswerMessages.token(token, engine.tokenizer(), options.hasLogProbabilities()));
        }
        case Answer.Piece.End(var result) -> {
          response.setText(text.append(result.text()).toString())
              .setFinishReason(AnswerMessages.finishReason(result))
              .setUsage(AnswerMessages.usage(result))
              .setTimings(AnswerMessages.timings(result));
          if (exchange.send(response.build())) {
            exchange.complete();
          }
          return;
        }
      }
    }
  }

  private void stream(GenerationOptions options, Answer answer, Exchange<StreamGenerateResponse> exchange) throws InterruptedException {
    Engine engine = start(options, answer, exchange);
    while (true) {
      switch (answer.next()) {
        case Answer.Piece.Token(GeneratedToken token) -> {
          StreamGenerateResponse piece = StreamGenerateResponse.newBuilder()
              .setText(token.text())
              .setToken(AnswerMessages.token(token, engine.tokenizer(), options.hasLogProbabilities()))
              .build();
          if (!exchange.send(piece)) {
            answer.cancel();
            return;
          }
        }
        case Answer.Piece.End(var result) -> {
          StreamGenerateResponse last = StreamGenerateResponse.newBuilder()
              .setText(result.text())
              .setFinishReason(AnswerMessages.finishReason(result))
              .setUsage(AnswerMessages.usage(result))
              .setTimings(AnswerMessages.timings(result))
              .setModel(engine.model().name())
              .build();
          if (exchange.send(last)) {
            exchange.complete();
          }
          return;
        }
      }
    }
  }
}
