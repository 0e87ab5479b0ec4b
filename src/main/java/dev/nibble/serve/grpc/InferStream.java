package dev.nibble.serve.grpc;

import dev.nibble.engine.EngineException;
import dev.nibble.engine.GeneratedToken;
import dev.nibble.serve.api.Admission;
import dev.nibble.serve.api.Answer;
import dev.nibble.serve.api.CallTracker;
import inference.ModelInferRequest;
import inference.ModelInferResponse;
import inference.ModelStreamInferResponse;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.UnaryOperator;
import org.jboss.logging.Logger;

/**
 * One call of {@code ModelStreamInfer}: its requests are answered in their order, one at a time, and the next one is taken from the transport when the one
 * before is answered. What is wrong with a request is told in a response, and the stream goes on. Called on the call's event loop.
 */
final class InferStream implements StreamObserver<ModelInferRequest> {
  private static final Logger LOG = Logger.getLogger(InferStream.class);

  private final ServerCallStreamObserver<ModelStreamInferResponse> responses;
  private final CallTracker tracker;
  private final Work work;
  private final Exchange<ModelStreamInferResponse> exchange;

  // Guarded by this object's monitor.
  private UnderWay underWay; // null: none
  private boolean ended; // the client has no more requests

  /** What is done for a request. */
  interface Work {
    /** Lets a request in. @throws EngineException for the client to hear */
    Admission.Place enter(ModelInferRequest request, long bytes);

    /** Puts its answer in line; may wait. @throws EngineException for the client to hear */
    InferForm start(ModelInferRequest request, long bytes, Answer answer, long deadlineNanos, Admission.Place place) throws InterruptedException;
  }

  /** To be made on the call's event loop, before the service's method returns. */
  InferStream(StreamObserver<ModelStreamInferResponse> observer, CallTracker tracker, Work work) {
    responses = (ServerCallStreamObserver<ModelStreamInferResponse>) observer;
    this.tracker = tracker;
    this.work = work;
    responses.disableAutoRequest();
    // Counted by its requests: a stream may stay open between them, and stopping does not wait for that.
    exchange = new Exchange<>(responses, () -> {}, this::cancel);
    responses.request(1);
  }

  @Override
  public void onNext(ModelInferRequest request) {
    CallTracker.Call call = tracker.begin();
    UnderWay next = new UnderWay(new AtomicReference<>(request), request.getModelName(), request.getId(), request.getSerializedSize());
    synchronized (this) {
      underWay = next;
    }
    Thread.ofVirtual().name("nibble-grpc-infer").start(() -> {
      try (call) {
        answer(next);
      } catch (InterruptedException interrupt) {
        next.cancel();
      }
      boolean last;
      synchronized (this) {
        underWay = null;
        last = ended;
      }
      if (exchange.gone()) {
        return;
      }
      if (last) {
        exchange.complete();
      } else {
        responses.request(1);
      }
    });
  }

  private void answer(UnderWay next) throws InterruptedException {
    try (Admission.Place place = work.enter(next.unread.get(), next.bytes)) {
      next.entered(place);
      // Let go of once it is prepared: it may wait long in line, and its tensors be large.
      InferForm form = work.start(next.unread.getAndSet(null), next.bytes, next.answer, exchange.deadlineNanos(), place);
      send(next.answer, form);
    } catch (EngineException failure) {
      refuse(next, GrpcErrors.of(Calls.stoppedByUs(failure), UnaryOperator.identity()));
    } catch (RuntimeException | Error defect) {
      next.cancel();
      String callId = UUID.randomUUID().toString();
      LOG.errorf(defect, "Call %s failed.", callId);
      refuse(next, GrpcErrors.internal(callId));
    }
  }

  private void send(Answer answer, InferForm form) throws InterruptedException {
    boolean pieces = form.hasText();
    while (true) {
      switch (answer.next()) {
        case Answer.Piece.Token(GeneratedToken token) -> {
          // Text may be held back until it is whole, or can't become a stop string.
          if (pieces && !token.text().isEmpty() && !send(form.piece(token.text()))) {
            answer.cancel();
            return;
          }
        }
        case Answer.Piece.End(var result) -> {
          send(form.last(result));
          return;
        }
      }
    }
  }

  private boolean send(ModelInferResponse piece) throws InterruptedException {
    return exchange.send(ModelStreamInferResponse.newBuilder().setInferResponse(piece).build());
  }

  private void refuse(UnderWay refused, StatusRuntimeException failure) throws InterruptedException {
    exchange.send(ModelStreamInferResponse.newBuilder()
        .setErrorMessage(failure.getStatus().getDescription()).setInferResponse(ModelInferResponse.newBuilder().setModelName(refused.model).setId(refused.id)).build());
  }

  private void cancel() {
    UnderWay under;
    synchronized (this) {
      under = underWay;
    }
    if (under != null) {
      under.cancel();
    }
  }

  @Override
  public void onError(Throwable failure) {
    cancel();
  }

  @Override
  public void onCompleted() {
    boolean idle;
    synchronized (this) {
      ended = true;
      idle = underWay == null;
    }
    if (idle) {
      exchange.complete();
    }
  }

  /** A request that is being answered. */
  private static final class UnderWay {
    private final Answer answer = new Answer();
    private final AtomicReference<ModelInferRequest> unread;
    private final String model;
    private final String id;
    private final long bytes;

    // Guarded by this object's monitor: cancelling may come before there is a place.
    private Admission.Place place; // null until it has one
    private boolean cancelled;

    UnderWay(AtomicReference<ModelInferRequest> unread, String model, String id, long bytes) {
      this.unread = unread;
      this.model = model;
      this.id = id;
      this.bytes = bytes;
    }

    synchronized void entered(Admission.Place taken) {
      place = taken;
      if (cancelled) {
        taken.leave();
      }
    }

    void cancel() {
      synchronized (this) {
        cancelled = true;
        if (place != null) {
          place.leave();
        }
      }
      answer.cancel();
    }
  }
}
