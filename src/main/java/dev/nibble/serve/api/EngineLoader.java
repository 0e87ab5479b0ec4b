package dev.nibble.serve.api;

import dev.nibble.engine.Engine;
import java.io.IOException;

/** Makes the engine that a configuration asks for. */
public interface EngineLoader {
  /**
   * Reads the model and starts its engine; may take long, and is called once, on a thread of its own.
   *
   * @throws IOException if the model can't be read; the message tells an operator what to do
   */
  Engine load(ServeConfig config) throws IOException;
}
