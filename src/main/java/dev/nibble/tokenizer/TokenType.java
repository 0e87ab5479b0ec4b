package dev.nibble.tokenizer;

/** Kind of a token, in the order of the numbers 1 to 6 that GGUF's {@code tokenizer.ggml.token_type} gives them. */
public enum TokenType {
  NORMAL,
  UNKNOWN,
  /** A special token: made by templates and models, never by text unless asked for. */
  CONTROL,
  /** Added to the vocabulary as a whole: recognised in every text. */
  USER_DEFINED,
  UNUSED,
  /** A byte, named "&lt;0x00&gt;" to "&lt;0xFF&gt;". */
  BYTE
}
