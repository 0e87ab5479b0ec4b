package dev.nibble.cli;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.nibble.eval.Perplexity;
import dev.nibble.format.InputFile;
import dev.nibble.model.Decoder;
import dev.nibble.runtime.ModelOpener;
import dev.nibble.tokenizer.Tokenizer;
import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Locale;
import java.util.OptionalInt;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** Measures how good a model is. */
@Command(name = "eval", description = "Measures a model's quality.", mixinStandardHelpOptions = true, subcommands = EvalCommand.PerplexityCommand.class)
final class EvalCommand implements Callable<Integer> {
  @Spec
  private CommandSpec spec;

  @Override
  public Integer call() {
    throw new ParameterException(spec.commandLine(), "name what to measure: ppl");
  }

  /** Perplexity of a text. */
  @Command(name = "ppl", mixinStandardHelpOptions = true, description = "Perplexity of a text: windows side by side, the second half of each predicted, as llama.cpp's "
      + "llama-perplexity.")
  static final class PerplexityCommand implements Callable<Integer> {
    private static final long MAX_TEXT = 256L << 20;

    @Mixin
    private ModelOptions model;

    @Option(names = "--text", paramLabel = "FILE", required = true, description = "Text in UTF-8.")
    private Path text;

    @Option(names = "--window", paramLabel = "N", description = "Tokens of a window; default ${DEFAULT-VALUE}.", defaultValue = "" + Perplexity.DEFAULT_WINDOW)
    private int window;

    @Option(names = "--tokens", paramLabel = "N", description = "At most so many of the text's first tokens; default all.")
    private Integer tokens;

    @Option(names = "--json", description = "One line of JSON.")
    private boolean json;

    @Override
    public Integer call() throws IOException {
      if (tokens != null && tokens < 1) {
        throw new IllegalArgumentException("--tokens is " + tokens + "; allowed: 1 or more");
      }
      String content = read(text);
      try (ModelOpener opener = model.opener(); ModelOpener.Opened opened = model.open(opener)) {
        measure(opened, content);
      }
      return 0;
    }

    private void measure(ModelOpener.Opened opened, String content) throws IOException {
      Decoder decoder = opened.loaded().model();
      int[] ids = opened.tokenizer().encode(content, false);
      if (tokens != null && ids.length > tokens) {
        ids = Arrays.copyOf(ids, tokens);
      }
      OptionalInt beginning = beginning(opened.tokenizer());
      long start = System.nanoTime();
      ProgressLine progress = new ProgressLine("measuring");
      Perplexity.Result result = Perplexity.of(decoder, ids, window, beginning, progress::show);
      progress.clear();
      double speed = ids.length / window * window / ((System.nanoTime() - start) / 1e9);
      if (json) {
        ObjectNode out = JsonNodeFactory.instance.objectNode();
        out.put("model", opened.info().name()).put("text", text.toString()).put("tokens", ids.length).put("window", window);
        out.put("predictions", result.predictions()).put("perplexity", result.perplexity()).put("standard_error", result.error());
        out.put("kv_cache", decoder.pages().shape().format().toString()).put("tokens_per_second", speed);
        System.out.println(new ObjectMapper().writeValueAsString(out));
      } else {
        System.out.printf(Locale.ROOT, "perplexity %.4f ± %.4f over %,d predictions, windows of %d; %.1f tokens/s%n",
            result.perplexity(), result.error(), result.predictions(), window, speed);
      }
    }

    /** BOS, where prompts begin with it. */
    private static OptionalInt beginning(Tokenizer tokenizer) {
      int[] empty = tokenizer.encodeWithSpecials("", false);
      return empty.length > 0 && tokenizer.bos().isPresent() && empty[0] == tokenizer.bos().getAsInt() ? tokenizer.bos() : OptionalInt.empty();
    }

    private static String read(Path file) throws IOException {
      InputFile.require(file);
      if (Files.size(file) > MAX_TEXT) {
        throw new IOException("the text " + file + " has " + Files.size(file) + " bytes; at most " + MAX_TEXT + " can be measured");
      }
      try {
        return Files.readString(file);
      } catch (CharacterCodingException e) {
        throw new IOException("the text " + file + " is not UTF-8");
      }
    }
  }
}
