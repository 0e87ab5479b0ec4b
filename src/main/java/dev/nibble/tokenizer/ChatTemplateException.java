package dev.nibble.tokenizer;

/** A conversation that a chat template can't render: the message is for the request's sender. */
public final class ChatTemplateException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  public ChatTemplateException(String message) {
    super(message);
  }
}
