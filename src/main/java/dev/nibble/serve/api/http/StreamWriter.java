package dev.nibble.serve.api.http;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.nibble.engine.GeneratedToken;
import dev.nibble.engine.GenerationResult;
import java.util.List;
import java.util.Optional;

/** How an API writes an answer as a stream of JSON objects; made for one answer, since pieces depend on those before. Not thread-safe. */
public interface StreamWriter {
  /** What comes before the first piece, if anything does. */
  Optional<ObjectNode> first(String echo);

  /** A piece of the text, and the token it came with (null at the end). */
  ObjectNode piece(String text, GeneratedToken tokenOrNull);

  /** What comes after the last piece, in order. */
  List<ObjectNode> ends(GenerationResult result);

  /** Whether {@code [DONE]} comes after all that. */
  boolean saysDone();
}
