package dev.nibble.engine;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicInteger;

/** Keeps all that an answer tells. */
public final class RecordingListener implements GenerationListener {
  public final List<GeneratedToken> tokens = java.util.Collections.synchronizedList(new ArrayList<>());
  public final CompletableFuture<Void> started = new CompletableFuture<>();
  public final AtomicInteger ends = new AtomicInteger();
  private final CompletableFuture<GenerationResult> end = new CompletableFuture<>();

  @Override
  public void onStart() {
    started.complete(null);
  }

  @Override
  public void onToken(GeneratedToken token) {
    tokens.add(token);
  }

  @Override
  public void onFinish(GenerationResult result) {
    ends.incrementAndGet();
    end.complete(result);
  }

  @Override
  public void onError(EngineException error) {
    ends.incrementAndGet();
    end.completeExceptionally(error);
  }

  public boolean ended() {
    return end.isDone();
  }

  public GenerationResult result() throws Exception {
    return end.get(20, TimeUnit.SECONDS);
  }

  public EngineException error() throws InterruptedException, TimeoutException {
    try {
      throw new AssertionError("answered " + end.get(20, TimeUnit.SECONDS));
    } catch (ExecutionException failure) {
      return (EngineException) failure.getCause();
    }
  }

  public int[] ids() {
    return tokens.stream().mapToInt(GeneratedToken::id).toArray();
  }

  /** The whole text, once finished. */
  public String text() throws Exception {
    String rest = result().text();
    StringBuilder text = new StringBuilder();
    tokens.forEach(token -> text.append(token.text()));
    return text.append(rest).toString();
  }
}
