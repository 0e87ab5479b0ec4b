package dev.nibble.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.nibble.HomeFile;
import dev.nibble.format.gguf.GgufFile;
import dev.nibble.kernel.NativeMemory;
import dev.nibble.kernel.Products;
import dev.nibble.kernel.TestModes;
import dev.nibble.kernel.WorkerPool;
import dev.nibble.model.Batch.Outputs;
import dev.nibble.model.block.Workspace;
import dev.nibble.model.family.Families;
import dev.nibble.model.kvcache.KvCacheOptions;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Many sequences in one pass: each gets the bits that it has alone. */
final class BatchTest {
  private static final int CAPACITY = 256;

  @TempDir
  Path folder;

  private Decoder model(WorkerPool pool, KvCacheOptions cache) throws IOException {
    Path file = new HomeFile().write(folder.resolve("home.gguf"));
    return DecoderLoader.load(GgufFile.open(file), Families.KNOWN, new Products(pool, TestModes.best()), new NativeMemory(), cache);
  }

  private static int[] text(int tokens, long seed, int vocabulary) {
    return new Random(seed).ints(tokens, 0, vocabulary).toArray();
  }

  /** Logits after each token of a sequence that is computed alone, token by token. */
  private static float[][] alone(Decoder model, int[] ids) {
    float[][] logits = new float[ids.length][model.vocabularySize()];
    try (LanguageModel.Sequence sequence = model.newSequence(ids.length)) {
      for (int i = 0; i < ids.length; i++) {
        sequence.append(ids, i, 1, logits[i]);
      }
    }
    return logits;
  }

  /** One to eight sequences of mixed lengths, their pieces of 1 to 90 tokens, with outputs of every kind, over many passes: prefill beside decode. */
  @Test
  void eachSequenceHasTheBitsThatItHasAlone() throws IOException {
    KvCacheOptions packed = KvCacheOptions.of(Optional.of("4"), Optional.of("4"), 0, true);
    for (KvCacheOptions cache : List.of(KvCacheOptions.EXACT, KvCacheOptions.DEFAULT, packed)) {
      for (int threads = 1; threads <= 2; threads++) {
        try (WorkerPool pool = new WorkerPool(threads)) {
          Decoder model = model(pool, cache);
          Workspace workspace = model.newWorkspace(CAPACITY);
          for (int count = 1; count <= 8; count += count < 3 ? 1 : 5) {
            mixed(model, workspace, count, 7 * count + threads);
          }
        }
      }
    }
  }

  private static void mixed(Decoder model, Workspace workspace, int count, long seed) {
    Random random = new Random(seed);
    List<int[]> texts = new ArrayList<>();
    List<float[][]> expected = new ArrayList<>();
    List<LanguageModel.Sequence> sequences = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      texts.add(text(20 + random.nextInt(180), seed + i, model.vocabularySize()));
      expected.add(alone(model, texts.get(i)));
      sequences.add(model.newSequence(texts.get(i).length));
    }
    Batch batch = new Batch();
    int[] seen = {0};
    int wanted = 0;
    while (sequences.stream().anyMatch(sequence -> sequence.length() < sequence.capacity())) {
      batch.clear();
      List<Integer> members = new ArrayList<>();
      int[] lengths = sequences.stream().mapToInt(LanguageModel.Sequence::length).toArray();
      for (int i = 0; i < count; i++) {
        int left = Math.min(texts.get(i).length - lengths[i], CAPACITY - batch.tokens());
        if (left > 0 && random.nextInt(4) > 0) {
          int now = Math.min(left, random.nextBoolean() ? 1 : 1 + random.nextInt(90));
          Outputs outputs = Outputs.values()[random.nextInt(3)];
          batch.add(sequences.get(i), texts.get(i), lengths[i], now, outputs);
          wanted += switch (outputs) {
            case NONE -> 0;
            case LAST -> 1;
            case ALL -> now;
          };
          members.add(i);
        }
      }
      if (members.isEmpty()) {
        continue;
      }
      assertThat(model.forward(batch, workspace, (slice, token, logits, at) -> {
        int member = members.get(slice);
        assertThat(Arrays.copyOfRange(logits, at, at + model.vocabularySize())).as("%d sequences, number %d, token %d", count, member, lengths[member] + token)
            .containsExactly(expected.get(member)[lengths[member] + token]);
        seen[0]++;
      }, () -> false)).isTrue();
    }
    assertThat(seen[0]).isEqualTo(wanted).isPositive();
    sequences.forEach(LanguageModel.Sequence::close);
    assertThat(model.pages().usedBytes()).isZero();
  }

  /**
   * Sequences that begin with pages of others, and go on otherwise: with the bits of sequences that were computed whole. In the first sequence's course some branch
   * off and stay behind, one branches off a branch, and the first is closed before the last.
   */
  @Test
  void aSharedBeginningGivesTheBitsOfAColdOne() throws IOException {
    for (KvCacheOptions cache : List.of(KvCacheOptions.EXACT, KvCacheOptions.DEFAULT, KvCacheOptions.of(Optional.of("4"), Optional.of("2"), 0, true),
        KvCacheOptions.of(Optional.of("8"), Optional.of("4"), 130, false))) {
      try (WorkerPool pool = new WorkerPool(2)) {
        Decoder model = model(pool, cache);
        int[] first = text(500, 1, model.vocabularySize());
        int[] second = branch(first, 192, 300, 2);
        int[] third = branch(first, 320, 400, 3);
        int[] fourth = branch(second, 256, 460, 4);
        float[][][] expected = {alone(model, first), alone(model, second), alone(model, third), alone(model, fourth)};
        LanguageModel.Sequence a = model.newSequence(500);
        go(a, first, 200, expected[0]);
        LanguageModel.Sequence b = model.newSequence(a, 192, 300);
        go(a, first, 330, expected[0]);
        LanguageModel.Sequence c = model.newSequence(a, 320, 400);
        go(b, second, 256, expected[1]);
        LanguageModel.Sequence d = model.newSequence(b, 256, 460);
        go(a, first, 500, expected[0]);
        go(d, fourth, 300, expected[3]);
        a.close();
        go(c, third, 400, expected[2]);
        go(b, second, 300, expected[1]);
        b.close();
        go(d, fourth, 460, expected[3]);
        c.close();
        d.close();
        assertThat(model.pages().usedBytes()).as("%s", cache).isZero();
      }
    }
  }

  private int[] branch(int[] text, int shared, int tokens, long seed) {
    int[] ids = Arrays.copyOf(text(tokens, seed, 2000), tokens);
    System.arraycopy(text, 0, ids, 0, shared);
    return ids;
  }

  private static void go(LanguageModel.Sequence sequence, int[] ids, int to, float[][] expected) {
    float[] logits = new float[expected[0].length];
    for (int at = sequence.length(); at < to; at = sequence.length()) {
      int now = Math.min(to - at, 1 + at % 37);
      sequence.append(ids, at, now, logits);
      assertThat(logits).as("after token %d", at + now - 1).containsExactly(expected[at + now - 1]);
    }
  }

  @Test
  void whatIsGoneCanNotBeShared() throws IOException {
    try (WorkerPool pool = new WorkerPool(1)) {
      Decoder model = model(pool, KvCacheOptions.DEFAULT);
      int[] ids = text(300, 1, model.vocabularySize());
      try (LanguageModel.Sequence sequence = model.newSequence(300)) {
        sequence.append(ids, 0, 300, null);
        assertThatThrownBy(() -> model.newSequence(sequence, 100, 300)).hasMessageContaining("100 tokens can't be shared: whole pages of 64");
        assertThatThrownBy(() -> model.newSequence(sequence, 128, 300)).hasMessageContaining("exact keys and values of page 1 are gone");
        assertThatThrownBy(() -> model.newSequence(sequence, 320, 400)).isInstanceOf(IllegalArgumentException.class);
        model.newSequence(sequence, 256, 300).close();
      }
      assertThat(model.pages().usedBytes()).isZero();
    }
  }

  @Test
  void whatIsWrongIsRefusedAndSequencesStayAsTheyWere() throws IOException {
    try (WorkerPool pool = new WorkerPool(1)) {
      Decoder model = model(pool, KvCacheOptions.DEFAULT);
      Decoder other = model(pool, KvCacheOptions.DEFAULT);
      Workspace workspace = model.newWorkspace(4);
      int[] ids = {1, 2, 3, 4, 5};
      LogitsReader nobody = (slice, token, logits, at) -> {};
      try (LanguageModel.Sequence one = model.newSequence(3); LanguageModel.Sequence two = model.newSequence(9); LanguageModel.Sequence foreign = other.newSequence(3)) {
        assertThatThrownBy(() -> new Batch().add(one, ids, 0, 1, Outputs.LAST).add(one, ids, 1, 1, Outputs.LAST)).hasMessage("the sequence is in the batch already");
        assertThatThrownBy(() -> new Batch().add(one, ids, 4, 2, Outputs.LAST)).hasMessage("2 tokens from place 4 of 5 are not there");
        refused(model, workspace, new Batch().add(two, ids, 0, 5, Outputs.LAST), "the batch has 5 tokens; the workspace takes 4");
        refused(model, workspace, new Batch().add(two, ids, 0, 1, Outputs.LAST).add(foreign, ids, 0, 1, Outputs.LAST), "piece 1 of the batch is of a sequence of another model");
        refused(model, workspace, new Batch().add(two, ids, 0, 1, Outputs.LAST).add(one, new int[] {9999}, 0, 1, Outputs.LAST), "token id 9999 is outside the vocabulary");
        model.forward(new Batch().add(one, ids, 0, 3, Outputs.NONE), workspace, nobody, () -> false);
        refused(model, workspace, new Batch().add(two, ids, 0, 1, Outputs.LAST).add(one, ids, 0, 1, Outputs.LAST), "1 tokens do not fit: the sequence holds 3 of 3");
        assertThat(two.length()).isZero();
        assertThat(model.forward(new Batch().add(two, ids, 0, 4, Outputs.LAST), workspace, nobody, () -> true)).isFalse();
      }
    }
  }

  private static void refused(Decoder model, Workspace workspace, Batch batch, String why) {
    assertThatThrownBy(() -> model.forward(batch, workspace, (slice, token, logits, at) -> {}, () -> false)).hasMessageContaining(why);
  }
}
