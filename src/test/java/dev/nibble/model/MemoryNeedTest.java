package dev.nibble.model;

import static org.assertj.core.api.Assertions.assertThat;

import dev.nibble.format.gguf.GgufFile;
import dev.nibble.format.gguf.GgufTensor;
import dev.nibble.kernel.NativeMemory;
import dev.nibble.kernel.WorkerPool;
import dev.nibble.model.kvcache.KvCacheOptions;
import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

/** What is told of a model in advance against what it takes when loaded. */
final class MemoryNeedTest {
  @Test
  void theEmbeddedModelTakesWhatIsSaid() throws IOException {
    long loaded = 0;
    try (GgufFile file = GgufFile.open(Path.of("src/main/resources/models/nibble-home.gguf")); WorkerPool pool = new WorkerPool(1)) {
      MemoryNeed need = MemoryNeed.of(file, KvCacheOptions.DEFAULT);
      for (GgufTensor tensor : file.tensors()) {
        loaded += tensor.shape().size() == 1 ? 4L * file.vector(tensor).length
            : file.matrix(tensor, (int) tensor.rows(), (int) tensor.columns(), new NativeMemory(), pool).bytes();
      }
      assertThat(need.weights()).isEqualTo(loaded);
      assertThat(need.context()).isEqualTo(1024);

      Decoder model = DecoderLoader.load(file, new WorkerPool(1), KvCacheOptions.DEFAULT, (done, total) -> {}).model();
      try (LanguageModel.Sequence sequence = model.newSequence(need.context())) {
        sequence.append(new int[need.context()], 0, need.context(), new float[model.vocabularySize()]);
        assertThat(need.sequence()).isEqualTo(model.pages().allocatedBytes());
      }
      assertThat(need.cache()).isEqualTo(model.pages().shape().format());
    }
  }
}
