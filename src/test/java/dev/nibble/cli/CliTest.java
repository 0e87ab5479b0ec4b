package dev.nibble.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.nibble.HomeFile;
import dev.nibble.SharedFixtures;
import dev.nibble.format.gguf.GgufValue;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The commands, each in a process of its own, as a user starts them. {@link CliIT} runs the same against the native executable. */
class CliTest {
  private static final Path EMBEDDED = Path.of("src/main/resources/models/nibble-home.gguf");
  private static final String OPTIONS = "@src/main/jvm/options";
  private static final String OPTIONS_WITHOUT_VECTORS = "--enable-native-access=ALL-UNNAMED";
  private static final Path STORIES = Path.of("models/stories260K");

  @TempDir
  Path folder;

  /** What a process left. */
  record Outcome(int status, String out, String err) {}

  /** The words that start the program. */
  List<String> program() {
    return virtualMachine();
  }

  /** The words that start the program under a JVM. */
  private static List<String> virtualMachine() {
    return List.of(Path.of(System.getProperty("java.home"), "bin", "java").toString(), OPTIONS,
        "-Djava.util.logging.manager=org.jboss.logmanager.LogManager", "-cp",
        System.getProperty("surefire.test.class.path", System.getProperty("java.class.path")), Main.class.getName());
  }

  private Outcome nibble(String... arguments) throws IOException, InterruptedException {
    return nibbleReading("", arguments);
  }

  private Outcome nibbleReading(String input, String... arguments) throws IOException, InterruptedException {
    return run(input, program(), arguments);
  }

  private static Outcome run(String input, List<String> program, String... arguments) throws IOException, InterruptedException {
    return run(input, Map.of(), program, arguments);
  }

  /** @param environment variables that are added to this process's own; an empty name stands for none of its own */
  private static Outcome run(String input, Map<String, String> environment, List<String> program, String... arguments) throws IOException, InterruptedException {
    List<String> command = new ArrayList<>(program);
    command.addAll(List.of(arguments));
    ProcessBuilder builder = new ProcessBuilder(command);
    builder.environment().putAll(environment);
    if (builder.environment().remove("") != null) {
      builder.environment().keySet().retainAll(environment.keySet());
    }
    Process process = builder.start();
    CompletableFuture<String> out = CompletableFuture.supplyAsync(() -> text(process.getInputStream()));
    CompletableFuture<String> err = CompletableFuture.supplyAsync(() -> text(process.getErrorStream()));
    process.getOutputStream().write(input.getBytes(StandardCharsets.UTF_8));
    process.getOutputStream().close();
    assertThat(process.waitFor(120, TimeUnit.SECONDS)).as("ends").isTrue();
    String complaints = err.join().lines().filter(line -> !line.startsWith("WARNING: Using incubator modules")).reduce("", (a, b) -> a + b + "\n");
    return new Outcome(process.exitValue(), out.join(), complaints);
  }

  private static String text(InputStream stream) {
    try (stream) {
      return new String(stream.readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException broken) {
      return "unreadable: " + broken;
    }
  }

  /** Exit code 2 and one line, which names what is wrong. */
  private void refuses(String part, String... arguments) throws IOException, InterruptedException {
    Outcome outcome = nibble(arguments);
    assertThat(outcome.err()).startsWith("nibble: ").contains(part);
    assertThat(outcome.err().lines()).hasSize(1);
    assertThat(outcome.out()).isEmpty();
    assertThat(outcome.status()).isEqualTo(2);
  }

  @Test
  void theVersionIsTheBuilds() throws Exception {
    Matcher version = Pattern.compile("<artifactId>nibble</artifactId>\\s*<version>([^<]+)</version>").matcher(Files.readString(Path.of("pom.xml")));
    assertThat(version.find()).isTrue();
    assertThat(nibble("--version")).isEqualTo(new Outcome(0, "nibble " + version.group(1) + "\n", ""));
  }

  @Test
  void helpNamesTheCommands() throws Exception {
    Outcome outcome = nibble("--help");
    assertThat(outcome.status()).isZero();
    assertThat(outcome.out()).contains("serve", "run", "inspect", "quantize", "pack", "bench", "keys", "k3s-size");
    assertThat(nibble("serve", "--help").out()).contains("--model", "--http-port", "--grpc-port", "--threads", "--pack-cache", "--keys-file");
  }

  @Test
  void keysAreMadeListedAndRemoved() throws Exception {
    Path file = folder.resolve("keys");
    Outcome made = nibble("keys", "new", "--name", "thermostats", "--file", file.toString());
    assertThat(made.status()).isZero();
    assertThat(made.out()).matches("nib_[A-Za-z0-9_-]{43}\n");
    Outcome printed = nibble("keys", "new", "--name", "prometheus", "--scopes", "metrics,generate", "--expires", "2027-01-31");
    assertThat(printed.out().lines()).hasSize(2);
    String line = printed.out().lines().toList().get(1);
    String hash = HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(printed.out().lines().findFirst().orElseThrow().getBytes(StandardCharsets.UTF_8)));
    assertThat(line).isEqualTo("prometheus generate,metrics sha256:" + hash + " expires:2027-01-31");
    Files.writeString(file, Files.readString(file) + "# Prometheus\n" + line + "\n");
    refuses("the name \"thermostats\" is there twice", "keys", "new", "--name", "thermostats", "--file", file.toString());
    assertThat(nibble("keys", "list", "--file", file.toString()))
        .isEqualTo(new Outcome(0, "thermostats  generate\nprometheus  generate,metrics  until 2027-01-31\n", ""));
    assertThat(Files.readString(file)).doesNotContain("nib_");
    assertThat(nibble("keys", "revoke", "--file", file.toString(), "--name", "thermostats")).isEqualTo(new Outcome(0, "", ""));
    refuses("has no key named \"thermostats\"", "keys", "revoke", "--file", file.toString(), "--name", "thermostats");
    assertThat(Files.readString(file)).endsWith("# Prometheus\n" + line + "\n");
  }

  /** Sixteen at once, and four that take keys away beside them: what a program said it did is done, and nothing else is left in the folder. */
  @Test
  void keysMadeAtOnceAreAllThere() throws Exception {
    Path file = folder.resolve("keys");
    for (int i = 0; i < 4; i++) {
      assertThat(nibble("keys", "new", "--name", "old" + i, "--file", file.toString()).status()).isZero();
    }
    Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rw-r-----"));
    List<CompletableFuture<Outcome>> outcomes = new ArrayList<>();
    try (ExecutorService starters = Executors.newVirtualThreadPerTaskExecutor()) {
      for (int i = 0; i < 16; i++) {
        String name = "new" + i;
        outcomes.add(CompletableFuture.supplyAsync(() -> outcome("keys", "new", "--name", name, "--file", file.toString()), starters));
        if (i % 4 == 0) {
          String old = "old" + i / 4;
          outcomes.add(CompletableFuture.supplyAsync(() -> outcome("keys", "revoke", "--name", old, "--file", file.toString()), starters));
        }
      }
    }
    String text = Files.readString(file);
    int made = 0;
    for (CompletableFuture<Outcome> each : outcomes) {
      assertThat(each.join().status()).as(each.join().err()).isZero();
      String key = each.join().out().strip();
      if (!key.isEmpty()) {
        assertThat(text).contains("sha256:" + HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(key.getBytes(StandardCharsets.UTF_8))) + "\n");
        made++;
      }
    }
    assertThat(made).isEqualTo(16);
    assertThat(text).doesNotContain("old");
    assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(file))).isEqualTo("rw-r-----");
    try (var files = Files.list(folder)) {
      assertThat(files).containsExactly(file);
    }
  }

  private Outcome outcome(String... arguments) {
    try {
      return nibble(arguments);
    } catch (IOException | InterruptedException failure) {
      throw new IllegalStateException(failure);
    }
  }

  /** A name that is empty is a variable that was never set, not the wish to serve everybody or the embedded model. */
  @Test
  void namesThatAreEmptyAreMistakes() throws Exception {
    refuses("Invalid value for option '--keys-file': the name is empty", "serve", "--keys-file", "");
    refuses("the name is empty", "serve", "--model", "");
    refuses("the name is empty", "run", "--model", "", "x");
    refuses("the name is empty", "inspect", "");
    refuses("the name is empty", "keys", "list", "--file", "");
    refuses("nibble.auth.keys-file is empty; give it a value, or leave it out", "serve", "-Dnibble.auth.keys-file=");
    for (String name : List.of("NIBBLE_AUTH_KEYS_FILE", "NIBBLE_MODEL", "NIBBLE_OFFLOAD_POLICY", "QUARKUS_HTTP_PORT")) {
      Outcome outcome = run("", Map.of(name, ""), program(), "serve");
      assertThat(outcome.err()).isEqualTo("nibble: " + name + " is empty; give it a value, or leave it out\n");
      assertThat(outcome.status()).isEqualTo(2);
    }
    Outcome doctor = run("", Map.of("NIBBLE_OFFLOAD_TARGETS", ""), program(), "doctor");
    assertThat(doctor.err()).isEqualTo("nibble: NIBBLE_OFFLOAD_TARGETS is empty; give it a value, or leave it out\n");
  }

  /** Before anything starts, wherever a setting comes from; a native executable's framework knows only its build's environment by then. */
  @Test
  void settingsThatCantBeUsedGetOneLine() throws Exception {
    Map<String, String> variables = Map.of("NIBBLE_KV_RESIDUAL", "\"few\"; allowed: 0 to 65536", "NIBBLE_GRACE_PERIOD", "\"few\"; allowed: a time such as 20s or 2m",
        "NIBBLE_OFFLOAD_TARGETS", "\"few\"; allowed: HOST:PORT", "NIBBLE_CONNECTIONS_MAX", "\"few\"; allowed: an integer, 1 or more",
        "NIBBLE_REST_MAX_BODY_SIZE", "\"few\"; allowed: a size such as 500K or 4M", "QUARKUS_HTTP_PORT", "\"few\"; allowed: 1 to 65535",
        "NIBBLE_OFFLOAD_TLS_TRUST", "few: no such file", "NIBBLE_AUTH_KEYS_FILE", "few: no such file");
    for (Map.Entry<String, String> variable : variables.entrySet()) {
      Outcome outcome = run("", Map.of(variable.getKey(), "few"), program(), "serve");
      assertThat(outcome.err()).startsWith("nibble: ").containsIgnoringCase(variable.getKey().replace('_', outcome.err().contains("nibble.") ? '.' : '_')).contains(variable.getValue())
          .hasLineCount(1);
      assertThat(outcome.status()).isEqualTo(2);
    }
    refuses("nibble.queue-capacity is \"0\"; allowed: an integer, 1 or more", "serve", "-Dnibble.queue-capacity=0");
    refuses("there is no setting nibble.threds; README.md lists them, and names the pages with the others", "serve", "-Dnibble.threds=4");
    Outcome certificate = run("", Map.of("QUARKUS_HTTP_SSL_CERTIFICATE_FILES", "nowhere.pem", "QUARKUS_HTTP_SSL_CERTIFICATE_KEY_FILES", "nowhere.pem"), program(), "serve");
    assertThat(certificate.err()).isEqualTo("nibble: quarkus.http.ssl.certificate.files: nowhere.pem: no such file\n");
    Outcome doctor = run("", Map.of("NIBBLE_OFFLOAD_POLICY", "often"), program(), "doctor");
    assertThat(doctor.err()).isEqualTo("nibble: NIBBLE_OFFLOAD_POLICY is \"often\"; allowed: off, auto, prefer, require\n");
    assertThat(doctor.status()).isEqualTo(2);
  }

  @Test
  void certificatesThatCantBeUsedGetOneLine() throws Exception {
    Path text = Files.writeString(folder.resolve("text.pem"), "this is no certificate");
    for (String[] pair : new String[][] {{"quarkus.http.ssl.certificate.files", "quarkus.http.ssl.certificate.key-files"},
        {"quarkus.grpc.server.ssl.certificate", "quarkus.grpc.server.ssl.key"}, {"quarkus.tls.key-store.pem.0.cert", "quarkus.tls.key-store.pem.0.key"}}) {
      refuses(pair[0] + ": nowhere.pem: no such file", "serve", "-D" + pair[0] + "=nowhere.pem", "-D" + pair[1] + "=nowhere.pem");
      refuses(pair[0] + ": " + text + " holds no certificate", "serve", "-D" + pair[0] + "=" + text, "-D" + pair[1] + "=" + text);
    }
    refuses("quarkus.grpc.server.plain-text is false, but gRPC has no certificate; set quarkus.grpc.server.ssl.certificate and quarkus.grpc.server.ssl.key, or leave it out",
        "serve", "-Dquarkus.grpc.server.plain-text=false");
    refuses("quarkus.grpc.server.ssl.key-store: " + text + " can't be read as a store of type jks with its password",
        "serve", "-Dquarkus.grpc.server.ssl.key-store=" + text, "-Dquarkus.grpc.server.ssl.key-store-password=word");
  }

  /** Whether the program reads what it is given alike in every locale: a JVM by itself can't, and says so. */
  boolean readsEveryLocale() {
    return false;
  }

  @Test
  void everyLocaleIsRightOrRefused() throws Exception {
    byte[] model = Files.readAllBytes(EMBEDDED);
    Path file = Files.write(Path.of(folder.toString(), "modèle é.gguf"), model);
    for (Map<String, String> locale : List.of(Map.of("", ""), Map.of("", "", "LC_ALL", "C"), Map.of("", "", "LANG", "xx_YY"), Map.of("", "", "LC_ALL", "C.UTF-8"))) {
      Outcome inspected = run("", locale, program(), "inspect", file.toString());
      Outcome told = run("", locale, program(), "run", "--temp", "0", "--max-tokens", "4", "Café");
      if (readsEveryLocale() || locale.containsValue("C.UTF-8")) {
        assertThat(inspected.status()).as(locale + inspected.err()).isZero();
        assertThat(inspected.out()).contains("modèle é.gguf (GGUF v3");
        assertThat(told.out()).as(locale.toString()).startsWith("Café");
      } else {
        for (Outcome refused : List.of(inspected, told)) {
          assertThat(refused.status()).isEqualTo(2);
          assertThat(refused.out()).isEmpty();
          assertThat(refused.err()).startsWith("nibble: argument ").contains("holds letters that Java can't read in this locale", "LC_ALL=C.UTF-8").hasLineCount(1);
        }
      }
    }
  }

  @Test
  void mistakesGetOneLine() throws Exception {
    refuses("needs a command: serve, run, inspect, quantize, pack, bench, eval, health, doctor, keys, k3s-size");
    refuses("needs a command: new, list, revoke; see nibble keys --help", "keys");
    refuses("the name is \"a b\"; allowed: 1 to 64 letters, digits, dots, dashes and underscores", "keys", "new", "--name", "a b");
    refuses("the scope is \"all\"; allowed: generate, offload, metrics", "keys", "new", "--name", "a", "--scopes", "all");
    refuses("the date is \"soon\"; allowed: a day such as 2027-01-31", "keys", "new", "--name", "a", "--expires", "soon");
    refuses("nowhere: no such file", "keys", "list", "--file", "nowhere");
    refuses("nibble.auth.keys-file: nowhere: no such file", "serve", "--keys-file", "nowhere");
    refuses("no-such-command", "no-such-command");
    refuses("--no-such-option", "run", "--no-such-option");
    refuses("a prompt is needed", "run");
    refuses("--max-tokens is 0", "run", "--max-tokens", "0", "x");
    refuses("--threads is 0", "run", "--threads", "0", "x");
    refuses("--kv-keys is 3; allowed: 8, 4, 2, f16, f32", "run", "--kv-keys", "3", "x");
    refuses("--kv-values is int8; allowed: 8, 4, 2, f16, f32", "serve", "--kv-values", "int8");
    refuses("--kv-residual is -1; allowed: 0 to 65536", "bench", "--kv-residual", "-1");
    for (String size : List.of("0", "-1", "much", "9G9", "9999999999G")) {
      refuses("--kv-memory is " + size + "; allowed: a size such as 64M or 2G, from 1 byte", "run", "--kv-memory", size, "x");
    }
    refuses("--kv-memory (nibble.kv.memory) allows 1024", "run", "--kv-memory", "1k", "x");
    refuses("--kv-memory holds 64 tokens; --prompt 60 and --gen 5 need more", "bench", "--kv-memory", "400K", "--prompt", "60", "--gen", "5");
    refuses("temperature", "run", "--temp", "-1", "x");
    refuses("no such file: nowhere.gguf", "run", "--model", "nowhere.gguf", "x");
    refuses("no such file: nowhere.gguf", "inspect", "nowhere.gguf");
    refuses("no such file: nowhere.gguf", "serve", "--model", "nowhere.gguf");
    refuses("--http-port is 70000; allowed: 1 to 65535", "serve", "--http-port", "70000");
    refuses("q5_9", "quantize", "--in", ".", "--out", folder.resolve("x.gguf").toString(), "--scheme", "q5_9");
    refuses("no such file: nowhere", "quantize", "--in", "nowhere", "--out", folder.resolve("x.gguf").toString(), "--scheme", "q4_0");
    refuses("together fit the context of 1024", "bench", "--prompt", "2000");
    refuses("--prompt 0", "bench", "--prompt", "0");
    refuses("--kernels and --digest", "bench", "--kernels", "--digest");
    refuses("--model", "k3s-size");
    refuses("no such file: nowhere.gguf", "k3s-size", "--model", "nowhere.gguf");
    refuses("--streams is 0; allowed: 1 to 4096", "k3s-size", "--model", EMBEDDED.toString(), "--streams", "0");
    refuses("--threads is 0; allowed: 1 to 1024", "k3s-size", "--model", EMBEDDED.toString(), "--threads", "0");
    refuses("invalid GGUF: ", "k3s-size", "--model", Files.writeString(folder.resolve("text.gguf"), "this is no model").toString());
  }

  @Test
  void aPromptTooLongForTheMemoryIsRefused() throws Exception {
    Outcome outcome = nibble("run", "--kv-memory", "400K", "lamp ".repeat(100));
    assertThat(outcome.status()).isEqualTo(2);
    assertThat(outcome.err()).startsWith("nibble: The memory for keys and values holds 64 tokens, and prompt (").contains("raise --kv-memory").hasLineCount(1);
    assertThat(nibble("run", "--kv-memory", "400K", "--temp", "0", "--max-tokens", "100000", "Once").status()).as("cut to what fits").isZero();
  }

  @Test
  void damagedFilesAreNamedWithTheirByte() throws Exception {
    byte[] bytes = Files.readAllBytes(EMBEDDED);
    Path cut = Files.write(folder.resolve("cut.gguf"), java.util.Arrays.copyOf(bytes, 1000));
    refuses("invalid GGUF: ", "run", "--model", cut.toString(), "x");
    Outcome outcome = nibble("inspect", cut.toString());
    assertThat(outcome.err()).matches("nibble: invalid GGUF: .+ at byte \\d+ of " + Pattern.quote(cut.toString()) + "\n");
    refuses("invalid GGUF: ", "run", "--model", Files.writeString(folder.resolve("text.gguf"), "this is no model").toString(), "x");
  }

  @Test
  void runningWithoutVectorsIsSaid() throws Exception {
    List<String> withVectors = program();
    Assumptions.assumeTrue(withVectors.contains(OPTIONS), "skipped: an executable has its vectors built in");
    List<String> command = new ArrayList<>(withVectors);
    command.set(command.indexOf(OPTIONS), OPTIONS_WITHOUT_VECTORS);
    Outcome outcome = run("", command, "run", "--temp", "0", "--max-tokens", "3", "Once");
    assertThat(outcome.status()).isZero();
    assertThat(outcome.err()).startsWith("nibble: matrix products run without vectors").contains("--add-modules jdk.incubator.vector").hasLineCount(1);
  }

  @Test
  void inspectTellsWhatTheEmbeddedModelIs() throws Exception {
    Outcome outcome = nibble("inspect", EMBEDDED.toString());
    assertThat(outcome.status()).isZero();
    assertThat(outcome.out()).contains("architecture     llama", "3,672,320", "1024 tokens", "2048 tokens", "blk.3.attn_v.weight");
    JsonNode report = new ObjectMapper().readTree(nibble("inspect", "--json", EMBEDDED.toString()).out());
    assertThat(report.path("parameters").asLong()).isEqualTo(3_672_320);
    assertThat(report.path("bits_per_weight").asDouble()).isBetween(4.5, 4.6);
  }

  /** Whether a model can hold conversations, and what of its file is not followed, is told before anybody asks it. */
  @Test
  void modelsThatCanNotChatSaySo() throws Exception {
    assertThat(nibble("inspect", EMBEDDED.toString()).out()).containsPattern("(?m)^chat {13}yes$");
    Path file = new HomeFile().specialTokensTyped(4).with(HomeFile.TEMPLATE, GgufValue.text("{% for m in messages %}\n{{ m.content | shout }}{% endfor %}"))
        .write(folder.resolve("shout.gguf"));
    String why = "its chat template can't be used: line 2, column 16: No filter named 'shout'.";
    assertThat(nibble("inspect", file.toString()).out()).containsPattern("(?m)^chat {13}no: " + Pattern.quote(why) + "$");
    assertThat(new ObjectMapper().readTree(nibble("inspect", "--json", file.toString()).out()).path("chat").asText()).isEqualTo("no: " + why);
    Outcome doctor = nibble("doctor", "--model", file.toString());
    assertThat(doctor.out()).containsPattern("(?m)^ok +kernels +(VECTOR_\\d+|SCALAR) \\(not ").contains("chat         not possible with this model: " + why)
        .contains("vocabulary   Token 2044 (<|end|>) has type 4 in the model's file; it is used as a control token, since the metadata name it as BOS or EOS.");
    refuses("the model can't answer conversations: " + why + "; leave --chat out to continue text", "run", "--model", file.toString(), "--chat", "hi");
    assertThat(nibble("run", "--model", file.toString(), "--max-tokens", "3", "Once").status()).isZero();
  }

  /** The base's Deployment asks for what the embedded model needs. */
  @Test
  void k3sSizePrintsThePatchOfTheBase() throws Exception {
    Outcome outcome = nibble("k3s-size", "--model", EMBEDDED.toString());
    assertThat(outcome.err()).isEmpty();
    assertThat(outcome.status()).isZero();
    List<String> patch = outcome.out().lines().map(String::strip).toList();
    List<String> sizes = patch.subList(patch.indexOf("resources:"), patch.size());
    assertThat(sizes).hasSize(7);
    assertThat(Files.readString(Path.of("k3s/base/workload.yaml")).lines().map(String::strip).toList()).containsSubsequence(sizes);
    assertThat(nibble("k3s-size", "--model", EMBEDDED.toString(), "--streams", "64", "--threads", "4").out())
        .contains("value: \"4\"", "cpu: \"4\"", "cpu: \"5\"", "64 × 1024 tokens").doesNotContain(sizes.get(3));
  }

  /** The embedded model is what {@code quantize} makes of the published weights, byte for byte. */
  @Test
  void theEmbeddedModelCanBeMadeAgain() throws Exception {
    Path home = SharedFixtures.require("models/home");
    Path made = folder.resolve("home.gguf");
    Outcome outcome = nibble("quantize", "--in", home.toString(), "--out", made.toString(), "--scheme", "q4_0");
    assertThat(outcome.status()).as(outcome.err()).isZero();
    assertThat(made).hasSameBinaryContentAs(EMBEDDED);
    assertThat(Files.size(made)).isLessThan(3_000_000);
  }

  @Test
  void storiesContinueAsTheirReference() throws Exception {
    Path made = folder.resolve("stories260K.gguf");
    Path checkpoint = SharedFixtures.require(STORIES.resolve("stories260K.bin").toString());
    assertThat(nibble("quantize", "--in", checkpoint.toString(), "--out", made.toString(), "--scheme", "f32").status()).isZero();
    JsonNode cases = new ObjectMapper().readTree(SharedFixtures.require(STORIES.resolve("reference.json").toString()).toFile()).path("cases");
    int compared = 0;
    for (JsonNode each : cases) {
      String prompt = each.path("prompt").asText();
      int produced = each.path("greedy_ids").size() - each.path("prompt_ids").size();
      if (!prompt.isEmpty()) {
        Outcome outcome = nibble("run", "--temp", "0", "--max-tokens", Integer.toString(produced), "--model", made.toString(), prompt);
        assertThat(outcome.err()).isEmpty();
        assertThat(outcome.out()).isEqualTo(each.path("greedy_text").asText() + "\n");
        compared++;
      }
    }
    assertThat(compared).isPositive();
  }

  @Test
  void theSameSeedGivesTheSameStory() throws Exception {
    String[] arguments = {"run", "--seed", "7", "--max-tokens", "30", "Once upon a time"};
    Outcome first = nibble(arguments);
    assertThat(first.status()).isZero();
    assertThat(first.out()).startsWith("Once upon a time").hasSizeGreaterThan(40);
    assertThat(nibble(arguments)).isEqualTo(first);
    arguments[2] = "8";
    assertThat(nibble(arguments)).isNotEqualTo(first);
  }

  @Test
  void aConversationAnswersLineByLine() throws Exception {
    Outcome outcome = nibbleReading("lock the front door\n", "run", "--chat", "--temp", "0", "dim the kitchen light to 30 percent");
    assertThat(outcome.err()).isEmpty();
    assertThat(outcome.out().lines().toList().getFirst()).isEqualTo("{\"device\":\"light\",\"room\":\"kitchen\",\"action\":\"dim\",\"value\":30}");
    assertThat(outcome.out().lines()).hasSize(2);
  }

  @Test
  void promptsTooLongForTheContextAreRefused() throws Exception {
    Outcome outcome = nibble("run", "story ".repeat(2000));
    assertThat(outcome.status()).isEqualTo(2);
    assertThat(outcome.err()).startsWith("nibble: ").contains("1024").hasLineCount(1);
  }

  @Test
  void evalMeasuresPerplexity() throws Exception {
    Path text = folder.resolve("text.txt");
    Files.writeString(text, "Once upon a time, there was a little girl who liked to play. ".repeat(40));
    Outcome outcome = nibble("eval", "ppl", "--text", text.toString(), "--window", "64", "--tokens", "200", "--threads", "1", "--json");
    assertThat(outcome.status()).as(outcome.err()).isZero();
    assertThat(outcome.out().lines()).hasSize(1);
    JsonNode measured = new ObjectMapper().readTree(outcome.out());
    assertThat(measured.path("tokens").asInt()).isEqualTo(200);
    assertThat(measured.path("predictions").asInt()).isEqualTo(3 * 31);
    assertThat(measured.path("perplexity").asDouble()).isBetween(1.0, 100.0);
    assertThat(nibble("eval", "ppl", "--text", text.toString(), "--window", "64").out()).startsWith("perplexity ").contains(" predictions, windows of 64; ");
    refuses("name what to measure: ppl", "eval");
    refuses("the window is 0 tokens; allowed with this model: 4 to 1024", "eval", "ppl", "--text", text.toString(), "--window", "0");
    refuses("fewer than a window of 512", "eval", "ppl", "--text", Files.writeString(folder.resolve("short.txt"), "Once.").toString());
    refuses("is not UTF-8", "eval", "ppl", "--text", Files.write(folder.resolve("latin.txt"), new byte[] {(byte) 0xe9, 'x'}).toString());
    refuses("no such file", "eval", "ppl", "--text", "nowhere.txt");
    refuses("--tokens is 0; allowed: 1 or more", "eval", "ppl", "--text", text.toString(), "--tokens", "0");
  }

  @Test
  void benchMeasuresInOneLine() throws Exception {
    Outcome outcome = nibble("bench", "--prompt", "32", "--gen", "8", "--threads", "1", "--json");
    assertThat(outcome.status()).isZero();
    assertThat(outcome.out().lines()).hasSize(1);
    JsonNode result = new ObjectMapper().readTree(outcome.out());
    for (String number : List.of("load_seconds", "prefill_tokens_per_second", "decode_tokens_per_second", "time_to_first_token_seconds", "rss_bytes")) {
      assertThat(result.path(number).asDouble()).as(number).isPositive();
    }
    for (String number : List.of("bytes_per_token", "memory_bandwidth_bytes_per_second", "roofline_fraction")) {
      assertThat(result.path(number).asDouble()).as(number).isPositive();
    }
    // Every weight of the embedded model at 4.5 bits, but for the padding of tiles and the few that are vectors.
    assertThat(result.path("bytes_per_token").asLong()).isBetween(3_672_320L * 9 / 16, 2_400_000L);
    assertThat(result.path("threads").asInt()).isEqualTo(1);
    assertThat(result.path("kernels").asText()).contains("Q4_0");
    assertThat(result.has("vector_bits")).isTrue();
    // Energy, or why none; whatever this machine has.
    for (String number : List.of("energy_joules", "prefill_joules_per_token", "decode_joules_per_token")) {
      assertThat(result.has(number)).as(number).isTrue();
      assertThat(result.get(number).isNull()).as(number).isEqualTo(result.get("energy_source").isNull());
    }
    assertThat(result.path("energy_why_none").asText().isEmpty()).isEqualTo(!result.get("energy_source").isNull());
  }

  /** One number for all logits of a run that goes beyond three pages of the cache, while decoding. */
  private static String digest(List<String> program, int threads, int steps) throws IOException, InterruptedException {
    Outcome outcome = run("", program, "bench", "--digest", "--prompt", "180", "--gen", Integer.toString(steps), "--threads", Integer.toString(threads));
    assertThat(outcome.status()).as(outcome.err()).isZero();
    assertThat(outcome.out()).matches("[0-9a-f]{64}\n");
    return outcome.out().strip();
  }

  @Test
  void logitsAreTheSameBitsHoweverTheyAreComputed() throws Exception {
    String expected = digest(program(), 1, 16);
    assertThat(digest(program(), 2, 16)).as("2 threads").isEqualTo(expected);
    assertThat(digest(program(), 3, 16)).as("3 threads").isEqualTo(expected);
    // In CliIT this is a JVM beside the native executable.
    List<String> plain = new ArrayList<>(virtualMachine());
    assertThat(digest(plain, 2, 16)).as("JVM").isEqualTo(expected);
    plain.set(plain.indexOf(OPTIONS), OPTIONS_WITHOUT_VECTORS);
    assertThat(digest(plain, 2, 16)).as("JVM, plain loops").isEqualTo(expected);
    assertThat(digest(program(), 2, 15)).as("another run").isNotEqualTo(expected);
  }

  @Test
  void theDigestIsAFieldOfJsonToo() throws Exception {
    Outcome outcome = nibble("bench", "--digest", "--prompt", "4", "--gen", "2", "--json");
    assertThat(outcome.out().lines()).hasSize(1);
    JsonNode result = new ObjectMapper().readTree(outcome.out());
    assertThat(result.path("logits_sha256").asText()).matches("[0-9a-f]{64}");
    assertThat(result.path("prompt_tokens").asInt()).isEqualTo(4);
    assertThat(result.path("generated_tokens").asInt()).isEqualTo(2);
  }
}
