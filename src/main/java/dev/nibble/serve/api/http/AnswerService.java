package dev.nibble.serve.api.http;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.nibble.engine.Engine;
import dev.nibble.engine.EngineError;
import dev.nibble.engine.EngineException;
import dev.nibble.engine.GeneratedToken;
import dev.nibble.engine.GenerationRequest;
import dev.nibble.serve.api.Answer;
import dev.nibble.serve.api.CallTracker;
import dev.nibble.serve.api.PromptBuilder;
import dev.nibble.serve.api.ServeConfig;
import dev.nibble.serve.api.ServedModels;
import dev.nibble.serve.api.request.AnswerRequest;
import dev.nibble.tokenizer.EncodingBudget;
import jakarta.inject.Inject;
import jakarta.inject.Singleton;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.jboss.logging.Logger;

/**
 * Answers requests for conversations and text, of whichever API, each on a thread of its own that may wait. What costs time before the engine has a request is
 * done by {@link dev.nibble.serve.api.Admission}'s threads.
 */
@Singleton
public final class AnswerService {
  private static final Logger LOG = Logger.getLogger(AnswerService.class);
  /** Names of fields fit for a header; a client's other inventions are not repeated. */
  private static final Pattern TELLABLE = Pattern.compile("[A-Za-z0-9_.\\[\\]-]{1,64}");
  private static final int MOST_TOLD = 16;
  private static final Duration NEVER = Duration.ofDays(365);

  private final ServedModels models;
  private final ServeConfig config;
  private final CallTracker calls;
  private final Duration commentInterval;
  private volatile BodyJson json = BodyJson.of(0, Long.MAX_VALUE); // for the models served: made anew when they change

  @Inject
  AnswerService(ServedModels models, ServeConfig config, RestConfig rest, CallTracker calls) {
    this.models = models;
    this.config = config;
    Duration interval = rest.streamCommentInterval();
    commentInterval = interval.isZero() ? NEVER : interval;
    this.calls = calls;
  }

  /** Answers a request that was let in, on a new virtual thread; to be called on the request's event loop. */
  public void answer(Endpoint endpoint, Body body, Exchange exchange) {
    CallTracker.Call call = calls.begin();
    Answer answer = new Answer();
    exchange.onGone(answer::cancel);
    Thread.ofVirtual().name("nibble-rest-" + exchange.requestId()).start(() -> {
      try (call; body) {
        new Conversation(endpoint, exchange, answer).run(body);
      } catch (InterruptedException interrupt) {
        answer.cancel();
      }
    });
  }

  /** Answers a request that no engine has to see, on a new virtual thread; to be called on the request's event loop. */
  public void describe(Body body, Exchange exchange, Function<ObjectNode, JsonNode> description) {
    CallTracker.Call call = calls.begin();
    Thread.ofVirtual().name("nibble-rest-" + exchange.requestId()).start(() -> {
      try (call; body) {
        try {
          exchange.send(description.apply(body.place().prepare(body.work(), () -> json().read(body, body.place().budget(Integer.MAX_VALUE)))));
        } catch (EngineException failure) {
          exchange.send(ApiError.of(failure, Map.of()));
        } catch (RefusedException refusal) {
          exchange.send(refusal.error());
        } catch (RuntimeException | Error defect) {
          LOG.errorf(defect, "Request %s failed.", exchange.requestId());
          exchange.send(ApiError.internal(exchange.requestId()));
        }
      } catch (InterruptedException interrupt) {
        // Nobody is told: the service ends.
      }
    });
  }

  /** Reads bodies for the models served. */
  private BodyJson json() {
    int context = 0;
    long longestText = 0;
    for (Engine engine : models.all()) {
      context = Math.max(context, engine.model().contextLength());
      longestText = Math.max(longestText, PromptBuilder.longestText(engine.tokenizer(), engine.model().contextLength()));
    }
    BodyJson current = json;
    if (current.context() != context || current.longestText() != longestText) {
      current = BodyJson.of(context, longestText);
      json = current;
    }
    return current;
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

    void run(Body body) throws InterruptedException {
      try {
        respond(body);
      } catch (EngineException failure) {
        if (!exchange.gone()) {
          refuse(ApiError.of(stoppedByUs(failure), fieldNames));
        }
      } catch (RefusedException refusal) {
        refuse(refusal.error());
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

    private void respond(Body body) throws InterruptedException {
      Prepared prepared = body.place().prepareForEngine(body.work(), () -> prepare(body));
      tellIgnored(prepared.ignoredFields());
      body.place().handOver(() -> prepared.start(answer));
      switch (prepared.writer()) {
        case Prepared.Whole(WholeWriter writer) -> whole(writer, prepared.echo());
        case Prepared.Streamed(StreamWriter writer) -> stream(writer, prepared.measured(), prepared.echo());
      }
    }

    /** All that costs time before the engine has the request. */
    private Prepared prepare(Body body) {
      EncodingBudget untilEnd = body.place().budget(Integer.MAX_VALUE);
      Task task = endpoint.read(body, json(), untilEnd);
      AnswerRequest request = task.request();
      fieldNames = request.fieldNames();
      Engine engine = models.require(request.model());
      GenerationRequest generation = request.generation(engine, config, Long.MAX_VALUE, body.place().budget(engine.model().contextLength()));
      Prepared.Writer writer = switch (task) {
        case Task.Whole whole -> new Prepared.Whole(whole.writer().apply(engine));
        case Task.Streamed streamed -> new Prepared.Streamed(streamed.writer().apply(engine));
      };
      String echo = request.echo() ? request.prompt().text(engine.tokenizer()) : "";
      return new Prepared(engine, generation, request.prompt().beginsText(), writer, request.logProbabilities() >= 0, echo, request.ignoredFields());
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
            exchange.send(format.whole(text.append(result.text()).toString(), tokens, result), format.binary());
            return;
          }
        }
      }
    }

    /** The head is sent at once, and comments while nothing else is to be said: what goes wrong from here on is told by an event. */
    private void stream(StreamWriter format, boolean measured, String echo) throws InterruptedException {
      streaming = true;
      boolean there = exchange.beginEvents();
      boolean begun = false;
      while (there) {
        Optional<Answer.Piece> next = answer.next(commentInterval);
        if (next.isEmpty()) {
          there = exchange.comment();
          continue;
        }
        if (!begun) {
          begun = true;
          Optional<ObjectNode> first = format.first(echo);
          there = first.isEmpty() || exchange.event(first.get());
        }
        switch (next.get()) {
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
      }
      answer.cancel();
    }

    private void tellIgnored(List<String> fields) {
      String told = fields.stream().filter(TELLABLE.asMatchPredicate()).distinct().limit(MOST_TOLD).collect(Collectors.joining(", "));
      if (!told.isEmpty()) {
        exchange.header("Nibble-Ignored-Fields", told);
      }
    }
  }
}
