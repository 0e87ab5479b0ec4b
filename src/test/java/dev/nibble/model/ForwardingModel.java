package dev.nibble.model;

import java.util.function.BooleanSupplier;

/** A model that another computes for; a test says what else happens in each forward pass. */
public final class ForwardingModel implements LanguageModel {
  /** What a forward pass does. */
  @FunctionalInterface
  public interface Pass {
    /** See {@link Sequence#append(int[], int, int, float[], BooleanSupplier)}, which this may call of the model's own sequence. */
    boolean append(Sequence sequence, int[] ids, int from, int count, float[] logits, BooleanSupplier stopped);
  }

  private final LanguageModel model;
  private final Pass pass;

  public ForwardingModel(LanguageModel model, Pass pass) {
    this.model = model;
    this.pass = pass;
  }

  @Override
  public int vocabularySize() {
    return model.vocabularySize();
  }

  @Override
  public int contextLength() {
    return model.contextLength();
  }

  @Override
  public Sequence newSequence(int capacity) {
    Sequence sequence = model.newSequence(capacity);
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
        append(ids, from, count, logits, () -> false);
      }

      @Override
      public boolean append(int[] ids, int from, int count, float[] logits, BooleanSupplier stopped) {
        return pass.append(sequence, ids, from, count, logits, stopped);
      }

      @Override
      public void close() {
        sequence.close();
      }
    };
  }
}
