package dev.nibble.serve.oip;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.nibble.engine.Engine;
import dev.nibble.serve.api.RequestStatistics;
import dev.nibble.serve.api.request.InferInput;
import dev.nibble.serve.api.request.InferOutput;
import dev.nibble.serve.api.request.OpenInference;
import dev.nibble.serve.health.ReadinessVerdict;
import java.util.List;

/** What the Open Inference Protocol tells of models over HTTP: metadata, and Triton's extensions for configuration, statistics and the list of models. */
final class OpenInferenceTexts {
  private OpenInferenceTexts() {}

  /** The tensors that a model takes and gives. */
  static ObjectNode metadata(Engine engine) {
    ObjectNode body = JsonNodeFactory.instance.objectNode().put("name", engine.model().name());
    body.putArray("versions").add(OpenInference.VERSION);
    body.put("platform", OpenInference.PLATFORM);
    ArrayNode inputs = body.putArray("inputs");
    for (InferInput input : InferInput.values()) {
      inputs.addObject().put("name", input.tensor()).put("datatype", input.datatype()).putArray("shape").add(input.length());
    }
    ArrayNode outputs = body.putArray("outputs");
    for (InferOutput output : InferOutput.values()) {
      outputs.addObject().put("name", output.tensor()).put("datatype", output.datatype()).putArray("shape").add(1);
    }
    return body;
  }

  /** A model's configuration, with Triton's names. */
  static ObjectNode config(Engine engine) {
    ObjectNode body = JsonNodeFactory.instance.objectNode()
        .put("name", engine.model().name()).put("platform", OpenInference.PLATFORM).put("backend", "nibble").put("max_batch_size", 0);
    ArrayNode inputs = body.putArray("input");
    for (InferInput input : InferInput.values()) {
      ObjectNode tensor = inputs.addObject().put("name", input.tensor()).put("data_type", OpenInference.configType(input.datatype()));
      tensor.putArray("dims").add(input.length());
      tensor.put("optional", true);
    }
    ArrayNode outputs = body.putArray("output");
    for (InferOutput output : InferOutput.values()) {
      outputs.addObject().put("name", output.tensor()).put("data_type", OpenInference.configType(output.datatype())).putArray("dims").add(1);
    }
    body.putObject("model_transaction_policy").put("decoupled", true);
    body.putObject("parameters").putObject("context_length").put("string_value", Integer.toString(engine.model().contextLength()));
    return body;
  }

  /** What became of models' requests. */
  static ObjectNode statistics(List<Engine> engines, RequestStatistics statistics) {
    ObjectNode body = JsonNodeFactory.instance.objectNode();
    ArrayNode models = body.putArray("model_stats");
    for (Engine engine : engines) {
      RequestStatistics.Totals totals = statistics.of(engine.model().name());
      ObjectNode model = models.addObject().put("name", engine.model().name()).put("version", OpenInference.VERSION)
          .put("last_inference", totals.lastEpochMillis())
          .put("inference_count", totals.success().count()).put("execution_count", totals.success().count());
      ObjectNode sums = model.putObject("inference_stats");
      put(sums, "success", totals.success());
      put(sums, "fail", totals.fail());
      put(sums, "queue", totals.queue());
      put(sums, "compute_input", totals.unmeasured());
      put(sums, "compute_infer", totals.compute());
      put(sums, "compute_output", totals.unmeasured());
      put(sums, "cache_hit", RequestStatistics.Sum.ZERO);
      put(sums, "cache_miss", RequestStatistics.Sum.ZERO);
      ObjectNode batch = model.putArray("batch_stats").addObject().put("batch_size", 1);
      put(batch, "compute_input", totals.unmeasured());
      put(batch, "compute_infer", totals.compute());
      put(batch, "compute_output", totals.unmeasured());
    }
    return body;
  }

  private static void put(ObjectNode sums, String name, RequestStatistics.Sum sum) {
    sums.putObject(name).put("count", sum.count()).put("ns", sum.nanos());
  }

  /** The models that there are, or that are ready. */
  static ArrayNode index(List<Engine> engines, ReadinessVerdict verdict, boolean readyOnly) {
    ArrayNode models = JsonNodeFactory.instance.arrayNode();
    if (verdict.ready() || !readyOnly) {
      for (Engine engine : engines) {
        models.addObject().put("name", engine.model().name()).put("version", OpenInference.VERSION)
            .put("state", verdict.ready() ? "READY" : "UNAVAILABLE").put("reason", verdict.reason());
      }
    }
    return models;
  }
}
