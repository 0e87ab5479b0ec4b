package dev.nibble.cli;

import com.fasterxml.jackson.databind.JsonDeserializer;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.annotation.JsonDeserialize;
import io.fabric8.kubernetes.api.model.Affinity;
import io.fabric8.kubernetes.api.model.Container;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.LocalObjectReference;
import io.fabric8.kubernetes.api.model.ObjectMeta;
import io.fabric8.kubernetes.api.model.PodSpec;
import io.fabric8.kubernetes.api.model.Toleration;
import io.fabric8.kubernetes.api.model.Volume;
import io.fabric8.kubernetes.api.model.apps.DeploymentStrategy;
import java.util.List;
import java.util.Map;

/**
 * Objects that no library has classes for, after the types their projects publish: KServe's {@code serving.kserve.io}, the Gateway API Inference
 * Extension's {@code inference.networking.k8s.io/v1}, and its endpoint picker's configuration. Fields for what Nibble has no use for (several models in a
 * pod, several nodes to a model, status) are left out, so they fail like misspelled ones.
 */
final class K3sSchemas {
  private K3sSchemas() {}

  /** What all objects have. The interface would have a deserialiser find the class, which knows none of these. */
  @JsonDeserialize(using = JsonDeserializer.None.class)
  abstract static class Named implements HasMetadata {
    private static final long serialVersionUID = 1L;

    private String apiVersion;
    private String kind;
    private ObjectMeta metadata;

    @Override
    public String getApiVersion() {
      return apiVersion;
    }

    @Override
    public void setApiVersion(String version) {
      apiVersion = version;
    }

    @Override
    public String getKind() {
      return kind;
    }

    public void setKind(String kind) {
      this.kind = kind;
    }

    @Override
    public ObjectMeta getMetadata() {
      return metadata;
    }

    @Override
    public void setMetadata(ObjectMeta metadata) {
      this.metadata = metadata;
    }
  }

  /** {@code inference.networking.k8s.io/v1}: api/v1/inferencepool_types.go. */
  static final class InferencePool extends Named {
    private static final long serialVersionUID = 1L;

    public Spec spec;

    record Spec(Selector selector, List<Port> targetPorts, EndpointPickerRef endpointPickerRef) {}

    record Selector(Map<String, String> matchLabels) {}

    record Port(int number) {}

    record EndpointPickerRef(String group, String kind, String name, Port port, String failureMode) {}
  }

  /** {@code serving.kserve.io/v1alpha1}: servingruntime_types.go. */
  static final class ServingRuntime extends Named {
    private static final long serialVersionUID = 1L;

    public Spec spec;

    record Spec(
        List<SupportedModelFormat> supportedModelFormats, Boolean multiModel, Boolean disabled, List<String> protocolVersions, List<Container> containers,
        List<Volume> volumes, Map<String, String> nodeSelector, Affinity affinity, List<Toleration> tolerations, Map<String, String> labels,
        Map<String, String> annotations, List<LocalObjectReference> imagePullSecrets, Boolean hostIPC) {}

    record SupportedModelFormat(String name, String version, Boolean autoSelect, Integer priority) {}
  }

  /** {@code serving.kserve.io/v1beta1}: inference_service.go, predictor.go, component.go. */
  static final class InferenceService extends Named {
    private static final long serialVersionUID = 1L;

    public Spec spec;

    record Spec(Predictor predictor) {}

    /** A pod, how many of them, and the model. */
    static final class Predictor extends PodSpec {
      private static final long serialVersionUID = 1L;

      public Model model;
      public Integer minReplicas;
      public Integer maxReplicas;
      public Integer scaleTarget;
      public String scaleMetric;
      public Long containerConcurrency;
      public Long timeout;
      public Long canaryTrafficPercent;
      public Map<String, String> labels;
      public Map<String, String> annotations;
      public DeploymentStrategy deploymentStrategy;
    }

    /** A container's fields that go over the runtime's, and the model. */
    static final class Model extends Container {
      private static final long serialVersionUID = 1L;

      public ModelFormat modelFormat;
      public String runtime;
      public String storageUri;
      public String runtimeVersion;
      public String protocolVersion;
    }

    record ModelFormat(String name, String version) {}
  }

  /** {@code inference.networking.x-k8s.io/v1alpha1}, a file and no object of Kubernetes': endpointpickerconfig_types.go. */
  record EndpointPickerConfig(
      String apiVersion, String kind, List<String> featureGates, List<Plugin> plugins, List<SchedulingProfile> schedulingProfiles,
      SaturationDetector saturationDetector) {
    record Plugin(String name, String type, JsonNode parameters) {}

    record SchedulingProfile(String name, List<SchedulingPlugin> plugins) {}

    record SchedulingPlugin(String pluginRef, Double weight) {}

    record SaturationDetector(Integer queueDepthThreshold, Double kvCacheUtilThreshold, String metricsStalenessThreshold) {}
  }
}
