package dev.nibble.runtime;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.catchThrowable;

import dev.nibble.HomeFile;
import dev.nibble.format.gguf.GgufType;
import dev.nibble.format.gguf.GgufValue;
import dev.nibble.model.DecoderLoader;
import dev.nibble.model.kvcache.KvCacheOptions;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Files that could be opened, and whose model could answer nobody: refused when they are loaded, with the name of what is wrong. */
final class LoadChecksTest {
  @TempDir
  Path folder;

  private void refused(HomeFile model, String... parts) throws IOException {
    Path file = model.write(folder.resolve("m.gguf"));
    Throwable refusal = catchThrowable(() -> open(file));
    assertThat(refusal).as(parts[0]).isInstanceOf(IOException.class);
    assertThat(refusal.getMessage()).contains(parts).doesNotContain("\n");
  }

  private static ModelOpener.Opened open(Path file) throws IOException {
    return new ModelOpener(OptionalInt.of(1)).open(Optional.of(file), Optional.empty(), KvCacheOptions.DEFAULT, (done, total) -> {});
  }

  private static HomeFile home() throws IOException {
    return new HomeFile();
  }

  @Test
  void whatIsRightLoads() throws IOException {
    Path file = home().write(folder.resolve("m.gguf"));
    assertThatCode(() -> open(file)).doesNotThrowAnyException();
  }

  @Test
  void vocabulariesThatDoNotFitTheEmbedding() throws IOException {
    refused(home().cut("token_embd.weight", 2000).without("llama.vocab_size"), "the number of its tokens is 2048, but tensor token_embd.weight has 2000 rows");
    refused(home().with(HomeFile.TOKENS, GgufValue.texts(home().vocabulary().subList(0, 2043))).without(HomeFile.TYPES).without("tokenizer.ggml.bos_token_id")
        .without("tokenizer.ggml.eos_token_id"), "the number of its tokens is 2043");
  }

  /** As llama.cpp has it: tokens and rows count, and some converters write the size before padding, or after. */
  @Test
  void aVocabularySizeThatNobodyNeedsIsPassedOver() throws IOException {
    Path file = home().with("llama.vocab_size", new GgufValue.Whole(GgufType.UINT64, Long.MAX_VALUE)).write(folder.resolve("m.gguf"));
    List<String> remarks = new ArrayList<>();
    ModelOpener.Opened opened = new ModelOpener(OptionalInt.of(1)).open(Optional.of(file), Optional.empty(), KvCacheOptions.DEFAULT, new DecoderLoader.Progress() {
      @Override
      public void packed(long bytes, long total) {}

      @Override
      public void remark(String sentence) {
        remarks.add(sentence);
      }
    });
    assertThat(opened.loaded().model().vocabularySize()).isEqualTo(2048);
    assertThat(remarks).containsExactly("Metadata llama.vocab_size of " + file + " is 9223372036854775807, which is passed over: it has 2048 tokens.");
  }

  @Test
  void specialTokensOutsideTheVocabulary() throws IOException {
    refused(home().with("tokenizer.ggml.bos_token_id", GgufValue.uint32(2048)), "tokenizer.ggml.bos_token_id", "is 2048; allowed: 0 to 2047");
    refused(home().with("tokenizer.ggml.eos_token_id", GgufValue.uint32(-1)), "tokenizer.ggml.eos_token_id", "allowed: 0 to 2047");
    refused(home().with("tokenizer.ggml.eot_token_id", GgufValue.uint32(5000)), "tokenizer.ggml.eot_token_id", "is 5000");
  }

  @Test
  void numbersThatNoModelHas() throws IOException {
    refused(home().with("llama.context_length", GgufValue.uint32(0)), "llama.context_length", "is 0; allowed: 1 to");
    refused(home().with("llama.attention.head_count", GgufValue.uint32(7)).with("llama.attention.head_count_kv", GgufValue.uint32(7)), "7 heads do not divide a width of 256");
    refused(home().with("llama.attention.head_count", GgufValue.uint32(0)), "llama.attention.head_count", "is 0");
    refused(home().with("llama.attention.head_count_kv", GgufValue.uint32(3)), "8 heads of width 32 do not go with 3 key-value heads");
    refused(home().with("llama.attention.key_length", GgufValue.uint32(33)).with("llama.rope.dimension_count", GgufValue.uint32(33)), "width 33");
    refused(home().with("llama.attention.key_length", GgufValue.uint32(1 << 18)).with("llama.rope.dimension_count", GgufValue.uint32(1 << 18)), "width 262144");
    refused(home().with("llama.rope.dimension_count", GgufValue.uint32(31)), "llama.rope.dimension_count is 31; allowed: an even number up to the heads' width, 32");
    refused(home().with("llama.block_count", GgufValue.uint32(5)), "blk.4.");
    refused(home().with("llama.feed_forward_length", GgufValue.uint32(1 << 18)), "ffn_gate");
    for (float epsilon : new float[] {0, -1e-5f, Float.NaN, Float.POSITIVE_INFINITY, 1e-40f}) {
      refused(home().with("llama.attention.layer_norm_rms_epsilon", GgufValue.float32(epsilon)), "RMSNorm epsilon");
    }
    for (float base : new float[] {0, -1, Float.NaN, Float.POSITIVE_INFINITY}) {
      refused(home().with("llama.rope.freq_base", GgufValue.float32(base)), "RoPE base");
    }
  }

  @Test
  void aQwen2WithoutBiases() throws IOException {
    refused(home().as("qwen2"), "tensor blk.0.attn_q.bias is missing");
  }

  @Test
  void logitsThatAreNotFinite() throws IOException {
    HomeFile overflows = home();
    for (int i = 0; i < 256; i++) {
      overflows.poisoned("output_norm.weight", i, 3e38f);
    }
    refused(overflows, "its first pass gives token ", "a logit that is");
  }
}
