package dev.nibble.serve.grpc;

import dev.nibble.engine.EngineError;
import dev.nibble.engine.EngineException;
import dev.nibble.serve.api.Admission;
import dev.nibble.serve.api.CallTracker;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import jakarta.inject.Inject;
import jakarta.inject.Singleton;
import java.util.Map;
import java.util.UUID;
import java.util.function.Supplier;
import java.util.function.UnaryOperator;
import org.jboss.logging.Logger;

/** Runs each call's work on a virtual thread of its own, for calls that ask for more than facts after letting them in, and turns what goes wrong into statuses. */
@Singleton
final class Calls {
  private static final Logger LOG = Logger.getLogger(Calls.class);

  private final CallTracker tracker;

  @Inject
  Calls(CallTracker tracker) {
    this.tracker = tracker;
  }

  /** A call's work; it may wait. */
  private interface Work<T> {
    void run(Exchange<T> exchange) throws InterruptedException;
  }

  /** The work of a call that was let in. */
  interface AdmittedWork<T> {
    /** @throws EngineException for the client to hear */
    void run(Exchange<T> exchange, Admission.Place place) throws InterruptedException;
  }

  /**
   * Lets a call in and starts its work, or refuses it; to be called on its event loop.
   *
   * @param door takes a place, or throws
   * @param onGone stops the work when nobody waits for it any more
   * @param paths turns the engine's names of fields into paths within the request
   */
  <T> void admit(StreamObserver<T> observer, Supplier<Admission.Place> door, Runnable onGone, UnaryOperator<String> paths, AdmittedWork<T> work) {
    Admission.Place place;
    try {
      place = door.get();
    } catch (EngineException refusal) {
      observer.onError(GrpcErrors.of(refusal, paths));
      return;
    }
    Runnable leave = () -> {
      place.leave();
      onGone.run();
    };
    start(observer, leave, paths, exchange -> {
      try (place) {
        work.run(exchange, place);
      }
    });
  }

  private <T> void start(StreamObserver<T> observer, Runnable onGone, UnaryOperator<String> paths, Work<T> work) {
    Exchange<T> exchange = new Exchange<>((ServerCallStreamObserver<T>) observer, tracker.begin(), onGone);
    Thread.ofVirtual().name("nibble-grpc").start(() -> {
      try {
        work.run(exchange);
      } catch (EngineException failure) {
        fail(exchange, () -> GrpcErrors.of(stoppedByUs(failure), paths));
      } catch (InterruptedException interrupt) {
        onGone.run();
        fail(exchange, () -> GrpcErrors.of(stopping(), paths));
      } catch (RuntimeException | Error defect) {
        onGone.run();
        String callId = UUID.randomUUID().toString();
        LOG.errorf(defect, "Call %s failed.", callId);
        fail(exchange, () -> GrpcErrors.internal(callId));
      }
    });
  }

  /** Does a call whose one message is at hand without waiting. */
  <T> void answer(StreamObserver<T> observer, UnaryOperator<String> paths, Supplier<T> message) {
    start(observer, () -> {}, paths, exchange -> {
      if (exchange.send(message.get())) {
        exchange.complete();
      }
    });
  }

  private static void fail(Exchange<?> exchange, Supplier<StatusRuntimeException> error) {
    StatusRuntimeException status;
    try {
      status = error.get();
    } catch (RuntimeException | Error defect) {
      // Details that can't be written must not leave the client waiting.
      LOG.error("A call's error could not be told in full.", defect);
      status = Status.INTERNAL.withDescription("The call failed, and what failed it could not be told in full.").asRuntimeException();
    }
    if (!exchange.gone()) {
      exchange.fail(status);
    }
  }

  /** The client is still there, so it did not cancel: the service's end came first. */
  static EngineException stoppedByUs(EngineException failure) {
    return failure.error() == EngineError.CANCELLED ? stopping() : failure;
  }

  static EngineException stopping() {
    return new EngineException(EngineError.SHUTTING_DOWN, "The service is stopping, and the answer was not finished in time.", Map.of());
  }
}
