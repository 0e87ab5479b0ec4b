package dev.nibble.offload;

import dev.nibble.offload.v1.AcceleratorServiceGrpc;
import dev.nibble.offload.v1.Credit;
import dev.nibble.offload.v1.GenerateRequest;
import dev.nibble.offload.v1.GenerateResponse;
import dev.nibble.offload.v1.Start;
import io.grpc.Channel;
import io.grpc.Status;
import io.grpc.stub.ClientCallStreamObserver;
import io.grpc.stub.ClientResponseObserver;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.TimeUnit;

/** One call of Generate. What comes is put in a queue, at most {@link #PREFETCH} messages ahead of its reader, whatever the accelerator sends. */
final class RemoteCall {
  /** Messages that may be on their way to the reader: enough to never wait for it, too few to fill memory. */
  private static final int PREFETCH = 64;

  /** What came: a message, or the call's end; the other is null. Both null only wakes the reader. */
  record Event(RemoteCall call, GenerateResponse response, Status status) {}

  private final Accelerator accelerator;
  private final BlockingQueue<Event> events;
  private volatile ClientCallStreamObserver<GenerateRequest> requests;

  private RemoteCall(Accelerator accelerator, BlockingQueue<Event> events) {
    this.accelerator = accelerator;
    this.events = events;
  }

  /** Sends a request. */
  static RemoteCall start(Accelerator accelerator, Channel channel, Start start, long leftNanos, BlockingQueue<Event> events) {
    RemoteCall call = new RemoteCall(accelerator, events);
    var stub = AcceleratorServiceGrpc.newStub(channel);
    if (leftNanos != Long.MAX_VALUE) {
      stub = stub.withDeadlineAfter(leftNanos, TimeUnit.NANOSECONDS);
    }
    stub.generate(call.new Responses()).onNext(GenerateRequest.newBuilder().setStart(start).build());
    return call;
  }

  Accelerator accelerator() {
    return accelerator;
  }

  /** The reader has taken a message; one more may come. */
  void taken() {
    requests.request(1);
  }

  /** Lets the accelerator send more tokens; to be called by the reader. */
  void credit(int tokens) {
    requests.onNext(GenerateRequest.newBuilder().setCredit(Credit.newBuilder().setTokens(tokens)).build());
  }

  /** Ends the call, from any thread; what it still says is not of interest. */
  void cancel() {
    requests.cancel("The rest is not wanted.", null);
  }

  private final class Responses implements ClientResponseObserver<GenerateRequest, GenerateResponse> {
    @Override
    public void beforeStart(ClientCallStreamObserver<GenerateRequest> stream) {
      requests = stream;
      stream.disableAutoRequestWithInitial(PREFETCH);
    }

    @Override
    public void onNext(GenerateResponse response) {
      events.add(new Event(RemoteCall.this, response, null));
    }

    @Override
    public void onError(Throwable failure) {
      events.add(new Event(RemoteCall.this, null, Status.fromThrowable(failure)));
    }

    @Override
    public void onCompleted() {
      events.add(new Event(RemoteCall.this, null, Status.OK));
    }
  }
}
