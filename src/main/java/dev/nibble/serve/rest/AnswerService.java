package dev.nibble.serve.rest;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.nibble.engine.Engine;
import dev.nibble.engine.EngineError;
import dev.nibble.engine.EngineException;
import dev.nibble.engine.GeneratedToken;
import dev.nibble.engine.GenerationRequest;
import dev.nibble.serve.Answer;
import dev.nibble.serve.CallTracker;
import dev.nibble.serve.ServeConfig;
import dev.nibble.serve.ServedModels;
import jakarta.inject.Inject;
import jakarta.inject.Singleton;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.eclipse.microprofile.config.inject.ConfigProperty;
import org.jboss.logging.Logger;

/** Answers requests for conversations and text, of whichever API, each on a thread of its own that may wait. */
@Singleton
final class AnswerService {
  private static final Logger LOG = Logger.getLogger(AnswerService.class);
  /** Names of fields fit for a header; a client's other inventions are not repeated. */
  private static final Pattern TELLABLE = Pattern.compile("[A-Za-z0-9_.\\[\\]-]{1,64}");
  private static final int MOST_TOLD = 16;

  private final ServedModels models;
  private final ServeConfig config;
  private final CallTracker calls;
  private final String fingerprint;

  @Inject
  AnswerService(ServedModels models, ServeConfig config, CallTracker calls, @ConfigProperty(name = "quarkus.application.version") String version) {
    this.models = models;
    this.config = config;
    this.calls = calls;
    fingerprint = "fp_nibble_" + version;
  }

  /** Answers a request on a new virtual thread; to be called on the request's event loop. */
  void answer(Endpoint endpoint, byte[] body, Exchange exchange) {
    CallTracker.Call call = calls.begin();
    Answer answer = new Answer();
    exchange.onGone(answer::cancel);
    Thread.ofVirtual().name("nibble-rest-" + exchange.requestId()).start(() -> {
      try (call) {
        new Conversation(endpoint, exchange, answer).run(body);
      } catch (InterruptedException interrupt) {
        answer.cancel();
      }
    });
  }

  /** One request and its response. */
  private final class Conversation {
    private final Endpoint endpoint;
    private final Exchange exchange;
    private final Answer answer;
    private Map<String, String> fieldNames = Map.of();
    private boolean streaming;

    Conversation(Endpoint endpoint, Exchange exchange, Answer answer) {
      this.endpoint = endpoint;
      this.exchange = exchange;
      this.answer = answer;
    }

    void run(byte[] body) throws InterruptedException {
      try {
        respond(body);
      } catch (EngineException failure) {
        if (!exchange.gone()) {
          refuse(ApiError.of(stoppedByUs(failure), fieldNames));
        }
      } catch (RuntimeException | Error defect) {
        answer.cancel();
        LOG.errorf(defect, "Request %s failed.", exchange.requestId());
        refuse(ApiError.internal(exchange.requestId()));
      }
    }

    /** The client is still there, so it did not cancel: the service's end came first. */
    private static EngineException stoppedByUs(EngineException failure) {
      return failure.error() == EngineError.CANCELLED
          ? new EngineException(EngineError.SHUTTING_DOWN, "The service is stopping, and the answer was not finished in time.", Map.of())
          : failure;
    }

    private void refuse(ApiError error) throws InterruptedException {
      if (streaming) {
        exchange.endEvents(error);
      } else {
        exchange.send(error);
      }
    }

    private void respond(byte[] body) throws InterruptedException {
      Task task = read(Json.readObject(body));
      AnswerRequest request = task.request();
      fieldNames = request.fieldNames();
      tellIgnored(request.ignoredFields());

      Engine engine = models.require(request.model());
      GenerationRequest generation = request.generation(engine, config, Long.MAX_VALUE);
      if (request.prompt().beginsText()) {
        answer.startOwnText(engine, generation);
      } else {
        answer.start(engine, generation);
      }

      String echo = request.echo() ? request.prompt().text(engine.tokenizer()) : "";
      switch (task) {
        case Task.Whole whole -> whole(whole.writer().apply(engine), echo);
        case Task.Streamed streamed -> stream(streamed.writer().apply(engine), request.logProbabilities() >= 0, echo);
      }
    }

    private Task read(ObjectNode tree) {
      return switch (endpoint) {
        case Endpoint.OpenAi openAi -> {
          AnswerRequest request =
              switch (openAi) {
                case CHAT -> RequestParser.chat(tree);
                case TEXT -> RequestParser.completion(tree);
              };
          yield request.stream()
              ? new Task.Streamed(request, engine -> openAiFormat(openAi, engine, request))
              : new Task.Whole(request, engine -> openAiFormat(openAi, engine, request));
        }
        case Endpoint.Infer infer -> {
          InferRequest request = InferRequest.read(tree, infer.model());
          yield new Task.Whole(request.answer(), engine -> new InferFormat(engine.model().name(), request));
        }
        case Endpoint.Generate generate -> {
          AnswerRequest request = OpenInferenceParser.generate(tree, generate.model(), generate.stream());
          yield generate.stream()
              ? new Task.Streamed(request, engine -> new GenerateFormat(engine.model().name()))
              : new Task.Whole(request, engine -> new GenerateFormat(engine.model().name()));
        }
      };
    }

    private AnswerFormat openAiFormat(Endpoint.OpenAi openAi, Engine engine, AnswerRequest request) {
      String unique = UUID.randomUUID().toString().replace("-", "");
      String model = engine.model().name();
      long now = Instant.now().getEpochSecond();
      return switch (openAi) {
        case CHAT -> new ChatFormat("chatcmpl-" + unique, model, now, fingerprint, engine.tokenizer(), request);
        case TEXT -> new TextFormat("cmpl-" + unique, model, now, fingerprint, engine.tokenizer(), request);
      };
    }

    private void whole(WholeWriter format, String echo) throws InterruptedException {
      StringBuilder text = new StringBuilder(echo);
      List<GeneratedToken> tokens = new ArrayList<>();
      while (true) {
        switch (answer.next()) {
          case Answer.Piece.Token(GeneratedToken token) -> {
            text.append(token.text());
            tokens.add(token);
          }
          case Answer.Piece.End(var result) -> {
            exchange.send(format.whole(text.append(result.text()).toString(), tokens, result));
            return;
          }
        }
      }
    }

    /** The head is sent with the first piece: until then a failure still has a status of its own. */
    private void stream(StreamWriter format, boolean measured, String echo) throws InterruptedException {
      while (true) {
        Answer.Piece piece = answer.next();
        boolean there = true;
        if (!streaming) {
          streaming = true;
          exchange.beginEvents();
          Optional<ObjectNode> first = format.first(echo);
          there = first.isEmpty() || exchange.event(first.get());
        }
        switch (piece) {
          case Answer.Piece.Token(GeneratedToken token) -> {
            // Text may be held back; a measured token is told at once nevertheless.
            if (there && (!token.text().isEmpty() || measured)) {
              there = exchange.event(format.piece(token.text(), token));
            }
          }
          case Answer.Piece.End(var result) -> {
            there = there && (result.text().isEmpty() || exchange.event(format.piece(result.text(), null)));
            for (ObjectNode end : format.ends(result)) {
              there = there && exchange.event(end);
            }
            if (there) {
              exchange.endEvents(format.saysDone());
            }
            return;
          }
        }
        if (!there) {
          answer.cancel();
          return;
        }
      }
    }

    private void tellIgnored(List<String> fields) {
      String told = fields.stream().filter(TELLABLE.asMatchPredicate()).distinct().limit(MOST_TOLD).collect(Collectors.joining(", "));
      if (!told.isEmpty()) {
        exchange.header("Nibble-Ignored-Fields", told);
      }
    }
  }
}
