package dev.nibble.serve.api.request;

import dev.nibble.engine.EngineError;
import dev.nibble.engine.EngineException;
import java.util.List;
import java.util.Map;

/** What the Open Inference Protocol calls things here, over HTTP and gRPC alike. */
public final class OpenInference {
  /** The one version that every model has: a model goes by its file, not by a number. */
  public static final String VERSION = "1";

  /** "project_format", as the protocol wants platforms to be named. */
  public static final String PLATFORM = "nibble_gguf";

  /** Extensions of the protocol that are spoken over both wires, by Triton's names for them. */
  public static final List<String> EXTENSIONS = List.of("parameters", "binary_tensor_data", "model_configuration", "statistics");

  private OpenInference() {}

  /** A datatype's name in models' configurations. */
  public static String configType(String datatype) {
    return datatype.equals("BYTES") ? "TYPE_STRING" : "TYPE_" + datatype;
  }

  /** @throws EngineException MODEL_NOT_FOUND for another version than that there is; none means that one */
  public static void requireVersion(String model, String version) {
    if (!version.isEmpty() && !version.equals(VERSION)) {
      throw new EngineException(
          EngineError.MODEL_NOT_FOUND, "No version \"" + version + "\" of model \"" + model + "\" is served here; served: \"" + VERSION + "\".", Map.of("model", model));
    }
  }
}
