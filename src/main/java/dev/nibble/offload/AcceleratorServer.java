package dev.nibble.offload;

import com.google.protobuf.ByteString;
import dev.nibble.engine.Engine;
import dev.nibble.engine.EngineError;
import dev.nibble.engine.EngineException;
import dev.nibble.engine.FinishReason;
import dev.nibble.engine.GeneratedToken;
import dev.nibble.engine.Generation;
import dev.nibble.engine.GenerationListener;
import dev.nibble.engine.GenerationRequest;
import dev.nibble.engine.GenerationResult;
import dev.nibble.engine.OffloadPolicy;
import dev.nibble.offload.v1.AcceleratorServiceGrpc;
import dev.nibble.offload.v1.Accepted;
import dev.nibble.offload.v1.DescribeRequest;
import dev.nibble.offload.v1.DescribeResponse;
import dev.nibble.offload.v1.Device;
import dev.nibble.offload.v1.DeviceKind;
import dev.nibble.offload.v1.Feature;
import dev.nibble.offload.v1.Finished;
import dev.nibble.offload.v1.GenerateRequest;
import dev.nibble.offload.v1.GenerateResponse;
import dev.nibble.offload.v1.Model;
import dev.nibble.offload.v1.Progress;
import dev.nibble.offload.v1.Start;
import dev.nibble.offload.v1.State;
import dev.nibble.offload.v1.Tokens;
import dev.nibble.runtime.ModelIdentity;
import io.grpc.Context;
import io.grpc.Deadline;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import java.util.ArrayDeque;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Function;
import java.util.function.Supplier;
import java.util.logging.Level;
import java.util.logging.Logger;

/**
 * {@code nibble.offload.v1.AcceleratorService} by an engine of ours: spare cores for a neighbour. Its tokens are exactly those the neighbour would have
 * computed itself.
 */
public final class AcceleratorServer extends AcceleratorServiceGrpc.AcceleratorServiceImplBase {
  /** Most tokens of prompt and given answer; the context is the limit that counts, this one bounds messages. */
  private static final int MOST_PROMPT_TOKENS = 1 << 20;
  private static final int MOST_TOKENS_PER_MESSAGE = 1;
  private static final long PROGRESS_MILLIS = 1000;
  private static final Logger LOG = Logger.getLogger(AcceleratorServer.class.getName());

  /**
   * Where the answers come from, now.
   *
   * @param engine that computes; empty while loading
   * @param identity of its model; empty until known
   * @param whyNone why there is no identity
   */
  public record Source(Optional<Engine> engine, Optional<ModelIdentity> identity, String whyNone, boolean stopping) {}

  /**
   * What is told of the device.
   *
   * @param engine program and version
   * @param device processor's name
   */
  public record Facts(String engine, String device, int queueCapacity) {}

  /** A call under way until closed, and the place of its request in the service. */
  public interface Call extends AutoCloseable {
    /** Takes a place for a request of so many bytes; on the event loop. @throws EngineException QUEUE_FULL or SHUTTING_DOWN */
    default void enter(Engine engine, long bytes) {}

    /** Hands the place over to the engine. @throws EngineException as {@code submit} does */
    default void handOver(Runnable submit) {
      submit.run();
    }

    /** Nobody waits for the answer any more; from any thread. */
    default void leave() {}

    @Override
    void close();
  }

  private final Supplier<Source> source;
  private final Facts facts;
  private final Function<EngineException, StatusRuntimeException> statuses;
  private final Supplier<Call> calls;
  private final String instance = UUID.randomUUID().toString();

  /**
   * @param statuses how an error is told
   * @param calls counts a call until the returned object is closed
   */
  public AcceleratorServer(Supplier<Source> source, Facts facts, Function<EngineException, StatusRuntimeException> statuses, Supplier<Call> calls) {
    this.source = source;
    this.facts = facts;
    this.statuses = statuses;
    this.calls = calls;
  }

  @Override
  public void describe(DescribeRequest request, StreamObserver<DescribeResponse> observer) {
    Source now = source.get();
    DescribeResponse.Builder response = DescribeResponse.newBuilder().setProtocolVersion(Accelerator.PROTOCOL).setInstanceId(instance).setEngine(facts.engine())
        .addFeatures(Feature.FEATURE_PENALTIES).addFeatures(Feature.FEATURE_LOGIT_BIAS).addFeatures(Feature.FEATURE_IGNORE_END).addFeatures(Feature.FEATURE_EXACT)
        .setDevice(Device.newBuilder().setKind(DeviceKind.DEVICE_KIND_CPU).setName(facts.device()))
        .setMaxPromptTokens(MOST_PROMPT_TOKENS).setMaxTokensPerMessage(MOST_TOKENS_PER_MESSAGE).setQueueCapacity(facts.queueCapacity());
    if (now.stopping()) {
      response.setState(State.STATE_DRAINING).setStateReason("stopping");
    } else if (now.engine().isEmpty()) {
      response.setState(State.STATE_LOADING).setStateReason("the model is being loaded");
    } else if (now.identity().isEmpty()) {
      response.setState(now.whyNone().isEmpty() ? State.STATE_LOADING : State.STATE_FAILED)
          .setStateReason(now.whyNone().isEmpty() ? "the model's file is being hashed" : now.whyNone());
    } else {
      Engine engine = now.engine().get();
      response.setState(State.STATE_READY).setQueued(engine.queueDepth()).setRunning(engine.running())
          .addModels(Model.newBuilder().setFileSha256(bytes(now.identity().get().file())).setTokenizerSha256(bytes(now.identity().get().tokenizer()))
              .setName(engine.model().name()).setContextLength(engine.longestSequence()).setVocabularySize(engine.tokenizer().vocabularySize()).setParallelSequences(1)
              .setPrefillTokensPerSecond(engine.rates().prefill()).setDecodeTokensPerSecond(engine.rates().decode()));
    }
    observer.onNext(response.build());
    observer.onCompleted();
  }

  private static ByteString bytes(String hexadecimal) {
    return ByteString.copyFrom(HexFormat.of().parseHex(hexadecimal));
  }

  @Override
  public StreamObserver<GenerateRequest> generate(StreamObserver<GenerateResponse> observer) {
    return new Exchange((ServerCallStreamObserver<GenerateResponse>) observer);
  }

  /** What one side tells the thread that writes. */
  private sealed interface Word {
    record Token(GeneratedToken token) implements Word {}

    record Prefilled(int done) implements Word {}

    record End(GenerationResult result) implements Word {}

    record Failed(EngineException error) implements Word {}

    record MoreCredit(int tokens) implements Word {}

    record Cancelled() implements Word {}

    /** The transport may have room again, or the client is gone. */
    record Look() implements Word {}
  }

  /** One call: its messages come on the event loop, the engine's words on the engine's thread, and a virtual thread writes. */
  private final class Exchange implements StreamObserver<GenerateRequest>, GenerationListener {
    private final ServerCallStreamObserver<GenerateResponse> out;
    private final LinkedBlockingQueue<Word> words = new LinkedBlockingQueue<>();
    private final Call call = calls.get();
    private final Deadline deadline = Context.current().getDeadline();
    private volatile boolean gone;
    private boolean started; // on the event loop

    Exchange(ServerCallStreamObserver<GenerateResponse> out) {
      this.out = out;
      out.setOnReadyHandler(() -> words.add(new Word.Look()));
      out.setOnCancelHandler(() -> {
        gone = true;
        call.leave();
        words.add(new Word.Cancelled());
      });
    }

    @Override
    public void onNext(GenerateRequest message) {
      switch (message.getKindCase()) {
        case START -> {
          if (started) {
            words.add(new Word.Failed(EngineException.invalid("start", "start came twice; allowed: once, as the first message.")));
          } else {
            started = true;
            Start start = message.getStart();
            try {
              Engine engine = engine(start);
              requireFits(start, engine);
              call.enter(engine, message.getSerializedSize());
              Thread.ofVirtual().name("nibble-accelerator").start(() -> run(start, engine));
            } catch (EngineException refusal) {
              refuse(refusal);
            }
          }
        }
        case CREDIT -> words.add(message.getCredit().getTokens() > 0 ? new Word.MoreCredit(message.getCredit().getTokens())
            : new Word.Failed(EngineException.invalid("credit.tokens", "credit.tokens is " + message.getCredit().getTokens() + "; allowed: 1 or more.")));
        case CANCEL -> words.add(new Word.Cancelled());
        case KIND_NOT_SET -> words.add(new Word.Failed(EngineException.invalid("kind", "The message has neither start nor credit nor cancel.")));
      }
      if (!started) {
        Thread.ofVirtual().name("nibble-accelerator").start(() -> refuseUnstarted());
        started = true;
      }
    }

    private void refuseUnstarted() {
      refuse(EngineException.invalid("start", "The first message is not start."));
    }

    private void refuse(EngineException refusal) {
      try (call) {
        out.onError(statuses.apply(refusal));
      }
    }

    /** Before the ids are looked at: a message holds more of them than contexts do. */
    private static void requireFits(Start start, Engine engine) {
      int tokens = start.getPromptIdsCount() + start.getAnswerIdsCount();
      if (tokens > engine.model().contextLength()) {
        throw EngineException.contextLengthExceeded(engine.model().contextLength(), "prompt and given answer have " + tokens, Map.of());
      }
    }

    @Override
    public void onError(Throwable failure) {
      gone = true;
      words.add(new Word.Cancelled());
      if (!started) {
        call.close();
      }
    }

    @Override
    public void onCompleted() {
      if (!started) {
        started = true;
        refuseUnstarted();
      }
    }

    private void run(Start start, Engine engine) {
      AtomicReference<Generation> submitted = new AtomicReference<>();
      try (call) {
        GenerationRequest request = request(start, engine);
        call.handOver(() -> submitted.set(engine.submit(request, this)));
        out.onNext(GenerateResponse.newBuilder().setAccepted(Accepted.newBuilder().setInstanceId(instance).setQueued(engine.queueDepth())).build());
        write(engine, request, start.getCredit(), submitted.get());
      } catch (EngineException failure) {
        stop(submitted.get());
        if (!gone) {
          out.onError(statuses.apply(failure));
        }
      } catch (InterruptedException interrupt) {
        stop(submitted.get());
      } catch (RuntimeException | Error defect) {
        stop(submitted.get());
        if (!gone) {
          LOG.log(Level.SEVERE, "An answer for a neighbour failed.", defect);
          out.onError(statuses.apply(new EngineException(EngineError.INTERNAL, "The answer failed because of a defect in the service.", Map.of())));
        }
      }
    }

    private void stop(Generation generationOrNull) {
      if (generationOrNull != null) {
        generationOrNull.cancel();
      }
    }

    private Engine engine(Start start) {
      Source now = source.get();
      if (now.stopping()) {
        throw new EngineException(EngineError.SHUTTING_DOWN, "The service is stopping and takes no new requests.", Map.of());
      }
      if (now.engine().isEmpty() || now.identity().isEmpty()) {
        throw new EngineException(EngineError.MODEL_LOADING, "The model is not ready for neighbours: " + (now.whyNone().isEmpty() ? "try again shortly." : now.whyNone()),
            Map.of("retry_after_seconds", "1"));
      }
      ModelIdentity identity = now.identity().get();
      if (!start.getFileSha256().equals(bytes(identity.file())) || !start.getTokenizerSha256().equals(bytes(identity.tokenizer()))) {
        throw new EngineException(EngineError.MODEL_NOT_FOUND, "The model served here has another SHA-256: file " + identity.file() + ", tokenizer " + identity.tokenizer() + ".",
            Map.of("file_sha256", identity.file()));
      }
      return now.engine().get();
    }

    private GenerationRequest request(Start start, Engine engine) {
      if (start.getMaxTokens() < 1) {
        throw EngineException.invalid("start.max_tokens", "start.max_tokens is " + start.getMaxTokens() + "; allowed: 1 or more.");
      }
      if (start.getCredit() < 1) {
        throw EngineException.invalid("start.credit", "start.credit is " + start.getCredit() + "; allowed: 1 or more.");
      }
      Set<Integer> ends = engine.tokenizer().endOfGeneration();
      if (start.getEndIdsCount() > 0 && !new HashSet<>(start.getEndIdsList()).equals(ends)) {
        throw EngineException.invalid("start.end_ids", "start.end_ids are not the model's own; allowed: " + ends.stream().sorted().toList() + ", or none.");
      }
      long total = (long) start.getAnswerIdsCount() + start.getMaxTokens();
      if (total > Integer.MAX_VALUE) {
        throw EngineException.invalid("start.max_tokens", "start.max_tokens is " + start.getMaxTokens() + "; that is more than any context holds.");
      }
      long left = deadline == null ? Long.MAX_VALUE : deadline.timeRemaining(TimeUnit.NANOSECONDS);
      return new GenerationRequest(start.getPromptIdsList().stream().mapToInt(Integer::intValue).toArray(), (int) total, Messages.sampling(start.getSampling()), List.of(),
          start.getLogProbabilities() ? 0 : -1, start.getEndIdsCount() == 0, left > TimeUnit.DAYS.toNanos(365) ? Long.MAX_VALUE : System.nanoTime() + left,
          Optional.of(OffloadPolicy.OFF), start.getAnswerIdsList().stream().mapToInt(Integer::intValue).toArray());
    }

    private void write(Engine engine, GenerationRequest request, int firstCredit, Generation generation) throws InterruptedException {
      ArrayDeque<GeneratedToken> unsent = new ArrayDeque<>();
      long credit = firstCredit;
      int index = request.answerIds().length;
      int prefilled = 0;
      GenerationResult result = null;
      boolean cancelled = false;
      while (true) {
        while (!unsent.isEmpty() && credit > 0 && out.isReady()) {
          out.onNext(GenerateResponse.newBuilder().setTokens(tokens(index++, unsent.remove(), request.logProbabilities() >= 0)).build());
          credit--;
        }
        if (result != null && unsent.isEmpty()) {
          out.onNext(GenerateResponse.newBuilder().setFinished(finished(request, result, index)).build());
          out.onCompleted();
          return;
        }
        Word word = words.poll(PROGRESS_MILLIS, TimeUnit.MILLISECONDS);
        if (gone) {
          generation.cancel();
          return;
        }
        switch (word) {
          case null -> {
            if (out.isReady()) {
              out.onNext(GenerateResponse.newBuilder().setProgress(Progress.newBuilder().setQueued(engine.queueDepth()).setPromptTokensDone(prefilled)).build());
            }
          }
          case Word.Token(GeneratedToken token) -> unsent.add(token);
          case Word.Prefilled(int done) -> prefilled = done;
          case Word.End(GenerationResult end) -> result = end;
          case Word.Failed(EngineException error) -> {
            if (cancelled && error.error() == EngineError.CANCELLED) {
              out.onNext(GenerateResponse.newBuilder().setFinished(Finished.newBuilder().setReason(dev.nibble.offload.v1.FinishReason.FINISH_REASON_CANCELLED)
                  .setPromptTokensComputed(prefilled).setCompletionTokens(index - request.answerIds().length)).build());
              out.onCompleted();
              return;
            }
            throw error;
          }
          case Word.MoreCredit(int tokens) -> credit += tokens;
          case Word.Cancelled() -> {
            cancelled = true;
            unsent.clear();
            generation.cancel();
          }
          case Word.Look() -> {}
        }
      }
    }

    private static Tokens tokens(int index, GeneratedToken token, boolean measured) {
      Tokens.Builder message = Tokens.newBuilder().setFirstIndex(index).addIds(token.id());
      if (measured) {
        message.addLogProbabilities(token.logProbability());
      }
      return message.build();
    }

    private static Finished finished(GenerationRequest request, GenerationResult result, int index) {
      int given = request.answerIds().length;
      return Finished.newBuilder()
          .setReason(result.reason() == FinishReason.LENGTH ? dev.nibble.offload.v1.FinishReason.FINISH_REASON_LENGTH : dev.nibble.offload.v1.FinishReason.FINISH_REASON_END)
          .setPromptTokensComputed(request.promptIds().length + given).setCompletionTokens(index - given)
          .setQueue(Messages.duration(result.queueNanos())).setPrefill(Messages.duration(result.prefillNanos())).setDecode(Messages.duration(result.decodeNanos())).build();
    }

    // ---- the engine's words

    @Override
    public void onPrefill(int done, int total) {
      words.add(new Word.Prefilled(done));
    }

    @Override
    public void onToken(GeneratedToken token) {
      words.add(new Word.Token(token));
    }

    @Override
    public void onFinish(GenerationResult result) {
      words.add(new Word.End(result));
    }

    @Override
    public void onError(EngineException error) {
      words.add(new Word.Failed(error));
    }
  }
}
