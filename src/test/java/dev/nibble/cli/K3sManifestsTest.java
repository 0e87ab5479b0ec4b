package dev.nibble.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.MappingIterator;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.introspect.Annotated;
import com.fasterxml.jackson.databind.introspect.JacksonAnnotationIntrospector;
import com.fasterxml.jackson.dataformat.yaml.YAMLFactory;
import dev.nibble.cli.K3sSchemas.EndpointPickerConfig;
import dev.nibble.cli.K3sSchemas.InferencePool;
import dev.nibble.cli.K3sSchemas.InferenceService;
import dev.nibble.cli.K3sSchemas.ServingRuntime;
import dev.nibble.serve.api.Settings;
import dev.nibble.serve.config.Setting;
import io.fabric8.kubernetes.api.model.ConfigMap;
import io.fabric8.kubernetes.api.model.Container;
import io.fabric8.kubernetes.api.model.ContainerBuilder;
import io.fabric8.kubernetes.api.model.ContainerPort;
import io.fabric8.kubernetes.api.model.EnvVar;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.Namespace;
import io.fabric8.kubernetes.api.model.PersistentVolumeClaim;
import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.api.model.PodSpec;
import io.fabric8.kubernetes.api.model.PodSpecBuilder;
import io.fabric8.kubernetes.api.model.Probe;
import io.fabric8.kubernetes.api.model.Quantity;
import io.fabric8.kubernetes.api.model.ResourceRequirements;
import io.fabric8.kubernetes.api.model.Secret;
import io.fabric8.kubernetes.api.model.SecurityContext;
import io.fabric8.kubernetes.api.model.Service;
import io.fabric8.kubernetes.api.model.ServiceAccount;
import io.fabric8.kubernetes.api.model.ServicePort;
import io.fabric8.kubernetes.api.model.Volume;
import io.fabric8.kubernetes.api.model.VolumeMount;
import io.fabric8.kubernetes.api.model.apps.Deployment;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.HTTPRoute;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.HTTPRouteRule;
import io.fabric8.kubernetes.api.model.networking.v1.NetworkPolicy;
import io.fabric8.kubernetes.api.model.policy.v1.PodDisruptionBudget;
import io.fabric8.kubernetes.api.model.rbac.Role;
import io.fabric8.kubernetes.api.model.rbac.RoleBinding;
import io.fabric8.openshift.api.model.monitoring.v1.PrometheusRule;
import io.fabric8.openshift.api.model.monitoring.v1.ServiceMonitor;
import java.io.ByteArrayOutputStream;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.function.UnaryOperator;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * The manifests in k3s/, as {@code kubectl kustomize} puts them together: every object is one that Kubernetes knows, field by field, and says what the
 * program does. Skipped where there is no kubectl (Debian's package kubernetes-client has one).
 */
final class K3sManifestsTest {
  private static final Path ROOT = Path.of("k3s");
  private static final Path BASE = ROOT.resolve("base");
  private static final Path MONITORING = ROOT.resolve("monitoring");

  /** Objects by apiVersion and kind; others have rules of their own. */
  private static final Map<String, Class<? extends HasMetadata>> KINDS = Map.ofEntries(
      Map.entry("v1/Namespace", Namespace.class), Map.entry("v1/ServiceAccount", ServiceAccount.class), Map.entry("v1/ConfigMap", ConfigMap.class),
      Map.entry("v1/PersistentVolumeClaim", PersistentVolumeClaim.class), Map.entry("v1/Service", Service.class), Map.entry("v1/Pod", Pod.class),
      Map.entry("apps/v1/Deployment", Deployment.class), Map.entry("policy/v1/PodDisruptionBudget", PodDisruptionBudget.class),
      Map.entry("networking.k8s.io/v1/NetworkPolicy", NetworkPolicy.class), Map.entry("monitoring.coreos.com/v1/ServiceMonitor", ServiceMonitor.class),
      Map.entry("v1/Secret", Secret.class), Map.entry("monitoring.coreos.com/v1/PrometheusRule", PrometheusRule.class), Map.entry("rbac.authorization.k8s.io/v1/Role", Role.class),
      Map.entry("rbac.authorization.k8s.io/v1/RoleBinding", RoleBinding.class), Map.entry("gateway.networking.k8s.io/v1/HTTPRoute", HTTPRoute.class),
      Map.entry("inference.networking.k8s.io/v1/InferencePool", InferencePool.class),
      Map.entry("serving.kserve.io/v1alpha1/ServingRuntime", ServingRuntime.class),
      Map.entry("serving.kserve.io/v1beta1/InferenceService", InferenceService.class));
  private static final String SCALED_OBJECT = "keda.sh/v1alpha1/ScaledObject";

  private static final ObjectMapper YAML = new ObjectMapper(YAMLFactory.builder().build()).configure(JsonParser.Feature.STRICT_DUPLICATE_DETECTION, true);
  /** Fails on fields that Kubernetes does not have: the model's classes would keep them as "additional properties", were it not told otherwise. */
  private static final ObjectMapper STRICT = new ObjectMapper().configure(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES, true)
      .setAnnotationIntrospector(new JacksonAnnotationIntrospector() {
        @Override
        public Boolean hasAnySetter(Annotated annotated) {
          return false;
        }
      });

  /** Everything that one folder makes. */
  record Manifests(Map<String, HasMetadata> objects, List<JsonNode> scaledObjects) {
    <T extends HasMetadata> List<T> all(Class<T> type) {
      return objects.values().stream().filter(type::isInstance).map(type::cast).toList();
    }

    <T extends HasMetadata> T only(Class<T> type) {
      assertThat(all(type)).hasSize(1);
      return all(type).getFirst();
    }

    /** The object of this kind that has the program's name. */
    <T extends HasMetadata> T ours(Class<T> type) {
      List<T> named = all(type).stream().filter(object -> object.getMetadata().getName().equals("nibble")).toList();
      assertThat(named).hasSize(1);
      return named.getFirst();
    }

    Deployment deployment() {
      return ours(Deployment.class);
    }

    /** Whether KServe makes the pods, and not a Deployment that is here. */
    boolean kserve() {
      return !all(ServingRuntime.class).isEmpty();
    }

    /** The program's pods; those that KServe makes are the runtime's with what the InferenceService puts over it, and the model mounted. */
    PodSpec pod() {
      if (!kserve()) {
        return deployment().getSpec().getTemplate().getSpec();
      }
      ServingRuntime.Spec runtime = only(ServingRuntime.class).spec;
      InferenceService.Predictor predictor = only(InferenceService.class).spec.predictor();
      assertThat(predictor.getContainers()).isEmpty();
      assertThat(predictor.getVolumes()).isEmpty();
      assertThat(runtime.containers()).hasSize(1);
      Container container = new ContainerBuilder(runtime.containers().getFirst()).withResources(predictor.model.getResources())
          .addNewVolumeMount().withName("kserve-pvc-source").withMountPath("/mnt/models").withReadOnly().endVolumeMount().build();
      return new PodSpecBuilder(predictor).withContainers(container).withVolumes(runtime.volumes()).withNodeSelector(runtime.nodeSelector())
          .addNewVolume().withName("kserve-pvc-source")
          .withNewPersistentVolumeClaim(predictor.model.storageUri.replaceFirst("^pvc://([^/]+).*", "$1"), true).endVolume().build();
    }

    /** The program's container. */
    Container container() {
      List<Container> named = pod().getContainers().stream().filter(container -> container.getName().equals(kserve() ? "kserve-container" : "nibble")).toList();
      assertThat(named).hasSize(1);
      return named.getFirst();
    }

    Map<String, String> labels() {
      return kserve() ? only(ServingRuntime.class).spec.labels() : deployment().getSpec().getTemplate().getMetadata().getLabels();
    }

    /** Settings that the container gets, by their environment variables. */
    Map<String, String> environment() {
      Map<String, String> environment = new HashMap<>();
      container().getEnvFrom().forEach(from -> {
        HasMetadata config = objects.get("ConfigMap/" + from.getConfigMapRef().getName());
        assertThat(config).as("ConfigMap " + from.getConfigMapRef().getName()).isNotNull();
        environment.putAll(((ConfigMap) config).getData());
      });
      for (EnvVar variable : container().getEnv()) {
        environment.put(variable.getName(), variable.getValue());
      }
      return environment;
    }
  }

  static Stream<Path> folders() throws IOException {
    try (Stream<Path> overlays = Files.list(ROOT.resolve("overlays"))) {
      return Stream.concat(Stream.of(BASE), overlays.sorted().toList().stream());
    }
  }

  private static String kustomize(Path folder) throws IOException, InterruptedException {
    boolean there = Stream.of(System.getenv("PATH").split(File.pathSeparator)).anyMatch(place -> Files.isExecutable(Path.of(place, "kubectl")));
    Assumptions.assumeTrue(there, "skipped: kubectl is not on the PATH; Debian's package kubernetes-client has it");
    Path complaints = Files.createTempFile("kustomize", ".txt"); // not shown otherwise: newer versions warn of what older ones need
    try {
      Process process = new ProcessBuilder("kubectl", "kustomize", folder.toString()).redirectError(complaints.toFile()).start();
      try (InputStream out = process.getInputStream()) {
        String text = new String(out.readAllBytes(), StandardCharsets.UTF_8);
        assertThat(process.waitFor()).as("kubectl kustomize %s: %s", folder, Files.readString(complaints)).isZero();
        return text;
      }
    } finally {
      Files.delete(complaints);
    }
  }

  private static Manifests parse(String text) throws IOException {
    Map<String, HasMetadata> objects = new HashMap<>();
    List<JsonNode> scaledObjects = new ArrayList<>();
    try (MappingIterator<JsonNode> documents = YAML.readerFor(JsonNode.class).readValues(text)) {
      while (documents.hasNext()) {
        JsonNode document = documents.next();
        String kind = document.path("apiVersion").asText() + "/" + document.path("kind").asText();
        if (kind.equals(SCALED_OBJECT)) {
          scaledObjects.add(document);
        } else {
          HasMetadata object = strict(document);
          assertThat(objects.put(object.getKind() + "/" + object.getMetadata().getName(), object)).as("only once: " + kind).isNull();
        }
      }
    }
    return new Manifests(objects, scaledObjects);
  }

  private static HasMetadata strict(JsonNode document) throws JsonProcessingException {
    String kind = document.path("apiVersion").asText() + "/" + document.path("kind").asText();
    assertThat(KINDS).as("kinds of objects that Kubernetes has").containsKey(kind);
    return STRICT.treeToValue(document, KINDS.get(kind));
  }

  /** The test itself must notice what it is for. */
  @Test
  void misspelledFieldsAreFound() throws IOException {
    String deployment = Stream.of(Files.readString(BASE.resolve("workload.yaml")).split("(?m)^---$")).filter(text -> text.contains("kind: Deployment")).findFirst().orElseThrow();
    assertThat(strict(YAML.readTree(deployment))).isInstanceOf(Deployment.class);
    for (String field : List.of("enableServiceLinks:", "readOnlyRootFilesystem:", "periodSeconds:", "mountPath:", "preStop:", "seconds: 5", "maxSurge:", "claimName:")) {
      assertThat(deployment).contains(field);
      JsonNode misspelled = YAML.readTree(deployment.replaceFirst(field, "x" + field));
      assertThatThrownBy(() -> strict(misspelled)).as(field).hasMessageContaining("Unrecognized field");
    }
  }

  @ParameterizedTest
  @MethodSource("folders")
  void everythingLivesInOneNamespaceOfRestrictedPods(Path folder) throws Exception {
    Manifests manifests = parse(kustomize(folder));
    Namespace namespace = manifests.only(Namespace.class);
    assertThat(namespace.getMetadata().getLabels()).containsEntry("pod-security.kubernetes.io/enforce", "restricted");
    manifests.objects().values().stream().filter(object -> object != namespace)
        .forEach(object -> assertThat(object.getMetadata().getNamespace()).as(object.getMetadata().getName()).isEqualTo(namespace.getMetadata().getName()));
    assertThat(manifests.all(ServiceAccount.class)).allSatisfy(account -> assertThat(account.getAutomountServiceAccountToken()).isFalse());
    assertThat(manifests.pod().getServiceAccountName()).isEqualTo(manifests.ours(ServiceAccount.class).getMetadata().getName());
    assertThat(manifests.pod().getAutomountServiceAccountToken()).isFalse();
    restricted(manifests.pod(), manifests);
    assertThat(manifests.pod().getContainers()).allSatisfy(container -> assertThat(container.getLivenessProbe()).as(container.getName()).isNotNull());
    for (Deployment deployment : manifests.all(Deployment.class)) {
      restricted(deployment.getSpec().getTemplate().getSpec(), manifests);
      assertThat(deployment.getSpec().getTemplate().getMetadata().getLabels()).containsAllEntriesOf(deployment.getSpec().getSelector().getMatchLabels());
    }
  }

  @Test
  void theLoaderIsRestrictedToo() throws Exception {
    Pod loader = (Pod) strict(YAML.readTree(Files.readString(ROOT.resolve("loader.yaml"))));
    assertThat(loader.getSpec().getAutomountServiceAccountToken()).isFalse();
    restricted(loader.getSpec(), parse(kustomize(BASE)));
    assertThat(loader.getSpec().getContainers().getFirst().getImage()).matches("busybox:\\d+\\.\\d+\\.\\d+");
  }

  /** Kubernetes' Pod Security Standard "restricted", a read-only root, requests and limits. */
  private static void restricted(PodSpec pod, Manifests manifests) {
    assertThat(pod.getEnableServiceLinks()).as("variables such as NIBBLE_PORT would be taken for settings").isFalse();
    assertThat(pod.getSecurityContext().getRunAsNonRoot()).isTrue();
    assertThat(pod.getSecurityContext().getRunAsUser()).isPositive();
    assertThat(pod.getSecurityContext().getSeccompProfile().getType()).isEqualTo("RuntimeDefault");
    assertThat(Stream.of(pod.getHostNetwork(), pod.getHostPID(), pod.getHostIPC())).containsOnlyNulls();
    for (Volume volume : pod.getVolumes()) {
      assertThat(volume.getEmptyDir() != null || volume.getPersistentVolumeClaim() != null || volume.getConfigMap() != null || volume.getSecret() != null)
          .as("volume " + volume.getName()).isTrue();
      if (volume.getSecret() != null) {
        assertThat(volume.getSecret().getOptional()).as("pods start without it").isTrue();
      }
      if (volume.getConfigMap() != null) {
        assertThat(manifests.objects()).containsKey("ConfigMap/" + volume.getConfigMap().getName());
      }
      if (volume.getPersistentVolumeClaim() != null) {
        assertThat(manifests.objects()).containsKey("PersistentVolumeClaim/" + volume.getPersistentVolumeClaim().getClaimName());
      }
    }
    Set<String> volumes = pod.getVolumes().stream().map(Volume::getName).collect(Collectors.toSet());
    assertThat(pod.getInitContainers()).isEmpty();
    for (Container container : pod.getContainers()) {
      assertThat(container.getImage()).matches("[^:]+:.+").doesNotEndWith(":latest");
      SecurityContext security = container.getSecurityContext();
      assertThat(security.getAllowPrivilegeEscalation()).isFalse();
      assertThat(security.getReadOnlyRootFilesystem()).isTrue();
      assertThat(security.getPrivileged()).isNull();
      assertThat(security.getCapabilities().getDrop()).containsExactly("ALL");
      assertThat(security.getCapabilities().getAdd()).isEmpty();
      ResourceRequirements resources = container.getResources();
      for (String resource : List.of("cpu", "memory")) {
        assertThat(Quantity.getAmountInBytes(resources.getRequests().get(resource))).as(resource).isPositive()
            .isLessThanOrEqualTo(Quantity.getAmountInBytes(resources.getLimits().get(resource)));
      }
      assertThat(container.getPorts()).allSatisfy(port -> assertThat(port.getHostPort()).isNull());
      container.getVolumeMounts().forEach(mount -> assertThat(volumes).contains(mount.getName()));
    }
  }

  @ParameterizedTest
  @MethodSource("folders")
  void imagesAreOfThisVersionAndFitTheNodes(Path folder) throws Exception {
    Manifests manifests = parse(kustomize(folder));
    Matcher version = Pattern.compile("<artifactId>nibble</artifactId>\\s*<version>([^<]+)</version>").matcher(Files.readString(Path.of("pom.xml")));
    assertThat(version.find()).isTrue();
    String image = manifests.container().getImage();
    assertThat(image).matches("nibble:" + Pattern.quote(version.group(1)) + "-(x86-64-v3|x86-64-v4|arm64)");
    String architecture = manifests.pod().getNodeSelector().get("kubernetes.io/arch");
    switch (folder.getFileName().toString()) {
      case "base", "single-node" -> assertThat(architecture).isNull();
      default -> assertThat(architecture).isEqualTo(image.endsWith("arm64") ? "arm64" : "amd64");
    }
    assertThat(manifests.container().getArgs()).containsExactly("serve");
    assertThat(Main.commandLine().getSubcommands()).containsKey("serve");
  }

  @ParameterizedTest
  @MethodSource("folders")
  void portsAndProbesAreTheProgramsOwn(Path folder) throws Exception {
    Manifests manifests = parse(kustomize(folder));
    Properties properties = new Properties();
    try (InputStream in = Files.newInputStream(Path.of("src/main/resources/application.properties"))) {
      properties.load(in);
    }
    int http = Integer.parseInt(properties.getProperty("quarkus.http.port", "8080")); // Quarkus' own default
    int grpc = Integer.parseInt(properties.getProperty("quarkus.grpc.server.port"));
    assertThat(manifests.environment()).doesNotContainKeys("QUARKUS_HTTP_PORT", "QUARKUS_GRPC_SERVER_PORT");
    Container container = manifests.container();
    Map<String, Integer> ports = container.getPorts().stream().collect(Collectors.toMap(ContainerPort::getName, ContainerPort::getContainerPort));
    assertThat(ports).isEqualTo(Map.of("http", http, "grpc", grpc));

    probe(container.getStartupProbe(), "/q/health/started");
    probe(container.getReadinessProbe(), "/q/health/ready");
    probe(container.getLivenessProbe(), "/q/health/live");
    assertThat(Files.readString(Path.of("docs/observability.md"))).contains("`/q/health/started`", "`/q/health/ready`", "`/q/health/live`", "`/q/metrics`");
    int patience = container.getStartupProbe().getPeriodSeconds() * container.getStartupProbe().getFailureThreshold();
    if (!manifests.kserve()) {
      assertThat(manifests.deployment().getSpec().getProgressDeadlineSeconds()).isGreaterThan(patience);
    }

    List<Service> services = manifests.all(Service.class).stream().filter(service -> service.getMetadata().getLabels().containsValue("nibble")).toList();
    assertThat(services).hasSize(2);
    assertThat(services.stream().filter(service -> "None".equals(service.getSpec().getClusterIP()))).hasSize(1);
    for (Service service : services) {
      assertThat(manifests.labels()).containsAllEntriesOf(service.getSpec().getSelector());
      for (ServicePort port : service.getSpec().getPorts()) {
        assertThat(port.getTargetPort().getStrVal()).isEqualTo(port.getName());
        assertThat(port.getPort()).isEqualTo(ports.get(port.getName()));
        assertThat(port.getAppProtocol()).isEqualTo(port.getName().equals("grpc") ? "kubernetes.io/h2c" : "http");
      }
      assertThat(service.getSpec().getPorts()).extracting(ServicePort::getName).containsExactlyInAnyOrder("http", "grpc");
    }
    NetworkPolicy policy = manifests.only(NetworkPolicy.class);
    assertThat(policy.getSpec().getPolicyTypes()).containsExactlyInAnyOrder("Ingress", "Egress");
    assertThat(policy.getSpec().getEgress()).isEmpty();
    assertThat(policy.getSpec().getIngress()).allSatisfy(rule -> {
      assertThat(rule.getFrom()).isNotEmpty();
      assertThat(rule.getPorts()).extracting(port -> port.getPort().getIntVal()).containsExactlyInAnyOrder(http, grpc);
    });
    assertThat(manifests.labels()).containsAllEntriesOf(policy.getSpec().getPodSelector().getMatchLabels())
        .containsAllEntriesOf(manifests.only(PodDisruptionBudget.class).getSpec().getSelector().getMatchLabels());
  }

  private static void probe(Probe probe, String path) {
    assertThat(probe.getHttpGet().getPath()).isEqualTo(path);
    assertThat(probe.getHttpGet().getPort().getStrVal()).isEqualTo("http");
    assertThat(probe.getPeriodSeconds()).isPositive();
  }

  @ParameterizedTest
  @MethodSource("folders")
  void everySettingIsOneOfTheProgram(Path folder) throws Exception {
    Set<String> known = settings();
    assertThat(known).contains("NIBBLE_PACK_CACHE", "NIBBLE_KV_KEYS");
    assertThat(known).containsAll(parse(kustomize(folder)).environment().keySet());
  }

  /** Environment variables of all settings. */
  private static Set<String> settings() {
    return Settings.ALL.stream().map(Setting::variable).collect(Collectors.toSet());
  }

  /** The Secret that docs/operations.md tells to make is the one that pods mount, and its file the one that the setting names. */
  @Test
  void keysAreWhereTheSettingSays(@TempDir Path folder) throws Exception {
    Path keys = folder.resolve("keys");
    Files.copy(ROOT.resolve("keys/kustomization.yaml"), folder.resolve("kustomization.yaml"));
    printed("keys", "new", "--name", "thermostats", "--file", keys.toString());
    Manifests made = parse(kustomize(folder));
    Manifests base = parse(kustomize(BASE));
    Secret secret = made.only(Secret.class);
    assertThat(secret.getMetadata().getNamespace()).isEqualTo(base.only(Namespace.class).getMetadata().getName());
    assertThat(secret.getData()).containsOnlyKeys("keys");
    assertThat(Base64.getMimeDecoder().decode(secret.getData().get("keys"))).isEqualTo(Files.readAllBytes(keys));
    List<Volume> volumes = base.deployment().getSpec().getTemplate().getSpec().getVolumes().stream().filter(volume -> volume.getSecret() != null).toList();
    assertThat(volumes).hasSize(1);
    assertThat(volumes.getFirst().getSecret().getSecretName()).isEqualTo(secret.getMetadata().getName());
    List<VolumeMount> mounts = base.container().getVolumeMounts().stream().filter(mount -> mount.getName().equals(volumes.getFirst().getName())).toList();
    assertThat(mounts).hasSize(1).allSatisfy(mount -> {
      assertThat(mount.getReadOnly()).isTrue();
      assertThat(mount.getSubPath()).as("such mounts are never renewed").isNull();
    });
    String setting = "NIBBLE_AUTH_KEYS_FILE=" + mounts.getFirst().getMountPath() + "/keys";
    assertThat(Files.readString(Path.of("docs/operations.md"))).contains(setting);
    assertThat(settings()).contains("NIBBLE_AUTH_KEYS_FILE");
    assertThat(base.environment()).as("keys are off unless somebody makes some").doesNotContainKey("NIBBLE_AUTH_KEYS_FILE");
    assertThat(Files.readString(Path.of(".gitignore")).lines()).contains("/k3s/keys/keys");
  }

  /** The files of docs/offload.md's walk-through are what Kubernetes takes, and their settings are the program's. */
  @Test
  void aJetsonBesideTheNodeNeedsWhatTheWalkThroughSays() throws Exception {
    String text = Files.readString(Path.of("docs/offload.md"));
    NetworkPolicy policy = (NetworkPolicy) strict(YAML.readTree(file(text, "offload.yaml")));
    Manifests base = parse(kustomize(BASE));
    assertThat(policy.getMetadata().getNamespace()).isEqualTo(base.only(Namespace.class).getMetadata().getName());
    assertThat(base.deployment().getSpec().getTemplate().getMetadata().getLabels()).containsAllEntriesOf(policy.getSpec().getPodSelector().getMatchLabels());
    Deployment patch = (Deployment) strict(YAML.readTree(file(text, "offload-pod.yaml")));
    assertThat(patch.getMetadata().getName()).isEqualTo(base.deployment().getMetadata().getName());
    var container = patch.getSpec().getTemplate().getSpec().getContainers().getFirst();
    assertThat(container.getName()).isEqualTo(base.container().getName());
    assertThat(settings()).containsAll(container.getEnv().stream().map(variable -> variable.getName()).toList());
    assertThat(container.getVolumeMounts()).extracting(VolumeMount::getName).containsExactlyElementsOf(
        patch.getSpec().getTemplate().getSpec().getVolumes().stream().map(Volume::getName).toList());
  }

  /** A file that documentation writes by {@code cat}. */
  private static String file(String text, String name) {
    return text.split("cat >site/" + name + " <<'END'\n", 2)[1].split("\n *END\n", 2)[0].stripIndent();
  }

  /** With keys Prometheus needs one: the documentation's patch of the ServiceMonitor. */
  @Test
  void prometheusBringsAKey() throws Exception {
    String patch = Files.readString(Path.of("docs/operations.md")).split("cat >site/monitoring/key.yaml <<'END'\n", 2)[1].split("\n *END\n", 2)[0].stripIndent();
    ServiceMonitor monitor = (ServiceMonitor) strict(YAML.readTree(patch));
    ServiceMonitor ours = parse(kustomize(MONITORING)).only(ServiceMonitor.class);
    assertThat(monitor.getMetadata().getName()).isEqualTo(ours.getMetadata().getName());
    // A list without merge keys is replaced whole: what the original says must be said again.
    assertThat(monitor.getSpec().getEndpoints()).hasSize(1).allSatisfy(endpoint -> {
      assertThat(endpoint.getPort()).isEqualTo(ours.getSpec().getEndpoints().getFirst().getPort());
      assertThat(endpoint.getPath()).isEqualTo(ours.getSpec().getEndpoints().getFirst().getPath());
      assertThat(endpoint.getInterval()).isEqualTo(ours.getSpec().getEndpoints().getFirst().getInterval());
      assertThat(endpoint.getAuthorization().getType()).isEqualTo("Bearer");
      assertThat(endpoint.getAuthorization().getCredentials().getName()).isEqualTo("nibble-prometheus");
      assertThat(endpoint.getAuthorization().getCredentials().getKey()).isEqualTo("key");
    });
  }

  @Test
  void onlyAPodWithoutOthersStaysReadyWhenItsLineIsFull() throws Exception {
    assertThat(parse(kustomize(ROOT.resolve("overlays/single-node"))).environment()).containsEntry("NIBBLE_READY_QUEUE_LIMIT", "0");
    assertThat(parse(kustomize(ROOT.resolve("overlays/cluster"))).environment()).doesNotContainKey("NIBBLE_READY_QUEUE_LIMIT");
  }

  @ParameterizedTest
  @MethodSource("folders")
  void podsLiveLongEnoughToFinishAnswers(Path folder) throws Exception {
    Manifests manifests = parse(kustomize(folder));
    long preStop = manifests.container().getLifecycle().getPreStop().getSleep().getSeconds();
    Duration grace = Duration.parse("PT" + manifests.environment().get("NIBBLE_GRACE_PERIOD"));
    // ServedModels: the grace period, a second for last words; then a few to end.
    assertThat(manifests.pod().getTerminationGracePeriodSeconds()).isGreaterThanOrEqualTo(preStop + grace.toSeconds() + 1 + 5);
    assertThat(preStop).isPositive();
    assertThat(manifests.only(PodDisruptionBudget.class).getSpec().getMaxUnavailable().getIntVal()).isEqualTo(1);
  }

  @Test
  void theClusterScalesByAMetricThatExists() throws Exception {
    Manifests manifests = parse(kustomize(ROOT.resolve("overlays/cluster")));
    assertThat(manifests.scaledObjects()).hasSize(1);
    JsonNode scaled = manifests.scaledObjects().getFirst();
    assertThat(names(scaled)).containsExactlyInAnyOrder("apiVersion", "kind", "metadata", "spec");
    assertThat(scaled.at("/metadata/namespace").asText()).isEqualTo(manifests.only(Namespace.class).getMetadata().getName());
    JsonNode spec = scaled.path("spec");
    // Of KEDA's reference, the fields in use; a misspelled one is not among them.
    assertThat(names(spec)).isSubsetOf("scaleTargetRef", "minReplicaCount", "maxReplicaCount", "pollingInterval", "fallback", "advanced", "triggers");
    assertThat(names(spec.path("fallback"))).containsExactlyInAnyOrder("failureThreshold", "replicas");
    assertThat(names(spec.path("advanced"))).containsExactly("horizontalPodAutoscalerConfig");
    assertThat(names(spec.at("/advanced/horizontalPodAutoscalerConfig"))).containsExactly("behavior");
    assertThat(names(spec.at("/advanced/horizontalPodAutoscalerConfig/behavior"))).containsExactly("scaleDown");
    assertThat(spec.at("/scaleTargetRef/name").asText()).isEqualTo(manifests.deployment().getMetadata().getName());
    assertThat(spec.path("minReplicaCount").asInt()).isBetween(1, spec.path("maxReplicaCount").asInt());
    assertThat(manifests.deployment().getSpec().getReplicas()).as("the autoscaler's business").isNull();
    assertThat(spec.path("triggers")).hasSize(1);
    JsonNode trigger = spec.at("/triggers/0");
    assertThat(names(trigger)).containsExactlyInAnyOrder("type", "metricType", "metadata");
    assertThat(trigger.path("type").asText()).isEqualTo("prometheus");
    assertThat(trigger.path("metricType").asText()).as("fallbacks need it").isEqualTo("AverageValue");
    assertThat(names(trigger.path("metadata"))).containsExactlyInAnyOrder("serverAddress", "query", "threshold");
    assertThat(trigger.path("metadata")).allSatisfy(value -> assertThat(value.isTextual()).as("KEDA takes strings").isTrue());
    assertThat(metrics(trigger.at("/metadata/query").asText())).isEqualTo(Set.of("nibble_queue_depth")).isSubsetOf(exported());
    Deployment deployment = manifests.deployment();
    assertThat(deployment.getSpec().getTemplate().getSpec().getTopologySpreadConstraints()).hasSize(1)
        .allSatisfy(spread -> assertThat(manifests.labels()).containsAllEntriesOf(spread.getLabelSelector().getMatchLabels()));
    assertThat(manifests.all(Service.class).stream().filter(service -> "ClientIP".equals(service.getSpec().getSessionAffinity()))).hasSize(1);
    assertThat(manifests.only(PersistentVolumeClaim.class).getSpec().getAccessModes()).containsExactly("ReadWriteMany");
  }

  @Test
  void theAcceleratorStandsBesideTheGateway() throws Exception {
    Manifests manifests = parse(kustomize(ROOT.resolve("overlays/jetson")));
    PodSpec pod = manifests.pod();
    assertThat(pod.getNodeSelector()).isEqualTo(Map.of("kubernetes.io/arch", "arm64", "nibble.dev/accelerator", "jetson"));
    assertThat(pod.getRuntimeClassName()).isEqualTo("nvidia");
    assertThat(pod.getContainers()).extracting(Container::getName).containsExactlyInAnyOrder("nibble", "accelerator");
    Container accelerator = pod.getContainers().stream().filter(container -> container.getName().equals("accelerator")).findFirst().orElseThrow();
    assertThat(accelerator.getImage()).startsWith("nibble-jetson:" + manifests.container().getImage().replaceFirst("nibble:(\\d+\\.\\d+\\.\\d+).*", "$1"));
    assertThat(accelerator.getPorts()).extracting(ContainerPort::getContainerPort).containsExactly(9100);
    assertThat(manifests.environment()).containsEntry("NIBBLE_OFFLOAD_TARGETS", "localhost:9100").containsEntry("NIBBLE_OFFLOAD_POLICY", "auto");
    Map<String, String> environment = accelerator.getEnv().stream().collect(Collectors.toMap(EnvVar::getName, EnvVar::getValue));
    assertThat(environment).containsEntry("NIBBLE_OFFLOAD_MODEL", manifests.environment().get("NIBBLE_MODEL"))
        .containsEntry("NIBBLE_OFFLOAD_HOST", "0.0.0.0").containsEntry("NIBBLE_OFFLOAD_DEVICE", "gpu").containsEntry("NVIDIA_VISIBLE_DEVICES", "all");
    assertThat(manifests.environment()).doesNotContainKey("NVIDIA_VISIBLE_DEVICES");
    assertThat(accelerator.getVolumeMounts()).contains(manifests.container().getVolumeMounts().stream().filter(mount -> mount.getName().equals("models")).findFirst().orElseThrow());
    assertThat(accelerator.getVolumeMounts()).filteredOn(mount -> mount.getName().equals("models")).allSatisfy(mount -> assertThat(mount.getReadOnly()).isTrue());
    // Either of these would make the pod unready, and with it the gateway, which needs no accelerator.
    assertThat(accelerator.getReadinessProbe()).isNull();
    assertThat(accelerator.getStartupProbe()).isNull();
    assertThat(accelerator.getLivenessProbe().getGrpc().getPort()).isEqualTo(9100);
    assertThat(accelerator.getLivenessProbe().getGrpc().getService()).isEqualTo("nibble.offload.v1.AcceleratorService");
    assertThat(Files.readString(Path.of("proto/nibble/offload/v1/offload.proto"))).contains("package nibble.offload.v1;", "service AcceleratorService");
    assertThat(manifests.all(Service.class)).as("nobody else reaches it").allSatisfy(
        service -> assertThat(service.getSpec().getPorts()).noneMatch(port -> port.getPort() == 9100));
    assertThat(manifests.deployment().getSpec().getStrategy().getRollingUpdate().getMaxSurge().getIntVal()).as("one GPU").isZero();
  }

  @Test
  void kserveServesAModelFromTheVolume() throws Exception {
    Manifests manifests = parse(kustomize(ROOT.resolve("overlays/kserve")));
    assertThat(manifests.all(Deployment.class)).as("KServe makes it").isEmpty();
    ServingRuntime runtime = manifests.only(ServingRuntime.class);
    InferenceService service = manifests.only(InferenceService.class);
    InferenceService.Model model = service.spec.predictor().model;
    assertThat(model.runtime).isEqualTo(runtime.getMetadata().getName());
    assertThat(runtime.spec.supportedModelFormats()).extracting(ServingRuntime.SupportedModelFormat::name).containsExactly(model.modelFormat.name()).containsExactly("gguf");
    assertThat(runtime.spec.protocolVersions()).contains(model.protocolVersion).containsExactly("v2", "grpc-v2");
    assertThat(model.storageUri).isEqualTo("pvc://" + manifests.only(PersistentVolumeClaim.class).getMetadata().getName());
    assertThat(manifests.environment()).containsEntry("NIBBLE_MODEL", "/mnt/models/model.gguf").containsEntry("NIBBLE_MODEL_NAME", "{{.Name}}").containsKey("NIBBLE_GRACE_PERIOD");
    assertThat(manifests.container().getPorts().getFirst().getName()).as("KServe's own Service leads to the first").isEqualTo("http");
    assertThat(manifests.all(Service.class)).extracting(other -> other.getMetadata().getName()).as("KServe may make Services of its name")
        .doesNotContain(service.getMetadata().getName());
    assertThat(service.getMetadata().getAnnotations()).containsEntry("serving.kserve.io/deploymentMode", "RawDeployment");
    // The probes, securityContext and so on are checked like the base's; what both have is the same.
    Container base = parse(kustomize(BASE)).container();
    assertThat(manifests.container().getStartupProbe()).isEqualTo(base.getStartupProbe());
    assertThat(manifests.container().getReadinessProbe()).isEqualTo(base.getReadinessProbe());
    assertThat(manifests.container().getLivenessProbe()).isEqualTo(base.getLivenessProbe());
  }

  @Test
  void theEndpointPickerReadsMetricsThatExist() throws Exception {
    Manifests manifests = parse(kustomize(ROOT.resolve("overlays/gateway-api-inference")));
    InferencePool pool = manifests.only(InferencePool.class);
    assertThat(manifests.labels()).containsAllEntriesOf(pool.spec.selector().matchLabels());
    List<Integer> ports = manifests.container().getPorts().stream().map(ContainerPort::getContainerPort).toList();
    assertThat(pool.spec.targetPorts()).hasSize(1).allSatisfy(port -> assertThat(ports).contains(port.number()));
    assertThat(pool.spec.endpointPickerRef().failureMode()).isEqualTo("FailOpen");

    Deployment picker = manifests.all(Deployment.class).stream().filter(deployment -> deployment != manifests.deployment()).findFirst().orElseThrow();
    Map<String, String> pickerLabels = picker.getSpec().getTemplate().getMetadata().getLabels();
    assertThat(pickerLabels).as("it is no endpoint").doesNotContainValue("nibble");
    Service service = manifests.all(Service.class).stream().filter(other -> other.getMetadata().getName().equals(pool.spec.endpointPickerRef().name())).findFirst().orElseThrow();
    assertThat(pickerLabels).containsAllEntriesOf(service.getSpec().getSelector());
    assertThat(service.getSpec().getPorts()).extracting(ServicePort::getPort).containsExactly(pool.spec.endpointPickerRef().port().number());
    Container container = picker.getSpec().getTemplate().getSpec().getContainers().getFirst();
    assertThat(container.getArgs()).contains("--pool-name=" + pool.getMetadata().getName(), "--pool-namespace=" + pool.getMetadata().getNamespace(),
        "--model-server-metrics-path=/q/metrics", "--lora-info-metric=", "--cache-info-metric=");
    Set<String> read = container.getArgs().stream().filter(argument -> argument.contains("-metric=nibble_")).map(argument -> argument.split("=")[1]).collect(Collectors.toSet());
    assertThat(read).isEqualTo(Set.of("nibble_queue_depth", "nibble_kv_cache_usage_ratio")).isSubsetOf(exported());

    ServiceAccount account = manifests.all(ServiceAccount.class).stream().filter(other -> other.getMetadata().getName().equals(picker.getSpec().getTemplate().getSpec().getServiceAccountName())).findFirst().orElseThrow();
    RoleBinding binding = manifests.only(RoleBinding.class);
    assertThat(binding.getSubjects()).hasSize(1).allSatisfy(subject -> assertThat(subject.getName()).isEqualTo(account.getMetadata().getName()).isNotEqualTo("nibble"));
    assertThat(binding.getRoleRef().getName()).isEqualTo(manifests.only(Role.class).getMetadata().getName());
    assertThat(manifests.only(Role.class).getRules()).allSatisfy(rule -> assertThat(rule.getVerbs()).containsExactly("get", "list", "watch"));

    ConfigMap config = (ConfigMap) manifests.objects().get("ConfigMap/" + picker.getSpec().getTemplate().getSpec().getVolumes().getFirst().getConfigMap().getName());
    assertThat(config.getData()).containsOnlyKeys("picker-config.yaml");
    EndpointPickerConfig picks = STRICT.treeToValue(YAML.readTree(config.getData().get("picker-config.yaml")), EndpointPickerConfig.class);
    assertThat(picks.apiVersion() + "/" + picks.kind()).isEqualTo("inference.networking.x-k8s.io/v1alpha1/EndpointPickerConfig");
    Set<String> plugins = picks.plugins().stream().map(EndpointPickerConfig.Plugin::type).collect(Collectors.toSet());
    assertThat(picks.schedulingProfiles()).hasSize(1);
    assertThat(picks.schedulingProfiles().getFirst().plugins()).extracting(EndpointPickerConfig.SchedulingPlugin::pluginRef).containsExactlyInAnyOrderElementsOf(plugins);

    List<HTTPRouteRule> rules = manifests.only(HTTPRoute.class).getSpec().getRules();
    assertThat(rules).extracting(rule -> rule.getMatches().getFirst().getPath().getValue()).containsExactly("/v1", "/v2");
    assertThat(rules.getFirst().getBackendRefs()).hasSize(1).allSatisfy(backend -> {
      assertThat(backend.getGroup() + "/" + backend.getKind()).isEqualTo("inference.networking.k8s.io/InferencePool");
      assertThat(backend.getName()).isEqualTo(pool.getMetadata().getName());
    });
    assertThat(rules.getLast().getBackendRefs()).hasSize(1).allSatisfy(backend -> {
      assertThat(backend.getName()).isEqualTo(manifests.ours(Service.class).getMetadata().getName());
      assertThat(ports).contains(backend.getPort());
    });
    assertThat(manifests.ours(Service.class).getSpec().getSessionAffinity()).isEqualTo("None");
  }

  @Test
  void theDocumentationNamesFilesThatExist() throws Exception {
    List<String> named = Pattern.compile("`(k3s/[A-Za-z0-9/-]+\\.yaml|k3s/overlays/[A-Za-z0-9-]+)`").matcher(Files.readString(Path.of("docs/operations.md"))).results().map(name -> name.group(1)).toList();
    assertThat(named).hasSizeGreaterThan(8).allSatisfy(name -> assertThat(Path.of(name)).exists());
  }

  /** Of what has no library the classes here must be strict too. */
  @Test
  void misspelledFieldsOfOtherProjectsAreFound() throws Exception {
    Map<String, List<String>> fields = Map.of(
        "gateway-api-inference/route.yaml", List.of("targetPorts:", "number:", "endpointPickerRef:", "failureMode:", "parentRefs:", "backendRefs:", "timeouts:"),
        "gateway-api-inference/picker.yaml", List.of("roleRef:", "verbs:", "subjects:"),
        "kserve/runtime.yaml", List.of("supportedModelFormats:", "autoSelect:", "protocolVersions:", "containers:", "periodSeconds:", "readOnlyRootFilesystem:"),
        "kserve/service.yaml", List.of("predictor:", "minReplicas:", "enableServiceLinks:", "seccompProfile:", "modelFormat:", "storageUri:", "resources:"));
    for (Map.Entry<String, List<String>> file : fields.entrySet()) {
      String text = Files.readString(ROOT.resolve("overlays").resolve(file.getKey()));
      parse(text);
      for (String field : file.getValue()) {
        assertThat(text).contains(field);
        String misspelled = text.replaceFirst(field, "x" + field);
        assertThatThrownBy(() -> parse(misspelled)).as(file.getKey() + " " + field).hasMessageContaining("Unrecognized field");
      }
    }
    String picker = Files.readString(ROOT.resolve("overlays/gateway-api-inference/picker-config.yaml"));
    for (String field : List.of("plugins:", "schedulingProfiles:", "pluginRef:", "weight:")) {
      JsonNode misspelled = YAML.readTree(picker.replaceFirst(field, "x" + field));
      assertThatThrownBy(() -> STRICT.treeToValue(misspelled, EndpointPickerConfig.class)).as(field).hasMessageContaining("Unrecognized field");
    }
  }

  /** What docs/operations.md tells to add where NVIDIA's device plugin counts GPUs. */
  @Test
  void theDevicePluginsResourceGoesOnTop(@TempDir Path folder) throws Exception {
    String patch = Files.readString(Path.of("docs/operations.md")).split("cat >site/gpu.yaml <<'END'\n", 2)[1].split("\n *END\n", 2)[0].stripIndent();
    Path overlay = folder.toRealPath().relativize(ROOT.resolve("overlays/jetson").toRealPath());
    Files.writeString(folder.resolve("kustomization.yaml"), "bases:\n  - " + overlay + "\npatchesStrategicMerge:\n  - gpu.yaml\n");
    Files.writeString(folder.resolve("gpu.yaml"), patch);
    Manifests manifests = parse(kustomize(folder));
    Map<String, Quantity> limits = manifests.pod().getContainers().stream().filter(container -> container.getName().equals("accelerator")).findFirst().orElseThrow().getResources().getLimits();
    assertThat(limits).containsEntry("nvidia.com/gpu", new Quantity("1")).containsKeys("cpu", "memory");
    assertThat(manifests.container().getResources().getLimits()).containsOnlyKeys("cpu", "memory");
  }

  @Test
  void monitoringReadsMetricsThatExist() throws Exception {
    Manifests monitoring = parse(kustomize(MONITORING));
    Manifests base = parse(kustomize(BASE));
    ServiceMonitor monitor = monitoring.only(ServiceMonitor.class);
    assertThat(monitor.getMetadata().getNamespace()).isEqualTo(base.only(Namespace.class).getMetadata().getName());
    Map<String, String> selector = monitor.getSpec().getSelector().getMatchLabels();
    assertThat(base.all(Service.class).stream().filter(service -> service.getMetadata().getLabels().entrySet().containsAll(selector.entrySet())))
        .extracting(service -> service.getMetadata().getName()).as("each pod is read once").containsExactly("nibble");
    assertThat(monitor.getSpec().getEndpoints()).hasSize(1).allSatisfy(endpoint -> {
      assertThat(endpoint.getPort()).isEqualTo("http");
      assertThat(endpoint.getPath()).isEqualTo("/q/metrics");
    });
    String operations = Files.readString(Path.of("docs/operations.md"));
    Set<String> known = exported();
    known.addAll(Set.of("up", "process_start_time_seconds")); // Prometheus' own, and one of the process' usual ones
    monitoring.only(PrometheusRule.class).getSpec().getGroups().forEach(group -> group.getRules().forEach(rule -> {
      assertThat(operations).contains("`" + rule.getAlert() + "`");
      assertThat(metrics(rule.getExpr().getStrVal())).as(rule.getAlert()).isNotEmpty().isSubsetOf(known);
    }));
  }

  /** One list of alerts, whatever Nibble runs on. */
  @Test
  void alertsAreThoseOfOtherDeployments() throws Exception {
    Path others = Path.of("deploy/prometheus/alerts.yaml");
    Assumptions.assumeTrue(Files.exists(others), "skipped: there is no " + others);
    JsonNode rules = null;
    try (MappingIterator<JsonNode> documents = YAML.readerFor(JsonNode.class).readValues(MONITORING.resolve("monitoring.yaml").toFile())) {
      while (documents.hasNext()) {
        rules = documents.next();
      }
    }
    assertThat(rules.at("/spec/groups/0")).isEqualTo(YAML.readTree(others.toFile()).at("/groups/0"));
  }

  /** Metrics of a query: Prometheus' own and Nibble's words that are no labels. */
  private static Set<String> metrics(String query) {
    String names = query.replaceAll("\"[^\"]*\"", "").replace("gen_ai_request_model", "");
    return Pattern.compile("\\b(?:nibble_[a-z_]+|gen_ai_[a-z_]+|process_[a-z_]+|up\\b)").matcher(names).results()
        .map(name -> name.group().replaceFirst("_bucket$", "")).collect(Collectors.toSet());
  }

  /** Metrics of docs/observability.md, which HealthAndMetricsTest compares with the program's. */
  private static Set<String> exported() {
    try {
      return Pattern.compile("^\\| `((?:nibble|gen_ai)_[a-z_]+)`", Pattern.MULTILINE).matcher(Files.readString(Path.of("docs/observability.md"))).results()
          .map(name -> name.group(1)).collect(Collectors.toSet());
    } catch (IOException unreadable) {
      throw new java.io.UncheckedIOException(unreadable);
    }
  }

  private static List<String> names(JsonNode object) {
    List<String> names = new ArrayList<>();
    object.fieldNames().forEachRemaining(names::add);
    return names;
  }

  /** What docs/operations.md tells to write for a site: an overlay of an overlay, with the size that k3s-size prints. */
  @Test
  void sizesGoOnTopOfAnOverlay(@TempDir Path folder) throws Exception {
    String site = Files.readString(Path.of("docs/operations.md")).split("cat >site/kustomization.yaml <<'END'\n", 2)[1].split("\n *END\n", 2)[0].stripIndent();
    Path overlay = folder.toRealPath().relativize(ROOT.resolve("overlays/single-node").toRealPath());
    UnaryOperator<String> moved = text -> text.replace("../k3s/overlays/single-node", overlay.toString());
    assertThat(moved.apply(site)).isNotEqualTo(site);
    Files.writeString(folder.resolve("kustomization.yaml"), moved.apply(site));
    Files.writeString(folder.resolve("size.yaml"), size("--model", "src/main/resources/models/nibble-home.gguf", "--streams", "100", "--threads", "3"));
    Manifests manifests = parse(kustomize(folder));
    ResourceRequirements resources = manifests.container().getResources();
    assertThat(resources.getRequests()).containsEntry("cpu", new Quantity("3"));
    assertThat(resources.getLimits()).containsEntry("cpu", new Quantity("4"));
    ResourceRequirements small = parse(kustomize(BASE)).container().getResources();
    assertThat(Quantity.getAmountInBytes(resources.getRequests().get("memory"))).isGreaterThan(Quantity.getAmountInBytes(small.getRequests().get("memory")));
    assertThat(manifests.environment()).containsEntry("NIBBLE_THREADS", "3").containsEntry("NIBBLE_MODEL", "/models/model.gguf").containsKey("NIBBLE_GRACE_PERIOD");
    restricted(manifests.pod(), manifests);
  }

  private static String size(String... options) {
    return printed(Stream.concat(Stream.of("k3s-size"), Stream.of(options)).toArray(String[]::new));
  }

  /** What a command prints. */
  private static String printed(String... command) {
    PrintStream out = System.out;
    ByteArrayOutputStream printed = new ByteArrayOutputStream();
    System.setOut(new PrintStream(printed, true, StandardCharsets.UTF_8));
    try {
      assertThat(Main.commandLine().execute(command)).isZero();
    } finally {
      System.setOut(out);
    }
    return printed.toString(StandardCharsets.UTF_8);
  }
}
