package dev.nibble.model.family;

/** What makes a tensor as GGUF has it of the one of a Hugging Face checkpoint. */
public sealed interface TensorTransform {
  /** Nothing. */
  record Same() implements TensorTransform {}

  /** One is added to each weight: RMSNorm's, where checkpoints store it less one. */
  record PlusOne() implements TensorTransform {}

  /**
   * Rows of a head change places: Hugging Face rotates elements i and i + width / 2 of a head, GGUF's {@code llama} 2i and 2i + 1.
   *
   * @param headWidth rows of a head
   */
  record Interleave(int headWidth) implements TensorTransform {
    /** The row (or a bias' element) of the checkpoint that the GGUF tensor has at {@code row}. */
    public int source(int row) {
      int within = row % headWidth;
      return row - within + within % 2 * (headWidth / 2) + within / 2;
    }
  }
}
