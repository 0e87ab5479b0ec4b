package dev.nibble.serve.api.request;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.nibble.engine.EngineException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Reads the bodies of {@code infer}, {@code generate} and {@code generate_stream}: tensors and parameters become fields of one flat object, which
 * {@link RequestParser} takes like the other APIs' bodies.
 *
 * <p>All methods throw {@link EngineException} INVALID_REQUEST naming what is wrong.
 */
public final class OpenInferenceParser {
  /** What the path says already, or what only streams of the other API have. */
  private static final Set<String> DECIDED = Set.of("model", "stream_options");
  private static final String BINARY_OUTPUTS = "binary_data_output";
  /** Parameters that are about the transport alone: whether the last response of a stream may be empty, which here it never is. */
  private static final Set<String> TRANSPORT = Set.of(BINARY_OUTPUTS, "triton_enable_empty_final_response");
  /** Parameters of Triton's extensions that would change where tensors are or what they hold. */
  private static final List<String> NOT_SUPPORTED = List.of("shared_memory_region", "classification");

  private OpenInferenceParser() {}

  static InferRequest infer(ObjectNode body, RawInputs raw, String model) {
    Fields fields = Fields.ofBody(body);
    Optional<String> id = fields.string("id");
    // Clients send them as well; the path decides.
    fields.disregard(Set.of("model_name", "model_version"));
    ObjectNode flat = JsonNodeFactory.instance.objectNode();
    List<String> ignored = new ArrayList<>();
    fields.any("parameters").ifPresent(parameters -> takeParameters(flat, parameters, ignored));
    boolean binary = Fields.of(flat, "parameters").flag(BINARY_OUTPUTS);
    flat.remove(TRANSPORT);
    takeInputs(flat, fields, raw);
    List<InferRequest.Wanted> outputs = outputs(fields, binary);
    ignored.addAll(fields.untaken());
    return new InferRequest(id, finish(flat, model, false, "A tensor prompt or messages", ignored), outputs);
  }

  /** A request of the generate extension. @param model its name, from the path */
  public static AnswerRequest generate(ObjectNode body, String model, boolean stream) {
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

  private static void takeInputs(ObjectNode flat, Fields fields, RawInputs raw) {
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
      if (flat.has(name)) {
        throw EngineException.invalid(name, name + " is given twice.");
      }
      RawInputs.Input told = new RawInputs.Input(i, name, announced(tensor, path));
      Optional<ByteBuffer> bytes = raw.next(told);
      long wanted = elements(tensor, path);
      if (input != InferInput.STOP && wanted != 1) {
        throw EngineException.invalid(path + ".shape", name + " has " + wanted + " elements by its shape; allowed: 1. Send a request for each prompt.");
      }
      List<JsonNode> elements;
      String place;
      if (bytes.isPresent()) {
        place = raw.path(told);
        if (tensor.any("data").filter(data -> !data.isEmpty()).isPresent()) {
          throw EngineException.invalid(path + ".data", "The tensor " + name + " has its elements twice, once of them as bytes; leave one out.");
        }
        elements = TensorBytes.read(bytes.get(), wanted, datatype, name, place);
      } else {
        place = path + ".data";
        elements = data(tensor, path);
      }
      if (elements.size() != wanted) {
        throw EngineException.invalid(place, "The data of " + name + " has " + elements.size() + " elements, its shape " + wanted + ".");
      }
      flat.set(name, value(input, elements, place));
    }
    raw.end();
  }

  /** How many bytes after the JSON text a tensor says to have. */
  private static OptionalInt announced(Fields tensor, String path) {
    Optional<JsonNode> parameters = tensor.any("parameters");
    if (parameters.isEmpty()) {
      return OptionalInt.empty();
    }
    Fields fields = Fields.of(parameters.get(), path + ".parameters");
    refuseExtensions(fields);
    return fields.integer("binary_data_size");
  }

  private static void refuseExtensions(Fields parameters) {
    for (String name : NOT_SUPPORTED) {
      parameters.any(name).ifPresent(value -> {
        String path = parameters.pathOf(name);
        throw EngineException.invalid(path, path + " is not supported; leave it out.");
      });
    }
  }

  private static String required(Fields tensor, String name) {
    String path = tensor.pathOf(name);
    return tensor.string(name).orElseThrow(() -> EngineException.invalid(path, path + " is missing."));
  }

  /** How many elements a tensor's shape says that there are. */
  private static long elements(Fields tensor, String path) {
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
    return wanted;
  }

  /** A tensor's elements in row-major order: data may be nested by its dimensions, or flat. */
  private static List<JsonNode> data(Fields tensor, String path) {
    JsonNode data = tensor.any("data").orElseThrow(() -> EngineException.invalid(path + ".data", path + ".data is missing."));
    if (!data.isArray()) {
      throw Fields.wrongType(path + ".data", data, "an array");
    }
    List<JsonNode> elements = new ArrayList<>();
    flatten(data, elements);
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

  /** @param binary whether elements are wanted as bytes where an output does not say */
  private static List<InferRequest.Wanted> outputs(Fields fields, boolean binary) {
    Optional<JsonNode> wanted = fields.any("outputs");
    wanted.filter(value -> !value.isArray()).ifPresent(value -> {
      throw Fields.wrongType("outputs", value, "an array");
    });
    if (wanted.isEmpty() || wanted.get().isEmpty()) {
      return Stream.of(InferOutput.values()).map(output -> new InferRequest.Wanted(output, binary)).toList();
    }
    List<InferRequest.Wanted> outputs = new ArrayList<>();
    for (int i = 0; i < wanted.get().size(); i++) {
      String path = "outputs[" + i + "]";
      Fields output = Fields.of(wanted.get().get(i), path);
      String name = required(output, "name");
      InferOutput known = InferOutput.of(name).orElseThrow(() -> EngineException.invalid(path + ".name", path + " is named \"" + name + "\"; there are: "
          + Stream.of(InferOutput.values()).map(InferOutput::tensor).collect(Collectors.joining(", ")) + "."));
      Optional<Fields> parameters = output.any("parameters").map(value -> Fields.of(value, path + ".parameters"));
      parameters.ifPresent(OpenInferenceParser::refuseExtensions);
      boolean bytes = parameters.filter(told -> told.any("binary_data").isPresent()).map(told -> told.flag("binary_data")).orElse(binary);
      outputs.add(new InferRequest.Wanted(known, bytes));
    }
    return outputs;
  }
}
