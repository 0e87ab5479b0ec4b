package dev.nibble.tokenizer;

import dev.nibble.format.Printable;

/** A conversation that can't be rendered, and whose fault that is. */
public final class ChatTemplateException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  /** Whose fault it is. */
  public enum Fault {
    /** The template refuses the conversation: the message is the template's, for the request's sender. */
    CONVERSATION,
    /** There is no template, or it needs what is not supported, or takes too much: the message goes on from "the model can't answer conversations: ". */
    MODEL
  }

  private final Fault fault;

  public ChatTemplateException(Fault fault, String message) {
    super(Printable.message(message)); // templates are a stranger's text, and what they refuse is
    this.fault = fault;
  }

  public Fault fault() {
    return fault;
  }
}
