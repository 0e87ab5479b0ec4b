package dev.nibble.engine;

import dev.nibble.model.LanguageModel;
import dev.nibble.tokenizer.Tokenizer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.logging.Level;
import java.util.logging.Logger;

/**
 * Answers one request at a time, in the order they came, on a platform thread of its own, {@code nibble-engine}.
 *
 * <p>Cancellation and deadlines are looked at before and after every forward pass, so at most one more pass follows
 * {@link Generation#cancel}; a pass over a prompt, which may be long, is given up on its way. A request that is still waiting leaves the line at once: its listener is told on the thread that
 * cancels; every other call to listeners comes from the engine's thread. A listener that throws ends its own request only.
 */
public final class SequentialEngine implements Engine {
  private static final Logger LOG = Logger.getLogger(SequentialEngine.class.getName());
  private static final int MOST_STOP_STRINGS = 16;
  private static final int LONGEST_STOP_STRING = 256;
  private static final int MOST_ALTERNATIVES = 20;
  private static final int RECENT_REQUESTS = 16;
  private static final long NO_STEP = Long.MIN_VALUE; // nothing is computed; no clock gets there

  private final ModelInfo info;
  private final LanguageModel languageModel;
  private final Tokenizer tokenizer;
  private final EngineOptions options;
  private final EngineObserver observer;
  private final NanoClock clock;
  private final int contextLength;
  private final int vocabularySize; // ids that can be chosen: a model may pad its vocabulary beyond the tokenizer's
  private final boolean[] endsGeneration; // [vocabulary]
  private final Thread thread;
  private final Runnable ended;

  // Used by the engine's thread alone.
  private final float[] logits; // [model's vocabulary]
  private final int[] nextId = new int[1];
  private final PrefillPace pace;

  private final AtomicLong forwardPasses = new AtomicLong();
  private volatile Rates rates = Rates.NONE; // written by the engine's thread

  /** Nanosecond clock's value at the last step of what is computed; written by the engine's thread alone. */
  private volatile long lastStep = NO_STEP;

  // Guarded by lock.
  private final ReentrantLock lock = new ReentrantLock();
  private final Condition work = lock.newCondition();
  private final Condition settled = lock.newCondition();
  private final ArrayDeque<Task> waiting = new ArrayDeque<>();
  private final long[] recentNanos = new long[RECENT_REQUESTS]; // durations of the last requests computed, a ring
  private int computedRequests; // places of the ring in use
  private int recentNext;
  private Task active;
  private Task probe; // the one that the engine's thread has not taken yet
  private int unsettled; // accepted requests whose listener has not been told their end
  private boolean draining;
  private boolean closed;

  /** Nanosecond clock's value at which the first waiting request's deadline passes; guarded for writing. */
  private volatile long nextDeadline = Long.MAX_VALUE;

  public SequentialEngine(ModelInfo info, LanguageModel languageModel, Tokenizer tokenizer, EngineOptions options) {
    this(info, languageModel, tokenizer, options, EngineObserver.NONE);
  }

  /** By the system's clock. */
  public SequentialEngine(ModelInfo info, LanguageModel languageModel, Tokenizer tokenizer, EngineOptions options, EngineObserver observer) {
    this(info, languageModel, tokenizer, options, observer, NanoClock.SYSTEM);
  }

  /** Keeps its model. */
  public SequentialEngine(ModelInfo info, LanguageModel languageModel, Tokenizer tokenizer, EngineOptions options, EngineObserver observer, NanoClock clock) {
    this(info, languageModel, tokenizer, options, observer, clock, () -> {});
  }

  /**
   * Starts the engine's thread.
   *
   * @param info what is told of the model; answers keep to the smaller of its and the model's context length
   * @param observer hears what requests go through; what it throws is logged once and harms none of them
   * @param clock by which deadlines pass and durations are told
   * @param ended run once when the engine is closed and computes no more: here the model's memory may be given back
   */
  public SequentialEngine(ModelInfo info, LanguageModel languageModel, Tokenizer tokenizer, EngineOptions options, EngineObserver observer, NanoClock clock,
      Runnable ended) {
    this.info = info;
    this.languageModel = languageModel;
    this.tokenizer = tokenizer;
    this.options = options;
    this.observer = GuardedObserver.of(observer);
    this.clock = clock;
    this.ended = ended;
    pace = new PrefillPace(options);
    contextLength = Math.min(info.contextLength(), languageModel.contextLength());
    vocabularySize = Math.min(languageModel.vocabularySize(), tokenizer.vocabularySize());
    endsGeneration = new boolean[vocabularySize];
    for (int id : tokenizer.endOfGeneration()) {
      if (id < vocabularySize) {
        endsGeneration[id] = true;
      }
    }
    logits = new float[languageModel.vocabularySize()];
    thread = Thread.ofPlatform().name("nibble-engine").daemon(true).unstarted(this::work);
    thread.start();
  }

  @Override
  public ModelInfo model() {
    return info;
  }

  @Override
  public Tokenizer tokenizer() {
    return tokenizer;
  }

  /**
   * {@inheritDoc}
   *
   * <p>Throws DEADLINE_EXCEEDED as well, for a request whose deadline has passed already.
   */
  @Override
  public Generation submit(GenerationRequest request, GenerationListener listener) {
    return submit(request, listener, false);
  }

  /**
   * Like {@link #submit}, for an answer whose beginning ({@link GenerationRequest#answerIds}) its client has already: it is computed next, whether
   * or not there is room in the waiting line, and also while the engine drains.
   *
   * @throws EngineException as {@link #submit}, but never QUEUE_FULL; SHUTTING_DOWN only after closing
   */
  public Generation resume(GenerationRequest request, GenerationListener listener) {
    return submit(request, listener, true);
  }

  private Generation submit(GenerationRequest request, GenerationListener listener, boolean resumed) {
    try {
      return accept(request, listener, resumed);
    } catch (EngineException refusal) {
      observer.refused(refusal.error());
      throw refusal;
    }
  }

  @Override
  public void requireRoom(int ahead) {
    try {
      requireOpen(false);
      lock.lock();
      try {
        requireRoomInLine(ahead);
      } finally {
        lock.unlock();
      }
    } catch (EngineException refusal) {
      observer.refused(refusal.error());
      throw refusal;
    }
  }

  @Override
  public void countRefusal(EngineError reason) {
    observer.refused(reason);
  }

  /** With the lock held. The engine's thread may not have taken the request whose turn it is: that one does not count as waiting. */
  private void requireRoomInLine(int ahead) {
    boolean idle = active == null || active.own;
    if (waiting.size() + ahead >= options.queueCapacity() + (idle ? 1 : 0)) {
      throw queueFull();
    }
  }

  @Override
  public Optional<Generation> probe(GenerationRequest request, GenerationListener listener) {
    requireOpen(false);
    Task task = new Task(request, requireValid(request), listener, EngineObserver.NONE, true);
    lock.lock();
    try {
      requireOpen(false);
      if (active != null || !waiting.isEmpty() || probe != null) {
        return Optional.empty();
      }
      probe = task;
      unsettled++;
      work.signal();
    } finally {
      lock.unlock();
    }
    return Optional.of(task);
  }

  private Generation accept(GenerationRequest request, GenerationListener listener, boolean resumed) {
    requireOpen(resumed);
    Task task = new Task(request, requireValid(request), listener, observer, false);
    Optional<Task> givesWay;
    lock.lock();
    try {
      requireOpen(resumed);
      boolean probing = active != null && active.own;
      givesWay = Optional.ofNullable(probing ? active : probe);
      if (resumed) {
        waiting.addFirst(task);
      } else {
        requireRoomInLine(0);
        waiting.add(task);
      }
      unsettled++;
      nextDeadline = sooner(nextDeadline, request.deadlineNanos());
      observer.queued();
      work.signal();
    } finally {
      lock.unlock();
    }
    givesWay.ifPresent(Task::cancel);
    return task;
  }

  @Override
  public int longestSequence() {
    return Math.min(contextLength, languageModel.longestSequence());
  }

  @Override
  public double cacheUsage() {
    return languageModel.cacheUsage();
  }

  @Override
  public int queueDepth() {
    lock.lock();
    try {
      return waiting.size();
    } finally {
      lock.unlock();
    }
  }

  @Override
  public int running() {
    lock.lock();
    try {
      return active == null || active.own ? 0 : 1;
    } finally {
      lock.unlock();
    }
  }

  @Override
  public Rates rates() {
    return rates;
  }

  @Override
  public double expectedWaitSeconds() {
    lock.lock();
    try {
      // Of the one under way half is left, in the mean.
      return meanSeconds() * (waiting.size() + (active == null || active.own ? 0 : 0.5));
    } finally {
      lock.unlock();
    }
  }

  @Override
  public long forwardPasses() {
    return forwardPasses.get();
  }

  @Override
  public long nanosSinceStep() {
    long last = lastStep;
    return last == NO_STEP ? 0 : Math.max(0, clock.nanoTime() - last);
  }

  @Override
  public boolean alive() {
    return thread.isAlive();
  }

  /**
   * {@inheritDoc} Not to be called by a listener, whose own request could not finish meanwhile. An interrupt ends the grace.
   */
  @Override
  public boolean drain(Duration grace) {
    boolean finished = false;
    lock.lock();
    try {
      draining = true;
      long left = TimeUnit.NANOSECONDS.convert(grace); // saturates, unlike toNanos()
      while (unsettled > 0 && left > 0) {
        left = settled.awaitNanos(left);
      }
      finished = unsettled == 0;
    } catch (InterruptedException interrupt) {
      Thread.currentThread().interrupt();
    } finally {
      lock.unlock();
    }
    if (!finished) {
      cancelAll();
    }
    return finished;
  }

  /** Cancels all requests, and ends the engine's thread after the forward pass under way; idempotent. */
  @Override
  public void close() {
    lock.lock();
    try {
      draining = true;
      closed = true;
      work.signalAll();
    } finally {
      lock.unlock();
    }
    cancelAll();
    if (Thread.currentThread() == thread) {
      return;
    }
    boolean interrupted = false;
    while (thread.isAlive()) {
      try {
        thread.join();
      } catch (InterruptedException interrupt) {
        interrupted = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  private void cancelAll() {
    List<Task> all = new ArrayList<>();
    lock.lock();
    try {
      // The running one first: the others' listeners take time to tell.
      if (active != null) {
        all.add(active);
      }
      all.addAll(waiting);
      if (probe != null) {
        all.add(probe);
      }
    } finally {
      lock.unlock();
    }
    all.forEach(Task::cancel);
  }

  // ---- what is refused at the door

  private void requireOpen(boolean resumed) {
    lock.lock();
    try {
      if (resumed ? closed : draining) {
        throw new EngineException(EngineError.SHUTTING_DOWN, "The service is stopping and takes no new requests.", Map.of());
      }
    } finally {
      lock.unlock();
    }
  }

  /**
   * Checks all of a request but whether there is room for it now.
   *
   * @return the most tokens its answer may have, those it begins with included
   * @throws EngineException as {@link #submit}
   */
  public int requireValid(GenerationRequest request) {
    int[] prompt = request.promptIds();
    if (prompt.length == 0) {
      throw EngineException.invalid("prompt", "The prompt is empty; at least one token is needed.");
    }
    int modelVocabulary = languageModel.vocabularySize();
    for (int i = 0; i < prompt.length; i++) {
      if (prompt[i] < 0 || prompt[i] >= modelVocabulary) {
        throw EngineException.invalid("prompt", "Token " + i + " of the prompt is " + prompt[i] + "; the vocabulary has ids 0 to " + (modelVocabulary - 1) + ".");
      }
    }
    int maxTokens = request.maxTokens();
    if (maxTokens < 0) {
      throw EngineException.invalid("max_tokens", "max_tokens is " + maxTokens + "; allowed: 1 or more, or 0 for as many as the context leaves.");
    }
    // An answer has at least one token, also where max_tokens leaves its length to the context.
    if ((long) prompt.length + Math.max(maxTokens, 1) > contextLength) {
      String wanted = maxTokens == 0 ? "no room is left for an answer" : "together with max_tokens " + maxTokens + " that is too long";
      throw EngineException.contextLengthExceeded(contextLength, "the prompt has " + prompt.length + ": " + wanted,
          Map.of(
              "prompt_tokens", Integer.toString(prompt.length),
              "max_tokens", Integer.toString(maxTokens)));
    }
    int longest = longestSequence();
    if (prompt.length + Math.max(maxTokens, 1) > longest) {
      throw new EngineException(
          EngineError.KV_MEMORY_EXCEEDED,
          "The memory for keys and values holds " + longest + " tokens, and prompt (" + prompt.length + ") and answer (max_tokens "
              + maxTokens + ") need more: ask for less, or raise --kv-memory (nibble.kv.memory).",
          Map.of(
              "longest_sequence", Integer.toString(longest),
              "prompt_tokens", Integer.toString(prompt.length),
              "max_tokens", Integer.toString(maxTokens)));
    }
    if (request.offload().filter(policy -> policy == OffloadPolicy.REQUIRE).isPresent()) {
      throw new EngineException(EngineError.ACCELERATOR_UNAVAILABLE,
          "The request requires an accelerator, and none is configured: set nibble.offload.targets, or ask for offload \"auto\".", Map.of());
    }
    requireStopStrings(request.stop());
    int alternatives = request.logProbabilities();
    if (alternatives < -1 || alternatives > MOST_ALTERNATIVES) {
      throw EngineException.invalid("logprobs", "Alternatives asked for: " + alternatives + "; allowed: -1 (off) to " + MOST_ALTERNATIVES + ".");
    }
    Sampler.requireBiasesInside(vocabularySize, request.sampling().logitBias());
    if (passed(request.deadlineNanos())) {
      throw deadlineExceeded();
    }
    int limit = maxTokens == 0 ? longest - prompt.length : maxTokens;
    requireBeginning(request.answerIds(), limit);
    return limit;
  }

  private void requireBeginning(int[] answer, int limit) {
    if (answer.length >= limit) {
      throw EngineException.invalid("answer_ids", "The answer begins with " + answer.length + " tokens; allowed: fewer than its " + limit + " at most.");
    }
    for (int i = 0; i < answer.length; i++) {
      if (answer[i] < 0 || answer[i] >= vocabularySize) {
        throw EngineException.invalid("answer_ids", "Token " + i + " of the answer is " + answer[i] + "; the vocabulary has ids 0 to " + (vocabularySize - 1) + ".");
      }
    }
  }

  /** The engine by itself has no accelerator to ask. */
  private static Optional<Placement> placement(GenerationRequest request) {
    return request.offload().filter(policy -> policy != OffloadPolicy.OFF).map(policy -> Placement.here(policy, "No accelerator is configured."));
  }

  private static void requireStopStrings(List<String> stop) {
    if (stop.size() > MOST_STOP_STRINGS) {
      throw EngineException.invalid("stop", stop.size() + " stop strings were given; allowed: at most " + MOST_STOP_STRINGS + ".");
    }
    for (int i = 0; i < stop.size(); i++) {
      String string = stop.get(i);
      if (string.isEmpty() || string.length() > LONGEST_STOP_STRING) {
        throw EngineException.invalid("stop", "Stop string " + i + " has " + string.length() + " chars; allowed: 1 to " + LONGEST_STOP_STRING + ".");
      }
      // Half a surrogate pair would cut a character in two.
      if (!StandardCharsets.UTF_8.newEncoder().canEncode(string)) {
        throw EngineException.invalid("stop", "Stop string " + i + " is not well-formed Unicode.");
      }
    }
  }

  /** To be called with the lock held. */
  private double meanSeconds() {
    long sum = 0;
    for (int i = 0; i < computedRequests; i++) {
      sum += recentNanos[i];
    }
    return computedRequests == 0 ? 0 : sum * 1e-9 / computedRequests;
  }

  private EngineException queueFull() {
    long retryAfterSeconds = Math.max(1, (long) Math.ceil(meanSeconds() * waiting.size()));
    return new EngineException(
        EngineError.QUEUE_FULL,
        "The waiting line is full (" + options.queueCapacity() + " requests); try again in " + retryAfterSeconds + " s.",
        Map.of("retry_after_seconds", Long.toString(retryAfterSeconds), "queue_capacity", Integer.toString(options.queueCapacity())));
  }

  // ---- deadlines; nanosecond clock values are compared by difference, since the clock may overflow

  private boolean passed(long deadlineNanos) {
    return deadlineNanos != Long.MAX_VALUE && clock.nanoTime() - deadlineNanos >= 0;
  }

  private static long sooner(long deadlineNanos, long other) {
    if (deadlineNanos == Long.MAX_VALUE) {
      return other;
    }
    return other == Long.MAX_VALUE || deadlineNanos - other <= 0 ? deadlineNanos : other;
  }

  private static EngineException deadlineExceeded() {
    return new EngineException(EngineError.DEADLINE_EXCEEDED, "The request's deadline passed before its answer was finished.", Map.of());
  }

  /** Ends waiting requests whose deadline has passed, to free their places. */
  private void expireWaiting() {
    if (!passed(nextDeadline)) {
      return;
    }
    List<Task> expired = new ArrayList<>();
    lock.lock();
    try {
      long next = Long.MAX_VALUE;
      for (Iterator<Task> tasks = waiting.iterator(); tasks.hasNext(); ) {
        Task task = tasks.next();
        if (passed(task.request.deadlineNanos())) {
          tasks.remove();
          expired.add(task);
        } else {
          next = sooner(next, task.request.deadlineNanos());
        }
      }
      nextDeadline = next;
    } finally {
      lock.unlock();
    }
    for (Task task : expired) {
      task.fail(deadlineExceeded());
    }
  }

  // ---- the engine's thread

  private void work() {
    try {
      Task task = take();
      while (task != null) {
        lastStep = clock.nanoTime();
        task.run();
        lastStep = NO_STEP;
        task = take();
      }
    } finally {
      ended.run();
    }
  }

  /** The next request in line, once there is one; null after closing. */
  private Task take() {
    lock.lock();
    try {
      while (waiting.isEmpty() && probe == null && !closed) {
        work.awaitUninterruptibly();
      }
      // Closing cancels who still waits, on the closing thread.
      active = closed ? null : waiting.poll();
      if (active == null && !closed) {
        active = probe;
        probe = null;
      }
      return active;
    } finally {
      lock.unlock();
    }
  }

  /** A request in line or under way. */
  private final class Task implements Generation {
    private final GenerationRequest request;
    private final int[] prompt; // our own copy: the request's array could change while it waits
    private final int[] given; // tokens that the answer begins with, likewise
    private final int limit;
    private final GenerationListener listener;
    private final EngineObserver observer; // hears nothing of a probe
    private final boolean own; // the service's: a probe
    private final long submittedNanos = clock.nanoTime();
    private volatile boolean cancelled;

    // Written by the engine's thread.
    private long startedNanos;
    private long prefilledNanos;
    private boolean started;
    private boolean prefilled;
    private int completionTokens;

    Task(GenerationRequest request, int limit, GenerationListener listener, EngineObserver observer, boolean own) {
      this.request = request;
      this.observer = observer;
      this.own = own;
      prompt = request.promptIds().clone();
      given = request.answerIds().clone();
      completionTokens = given.length;
      this.limit = limit;
      this.listener = listener;
    }

    @Override
    public void cancel() {
      cancelled = true;
      boolean removed;
      lock.lock();
      try {
        removed = waiting.remove(this) || probe == this;
        if (probe == this) {
          probe = null;
        }
      } finally {
        lock.unlock();
      }
      if (removed) {
        fail(cancelledByClient());
      }
    }

    static EngineException cancelledByClient() {
      return new EngineException(EngineError.CANCELLED, "The request was cancelled.", Map.of());
    }

    void run() {
      GenerationResult result;
      try {
        startedNanos = clock.nanoTime();
        started = true;
        checkpoint();
        observer.started((startedNanos - submittedNanos) * 1e-9);
        listener.onStart();
        result = answer();
      } catch (EngineException failure) {
        if (failure.error() == EngineError.INTERNAL) {
          LOG.log(Level.SEVERE, "A request failed.", failure);
        }
        fail(failure);
        return;
      } catch (Throwable failure) {
        // Whatever a model or listener throws, the engine goes on with the next request.
        LOG.log(Level.SEVERE, "A request failed.", failure);
        fail(new EngineException(EngineError.INTERNAL, "The answer could not be computed because of a defect in the service.", Map.of()));
        return;
      }
      if (!own) {
        rates = rates.with(prompt.length + given.length, result.prefillNanos(), completionTokens - given.length - 1, result.decodeNanos());
      }
      settle(EngineObserver.Outcome.of(result.reason()), result, null);
    }

    private GenerationResult answer() {
      TextAssembler text = new TextAssembler(request.stop());
      Sampler sampler = new Sampler(vocabularySize, request.sampling(), prompt);
      boolean measures = request.logProbabilities() >= 0;
      TokenProbabilities probabilities = measures ? new TokenProbabilities(vocabularySize, request.logProbabilities(), tokenizer) : null;
      try (LanguageModel.Sequence sequence = languageModel.newSequence(prompt.length + limit)) {
        int[] known = begin(sampler, text);
        for (int from = 0; from < known.length; ) {
          int count = pace.next(known.length - from);
          long begin = clock.nanoTime();
          prefill(sequence, known, from, count, from + count == known.length ? logits : null);
          pace.took(count, clock.nanoTime() - begin);
          from += count;
          listener.onPrefill(from, known.length);
        }
        prefilledNanos = clock.nanoTime();
        prefilled = true;

        long previousNanos = submittedNanos;
        while (true) {
          int id = sampler.choose(logits, prompt.length + completionTokens);
          if (endsGeneration[id] && !request.ignoreEndOfGeneration()) {
            return result(text.finish(), FinishReason.STOP);
          }
          sampler.accept(id);
          completionTokens++;
          long nanos = clock.nanoTime();
          if (completionTokens == 1) {
            observer.firstToken((nanos - previousNanos) * 1e-9);
          } else {
            observer.token((nanos - previousNanos) * 1e-9);
          }
          previousNanos = nanos;

          String released = text.append(tokenizer.bytes(id, false));
          if (measures) {
            probabilities.measure(logits);
            listener.onToken(new GeneratedToken(id, released, probabilities.of(id), probabilities.alternatives()));
          } else {
            listener.onToken(new GeneratedToken(id, released, Float.NaN, List.of()));
          }
          if (text.stopped()) {
            return result("", FinishReason.STOP);
          }
          if (completionTokens == limit) {
            String rest = text.finish();
            return result(rest, text.stopped() ? FinishReason.STOP : FinishReason.LENGTH);
          }
          nextId[0] = id;
          forward(sequence, nextId, 0, 1, logits);
        }
      }
    }

    /** Brings sampling and text to where the given tokens leave them; returns all tokens known so far. */
    private int[] begin(Sampler sampler, TextAssembler text) {
      if (given.length == 0) {
        return prompt;
      }
      for (int id : given) {
        sampler.accept(id);
        text.append(tokenizer.bytes(id, false)); // told before
      }
      int[] known = Arrays.copyOf(prompt, prompt.length + given.length);
      System.arraycopy(given, 0, known, prompt.length, given.length);
      return known;
    }

    private void prefill(LanguageModel.Sequence sequence, int[] ids, int from, int count, float[] logitsOrNull) {
      begin();
      sequence.append(ids, from, count, logitsOrNull, this::isOver);
      end();
    }

    private void forward(LanguageModel.Sequence sequence, int[] ids, int from, int count, float[] logitsOrNull) {
      begin();
      sequence.append(ids, from, count, logitsOrNull);
      end();
    }

    /** Asked within passes over prompts, each time a step. */
    private boolean isOver() {
      lastStep = clock.nanoTime();
      return cancelled || passed(request.deadlineNanos());
    }

    private void begin() {
      checkpoint();
      if (!own) {
        forwardPasses.incrementAndGet();
      }
      lastStep = clock.nanoTime();
    }

    private void end() {
      lastStep = clock.nanoTime();
      // A token computed too late is not told.
      checkpoint();
    }

    private void checkpoint() {
      expireWaiting();
      if (cancelled) {
        throw cancelledByClient();
      }
      if (passed(request.deadlineNanos())) {
        throw deadlineExceeded();
      }
    }

    private GenerationResult result(String text, FinishReason reason) {
      long now = clock.nanoTime();
      long queueNanos = (started ? startedNanos : now) - submittedNanos;
      long prefillNanos = started ? (prefilled ? prefilledNanos : now) - startedNanos : 0;
      long decodeNanos = prefilled ? now - prefilledNanos : 0;
      return new GenerationResult(text, reason, prompt.length, completionTokens, queueNanos, prefillNanos, decodeNanos, placement(request));
    }

    /** Ends the request with an error, told to its listener. */
    void fail(EngineException failure) {
      settle(EngineObserver.Outcome.of(failure.error()), result("", FinishReason.LENGTH), failure);
    }

    private void settle(EngineObserver.Outcome outcome, GenerationResult result, EngineException failure) {
      lock.lock();
      try {
        // Before anyone is told, so that who hears of the end finds the place free.
        if (active == this) {
          active = null;
          if (!own) {
            recentNanos[recentNext] = result.prefillNanos() + result.decodeNanos();
            recentNext = (recentNext + 1) % RECENT_REQUESTS;
            computedRequests = Math.min(computedRequests + 1, RECENT_REQUESTS);
          }
        }
      } finally {
        lock.unlock();
      }
      observer.finished(outcome, result);
      try {
        if (failure == null) {
          listener.onFinish(result);
        } else {
          listener.onError(failure);
        }
      } catch (Throwable broken) {
        LOG.log(Level.WARNING, "A request's listener failed when told of its end.", broken);
      } finally {
        lock.lock();
        try {
          unsettled--;
          settled.signalAll();
        } finally {
          lock.unlock();
        }
      }
    }
  }
}
