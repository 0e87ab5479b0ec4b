package dev.nibble.serve.api.request;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.nibble.engine.Engine;
import dev.nibble.engine.EngineException;
import dev.nibble.engine.GenerationRequest;
import dev.nibble.serve.api.ServeConfig;
import dev.nibble.tokenizer.EncodingBudget;
import java.util.List;
import java.util.Optional;

/** An inference request of the Open Inference Protocol, whichever wire it came over. */
public final class InferRequest {
  private final Optional<String> id;
  private final AnswerRequest answer;
  private final List<Wanted> outputs;

  /**
   * A tensor that is wanted.
   *
   * @param binary whether over HTTP its elements are to follow the JSON text as bytes
   */
  public record Wanted(InferOutput output, boolean binary) {}

  InferRequest(Optional<String> id, AnswerRequest answer, List<Wanted> outputs) {
    this.id = id;
    this.answer = answer;
    this.outputs = List.copyOf(outputs);
  }

  /**
   * Reads the protocol's inference request as JSON.
   *
   * @param raw tensors' elements that are not in it
   * @param model its name, which the body does not tell
   * @throws EngineException INVALID_REQUEST, naming what is wrong
   */
  public static InferRequest read(ObjectNode body, RawInputs raw, String model) {
    return OpenInferenceParser.infer(body, raw, model);
  }

  /** The sender's name for the request, to be repeated in the response. */
  public Optional<String> id() {
    return id;
  }

  /** The tensors wanted, in this order. */
  public List<Wanted> outputs() {
    return outputs;
  }

  /** Whether the answer is a text of its own, rather than the continuation of the prompt's. */
  public boolean beginsText() {
    return answer.prompt().beginsText();
  }

  /** What the engine is asked. @throws EngineException INVALID_REQUEST or CONTEXT_LENGTH_EXCEEDED if the model can't take the prompt */
  public GenerationRequest generation(Engine engine, ServeConfig config, long deadlineNanos, EncodingBudget budget) {
    return answer.generation(engine, config, deadlineNanos, budget);
  }

  /** The request for an answer that it is. */
  public AnswerRequest answer() {
    return answer;
  }
}
