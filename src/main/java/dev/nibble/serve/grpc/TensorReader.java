package dev.nibble.serve.grpc;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.google.protobuf.ByteString;
import dev.nibble.engine.EngineException;
import inference.InferParameter;
import inference.InferTensorContents;
import inference.ModelInferRequest;
import inference.ModelInferRequest.InferInputTensor;
import inference.ModelInferRequest.InferRequestedOutputTensor;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.Map;

/** The Open Inference Protocol's messages in its JSON form, so that one reader understands both. */
final class TensorReader {
  private TensorReader() {}

  /** The request as the protocol writes it over REST. @throws EngineException INVALID_REQUEST if its bytes are not what its datatypes say */
  static ObjectNode read(ModelInferRequest request) {
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
      ArrayNode data = tensor.putArray("data");
      if (raw) {
        putRaw(data, input.getDatatype(), request.getRawInputContents(i), "raw_input_contents[" + i + "]");
      } else {
        putContents(data, input.getContents(), "inputs[" + i + "].contents");
      }
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
  private static void putContents(ArrayNode data, InferTensorContents contents, String path) {
    contents.getBoolContentsList().forEach(data::add);
    contents.getIntContentsList().forEach(data::add);
    contents.getInt64ContentsList().forEach(data::add);
    contents.getUintContentsList().forEach(value -> data.add(Integer.toUnsignedLong(value)));
    contents.getUint64ContentsList().forEach(value -> data.add(new BigInteger(Long.toUnsignedString(value))));
    contents.getFp32ContentsList().forEach(data::add);
    contents.getFp64ContentsList().forEach(data::add);
    contents.getBytesContentsList().forEach(value -> data.add(text(value.asReadOnlyByteBuffer(), path)));
  }

  private static void putRaw(ArrayNode data, String datatype, ByteString raw, String path) {
    ByteBuffer bytes = raw.asReadOnlyByteBuffer().order(ByteOrder.LITTLE_ENDIAN);
    while (bytes.hasRemaining()) {
      int size =
          switch (datatype) {
            case "BOOL", "INT8", "UINT8" -> 1;
            case "INT16", "UINT16" -> 2;
            case "INT32", "UINT32", "FP32", "BYTES" -> 4;
            case "INT64", "UINT64", "FP64" -> 8;
            default -> throw EngineException.invalid(path, path + " is of datatype " + datatype + ", which is not taken as bytes.");
          };
      if (bytes.remaining() < size) {
        throw tooShort(path);
      }
      switch (datatype) {
        case "BOOL" -> data.add(bytes.get() != 0);
        case "INT8" -> data.add((int) bytes.get());
        case "UINT8" -> data.add(Byte.toUnsignedInt(bytes.get()));
        case "INT16" -> data.add((int) bytes.getShort());
        case "UINT16" -> data.add(Short.toUnsignedInt(bytes.getShort()));
        case "INT32" -> data.add(bytes.getInt());
        case "UINT32" -> data.add(Integer.toUnsignedLong(bytes.getInt()));
        case "INT64" -> data.add(bytes.getLong());
        case "UINT64" -> data.add(new BigInteger(Long.toUnsignedString(bytes.getLong())));
        case "FP32" -> data.add(bytes.getFloat());
        case "FP64" -> data.add(bytes.getDouble());
        default -> {
          long length = Integer.toUnsignedLong(bytes.getInt());
          if (length > bytes.remaining()) {
            throw tooShort(path);
          }
          data.add(text(bytes.slice(bytes.position(), (int) length), path));
          bytes.position(bytes.position() + (int) length);
        }
      }
    }
  }

  private static EngineException tooShort(String path) {
    return EngineException.invalid(path, path + " ends in the middle of an element.");
  }

  private static String text(ByteBuffer bytes, String path) {
    try {
      return StandardCharsets.UTF_8.newDecoder().decode(bytes).toString();
    } catch (CharacterCodingException malformed) {
      throw EngineException.invalid(path, path + " is not UTF-8.");
    }
  }

  /** Text or 32-bit integers as the protocol's bytes. */
  static ByteString raw(InferTensorContents contents) {
    ByteString bytes = ByteString.EMPTY;
    for (ByteString element : contents.getBytesContentsList()) {
      bytes = bytes.concat(integer(element.size())).concat(element);
    }
    for (int element : contents.getIntContentsList()) {
      bytes = bytes.concat(integer(element));
    }
    return bytes;
  }

  private static ByteString integer(int value) {
    return ByteString.copyFrom(ByteBuffer.allocate(4).order(ByteOrder.LITTLE_ENDIAN).putInt(value).flip());
  }
}
