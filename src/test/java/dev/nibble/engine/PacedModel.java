package dev.nibble.engine;

import dev.nibble.model.LanguageModel;
import java.util.concurrent.Semaphore;

/** A model whose forward passes each wait for a permit, so that a test decides what happens while one is under way. */
final class PacedModel implements LanguageModel {
  final Semaphore permits = new Semaphore(0);
  private final LanguageModel paced;

  PacedModel(LanguageModel paced) {
    this.paced = paced;
  }

  @Override
  public int vocabularySize() {
    return paced.vocabularySize();
  }

  @Override
  public int contextLength() {
    return paced.contextLength();
  }

  @Override
  public Sequence newSequence(int capacity) {
    Sequence sequence = paced.newSequence(capacity);
    return new Sequence() {
      @Override
      public int length() {
        return sequence.length();
      }

      @Override
      public int capacity() {
        return sequence.capacity();
      }

      @Override
      public void append(int[] ids, int from, int count, float[] logits) {
        permits.acquireUninterruptibly();
        sequence.append(ids, from, count, logits);
      }

      @Override
      public void close() {
        sequence.close();
      }
    };
  }
}
