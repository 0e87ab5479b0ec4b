package dev.nibble.offload;

import dev.nibble.engine.EngineException;
import dev.nibble.engine.GeneratedToken;
import dev.nibble.engine.GenerationListener;
import dev.nibble.engine.GenerationRequest;
import dev.nibble.engine.GenerationResult;
import dev.nibble.engine.OffloadPolicy;
import dev.nibble.engine.SamplingParameters;
import dev.nibble.engine.SequentialEngine;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;

/**
 * A short greedy answer, computed here, that an accelerator has to give as well before it gets requests.
 *
 * @param promptIds of the question
 * @param ids of the answer
 * @param margins how much more likely the chosen token was than the next, in nats, by token
 */
record Canary(int[] promptIds, int[] ids, float[] margins) {
  /** Long enough to tell a model from another, short enough to be no burden. */
  private static final int TOKENS = 12;
  private static final String PROMPT = "Once upon a time, there was a little";
  /**
   * Where the two likeliest tokens are closer than this, in nats, other kernels may choose the other one; what follows then tells nothing. Between these
   * kernels and llama.cpp's the largest margin of a differing choice was 0.016 (docs/jetson.md).
   */
  static final float CLOSE = 0.1f;

  /** Asks the engine, and waits for its answer. */
  static Canary of(SequentialEngine engine) throws InterruptedException, EngineException {
    int[] prompt = engine.tokenizer().encodeWithSpecials(PROMPT, false);
    CompletableFuture<Void> end = new CompletableFuture<>();
    List<GeneratedToken> tokens = new ArrayList<>();
    int room = engine.longestSequence() - prompt.length;
    if (room < 1) {
      throw new IllegalStateException("the model's context is too short to try accelerators");
    }
    GenerationRequest request = new GenerationRequest(prompt, Math.min(TOKENS, room), SamplingParameters.GREEDY, List.of(), 2, true, Long.MAX_VALUE)
        .withOffload(Optional.of(OffloadPolicy.OFF));
    engine.submit(request, new GenerationListener() {
      @Override
      public void onToken(GeneratedToken token) {
        tokens.add(token);
      }

      @Override
      public void onFinish(GenerationResult result) {
        end.complete(null);
      }

      @Override
      public void onError(EngineException error) {
        end.completeExceptionally(error);
      }
    });
    try {
      end.get();
    } catch (ExecutionException failure) {
      throw (EngineException) failure.getCause();
    }
    float[] margins = new float[tokens.size()];
    for (int i = 0; i < margins.length; i++) {
      List<GeneratedToken.TokenLogProbability> best = tokens.get(i).alternatives();
      margins[i] = best.size() < 2 ? Float.POSITIVE_INFINITY : best.get(0).logProbability() - best.get(1).logProbability();
    }
    return new Canary(prompt, tokens.stream().mapToInt(GeneratedToken::id).toArray(), margins);
  }

  /** What is wrong with another's answer; empty if nothing is. An exact one has to agree wherever it stands. */
  String objection(int[] answer, boolean exact) {
    for (int i = 0; i < ids.length; i++) {
      if (i >= answer.length) {
        return "it gave " + answer.length + " tokens of " + ids.length;
      }
      if (answer[i] != ids[i]) {
        return !exact && margins[i] < CLOSE ? "" : "token " + i + " of its trial answer is " + answer[i] + ", not " + ids[i];
      }
    }
    return "";
  }
}
