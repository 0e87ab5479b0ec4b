package dev.nibble.serve.api.http;

import dev.nibble.tokenizer.EncodingBudget;

/** A place whose bodies are requests for answers, in the form of one API. */
@FunctionalInterface
public interface Endpoint {
  /**
   * Reads a request, and says who writes its answer.
   *
   * @param json reads JSON text for the models served
   * @param budget of time for all of it
   * @throws dev.nibble.engine.EngineException INVALID_REQUEST or CONTEXT_LENGTH_EXCEEDED, naming the field
   * @throws RefusedException for another reason
   */
  Task read(Body body, BodyJson json, EncodingBudget budget);
}
