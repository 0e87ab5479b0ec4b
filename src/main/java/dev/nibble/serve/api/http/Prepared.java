package dev.nibble.serve.api.http;

import dev.nibble.engine.Engine;
import dev.nibble.engine.GenerationRequest;
import dev.nibble.serve.api.Answer;
import java.util.List;

/**
 * A request that is ready for the engine, and what is needed to write its answer: nothing of it keeps the request's text while it waits.
 *
 * @param ownText whether the answer is a text of its own, rather than the continuation of the prompt's
 * @param measured whether tokens' probabilities are told
 * @param echo the prompt's text, where it goes before the answer
 * @param ignoredFields fields of the request that have no effect
 */
public record Prepared(Engine engine, GenerationRequest generation, boolean ownText, Writer writer, boolean measured, String echo, List<String> ignoredFields) {
  /** How the answer is written. */
  sealed interface Writer {}

  /** As one object. */
  record Whole(WholeWriter writer) implements Writer {}

  /** Piece by piece. */
  record Streamed(StreamWriter writer) implements Writer {}

  /** Puts the request in the engine's line. */
  void start(Answer answer) {
    if (ownText) {
      answer.startOwnText(engine, generation);
    } else {
      answer.start(engine, generation);
    }
  }
}
