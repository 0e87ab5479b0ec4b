package dev.nibble.serve.api.http;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.nibble.engine.EngineException;
import dev.nibble.serve.api.request.Json;
import dev.nibble.serve.api.request.RawInputs;
import io.vertx.core.Context;
import io.vertx.core.Future;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.HttpServerRequest;
import io.vertx.core.http.HttpServerResponse;
import io.vertx.core.http.HttpVersion;
import io.vertx.ext.web.RoutingContext;
import jakarta.ws.rs.container.AsyncResponse;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.Supplier;
import org.jboss.logging.Logger;

/**
 * The response of one request, written by a thread that may wait. Everything that touches the connection runs on its event loop;
 * the writer waits until each piece is on the wire, so that a slow client slows its writer and not the service's memory.
 */
public final class Exchange {
  /** Media type of most bodies. */
  public static final String JSON = "application/json";
  /** Media type of streams. */
  public static final String EVENTS = "text/event-stream";

  private static final Logger LOG = Logger.getLogger(Exchange.class);
  private static final long NO_ERROR = 0; // of HTTP/2
  private static final long LINGER_MILLISECONDS = 1000;

  private final RoutingContext routing;
  private final HttpServerResponse response;
  private final Context eventLoop;
  private final String requestId;
  private final Function<ApiError, ObjectNode> errorForm;
  private volatile boolean gone;

  /**
   * To be called on the request's event loop.
   *
   * @param errorForm how the API tells errors
   */
  Exchange(RoutingContext routing, Function<ApiError, ObjectNode> errorForm) {
    this.routing = routing;
    requestId = "req_" + UUID.randomUUID().toString().replace("-", "");
    this.errorForm = errorForm;
    response = routing.response();
    eventLoop = routing.vertx().getOrCreateContext();
    response.putHeader("X-Request-Id", requestId);
  }

  /**
   * Answers what a resource is asked for. Responses are written here and not by the framework, because an answer needs the connection itself: to read bodies as there is
   * room for them, to write as fast as the client reads, and to hear at once that it went away. That is heard by the response's exception, as the framework takes its one
   * close handler for itself. The framework is told when all is written. To be called on the request's event loop.
   *
   * @param suspended the framework's response, which stays unused
   * @param errorForm how the API tells errors
   * @param work reads the request and begins to answer it; what goes wrong in it is told to the client, and a defect to the log
   */
  public static void answer(RoutingContext routing, AsyncResponse suspended, Function<ApiError, ObjectNode> errorForm, Consumer<Exchange> work) {
    routing.addEndHandler(end -> {
      if (end.succeeded()) {
        suspended.resume((Object) null);
      }
    });
    Exchange exchange = new Exchange(routing, errorForm);
    exchange.run(() -> work.accept(exchange));
    // The framework holds bodies back until somebody wants them: now there are handlers, or it is thrown away.
    if (!routing.request().isEnded()) {
      routing.request().resume();
    }
  }

  /** What {@code X-Request-Id} says. */
  public String requestId() {
    return requestId;
  }

  /** The request. */
  public HttpServerRequest request() {
    return routing.request();
  }

  /** Does what a request asks for; what goes wrong is told to the client, and a defect to the log. On the event loop. */
  private void run(Runnable work) {
    try {
      work.run();
    } catch (EngineException failure) {
      sendNow(ApiError.of(failure, Map.of()));
    } catch (RuntimeException defect) {
      LOG.errorf(defect, "Request %s failed.", requestId);
      if (!response.headWritten()) {
        sendNow(ApiError.internal(requestId));
      }
    }
  }

  /** Runs an action, on the event loop, when the client goes away before the response is complete. On the event loop. */
  public void onGone(Runnable action) {
    routing.addEndHandler(end -> {
      if (end.failed()) {
        gone = true;
        action.run();
      }
    });
  }

  /** Whether the client went away before the response was complete. */
  public boolean gone() {
    return gone;
  }

  /** Adds a header, before anything is sent. */
  public void header(String name, String value) {
    response.putHeader(name, value);
  }

  /** Sends an error as the whole response; for the event loop. */
  public void sendNow(ApiError error) {
    end(error.status(), error.headers(), Json.write(errorForm.apply(error)));
  }

  /**
   * Sends an error as the whole response, and closes the connection, whose client has more to send than is read; for the event loop.
   * Under HTTP/2 connections carry other requests as well, and only this one is over.
   */
  public void sendLast(ApiError error) {
    boolean closes = routing.request().version() != HttpVersion.HTTP_2;
    if (closes) {
      response.putHeader("Connection", "close");
    }
    Future<Void> sent = end(error.status(), error.headers(), Json.write(errorForm.apply(error)));
    if (closes) {
      // Not at once: closing with bytes unread resets the connection, and the response might be lost on its way.
      sent.onComplete(done -> routing.vertx().setTimer(LINGER_MILLISECONDS, timer -> routing.request().connection().close()));
    } else {
      // The answer is whole; what else its sender has is not wanted (RFC 9113, 8.1).
      sent.onComplete(done -> response.reset(NO_ERROR));
    }
  }

  /** Ends a request whose body does not come to an end, with an error if nothing was answered yet; for the event loop. */
  public void abandon(ApiError error) {
    if (response.closed()) {
      return;
    }
    if (!response.ended()) {
      sendLast(error);
    } else if (routing.request().version() == HttpVersion.HTTP_2) {
      response.reset(NO_ERROR);
    } else {
      routing.request().connection().close();
    }
  }

  /** Sends a JSON value as the whole response; for the event loop. */
  public void sendNow(JsonNode body) {
    sendNow(200, body);
  }

  /** Sends a JSON value as the whole response, with a status of its own; for the event loop. */
  public void sendNow(int status, JsonNode body) {
    end(status, Map.of(), Json.write(body));
  }

  /** Sends a JSON text as the whole response; for the event loop. */
  public void sendNow(String json) {
    end(200, Map.of(), json);
  }

  /** Says that all is well, without a body; for the event loop. */
  public void sendNothing() {
    response.setStatusCode(200).end();
  }

  /** Sends an error as the whole response. */
  public void send(ApiError error) throws InterruptedException {
    String text = Json.write(errorForm.apply(error));
    await(() -> end(error.status(), error.headers(), text));
  }

  /** Sends a JSON value as the whole response. */
  public void send(JsonNode body) throws InterruptedException {
    sendJson(Json.write(body));
  }

  /** Sends a JSON text as the whole response. */
  public void sendJson(String text) throws InterruptedException {
    await(() -> end(200, Map.of(), text));
  }

  /** Sends a JSON value, and bytes after it if there are any, as the whole response. */
  public void send(ObjectNode body, byte[] binary) throws InterruptedException {
    if (binary.length == 0) {
      send(body);
      return;
    }
    Buffer text = Buffer.buffer(Json.write(body));
    await(() -> {
      response.setStatusCode(200).putHeader("Content-Type", "application/octet-stream").putHeader(RawInputs.Binary.HEADER, Integer.toString(text.length()));
      return response.end(text.appendBytes(binary));
    });
  }

  private Future<Void> end(int status, Map<String, String> headers, String text) {
    response.setStatusCode(status).putHeader("Content-Type", JSON);
    headers.forEach(response::putHeader);
    return response.end(Buffer.buffer(text));
  }

  /** Begins a stream of server-sent events: its head leaves at once. False if the client is gone. */
  public boolean beginEvents() throws InterruptedException {
    return await(() -> response.setChunked(true)
        .putHeader("Content-Type", EVENTS + "; charset=utf-8")
        .putHeader("Cache-Control", "no-cache")
        // Asks reverse proxies not to collect pieces.
        .putHeader("X-Accel-Buffering", "no")
        .writeHead());
  }

  /** Sends what clients of a stream pass over, so that nobody on the way takes it for dead; false if the client is gone. */
  public boolean comment() throws InterruptedException {
    Buffer comment = Buffer.buffer(": waiting\n\n");
    return await(() -> response.write(comment));
  }

  /** Sends an event and waits until it is on the wire; false if the client is gone. */
  public boolean event(ObjectNode data) throws InterruptedException {
    Buffer event = Buffer.buffer("data: " + Json.write(data) + "\n\n");
    return await(() -> response.write(event));
  }

  /** Ends a stream; {@code done} says whether with what OpenAI's clients take for its end. */
  public void endEvents(boolean done) throws InterruptedException {
    Buffer end = Buffer.buffer(done ? "data: [DONE]\n\n" : "");
    await(() -> response.end(end));
  }

  /** Ends a stream with an error in place of the end that clients wait for. */
  public void endEvents(ApiError error) throws InterruptedException {
    Buffer event = Buffer.buffer("data: " + Json.write(errorForm.apply(error)) + "\n\n");
    await(() -> response.end(event));
  }

  private boolean await(Supplier<Future<Void>> operation) throws InterruptedException {
    CompletableFuture<Void> done = new CompletableFuture<>();
    eventLoop.runOnContext(ignored -> {
      if (response.closed() || response.ended()) {
        done.completeExceptionally(new IllegalStateException("the connection is closed"));
        return;
      }
      operation.get().onComplete(result -> {
        if (result.succeeded()) {
          done.complete(null);
        } else {
          done.completeExceptionally(result.cause());
        }
      });
    });
    try {
      done.get();
      return true;
    } catch (ExecutionException failure) {
      // Writing fails for one reason: nobody is there to read.
      gone = true;
      return false;
    }
  }
}
