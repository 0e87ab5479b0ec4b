package dev.nibble.model.spec;

/** Which channels of a head the rotary embedding takes as a pair. */
public enum RopePairs {
  /** 2i and 2i + 1, as llama2.c and GGUF's llama. */
  ADJACENT,
  /** i and i + width / 2, as Hugging Face. */
  HALVES
}
