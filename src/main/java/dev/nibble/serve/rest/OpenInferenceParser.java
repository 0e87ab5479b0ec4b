package dev.nibble.serve.rest;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.nibble.engine.EngineException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Reads the bodies of {@code infer}, {@code generate} and {@code generate_stream}: tensors and parameters become fields of one flat object, which
 * {@link RequestParser} takes like the other APIs' bodies.
 *
 * <p>All methods throw {@link EngineException} INVALID_REQUEST naming what is wrong.
 */
final class OpenInferenceParser {
  /** What the path says already, or what only streams of the other API have. */
  private static final Set<String> DECIDED = Set.of("model", "stream_options");

  private OpenInferenceParser() {}

  static InferRequest infer(ObjectNode body, String model) {
    Fields fields = Fields.ofBody(body);
    Optional<String> id = fields.string("id");
    ObjectNode flat = JsonNodeFactory.instance.objectNode();
    List<String> ignored = new ArrayList<>();
    fields.any("parameters").ifPresent(parameters -> takeParameters(flat, parameters, ignored));
    refuseBinary(flat, "parameters", "binary_data_output");
    takeInputs(flat, fields);
    List<InferOutput> outputs = outputs(fields);
    ignored.addAll(fields.untaken());
    return new InferRequest(id, finish(flat, model, false, "A tensor prompt or messages", ignored), outputs);
  }

  static AnswerRequest generate(ObjectNode body, String model, boolean stream) {
    Fields fields = Fields.ofBody(body);
    ObjectNode flat = JsonNodeFactory.instance.objectNode();
    List<String> ignored = new ArrayList<>();
    fields.string("text_input").ifPresent(text -> flat.put("prompt", text));
    fields.any("parameters").ifPresent(parameters -> takeParameters(flat, parameters, ignored));
    // The extension lets parameters stand beside the text as well.
    for (String name : fields.untaken()) {
      fields.any(name).ifPresent(value -> put(flat, name, value, ignored));
    }
    return finish(flat, model, stream, "text_input or messages", ignored);
  }

  /** @param needed what one of must be there, for an error */
  private static AnswerRequest finish(ObjectNode flat, String model, boolean stream, String needed, List<String> ignored) {
    if (flat.has("prompt") == flat.has("messages")) {
      throw EngineException.invalid("prompt", needed + " is needed, one of them" + (flat.has("prompt") ? " and not both." : "."));
    }
    if (!stream && Fields.ofBody(flat).flag("stream")) {
      throw EngineException.invalid("stream", "stream is true, but this endpoint answers at once; send the request to generate_stream.");
    }
    AnswerRequest request = RequestParser.openInference(flat.put("model", model).put("stream", stream));
    return ignored.isEmpty() ? request : request.ignoring(ignored);
  }

  private static void takeParameters(ObjectNode flat, JsonNode parameters, List<String> ignored) {
    if (!(parameters instanceof ObjectNode object)) {
      throw Fields.wrongType("parameters", parameters, "an object");
    }
    object.properties().forEach(entry -> put(flat, entry.getKey(), entry.getValue(), ignored));
  }

  private static void put(ObjectNode flat, String name, JsonNode value, List<String> ignored) {
    if (value.isNull()) {
      return; // as good as absent
    }
    if (DECIDED.contains(name)) {
      ignored.add(name);
    } else if (flat.has(name)) {
      throw EngineException.invalid(name, name + " is given twice.");
    } else {
      flat.set(name, value);
    }
  }

  // ---- tensors

  private static void takeInputs(ObjectNode flat, Fields fields) {
    JsonNode inputs = fields.any("inputs").orElseThrow(() -> EngineException.invalid("inputs", "inputs is missing; an array of tensors is needed."));
    if (!inputs.isArray()) {
      throw Fields.wrongType("inputs", inputs, "an array");
    }
    for (int i = 0; i < inputs.size(); i++) {
      String path = "inputs[" + i + "]";
      Fields tensor = Fields.of(inputs.get(i), path);
      String name = required(tensor, "name");
      InferInput input = InferInput.of(name).orElseThrow(() -> EngineException.invalid(path + ".name", path + " is named \"" + name + "\"; allowed: " + names() + "."));
      String datatype = required(tensor, "datatype");
      if (!input.takes(datatype)) {
        throw EngineException.invalid(path + ".datatype", "The datatype of " + name + " is " + datatype + "; wanted: " + input.datatype() + ".");
      }
      tensor.any("parameters").ifPresent(parameters -> refuseBinary(parameters, path + ".parameters", "binary_data_size"));
      List<JsonNode> elements = elements(tensor, path, name);
      if (input != InferInput.STOP && elements.size() != 1) {
        throw EngineException.invalid(path + ".shape", name + " has " + elements.size() + " elements; allowed: 1. Send a request for each prompt.");
      }
      if (flat.has(name)) {
        throw EngineException.invalid(name, name + " is given twice.");
      }
      flat.set(name, value(input, elements, path + ".data"));
    }
  }

  private static String required(Fields tensor, String name) {
    String path = tensor.pathOf(name);
    return tensor.string(name).orElseThrow(() -> EngineException.invalid(path, path + " is missing."));
  }

  /** A tensor's elements in row-major order: data may be nested by its dimensions, or flat. */
  private static List<JsonNode> elements(Fields tensor, String path, String name) {
    JsonNode shape = tensor.any("shape").orElseThrow(() -> EngineException.invalid(path + ".shape", path + ".shape is missing."));
    if (!shape.isArray()) {
      throw Fields.wrongType(path + ".shape", shape, "an array");
    }
    long wanted = 1;
    for (int i = 0; i < shape.size(); i++) {
      String dimension = path + ".shape[" + i + "]";
      int length = Fields.integer(shape.get(i), dimension);
      if (length < 0) {
        throw EngineException.invalid(dimension, dimension + " is " + length + "; allowed: 0 or more.");
      }
      wanted = Math.min(wanted * length, Integer.MAX_VALUE); // no body holds more
    }
    JsonNode data = tensor.any("data").orElseThrow(() -> EngineException.invalid(path + ".data", path + ".data is missing."));
    if (!data.isArray()) {
      throw Fields.wrongType(path + ".data", data, "an array");
    }
    List<JsonNode> elements = new ArrayList<>();
    flatten(data, elements);
    if (elements.size() != wanted) {
      throw EngineException.invalid(path + ".data", "The data of " + name + " has " + elements.size() + " elements, its shape " + wanted + ".");
    }
    return elements;
  }

  /** The JSON reader limits how deep arrays are nested. */
  private static void flatten(JsonNode data, List<JsonNode> elements) {
    for (JsonNode element : data) {
      if (element.isArray()) {
        flatten(element, elements);
      } else {
        elements.add(element);
      }
    }
  }

  private static JsonNode value(InferInput input, List<JsonNode> elements, String path) {
    if (input == InferInput.STOP) {
      ArrayNode all = JsonNodeFactory.instance.arrayNode();
      return all.addAll(elements);
    }
    JsonNode only = elements.getFirst();
    boolean fits =
        switch (input.kind()) {
          case TEXT -> only.isTextual();
          case INTEGER -> only.isIntegralNumber();
          case NUMBER -> only.isNumber();
          case FLAG -> only.isBoolean();
        };
    if (!fits) {
      throw EngineException.invalid(path, "The element of " + input.tensor() + " is " + Fields.describe(only) + "; its datatype is " + input.datatype() + ".");
    }
    return input == InferInput.MESSAGES ? Json.readText(only.textValue(), "messages") : only;
  }

  private static String names() {
    return Stream.of(InferInput.values()).map(InferInput::tensor).collect(Collectors.joining(", "));
  }

  private static List<InferOutput> outputs(Fields fields) {
    Optional<JsonNode> wanted = fields.any("outputs");
    if (wanted.isEmpty() || wanted.get().isEmpty()) {
      wanted.filter(value -> !value.isArray()).ifPresent(value -> {
        throw Fields.wrongType("outputs", value, "an array");
      });
      return List.of(InferOutput.values());
    }
    if (!wanted.get().isArray()) {
      throw Fields.wrongType("outputs", wanted.get(), "an array");
    }
    List<InferOutput> outputs = new ArrayList<>();
    for (int i = 0; i < wanted.get().size(); i++) {
      String path = "outputs[" + i + "]";
      Fields output = Fields.of(wanted.get().get(i), path);
      String name = required(output, "name");
      output.any("parameters").ifPresent(parameters -> refuseBinary(parameters, path + ".parameters", "binary_data"));
      outputs.add(InferOutput.of(name).orElseThrow(() -> EngineException.invalid(path + ".name", path + " is named \"" + name + "\"; there are: "
          + Stream.of(InferOutput.values()).map(InferOutput::tensor).collect(Collectors.joining(", ")) + ".")));
    }
    return outputs;
  }

  /** Bytes after the JSON text are an extension that is not spoken here. */
  private static void refuseBinary(JsonNode parameters, String path, String name) {
    JsonNode value = parameters.path(name);
    if (value.asBoolean() || value.asLong() > 0) {
      throw EngineException.invalid(path + "." + name, path + "." + name + " asks for binary tensor data, which is not supported; leave it out, and send data as JSON.");
    }
  }
}
