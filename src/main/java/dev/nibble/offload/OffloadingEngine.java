package dev.nibble.offload;

import com.google.protobuf.ByteString;
import dev.nibble.engine.Engine;
import dev.nibble.engine.EngineError;
import dev.nibble.engine.EngineException;
import dev.nibble.engine.EngineObserver;
import dev.nibble.engine.FinishReason;
import dev.nibble.engine.GeneratedToken;
import dev.nibble.engine.Generation;
import dev.nibble.engine.GenerationListener;
import dev.nibble.engine.GenerationRequest;
import dev.nibble.engine.GenerationResult;
import dev.nibble.engine.GuardedObserver;
import dev.nibble.engine.ModelInfo;
import dev.nibble.engine.NanoClock;
import dev.nibble.engine.OffloadPolicy;
import dev.nibble.engine.Placement;
import dev.nibble.engine.Rates;
import dev.nibble.engine.SamplingParameters;
import dev.nibble.engine.SequentialEngine;
import dev.nibble.engine.TextAssembler;
import dev.nibble.offload.v1.Feature;
import dev.nibble.offload.v1.Finished;
import dev.nibble.offload.v1.Start;
import dev.nibble.offload.v1.Tokens;
import dev.nibble.runtime.ModelIdentity;
import dev.nibble.tokenizer.Tokenizer;
import io.grpc.Status;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.Callable;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.logging.Level;
import java.util.logging.Logger;

/**
 * An engine that has answers computed by accelerators where its policy says so, and by the engine here otherwise. What an accelerator can't finish is
 * finished here, or by another accelerator, from the tokens already told on: a client hears one answer without gap or repetition.
 *
 * <p>Answers of accelerators are followed by a virtual thread each, which calls their listeners. Durations that metrics tell of an answer that went on
 * here are those of its second part.
 */
public final class OffloadingEngine implements Engine {
  private static final Logger LOG = Logger.getLogger(OffloadingEngine.class.getName());
  /** Tokens an accelerator may send ahead: some seconds' worth, so that a round trip never holds it up. It gets more when half is used. */
  private static final int CREDIT = 64;
  /** Rounding may put the logarithm of a probability a little above 0. */
  private static final float ROUNDING = 1e-3f;
  /** Answers without a limit of their own are expected to have this many tokens: a paragraph. */
  private static final int USUAL_TOKENS = 128;

  private final SequentialEngine local;
  private final OffloadSettings settings;
  private final EngineObserver requests;
  private final OffloadObserver observer;
  private final AcceleratorPool pool;
  private final Set<Integer> endIds;
  private final int vocabularySize;
  private volatile ModelIdentity identity; // null until known

  // Guarded by lock.
  private final ReentrantLock lock = new ReentrantLock();
  private final Condition settled = lock.newCondition();
  private final Set<RemoteAnswer> running = new HashSet<>();
  private boolean draining;

  /**
   * Starts looking at the accelerators.
   *
   * @param local computes here; closed with this engine
   * @param identify finds out which model that is; called once, on a thread that may wait
   * @param requests hears what becomes of requests that accelerators answer; {@code local} has its own
   */
  public OffloadingEngine(SequentialEngine local, Callable<ModelIdentity> identify, OffloadSettings settings, EngineObserver requests, OffloadObserver observer) {
    this(local, identify, settings, requests, observer, NanoClock.SYSTEM);
  }

  /** @param clock tells how long accelerators that failed are left alone */
  OffloadingEngine(
      SequentialEngine local, Callable<ModelIdentity> identify, OffloadSettings settings, EngineObserver requests, OffloadObserver observer, NanoClock clock) {
    this.local = local;
    this.settings = settings;
    this.requests = GuardedObserver.of(requests);
    this.observer = new GuardedOffloadObserver(observer);
    endIds = Set.copyOf(local.tokenizer().endOfGeneration());
    vocabularySize = local.tokenizer().vocabularySize();
    pool = new AcceleratorPool(settings, local, () -> {
      identity = identify.call();
      return identity;
    }, this.observer, clock);
  }

  @Override
  public ModelInfo model() {
    return local.model();
  }

  @Override
  public Tokenizer tokenizer() {
    return local.tokenizer();
  }

  @Override
  public int longestSequence() {
    return local.longestSequence();
  }

  @Override
  public double cacheUsage() {
    return local.cacheUsage();
  }

  @Override
  public int queueDepth() {
    return local.queueDepth();
  }

  /** {@inheritDoc} Here; what accelerators compute is not counted. */
  @Override
  public int running() {
    return local.running();
  }

  @Override
  public Rates rates() {
    return local.rates();
  }

  @Override
  public double expectedWaitSeconds() {
    return local.expectedWaitSeconds();
  }

  /** Of what is computed here: accelerators have canaries of their own. */
  @Override
  public Optional<Generation> probe(GenerationRequest request, GenerationListener listener) {
    return local.probe(request, listener);
  }

  @Override
  public long nanosSinceStep() {
    return local.nanosSinceStep();
  }

  @Override
  public long forwardPasses() {
    return local.forwardPasses();
  }

  @Override
  public boolean alive() {
    return local.alive();
  }

  /** What is known of the accelerators. */
  public List<AcceleratorStatus> accelerators() {
    return pool.statuses();
  }

  @Override
  public Generation submit(GenerationRequest request, GenerationListener listener) {
    OffloadPolicy policy = request.offload().orElse(settings.policy());
    if (policy == OffloadPolicy.OFF) {
      return local.submit(request.withOffload(Optional.of(OffloadPolicy.OFF)), listener);
    }
    GenerationRequest here = request.withOffload(Optional.of(OffloadPolicy.OFF));
    Choice choice;
    try {
      requireOpen();
      int limit = local.requireValid(here);
      choice = choose(request, policy, limit);
      if (!choice.accelerators().isEmpty()) {
        RemoteAnswer answer = new RemoteAnswer(here, limit, listener, policy, choice);
        begin(answer);
        observer.decided(policy, true);
        return answer;
      }
      if (policy == OffloadPolicy.REQUIRE) {
        throw unavailable(choice.reason());
      }
    } catch (EngineException refusal) {
      requests.refused(refusal.error());
      throw refusal;
    }
    observer.decided(policy, false);
    return local.submit(here, new Placed(listener, Placement.here(policy, choice.reason())));
  }

  /** {@inheritDoc} The line is the one here; while an accelerator can take requests it does not matter how long that is. */
  @Override
  public void requireRoom(int ahead) {
    boolean elsewhere = settings.policy() != OffloadPolicy.OFF && pool.all().stream().anyMatch(accelerator -> accelerator.status().state() == AcceleratorState.READY);
    if (elsewhere) {
      requireOpen();
    } else {
      local.requireRoom(ahead);
    }
  }

  @Override
  public void countRefusal(EngineError reason) {
    local.countRefusal(reason);
  }

  private void requireOpen() {
    lock.lock();
    try {
      if (draining) {
        throw new EngineException(EngineError.SHUTTING_DOWN, "The service is stopping and takes no new requests.", Map.of());
      }
    } finally {
      lock.unlock();
    }
  }

  private static EngineException unavailable(String reason) {
    return new EngineException(EngineError.ACCELERATOR_UNAVAILABLE, "The request requires an accelerator. " + reason, Map.of("retry_after_seconds", "1"));
  }

  private void begin(RemoteAnswer answer) {
    lock.lock();
    try {
      requireOpen();
      running.add(answer);
    } finally {
      lock.unlock();
    }
    Thread.ofVirtual().name("nibble-offload-answer").start(answer::run);
  }

  private void end(RemoteAnswer answer) {
    lock.lock();
    try {
      running.remove(answer);
      settled.signalAll();
    } finally {
      lock.unlock();
    }
  }

  // ---- where

  private Choice choose(GenerationRequest request, OffloadPolicy policy, int limit) {
    if (request.logProbabilities() > 0) {
      return new Choice(List.of(), "Accelerators tell log-probabilities of chosen tokens alone, and the request asks for alternatives.");
    }
    Set<Feature> needed = needed(request);
    List<AcceleratorStatus> able = new ArrayList<>();
    List<String> leftOut = new ArrayList<>();
    for (Accelerator accelerator : pool.all()) {
      List<Feature> missing = needed.stream().filter(feature -> !accelerator.features().contains(feature)).toList();
      AcceleratorStatus status = accelerator.status();
      // One that is down for another reason is told by that reason.
      if (missing.isEmpty() || status.state() != AcceleratorState.READY && status.state() != AcceleratorState.DEGRADED) {
        able.add(status);
      } else {
        leftOut.add(status.name() + " can't do " + String.join(", ", missing.stream().map(OffloadingEngine::words).toList()));
      }
    }
    able.addAll(pool.unresolved());
    int left = limit - request.answerIds().length;
    int expected = request.maxTokens() == 0 || left > USUAL_TOKENS ? Math.min(left, USUAL_TOKENS) : left;
    return Choice.of(new Choice.Situation(policy, request.promptIds().length + request.answerIds().length, expected, local.rates(), local.expectedWaitSeconds(),
        settings.powerBudgetWatts()), able, leftOut);
  }

  private static String words(Feature feature) {
    return switch (feature) {
      case FEATURE_PENALTIES -> "penalties";
      case FEATURE_LOGIT_BIAS -> "logit biases";
      case FEATURE_IGNORE_END -> "ignoring end tokens";
      case FEATURE_EXACT -> "exact tokens";
      case FEATURE_UNSPECIFIED, UNRECOGNIZED -> feature.name();
    };
  }

  private static Set<Feature> needed(GenerationRequest request) {
    Set<Feature> needed = EnumSet.noneOf(Feature.class);
    SamplingParameters sampling = request.sampling();
    if (sampling.repetitionPenalty() != 1 || sampling.presencePenalty() != 0 || sampling.frequencyPenalty() != 0) {
      needed.add(Feature.FEATURE_PENALTIES);
    }
    if (!sampling.logitBias().isEmpty()) {
      needed.add(Feature.FEATURE_LOGIT_BIAS);
    }
    if (request.ignoreEndOfGeneration()) {
      needed.add(Feature.FEATURE_IGNORE_END);
    }
    return needed;
  }

  // ---- stopping

  /** {@inheritDoc} Answers of accelerators come first, since one of them may still need the engine here. */
  @Override
  public boolean drain(Duration grace) {
    long end = System.nanoTime() + TimeUnit.NANOSECONDS.convert(grace);
    boolean finished = false;
    lock.lock();
    try {
      draining = true;
      long left = TimeUnit.NANOSECONDS.convert(grace);
      while (!running.isEmpty() && left > 0) {
        left = settled.awaitNanos(left);
      }
      finished = running.isEmpty();
    } catch (InterruptedException interrupt) {
      Thread.currentThread().interrupt();
    } finally {
      lock.unlock();
    }
    if (!finished) {
      cancelAll();
    }
    return local.drain(Duration.ofNanos(Math.max(0, end - System.nanoTime()))) && finished;
  }

  @Override
  public void close() {
    lock.lock();
    try {
      draining = true;
    } finally {
      lock.unlock();
    }
    cancelAll();
    pool.close();
    local.close();
  }

  private void cancelAll() {
    List<RemoteAnswer> all;
    lock.lock();
    try {
      all = List.copyOf(running);
    } finally {
      lock.unlock();
    }
    all.forEach(RemoteAnswer::cancel);
  }

  private static boolean passed(long deadlineNanos) {
    return deadlineNanos != Long.MAX_VALUE && System.nanoTime() - deadlineNanos >= 0;
  }

  /** Why an accelerator did not finish. */
  private record Failure(FailureCause cause, String detail) {}

  /** An answer that an accelerator computes, at least in the beginning. */
  private final class RemoteAnswer implements Generation {
    private final GenerationRequest request; // for the engine here
    private final int limit;
    private final GenerationListener listener;
    private final OffloadPolicy policy;
    private final Choice choice;
    private final TextAssembler text;
    private final String requestId = UUID.randomUUID().toString();
    private final LinkedBlockingQueue<RemoteCall.Event> events = new LinkedBlockingQueue<>();
    private final StringBuilder troubles = new StringBuilder();
    private final long submittedNanos = System.nanoTime();
    private int[] answer;
    private int length;
    private int fromAccelerators;
    private String lastAccelerator = "";
    private boolean broken; // an accelerator failed in mid-answer
    private long firstNanos;
    private long previousNanos = submittedNanos;
    private long queueNanos;

    // Guarded by this object's monitor.
    private boolean cancelled;
    private Generation here; // null until the engine here has the rest

    RemoteAnswer(GenerationRequest request, int limit, GenerationListener listener, OffloadPolicy policy, Choice choice) {
      this.request = request;
      this.limit = limit;
      this.listener = listener;
      this.policy = policy;
      this.choice = choice;
      text = new TextAssembler(request.stop());
      answer = request.answerIds().clone();
      length = answer.length;
      for (int id : answer) {
        text.append(local.tokenizer().bytes(id, false));
      }
    }

    @Override
    public void cancel() {
      Generation other;
      synchronized (this) {
        cancelled = true;
        other = here;
      }
      events.add(new RemoteCall.Event(null, null, null));
      if (other != null) {
        other.cancel();
      }
    }

    private synchronized boolean isCancelled() {
      return cancelled;
    }

    void run() {
      try {
        List<Accelerator> left = new ArrayList<>();
        for (String name : choice.accelerators()) {
          pool.all().stream().filter(accelerator -> accelerator.name().equals(name)).findFirst().ifPresent(left::add);
        }
        while (!follow(left)) {
          if (left.isEmpty()) {
            goOnHere();
            return;
          }
        }
        end(this);
      } catch (EngineException failure) {
        fail(failure);
      } catch (InterruptedException interrupt) {
        fail(new EngineException(EngineError.SHUTTING_DOWN, "The service is stopping, and the answer was not finished in time.", Map.of()));
      } catch (Throwable defect) {
        LOG.log(Level.SEVERE, "An offloaded request failed.", defect);
        fail(new EngineException(EngineError.INTERNAL, "The answer could not be computed because of a defect in the service.", Map.of()));
      }
    }

    private void checkpoint() {
      if (isCancelled()) {
        throw new EngineException(EngineError.CANCELLED, "The request was cancelled.", Map.of());
      }
      if (passed(request.deadlineNanos())) {
        throw new EngineException(EngineError.DEADLINE_EXCEEDED, "The request's deadline passed before its answer was finished.", Map.of());
      }
    }

    private long leftNanos() {
      return request.deadlineNanos() == Long.MAX_VALUE ? Long.MAX_VALUE : Math.max(1, request.deadlineNanos() - System.nanoTime());
    }

    private Start start() {
      Start.Builder start = Start.newBuilder()
          .setFileSha256(ByteString.copyFrom(HexFormat.of().parseHex(identity.file()))).setTokenizerSha256(ByteString.copyFrom(HexFormat.of().parseHex(identity.tokenizer())))
          .addAllPromptIds(Messages.list(request.promptIds())).addAllAnswerIds(Messages.list(Arrays.copyOf(answer, length)))
          .setMaxTokens(limit - length).setSampling(Messages.sampling(request.sampling())).setCredit(CREDIT)
          .setLogProbabilities(request.logProbabilities() >= 0).setRequestId(requestId);
      if (!request.ignoreEndOfGeneration()) {
        start.addAllEndIds(endIds.stream().sorted().toList());
      }
      return start.build();
    }

    // ---- being taken

    /**
     * Offers the request to the accelerators left, one after the other and the next as well when one hesitates; true once the answer is finished.
     * Those that failed are taken off the list.
     */
    private boolean follow(List<Accelerator> left) throws InterruptedException {
      List<RemoteCall> offered = new ArrayList<>();
      Start start = start();
      RemoteCall taken = null;
      try {
        int next = 0;
        long end = System.nanoTime() + settings.connectTimeout().toNanos();
        List<Accelerator> candidates = List.copyOf(left);
        while (taken == null) {
          checkpoint();
          if (offered.isEmpty()) {
            if (next == candidates.size()) {
              return false;
            }
            end = System.nanoTime() + settings.connectTimeout().toNanos();
            offered.add(candidates.get(next++).call(start, leftNanos(), events));
          }
          boolean more = next < candidates.size();
          long wait = more ? Math.min(settings.hedgeDelay().toNanos(), end - System.nanoTime()) : end - System.nanoTime();
          RemoteCall.Event event = events.poll(Math.max(0, wait), TimeUnit.NANOSECONDS);
          if (event == null && more) {
            offered.add(candidates.get(next++).call(start, leftNanos(), events));
          } else if (event == null) {
            for (RemoteCall call : List.copyOf(offered)) {
              offered.remove(call);
              call.cancel();
              failed(left, call, new Failure(FailureCause.UNREACHABLE, "it did not take the request within " + settings.connectTimeout().toMillis() + " ms"));
            }
          } else if (event.call() != null && offered.contains(event.call())) {
            taken = begun(left, offered, event);
          }
        }
      } finally {
        for (RemoteCall call : offered) {
          if (call != taken) {
            call.cancel();
            call.accelerator().ended();
          }
        }
      }
      Failure failure;
      try {
        failure = listen(taken);
      } catch (InterruptedException | RuntimeException | Error failed) {
        taken.cancel();
        taken.accelerator().ended();
        throw failed;
      }
      if (failure == null) {
        taken.accelerator().ended();
        return true;
      }
      taken.cancel();
      failed(left, taken, failure);
      if (length == limit) {
        finishFull(); // all there: only its last word was missing or wrong
        return true;
      }
      return false;
    }

    /** A first word of an accelerator: the call, if it has taken the request; null if not, and then it is off the lists. */
    private RemoteCall begun(List<Accelerator> left, List<RemoteCall> offered, RemoteCall.Event event) {
      RemoteCall call = event.call();
      Failure failure;
      if (event.status() != null) {
        checkpoint(); // our own deadline is no fault of the accelerator's
        Status.Code code = event.status().getCode();
        boolean gone = code == Status.Code.UNAVAILABLE || code == Status.Code.DEADLINE_EXCEEDED || code == Status.Code.CANCELLED;
        failure = new Failure(gone ? FailureCause.UNREACHABLE : FailureCause.REFUSED, Accelerator.explain(event.status()));
      } else if (event.response().hasAccepted()) {
        call.taken();
        return call;
      } else {
        failure = new Failure(FailureCause.NONSENSE, "its first message is " + event.response().getKindCase());
      }
      offered.remove(call);
      call.cancel();
      failed(left, call, failure);
      return null;
    }

    private void failed(List<Accelerator> left, RemoteCall call, Failure failure) {
      Accelerator accelerator = call.accelerator();
      left.remove(accelerator);
      accelerator.ended();
      boolean inAnswer = accelerator.name().equals(lastAccelerator) && fromAccelerators > 0;
      String what = switch (failure.cause()) {
        case UNREACHABLE -> "was not reached";
        case REFUSED -> "refused";
        case DIED -> "broke off";
        case STALLED -> "fell silent";
        case SLOW -> "took too long";
        case NONSENSE -> "answered nonsense";
      };
      String sentence = accelerator.name() + " " + what + (inAnswer ? " after " + fromAccelerators + " tokens" : "") + " (" + failure.detail() + ").";
      troubles.append(' ').append(sentence);
      broken |= inAnswer && length < limit;
      // A refusal is an answer, and slowness may be the request's: only what others would meet as well opens the breaker.
      if (failure.cause() != FailureCause.REFUSED && failure.cause() != FailureCause.SLOW) {
        accelerator.failed(what + ": " + failure.detail());
      }
      LOG.log(Level.WARNING, "Request {0}: accelerator {1}", new Object[] {requestId, sentence});
      observer.failed(accelerator.name(), failure.cause(), inAnswer);
    }

    // ---- being answered

    /** Tells the answer on as it comes; null when it is finished, otherwise what ended it. */
    private Failure listen(RemoteCall call) throws InterruptedException {
      String name = call.accelerator().name();
      int begun = length;
      int credit = CREDIT;
      long lastWord = System.nanoTime();
      long lastToken = lastWord;
      while (true) {
        long quiet = settings.stallTimeout().toNanos() - (System.nanoTime() - lastWord);
        long barren = settings.tokenTimeout().toNanos() - (System.nanoTime() - lastToken);
        RemoteCall.Event event = barren <= 0 ? null : events.poll(Math.max(0, Math.min(Math.min(quiet, barren), leftNanos())), TimeUnit.NANOSECONDS);
        checkpoint();
        if (event == null && System.nanoTime() - lastToken >= settings.tokenTimeout().toNanos()) {
          return new Failure(FailureCause.SLOW, "no token for " + settings.tokenTimeout().toMillis() + " ms");
        }
        if (event == null && System.nanoTime() - lastWord >= settings.stallTimeout().toNanos()) {
          return new Failure(FailureCause.STALLED, "no word for " + settings.stallTimeout().toMillis() + " ms");
        }
        if (event == null) {
          continue;
        }
        if (event.call() != call) {
          continue; // of a call that lost the race
        }
        lastWord = System.nanoTime();
        if (event.status() != null) {
          return new Failure(FailureCause.DIED, event.status().isOk() ? "it ended the stream without an end of the answer" : Accelerator.explain(event.status()));
        }
        call.taken();
        switch (event.response().getKindCase()) {
          case PROGRESS -> {}
          case ACCEPTED -> {
            return nonsense("it took the request twice");
          }
          case TOKENS -> {
            Tokens tokens = event.response().getTokens();
            credit -= tokens.getIdsCount();
            Failure failure = credit < 0 ? nonsense("it sent more tokens than it had credit for") : objection(tokens);
            if (failure != null) {
              return failure;
            }
            lastAccelerator = name;
            lastToken = lastWord;
            for (int i = 0; i < tokens.getIdsCount(); i++) {
              tell(tokens.getIds(i), request.logProbabilities() >= 0 ? tokens.getLogProbabilities(i) : Float.NaN);
              if (text.stopped()) {
                call.cancel();
                finish("", FinishReason.STOP);
                return null;
              }
            }
            if (credit <= CREDIT / 2 && length < limit) {
              call.credit(CREDIT - credit);
              credit = CREDIT;
            }
          }
          case FINISHED -> {
            Finished finished = event.response().getFinished();
            Failure failure = objection(finished, length - begun);
            if (failure != null) {
              return failure;
            }
            queueNanos += Math.max(0, Messages.nanos(finished.getQueue()));
            lastAccelerator = name;
            call.accelerator().succeeded(finished);
            observer.answered(name, length - begun);
            if (length == limit) {
              finishFull();
            } else {
              finish(text.finish(), FinishReason.STOP);
            }
            return null;
          }
          case KIND_NOT_SET -> {
            return nonsense("a message is of no known kind");
          }
        }
      }
    }

    private static Failure nonsense(String what) {
      return new Failure(FailureCause.NONSENSE, what);
    }

    private Failure objection(Tokens tokens) {
      if (tokens.getIdsCount() == 0) {
        return nonsense("a message of tokens has none");
      }
      if (tokens.getFirstIndex() != length) {
        return nonsense("token " + tokens.getFirstIndex() + " of the answer came where " + length + " was due");
      }
      if (tokens.getIdsCount() > limit - length) {
        return nonsense("the answer has more tokens than asked for");
      }
      if (request.logProbabilities() >= 0 && tokens.getLogProbabilitiesCount() != tokens.getIdsCount()) {
        return nonsense(tokens.getLogProbabilitiesCount() + " log-probabilities for " + tokens.getIdsCount() + " tokens");
      }
      for (int i = 0; i < tokens.getIdsCount(); i++) {
        int id = tokens.getIds(i);
        if (id < 0 || id >= vocabularySize) {
          return nonsense("token " + id + " is none of the vocabulary's");
        }
        if (endIds.contains(id) && !request.ignoreEndOfGeneration()) {
          return nonsense("end token " + id + " came as part of the answer");
        }
        // The negation is true for NaN as well.
        if (request.logProbabilities() >= 0 && !(tokens.getLogProbabilities(i) <= ROUNDING)) {
          return nonsense("a log-probability is " + tokens.getLogProbabilities(i));
        }
      }
      return null;
    }

    private Failure objection(Finished finished, int received) {
      if (finished.getCompletionTokens() != received) {
        return nonsense("it counts " + finished.getCompletionTokens() + " tokens, and " + received + " came");
      }
      return switch (finished.getReason()) {
        case FINISH_REASON_END -> request.ignoreEndOfGeneration() ? nonsense("it ended at an end token that was to be passed over") : null;
        case FINISH_REASON_LENGTH -> length == limit ? null : nonsense("it ended for length after " + length + " tokens of " + limit);
        case FINISH_REASON_CANCELLED -> new Failure(FailureCause.DIED, "it cancelled the answer");
        case FINISH_REASON_UNSPECIFIED, UNRECOGNIZED -> nonsense("it ended without a reason");
      };
    }

    private void tell(int id, float logProbability) {
      if (length == answer.length) {
        answer = Arrays.copyOf(answer, Math.min(limit, Math.max(32, 2 * length)));
      }
      answer[length++] = id;
      fromAccelerators++;
      long now = System.nanoTime();
      if (length == 1) {
        firstNanos = now;
        requests.firstToken((now - submittedNanos) * 1e-9);
      } else {
        requests.token((now - previousNanos) * 1e-9);
      }
      previousNanos = now;
      listener.onToken(new GeneratedToken(id, text.append(local.tokenizer().bytes(id, false)), logProbability, List.of()));
    }

    private void finishFull() {
      String rest = text.finish();
      finish(rest, text.stopped() ? FinishReason.STOP : FinishReason.LENGTH);
    }

    // ---- ending

    private GenerationResult result(String rest, FinishReason reason) {
      long now = System.nanoTime();
      long first = firstNanos == 0 ? now : firstNanos;
      long queue = Math.min(queueNanos, first - submittedNanos);
      return new GenerationResult(rest, reason, request.promptIds().length, length, queue, first - submittedNanos - queue, now - first).placed(placement());
    }

    private Placement placement() {
      return new Placement(policy, lastAccelerator, fromAccelerators, choice.reason() + troubles, broken);
    }

    private void finish(String rest, FinishReason reason) {
      GenerationResult result = result(rest, reason);
      requests.finished(EngineObserver.Outcome.of(reason), result);
      listener.onFinish(result);
    }

    private void fail(EngineException failure) {
      try {
        requests.finished(EngineObserver.Outcome.of(failure.error()), result("", FinishReason.LENGTH));
        listener.onError(failure);
      } finally {
        end(this);
      }
    }

    /** The rest is computed here: all of it if no token came. */
    private void goOnHere() {
      if (length == request.answerIds().length && policy == OffloadPolicy.REQUIRE) {
        throw unavailable("None finished it:" + troubles);
      }
      if (fromAccelerators > 0) {
        LOG.log(Level.INFO, "Request {0} goes on here after {1} tokens.", new Object[] {requestId, fromAccelerators});
      }
      GenerationRequest rest = request.after(Arrays.copyOf(answer, length));
      GenerationListener placed = new Rest();
      Generation started;
      try {
        started = fromAccelerators > 0 ? local.resume(rest, placed) : local.submit(rest, placed);
      } catch (EngineException refusal) {
        // Told by the engine here as a refusal; for the listener it is an end.
        try {
          listener.onError(refusal);
        } finally {
          end(this);
        }
        return;
      }
      boolean cancelNow;
      synchronized (this) {
        here = started;
        cancelNow = cancelled;
      }
      if (cancelNow) {
        started.cancel();
      }
    }

    /** Hears the engine here, and tells on. */
    private final class Rest implements GenerationListener {
      @Override
      public void onToken(GeneratedToken token) {
        listener.onToken(token);
      }

      @Override
      public void onFinish(GenerationResult result) {
        try {
          long first = firstNanos == 0 ? submittedNanos + result.queueNanos() + result.prefillNanos() : firstNanos;
          GenerationResult whole = fromAccelerators == 0 ? result
              : new GenerationResult(result.text(), result.reason(), result.promptTokens(), result.completionTokens(), queueNanos, first - submittedNanos - queueNanos,
                  System.nanoTime() - first);
          listener.onFinish(whole.placed(placement()));
        } finally {
          end(RemoteAnswer.this);
        }
      }

      @Override
      public void onError(EngineException error) {
        try {
          listener.onError(error);
        } finally {
          end(RemoteAnswer.this);
        }
      }
    }
  }

  /** Says where an answer was computed. */
  private record Placed(GenerationListener listener, Placement placement) implements GenerationListener {
    @Override
    public void onStart() {
      listener.onStart();
    }

    @Override
    public void onPrefill(int done, int total) {
      listener.onPrefill(done, total);
    }

    @Override
    public void onToken(GeneratedToken token) {
      listener.onToken(token);
    }

    @Override
    public void onFinish(GenerationResult result) {
      listener.onFinish(result.placed(placement));
    }

    @Override
    public void onError(EngineException error) {
      listener.onError(error);
    }
  }
}
