package dev.nibble.cli;

import dev.nibble.engine.Engine;
import dev.nibble.engine.EngineError;
import dev.nibble.engine.EngineException;
import dev.nibble.engine.EngineObserver;
import dev.nibble.engine.EngineOptions;
import dev.nibble.engine.GeneratedToken;
import dev.nibble.engine.GenerationListener;
import dev.nibble.engine.GenerationRequest;
import dev.nibble.engine.GenerationResult;
import dev.nibble.engine.SamplingParameters;
import dev.nibble.engine.SequentialEngine;
import dev.nibble.format.Printable;
import dev.nibble.runtime.ModelOpener;
import dev.nibble.tokenizer.ChatMessage;
import dev.nibble.tokenizer.ChatTemplateException;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ThreadLocalRandom;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Continues a text, or holds a conversation, on the terminal. */
@Command(name = "run", description = "Continues a text on the terminal, or holds a conversation.", mixinStandardHelpOptions = true)
final class RunCommand implements Callable<Integer> {
  @Mixin
  private ModelOptions model;

  @Option(names = "--temp", paramLabel = "T", defaultValue = "0.7", description = "Temperature, 0 (greedy) to 2; default ${DEFAULT-VALUE}.")
  private float temperature;

  @Option(names = "--seed", paramLabel = "S", description = "Seed of the draws; default random.")
  private Long seed;

  @Option(names = "--max-tokens", paramLabel = "N", defaultValue = "512", description = "Most tokens of an answer; default ${DEFAULT-VALUE}.")
  private int maxTokens;

  @Option(names = "--chat", description = "Hold a conversation: each line of input is a message.")
  private boolean chat;

  @Parameters(arity = "0..1", paramLabel = "PROMPT", description = "Text to continue, or the first message.")
  private String prompt;

  private final boolean terminal = Terminal.is(Terminal.OUTPUT);

  @Override
  public Integer call() throws IOException {
    if (prompt == null && !chat) {
      throw new IllegalArgumentException("a prompt is needed, or --chat");
    }
    if (maxTokens < 1) {
      throw new IllegalArgumentException("--max-tokens is " + maxTokens + "; allowed: 1 or more");
    }
    SamplingParameters sampling = new SamplingParameters(temperature, 0, 1, 0, 1, 0, 0, Map.of(),
        seed == null ? ThreadLocalRandom.current().nextLong() : seed);
    try (ModelOpener opener = model.opener();
        ModelOpener.Opened opened = model.open(opener);
        Engine engine = new SequentialEngine(opened.info(), opened.loaded().model(), opened.tokenizer(), EngineOptions.DEFAULT, EngineObserver.NONE)) {
      if (chat) {
        converse(engine, sampling);
      } else {
        System.out.print(shown(prompt));
        answer(engine, engine.tokenizer().encodeWithSpecials(prompt, false), sampling);
      }
    }
    return 0;
  }

  private void converse(Engine engine, SamplingParameters sampling) throws IOException {
    engine.tokenizer().whyNoChat().ifPresent(why -> {
      throw new IllegalArgumentException("the model can't answer conversations: " + why + "; leave --chat out to continue text");
    });
    List<ChatMessage> messages = new ArrayList<>();
    BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String said = prompt == null ? in.readLine() : prompt; said != null; said = in.readLine()) {
      if (said.isBlank()) {
        continue;
      }
      messages.add(new ChatMessage("user", said));
      int[] ids;
      try {
        ids = engine.tokenizer().encodeChat(messages);
      } catch (ChatTemplateException refusal) {
        messages.removeLast();
        System.err.println("nibble: the model's chat template fails: " + refusal.getMessage());
        continue;
      }
      // Oldest turns are forgotten first; a message too long by itself is refused by the engine.
      while (ids.length >= engine.longestSequence() && messages.size() > 2) {
        messages.subList(0, 2).clear();
        ids = engine.tokenizer().encodeChat(messages);
        System.err.println("nibble: the conversation fills the model's context or the memory for it; its oldest turn is forgotten");
      }
      try {
        messages.add(new ChatMessage("assistant", answer(engine, ids, sampling)));
      } catch (EngineException refusal) {
        // The conversation goes on without what can't be answered.
        messages.removeLast();
        System.err.println("nibble: " + refusal.getMessage());
      }
    }
  }

  /** A model's tokens can be terminals' commands; who reads from a pipe gets them as they are. */
  private String shown(String text) {
    return terminal ? Printable.forTerminal(text) : text;
  }

  private String answer(Engine engine, int[] ids, SamplingParameters sampling) throws IOException {
    int left = engine.longestSequence() - ids.length;
    ProgressLine prefill = new ProgressLine("reading the prompt");
    CompletableFuture<String> answer = new CompletableFuture<>();
    StringBuilder text = new StringBuilder();
    engine.submit(new GenerationRequest(ids, left > 0 ? Math.min(left, maxTokens) : maxTokens, sampling, List.of(), -1, false, Long.MAX_VALUE),
        new GenerationListener() {
          @Override
          public void onPrefill(int done, int total) {
            prefill.show(done, total);
          }

          @Override
          public void onToken(GeneratedToken token) {
            prefill.clear();
            write(token.text());
          }

          @Override
          public void onFinish(GenerationResult result) {
            write(result.text());
            answer.complete(text.toString());
          }

          @Override
          public void onError(EngineException error) {
            answer.completeExceptionally(error);
          }

          private void write(String piece) {
            text.append(piece);
            System.out.print(shown(piece));
            // Who reads a pipe may have had enough: then nobody waits for the rest.
            if (System.out.checkError()) {
              throw new EngineException(EngineError.CANCELLED, "nobody reads the answer any more", Map.of());
            }
          }
        });
    try {
      String whole = answer.get();
      System.out.println();
      return whole;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException("interrupted");
    } catch (ExecutionException e) {
      if (System.out.checkError()) {
        throw new StandardOutput.LostException();
      }
      throw e.getCause() instanceof EngineException error ? error : new IllegalStateException(e.getCause());
    }
  }
}
