package dev.nibble.serve.grpc;

import dev.nibble.engine.Engine;
import dev.nibble.serve.api.RequestStatistics;
import dev.nibble.serve.api.request.InferInput;
import dev.nibble.serve.api.request.InferOutput;
import dev.nibble.serve.api.request.OpenInference;
import inference.DataType;
import inference.InferBatchStatistics;
import inference.InferStatistics;
import inference.ModelConfig;
import inference.ModelInput;
import inference.ModelOutput;
import inference.ModelParameter;
import inference.ModelStatistics;
import inference.ModelTransactionPolicy;
import inference.StatisticDuration;

/** What Triton's extensions of the Open Inference Protocol tell of a model. */
final class ModelMessages {
  private ModelMessages() {}

  static ModelConfig config(Engine engine) {
    ModelConfig.Builder config = ModelConfig.newBuilder().setName(engine.model().name()).setPlatform(OpenInference.PLATFORM).setBackend("nibble");
    for (InferInput input : InferInput.values()) {
      config.addInput(ModelInput.newBuilder().setName(input.tensor()).setDataType(type(input.datatype())).addDims(input.length()).setOptional(true));
    }
    for (InferOutput output : InferOutput.values()) {
      config.addOutput(ModelOutput.newBuilder().setName(output.tensor()).setDataType(type(output.datatype())).addDims(1));
    }
    return config.setModelTransactionPolicy(ModelTransactionPolicy.newBuilder().setDecoupled(true))
        .putParameters("context_length", ModelParameter.newBuilder().setStringValue(Integer.toString(engine.model().contextLength())).build())
        .build();
  }

  private static DataType type(String datatype) {
    return DataType.valueOf(OpenInference.configType(datatype));
  }

  static ModelStatistics statistics(String model, RequestStatistics.Totals totals) {
    StatisticDuration unmeasured = sum(totals.unmeasured());
    StatisticDuration compute = sum(totals.compute());
    StatisticDuration none = sum(RequestStatistics.Sum.ZERO);
    return ModelStatistics.newBuilder().setName(model).setVersion(OpenInference.VERSION)
        .setLastInference(totals.lastEpochMillis()).setInferenceCount(totals.success().count()).setExecutionCount(totals.success().count())
        .setInferenceStats(InferStatistics.newBuilder()
            .setSuccess(sum(totals.success())).setFail(sum(totals.fail())).setQueue(sum(totals.queue()))
            .setComputeInput(unmeasured).setComputeInfer(compute).setComputeOutput(unmeasured).setCacheHit(none).setCacheMiss(none))
        .addBatchStats(InferBatchStatistics.newBuilder().setBatchSize(1).setComputeInput(unmeasured).setComputeInfer(compute).setComputeOutput(unmeasured))
        .build();
  }

  private static StatisticDuration sum(RequestStatistics.Sum sum) {
    return StatisticDuration.newBuilder().setCount(sum.count()).setNs(sum.nanos()).build();
  }
}
