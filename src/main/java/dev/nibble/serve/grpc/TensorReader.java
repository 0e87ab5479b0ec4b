package dev.nibble.serve.grpc;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.nibble.engine.EngineException;
import dev.nibble.serve.api.request.InferRequest;
import dev.nibble.serve.api.request.RawInputs;
import dev.nibble.serve.api.request.TensorBytes;
import inference.InferParameter;
import inference.InferTensorContents;
import inference.ModelInferRequest;
import inference.ModelInferRequest.InferInputTensor;
import inference.ModelInferRequest.InferRequestedOutputTensor;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.util.Map;
import java.util.Optional;

/** The Open Inference Protocol's messages in its JSON form, so that one reader understands both. */
final class TensorReader {
  private TensorReader() {}

  /** Reads a request. @throws EngineException INVALID_REQUEST, naming what is wrong */
  static InferRequest read(ModelInferRequest request, String model) {
    return InferRequest.read(json(request), new RawContents(request), model);
  }

  /** The request as the protocol writes it over REST, apart from bytes. */
  private static ObjectNode json(ModelInferRequest request) {
    ObjectNode body = JsonNodeFactory.instance.objectNode();
    if (!request.getId().isEmpty()) {
      body.put("id", request.getId());
    }
    putParameters(body, request.getParametersMap());
    boolean raw = request.getRawInputContentsCount() > 0;
    if (raw && request.getRawInputContentsCount() != request.getInputsCount()) {
      throw EngineException.invalid("raw_input_contents", "raw_input_contents has " + request.getRawInputContentsCount() + " entries for " + request.getInputsCount() + " inputs.");
    }
    ArrayNode inputs = body.putArray("inputs");
    for (int i = 0; i < request.getInputsCount(); i++) {
      InferInputTensor input = request.getInputs(i);
      ObjectNode tensor = inputs.addObject().put("name", input.getName()).put("datatype", input.getDatatype());
      ArrayNode shape = tensor.putArray("shape");
      input.getShapeList().forEach(shape::add);
      putParameters(tensor, input.getParametersMap());
      putContents(tensor.putArray("data"), input.getContents(), input.getName(), "inputs[" + i + "].contents");
    }
    ArrayNode outputs = body.putArray("outputs");
    for (InferRequestedOutputTensor output : request.getOutputsList()) {
      putParameters(outputs.addObject().put("name", output.getName()), output.getParametersMap());
    }
    return body;
  }

  private static void putParameters(ObjectNode body, Map<String, InferParameter> parameters) {
    if (parameters.isEmpty()) {
      return;
    }
    ObjectNode object = body.putObject("parameters");
    parameters.forEach((name, value) -> {
      switch (value.getParameterChoiceCase()) {
        case BOOL_PARAM -> object.put(name, value.getBoolParam());
        case INT64_PARAM -> object.put(name, value.getInt64Param());
        case STRING_PARAM -> object.put(name, value.getStringParam());
        case DOUBLE_PARAM -> object.put(name, value.getDoubleParam());
        case UINT64_PARAM -> object.put(name, new BigInteger(Long.toUnsignedString(value.getUint64Param())));
        case PARAMETERCHOICE_NOT_SET -> object.putNull(name);
      }
    });
  }

  /** Elements in whichever fields they are: that they are of the datatype shows when they are read. */
  private static void putContents(ArrayNode data, InferTensorContents contents, String tensor, String path) {
    contents.getBoolContentsList().forEach(data::add);
    contents.getIntContentsList().forEach(data::add);
    contents.getInt64ContentsList().forEach(data::add);
    contents.getUintContentsList().forEach(value -> data.add(Integer.toUnsignedLong(value)));
    contents.getUint64ContentsList().forEach(value -> data.add(new BigInteger(Long.toUnsignedString(value))));
    contents.getFp32ContentsList().forEach(data::add);
    contents.getFp64ContentsList().forEach(data::add);
    contents.getBytesContentsList().forEach(value -> data.add(TensorBytes.text(value.asReadOnlyByteBuffer(), tensor, path)));
  }

  /** The bytes of a request's inputs, if it has them: then of all. */
  private static final class RawContents implements RawInputs {
    private final ModelInferRequest request;

    RawContents(ModelInferRequest request) {
      this.request = request;
    }

    @Override
    public Optional<ByteBuffer> next(Input input) {
      // What it announces for the other wire is without meaning here.
      return request.getRawInputContentsCount() == 0 ? Optional.empty() : Optional.of(request.getRawInputContents(input.place()).asReadOnlyByteBuffer());
    }

    @Override
    public String path(Input input) {
      return "raw_input_contents[" + input.place() + "]";
    }

    @Override
    public void end() {}
  }
}
