package dev.nibble.serve.grpc;

import com.google.protobuf.ByteString;
import com.google.protobuf.UnsafeByteOperations;
import dev.nibble.engine.GenerationResult;
import dev.nibble.serve.api.request.InferOutput;
import dev.nibble.serve.api.request.InferRequest;
import dev.nibble.serve.api.request.OpenInference;
import dev.nibble.serve.api.request.TensorBytes;
import inference.InferParameter;
import inference.InferTensorContents;
import inference.ModelInferResponse;
import java.util.List;
import java.util.Locale;

/**
 * How an inference request is answered.
 *
 * @param model that answers
 * @param id the request's own
 * @param outputs that are wanted
 * @param raw whether elements are wanted as bytes: as clients send them, so they read them
 */
record InferForm(String model, String id, List<InferRequest.Wanted> outputs, boolean raw) {
  /** The parameter by which Triton's clients know a streamed answer's last response. */
  private static final String FINAL = "triton_final_response";

  /** A whole answer. */
  ModelInferResponse whole(String text, GenerationResult result) {
    return outputs(head(), text, result).build();
  }

  /** Whether pieces of text are wanted at all. */
  boolean hasText() {
    return outputs.stream().anyMatch(wanted -> wanted.output() == InferOutput.TEXT);
  }

  /** A piece of an answer that is not its last one: a text alone. */
  ModelInferResponse piece(String text) {
    ModelInferResponse.Builder response = head().putParameters(FINAL, flag(false));
    put(response, InferOutput.TEXT, text);
    return response.build();
  }

  /** The last piece of an answer: what was left of the text, and how it ended. */
  ModelInferResponse last(GenerationResult result) {
    return outputs(head().putParameters(FINAL, flag(true)), result.text(), result).build();
  }

  private ModelInferResponse.Builder head() {
    return ModelInferResponse.newBuilder().setModelName(model).setModelVersion(OpenInference.VERSION).setId(id);
  }

  private static InferParameter flag(boolean value) {
    return InferParameter.newBuilder().setBoolParam(value).build();
  }

  private ModelInferResponse.Builder outputs(ModelInferResponse.Builder response, String text, GenerationResult result) {
    for (InferRequest.Wanted wanted : outputs) {
      InferOutput output = wanted.output();
      switch (output) {
        case TEXT -> put(response, output, text);
        case FINISH_REASON -> put(response, output, result.reason().name().toLowerCase(Locale.ROOT));
        case PROMPT_TOKENS -> put(response, output, result.promptTokens());
        case COMPLETION_TOKENS -> put(response, output, result.completionTokens());
      }
    }
    return response;
  }

  private void put(ModelInferResponse.Builder response, InferOutput output, String element) {
    put(response, output, TensorBytes.of(element), InferTensorContents.newBuilder().addBytesContents(ByteString.copyFromUtf8(element)));
  }

  private void put(ModelInferResponse.Builder response, InferOutput output, int element) {
    put(response, output, TensorBytes.of(element), InferTensorContents.newBuilder().addIntContents(element));
  }

  private void put(ModelInferResponse.Builder response, InferOutput output, byte[] bytes, InferTensorContents.Builder contents) {
    ModelInferResponse.InferOutputTensor.Builder tensor =
        response.addOutputsBuilder().setName(output.tensor()).setDatatype(output.datatype()).addShape(1);
    if (raw) {
      response.addRawOutputContents(UnsafeByteOperations.unsafeWrap(bytes));
    } else {
      tensor.setContents(contents);
    }
  }
}
