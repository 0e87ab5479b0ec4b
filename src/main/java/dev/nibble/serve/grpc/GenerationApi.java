package dev.nibble.serve.grpc;

import dev.nibble.engine.Engine;
import dev.nibble.engine.GeneratedToken;
import dev.nibble.engine.GenerationRequest;
import dev.nibble.serve.api.Admission;
import dev.nibble.serve.api.Answer;
import dev.nibble.serve.api.ServeConfig;
import dev.nibble.serve.api.ServedModels;
import dev.nibble.v1.GenerateRequest;
import dev.nibble.v1.GenerateResponse;
import dev.nibble.v1.GenerationOptions;
import dev.nibble.v1.GenerationServiceGrpc;
import dev.nibble.v1.StreamGenerateRequest;
import dev.nibble.v1.StreamGenerateResponse;
import io.grpc.stub.StreamObserver;
import io.quarkus.grpc.GrpcService;
import jakarta.inject.Inject;
import java.util.concurrent.atomic.AtomicReference;

/** {@code nibble.v1.GenerationService}. */
@GrpcService
final class GenerationApi extends GenerationServiceGrpc.GenerationServiceImplBase {
  private final ServedModels models;
  private final ServeConfig config;
  private final Admission admission;
  private final Calls calls;

  @Inject
  GenerationApi(ServedModels models, ServeConfig config, Admission admission, Calls calls) {
    this.models = models;
    this.config = config;
    this.admission = admission;
    this.calls = calls;
  }

  @Override
  public void generate(GenerateRequest request, StreamObserver<GenerateResponse> observer) {
    admit(request.getOptions(), request.getSerializedSize(), observer, this::whole);
  }

  @Override
  public void streamGenerate(StreamGenerateRequest request, StreamObserver<StreamGenerateResponse> observer) {
    admit(request.getOptions(), request.getSerializedSize(), observer, this::stream);
  }

  /** An answer that was put in line. */
  private record Started(Engine engine, Answer answer, boolean measured) {}

  /** Sends an answer on. */
  private interface Sender<T> {
    void send(Started started, Exchange<T> exchange) throws InterruptedException;
  }

  private <T> void admit(GenerationOptions options, long bytes, StreamObserver<T> observer, Sender<T> sender) {
    Answer answer = new Answer();
    String model = options.getModel();
    GenerationOptions.InputCase input = options.getInputCase();
    // Let go of once it is prepared: calls may wait long in line, and their texts be large.
    AtomicReference<GenerationOptions> unread = new AtomicReference<>(options);
    calls.admit(observer, () -> admission.enter(models.require(model), bytes), answer::cancel, field -> GenerationReader.path(input, field),
        (exchange, place) -> sender.send(start(unread.getAndSet(null), bytes, answer, exchange.deadlineNanos(), place), exchange));
  }

  private Started start(GenerationOptions options, long bytes, Answer answer, long deadlineNanos, Admission.Place place) throws InterruptedException {
    Engine engine = models.require(options.getModel());
    GenerationRequest generation = place.prepareForEngine(bytes,
        () -> GenerationReader.read(options, engine, config, deadlineNanos, place.budget(engine.model().contextLength())));
    place.handOver(() -> {
      if (options.hasChat() || options.getText().isEmpty()) {
        answer.startOwnText(engine, generation);
      } else {
        answer.start(engine, generation);
      }
    });
    return new Started(engine, answer, options.hasLogProbabilities());
  }

  private void whole(Started started, Exchange<GenerateResponse> exchange) throws InterruptedException {
    Engine engine = started.engine();
    GenerateResponse.Builder response = GenerateResponse.newBuilder().setModel(engine.model().name());
    StringBuilder text = new StringBuilder();
    while (true) {
      switch (started.answer().next()) {
        case Answer.Piece.Token(GeneratedToken token) -> {
          text.append(token.text());
          response.addTokens(AnswerMessages.token(token, engine.tokenizer(), started.measured()));
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

  private void stream(Started started, Exchange<StreamGenerateResponse> exchange) throws InterruptedException {
    Engine engine = started.engine();
    while (true) {
      switch (started.answer().next()) {
        case Answer.Piece.Token(GeneratedToken token) -> {
          StreamGenerateResponse piece = StreamGenerateResponse.newBuilder()
              .setText(token.text())
              .setToken(AnswerMessages.token(token, engine.tokenizer(), started.measured()))
              .build();
          if (!exchange.send(piece)) {
            started.answer().cancel();
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
