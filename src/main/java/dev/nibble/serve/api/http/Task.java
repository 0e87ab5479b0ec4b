package dev.nibble.serve.api.http;

import dev.nibble.engine.Engine;
import dev.nibble.serve.api.request.AnswerRequest;
import java.util.function.Function;

/** A request that was read, and who writes its answer once the engine is known. */
public sealed interface Task {
  AnswerRequest request();

  /** To be answered by one object. */
  record Whole(AnswerRequest request, Function<Engine, WholeWriter> writer) implements Task {}

  /** To be answered piece by piece. */
  record Streamed(AnswerRequest request, Function<Engine, StreamWriter> writer) implements Task {}
}
