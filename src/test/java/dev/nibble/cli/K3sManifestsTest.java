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
import dev.nibble.serve.ServeConfig;
import io.fabric8.kubernetes.api.model.ConfigMap;
import io.fabric8.kubernetes.api.model.Container;
import io.fabric8.kubernetes.api.model.ContainerPort;
import io.fabric8.kubernetes.api.model.EnvVar;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.Namespace;
import io.fabric8.kubernetes.api.model.PersistentVolumeClaim;
import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.api.model.PodSpec;
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
import io.fabric8.kubernetes.api.model.networking.v1.NetworkPolicy;
import io.fabric8.kubernetes.api.model.policy.v1.PodDisruptionBudget;
import io.fabric8.openshift.api.model.monitoring.v1.PrometheusRule;
import io.fabric8.openshift.api.model.monitoring.v1.ServiceMonitor;
import java.io.ByteArrayOutputStream;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.io.PrintStream;
import java.lang.reflect.Method;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.TreeSet;
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
      Map.entry("v1/Secret", Secret.class), Map.entry("monitoring.coreos.com/v1/PrometheusRule", PrometheusRule.class));
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

    Deployment deployment() {
      return only(Deployment.class);
    }

    Container container() {
      List<Container> containers = deployment().getSpec().getTemplate().getSpec().getContainers();
      assertThat(containers).hasSize(1);
      return containers.getFirst();
    }

    Map<String, String> labels() {
      return deployment().getSpec().getTemplate().getMetadata().getLabels();
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
    for (String field : List.of("enableServiceLinks:", "readOnlyRootFilesystem:", "periodSeconds:", "mountPath:", "preStop:", "seconds: 5", "maxSurge:", "sizeLimit:")) {
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
    assertThat(manifests.only(ServiceAccount.class).getAutomountServiceAccountToken()).isFalse();
    assertThat(manifests.deployment().getSpec().getTemplate().getSpec().getServiceAccountName()).isEqualTo(manifests.only(ServiceAccount.class).getMetadata().getName());
    restricted(manifests.deployment().getSpec().getTemplate().getSpec(), manifests);
  }

  @Test
  void theLoaderIsRestrictedToo() throws Exception {
    Pod loader = (Pod) strict(YAML.readTree(Files.readString(ROOT.resolve("loader.yaml"))));
    restricted(loader.getSpec(), parse(kustomize(BASE)));
    assertThat(loader.getSpec().getContainers().getFirst().getImage()).matches("busybox:\\d+\\.\\d+\\.\\d+");
  }

  /** Kubernetes' Pod Security Standard "restricted", a read-only root, requests and limits, no token. */
  private static void restricted(PodSpec pod, Manifests manifests) {
    assertThat(pod.getAutomountServiceAccountToken()).isFalse();
    assertThat(pod.getEnableServiceLinks()).as("variables such as NIBBLE_PORT would be taken for settings").isFalse();
    assertThat(pod.getSecurityContext().getRunAsNonRoot()).isTrue();
    assertThat(pod.getSecurityContext().getRunAsUser()).isPositive();
    assertThat(pod.getSecurityContext().getSeccompProfile().getType()).isEqualTo("RuntimeDefault");
    assertThat(Stream.of(pod.getHostNetwork(), pod.getHostPID(), pod.getHostIPC())).containsOnlyNulls();
    for (Volume volume : pod.getVolumes()) {
      assertThat(volume.getEmptyDir() != null || volume.getPersistentVolumeClaim() != null || volume.getSecret() != null).as("volume " + volume.getName()).isTrue();
      if (volume.getSecret() != null) {
        assertThat(volume.getSecret().getOptional()).as("pods start without it").isTrue();
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
    String architecture = manifests.deployment().getSpec().getTemplate().getSpec().getNodeSelector().get("kubernetes.io/arch");
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
    assertThat(manifests.deployment().getSpec().getProgressDeadlineSeconds()).isGreaterThan(patience);

    List<Service> services = manifests.all(Service.class);
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
        .containsAllEntriesOf(manifests.only(PodDisruptionBudget.class).getSpec().getSelector().getMatchLabels())
        .containsAllEntriesOf(manifests.deployment().getSpec().getSelector().getMatchLabels());
  }

  private static void probe(Probe probe, String path) {
    assertThat(probe.getHttpGet().getPath()).isEqualTo(path);
    assertThat(probe.getHttpGet().getPort().getStrVal()).isEqualTo("http");
    assertThat(probe.getPeriodSeconds()).isPositive();
  }

  @ParameterizedTest
  @MethodSource("folders")
  void everySettingIsOneOfTheProgram(Path folder) throws Exception {
    Set<String> known = settings("NIBBLE_", ServeConfig.class);
    assertThat(known).contains("NIBBLE_PACK_CACHE", "NIBBLE_KV_KEYS");
    assertThat(known).containsAll(parse(kustomize(folder)).environment().keySet());
  }

  /** Environment variables of a configuration's settings. */
  private static Set<String> settings(String prefix, Class<?> config) {
    Set<String> names = new TreeSet<>();
    for (Method setting : config.getDeclaredMethods()) {
      String name = prefix + setting.getName().replaceAll("([A-Z])", "_$1").toUpperCase(Locale.ROOT);
      if (setting.getReturnType().isInterface() && setting.getReturnType().getEnclosingClass() == config) {
        names.addAll(settings(name + "_", setting.getReturnType()));
      } else {
        names.add(name);
      }
    }
    return names;
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
    assertThat(settings("NIBBLE_", ServeConfig.class)).contains("NIBBLE_AUTH_KEYS_FILE");
    assertThat(base.environment()).as("keys are off unless somebody makes some").doesNotContainKey("NIBBLE_AUTH_KEYS_FILE");
    assertThat(Files.readString(Path.of(".gitignore")).lines()).contains("/k3s/keys/keys");
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
    assertThat(manifests.deployment().getSpec().getTemplate().getSpec().getTerminationGracePeriodSeconds()).isGreaterThanOrEqualTo(preStop + grace.toSeconds() + 1 + 5);
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
    restricted(manifests.deployment().getSpec().getTemplate().getSpec(), manifests);
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
