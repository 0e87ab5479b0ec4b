package dev.nibble.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.nibble.SharedFixtures;
import dev.nibble.SparseFiles;
import dev.nibble.format.gguf.GgufFile;
import dev.nibble.format.gguf.GgufMetadata;
import dev.nibble.format.gguf.GgufTensor;
import dev.nibble.format.gguf.GgufValue;
import dev.nibble.format.gguf.GgufWriter;
import dev.nibble.tensor.TensorFormat;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.FileTime;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;

/** Files that are large, hostile, no files, or changed under the program, as a user meets them. {@link FilesCliIT} runs the same against the native executable. */
class FilesCliTest extends CliProcess {
  private static final String[] STORY = {"run", "--temp", "0", "--max-tokens", "20", "Once upon a time"};
  /** What a terminal would take for commands, and a log for lines. */
  private static final String HOSTILE = "\u001b[2J\r\nINFO forged\u009b31m\u202e";

  private List<String> names() throws IOException {
    try (var files = Files.list(folder)) {
      return files.map(file -> file.getFileName().toString()).sorted().toList();
    }
  }

  private static void assertHarmless(Outcome outcome) {
    assertThat(outcome.out() + outcome.err()).doesNotContain("\u001b").doesNotContain("\r").doesNotContain("\u009b").doesNotContain("\u202e");
    assertThat((outcome.out() + outcome.err()).lines()).noneMatch(line -> line.startsWith("INFO forged"));
  }

  /** The embedded model with some metadata added or changed. */
  private Path changed(String name, List<String> keys, List<GgufValue> values) throws IOException {
    Path path = folder.resolve(name);
    try (GgufFile home = GgufFile.open(EMBEDDED)) {
      GgufMetadata metadata = home.metadata();
      GgufWriter writer = new GgufWriter();
      metadata.keys().forEach(key -> writer.metadata(key, metadata.find(key).orElseThrow()));
      for (int i = 0; i < keys.size(); i++) {
        writer.metadata(keys.get(i), values.get(i));
      }
      for (GgufTensor tensor : home.tensors()) {
        byte[] bytes = new byte[(int) tensor.bytes()];
        home.source(tensor).read(0, bytes, bytes.length);
        writer.tensor(tensor.name(), tensor.shape().stream().mapToLong(Long::longValue).toArray(), tensor.type(),
            channel -> channel.write(ByteBuffer.wrap(bytes)));
      }
      writer.write(path);
    }
    return path;
  }

  @Test
  void filesBeyondAnIntAreInspected() throws Exception {
    for (long hole : new long[] {(2L << 30) - (1 << 20), 5L << 30, 70L << 30}) {
      Path path = SparseFiles.gguf(folder.resolve("large.gguf"), hole);
      Outcome outcome = nibble("inspect", "--json", path.toString());
      assertThat(outcome.err()).isEmpty();
      JsonNode report = new ObjectMapper().readTree(outcome.out());
      assertThat(report.path("bytes").asLong()).isEqualTo(Files.size(path)).isGreaterThan(hole);
      assertThat(report.at("/tensors/1/name").asText()).isEqualTo("after");
      assertThat(report.at("/tensors/1/offset").asLong()).isGreaterThan(hole);
      assertThat(nibble("inspect", path.toString()).out()).contains(Files.size(path) + " bytes", "16 × 32", "at " + report.at("/tensors/1/offset").asLong());
      Files.delete(path);
    }
    // What a user saw first: a model that became larger than 2 GiB by what follows its tensors.
    Path padded = Files.copy(EMBEDDED, folder.resolve("padded.gguf"));
    SparseFiles.extend(padded, 2147483640L);
    assertThat(nibble(with(STORY, "--model", padded.toString()))).isEqualTo(nibble(STORY));
  }

  /** The text is a hole of the file: what it takes is up to the program. */
  @Test
  void aTextOf700MegabytesIsToldOfWithoutBeingKept() throws Exception {
    ByteBuffer beginning = ByteBuffer.allocate(4096).order(ByteOrder.LITTLE_ENDIAN);
    beginning.put("GGUF".getBytes(StandardCharsets.US_ASCII)).putInt(3).putLong(0).putLong(2);
    beginning.putLong(6).put("a.long".getBytes(StandardCharsets.US_ASCII)).putInt(8).putLong(700_000_000).put("Begin".getBytes(StandardCharsets.US_ASCII));
    ByteBuffer end = ByteBuffer.allocate(64).order(ByteOrder.LITTLE_ENDIAN);
    end.putLong(20).put("general.architecture".getBytes(StandardCharsets.US_ASCII)).putInt(8).putLong(4).put("none".getBytes(StandardCharsets.US_ASCII));
    Path path = SparseFiles.write(folder.resolve("long.gguf"), beginning.flip(), beginning.limit() - 5 + 700_000_000L,
        java.util.Arrays.copyOf(end.array(), end.position()));
    Outcome outcome = run(programOfLittleHeap(), "inspect", path.toString());
    assertThat(outcome.err()).isEmpty();
    assertThat(outcome.out()).contains("\"Begin\\u0000", "…\" (700000000 bytes)", "none").hasSizeLessThan(2000);
    JsonNode report = new ObjectMapper().readTree(run(programOfLittleHeap(), "inspect", "--json", path.toString()).out());
    assertThat(report.at("/metadata/a.long/bytes").asLong()).isEqualTo(700_000_000);
  }

  @Test
  void textsOfFilesAreShownAsText() throws Exception {
    Path model = changed("m" + HOSTILE.replace("\u202e", "") + ".gguf", List.of("general.name", "evil" + HOSTILE, "general.description"),
        List.of(GgufValue.text("name" + HOSTILE), GgufValue.text("value" + HOSTILE), GgufValue.text("x".repeat(100_000))));
    Outcome inspected = nibble("inspect", model.toString());
    assertHarmless(inspected);
    assertThat(inspected.out()).contains("name\\u001b[2J\\r\\nINFO forged\\u009b31m\\u202e", "evil\\u001b[2J", "…");
    assertThat(inspected.out().lines().mapToInt(String::length).max().orElseThrow()).isLessThan(500);
    Outcome json = nibble("inspect", "--json", model.toString());
    assertHarmless(json);
    assertThat(new ObjectMapper().readTree(json.out()).path("name").asText()).isEqualTo("name" + HOSTILE);
    for (String command : List.of("doctor", "k3s-size")) {
      Outcome outcome = nibble(command, "--model", model.toString());
      assertHarmless(outcome);
      assertThat(outcome.out()).contains("m\\u001b[2J\\r\\nINFO forged");
    }
    Path unknown = changed("unknown.gguf", List.of("general.architecture"), List.of(GgufValue.text("arch" + HOSTILE)));
    for (String command : List.of("run", "k3s-size", "bench")) {
      assertHarmless(refuses("arch\\u001b[2J\\r\\nINFO forged", command.equals("run") ? new String[] {"run", "--model", unknown.toString(), "x"}
          : new String[] {command, "--model", unknown.toString()}));
    }
    assertHarmless(refuses("no such file: x\\u001b[2J\\r\\nINFO forged", "inspect", "x" + HOSTILE));
  }

  /** The answer is a token that clears the screen. */
  @Test
  void generatedTextBeginsNoCommandOfATerminal() throws Exception {
    List<String> tokens = new ArrayList<>();
    try (GgufFile home = GgufFile.open(EMBEDDED)) {
      tokens.addAll(home.metadata().strings("tokenizer.ggml.tokens").orElseThrow());
    }
    int said = tokens.indexOf("Hello");
    tokens.set(said, "\u011b[2J"); // GPT-2's alphabet writes the byte 1b so
    List<String> merges = new ArrayList<>();
    try (GgufFile home = GgufFile.open(EMBEDDED)) {
      home.metadata().strings("tokenizer.ggml.merges").orElseThrow().stream().filter(merge -> !merge.replace(" ", "").equals("Hello")).forEach(merges::add);
    }
    Path model = changed("clear.gguf", List.of("tokenizer.ggml.tokens", "tokenizer.ggml.merges"), List.of(GgufValue.texts(tokens), GgufValue.texts(merges)));
    Outcome piped = nibble("run", "--chat", "--temp", "0", "--model", model.toString(), "hello");
    assertThat(piped.out()).as("who reads a pipe gets the model's text").startsWith("\u001b[2J!");
    Assumptions.assumeTrue(Files.isExecutable(Path.of("/usr/bin/script")), "skipped: no script(1), which gives a program a terminal");
    List<String> words = new ArrayList<>(program());
    words.addAll(List.of("run", "--chat", "--temp", "0", "--model", model.toString(), "hello"));
    String line = String.join(" ", words.stream().map(word -> "'" + word + "'").toList());
    Outcome shown = run(List.of("/usr/bin/script", "-qec", line, "/dev/null"));
    assertThat(shown.out()).contains("\\u001b[2J!").doesNotContain("\u001b[2J");
  }

  @Test
  void whatIsNoRegularFileIsRefusedAtOnce() throws Exception {
    Path pipe = folder.resolve("pipe");
    Assumptions.assumeTrue(new ProcessBuilder("mkfifo", pipe.toString()).start().waitFor() == 0, "skipped: no pipes can be made here");
    String out = folder.resolve("out").toString();
    refuses("pipe is a pipe, not a regular file", "inspect", pipe.toString());
    refuses("/dev/zero is a device, not a regular file", "inspect", "/dev/zero");
    refuses(folder + " is a directory, not a regular file", "run", "--model", folder.toString(), "x");
    refuses("pipe is a pipe, not a regular file", "pack", pipe.toString(), out);
    refuses("pipe is a pipe, not a regular file", "quantize", "--in", pipe.toString(), "--out", out, "--scheme", "q4_0");
    refuses("/dev/null is not a regular file", "quantize", "--in", EMBEDDED.toString(), "--out", "/dev/null", "--scheme", "q4_0");
    refuses("pipe is a pipe, not a regular file", "k3s-size", "--model", pipe.toString());
    refuses("pipe is a pipe, not a regular file", "serve", "--model", pipe.toString());
    refuses("pipe is a pipe, not a regular file", "serve", "--keys-file", pipe.toString());
    refuses("/dev/zero is a device, not a regular file", "serve", "--keys-file", "/dev/zero");
    for (String special : List.of(pipe.toString(), "/dev/zero")) {
      for (String[] pair : new String[][] {{"quarkus.http.ssl.certificate.files", "quarkus.http.ssl.certificate.key-files"},
          {"quarkus.grpc.server.ssl.certificate", "quarkus.grpc.server.ssl.key"}, {"quarkus.tls.key-store.pem.0.cert", "quarkus.tls.key-store.pem.0.key"}}) {
        refuses(pair[0] + ": " + special + " is no regular file", "serve", "-D" + pair[0] + "=" + special, "-D" + pair[1] + "=" + special);
      }
      refuses("quarkus.grpc.server.ssl.key-store: " + special + " is no regular file", "serve", "-Dquarkus.grpc.server.ssl.key-store=" + special);
      refuses("nibble.offload.tls.trust: " + special + " is no regular file", "serve", "-Dnibble.offload.tls.trust=" + special);
      refuses("nibble.offload.key-file is \"" + special + "\"; allowed: a file that can be read, of one key", "serve", "-Dnibble.offload.key-file=" + special);
      refuses("not a regular file", "health", "--trust", special);
    }
    refuses("pipe is a pipe, not a regular file", "run", "--pack-cache", folder.toString(), "--model", pipe.toString(), "x");
    Path model = Files.createDirectory(folder.resolve("hf"));
    Files.copy(SharedFixtures.require("models/home/config.json"), model.resolve("config.json"));
    Files.copy(SharedFixtures.require("models/home/model.safetensors"), model.resolve("model.safetensors"));
    Files.move(pipe, model.resolve("tokenizer.json"));
    refuses("tokenizer.json is a pipe, not a regular file", "quantize", "--in", model.toString(), "--out", out, "--scheme", "q4_0");
    assertThat(names()).containsExactly("hf");
  }

  /** A whole file of such a size would be read into memory. */
  @Test
  void keysAndCertificatesAreSmall() throws Exception {
    String large = folder.resolve("large.pem").toString();
    Files.createFile(Path.of(large));
    SparseFiles.extend(Path.of(large), 5L << 30);
    String tooLarge = large + " is larger than 1048576 bytes";
    refuses("quarkus.http.ssl.certificate.files: " + tooLarge, "serve", "-Dquarkus.http.ssl.certificate.files=" + large, "-Dquarkus.http.ssl.certificate.key-files=" + large);
    refuses("quarkus.grpc.server.ssl.certificate: " + tooLarge, "serve", "-Dquarkus.grpc.server.ssl.certificate=" + large, "-Dquarkus.grpc.server.ssl.key=" + large);
    refuses("quarkus.tls.trust-store.pem.certs: " + tooLarge, "serve", "-Dquarkus.tls.trust-store.pem.certs=" + large);
    refuses("nibble.auth.keys-file: " + tooLarge, "serve", "--keys-file", large);
    refuses(tooLarge, "health", "--trust", large);
  }

  @Test
  void whatCantBeWrittenToStandardOutputIsAFailure() throws Exception {
    Assumptions.assumeTrue(Files.exists(Path.of("/dev/full")), "skipped: there is no /dev/full here");
    Path text = Files.writeString(folder.resolve("text"), "Once upon a time there was a little girl. ".repeat(60));
    String pack = folder.resolve("x.nib").toString();
    for (String[] arguments : new String[][] {{"--help"}, {"inspect", EMBEDDED.toString()}, {"inspect", "--json", EMBEDDED.toString()}, STORY,
        {"k3s-size", "--model", EMBEDDED.toString()}, {"pack", EMBEDDED.toString(), pack}, {"inspect", "--verify", pack}, {"keys", "new", "--name", "a"}, {"doctor"},
        {"eval", "ppl", "--text", text.toString(), "--window", "64"}, {"bench", "--json", "--prompt", "8", "--gen", "2"}}) {
      assertThat(shell("exec \"$@\" > /dev/full", arguments)).as(arguments[0]).isEqualTo(new Outcome(1, "", "nibble: standard output can't be written: No space left on device\n"));
      // Nobody reads: that is how whoever has seen enough ends a command.
      assertThat(shell("{ sleep 0.2; \"$@\"; echo $? >&2; } | true", arguments[0].equals("pack") ? new String[] {"pack", "--force", arguments[1], pack} : arguments)).as(arguments[0])
          .isEqualTo(new Outcome(0, "", "0\n"));
    }
  }

  /** Nobody could know such a key. */
  @Test
  void aKeyThatCantBeShownIsNotAdded() throws Exception {
    Assumptions.assumeTrue(Files.exists(Path.of("/dev/full")), "skipped: there is no /dev/full here");
    Path file = folder.resolve("keys");
    String[] words = {"keys", "new", "--name", "a", "--file", file.toString()};
    Outcome lost = new Outcome(1, "", "nibble: " + file + " can't be changed, and is as before: the key can't be written to standard output\n");
    assertThat(shell("exec \"$@\" > /dev/full", words)).isEqualTo(lost);
    assertThat(names()).isEmpty();
    assertThat(nibble("keys", "new", "--name", "b", "--file", file.toString()).status()).isZero();
    String before = Files.readString(file);
    assertThat(shell("exec \"$@\" > /dev/full", words)).isEqualTo(lost);
    assertThat(shell("{ sleep 0.2; \"$@\"; echo $? >&2; } | true", words).err()).isEqualTo(lost.err() + "1\n");
    assertThat(file).hasContent(before);
    assertThat(nibble(words).status()).isZero();
  }

  @Test
  void quantizeReplacesNothingUnasked() throws Exception {
    String good = Files.readString(SharedFixtures.require("models/home/tokenizer.json"));
    Path model = huggingFace("hf", good);
    String out = model.resolve("model.gguf").toString();
    String[] arguments = {"quantize", "--in", model.toString(), "--scheme", "q4_0"};
    assertThat(nibble(with(arguments, "--out", out)).status()).isZero();
    Path precious = Files.writeString(folder.resolve("precious"), "mine");
    Path link = Files.createSymbolicLink(folder.resolve("link"), model.resolve("config.json"));
    for (String force : List.of("", "--force")) {
      for (String name : List.of("config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors")) {
        Path part = model.resolve(name);
        byte[] before = Files.readAllBytes(part);
        refuses(part + " is part of the model in " + model + "; name another file", with(arguments, ("--out " + part + " " + force).strip().split(" ")));
        assertThat(part).hasBinaryContent(before);
      }
      refuses(link + " is part of the model in " + model, with(arguments, ("--out " + link + " " + force).strip().split(" ")));
      refuses(model + " is not a regular file", with(arguments, ("--out " + model + " " + force).strip().split(" ")));
      refuses(folder + " is not a regular file", with(arguments, ("--out " + folder + " " + force).strip().split(" ")));
    }
    refuses(out + " exists; --force replaces it", with(arguments, "--out", out));
    refuses(precious + " exists; --force replaces it", with(arguments, "--out", precious.toString()));
    assertThat(precious).hasContent("mine");
    assertThat(nibble(with(arguments, "--force", "--out", out)).status()).isZero();
    assertThat(nibble(with(arguments, "--force", "--out", precious.toString())).status()).isZero();
    assertThat(precious).hasSameBinaryContentAs(Path.of(out));
  }

  @Test
  void absurdNumbersAreNamed() throws Exception {
    String wide = changed("wide.gguf", List.of("llama.embedding_length"), List.of(GgufValue.uint32(1 << 24))).toString();
    for (String[] arguments : new String[][] {{"run", "--model", wide, "x"}, {"k3s-size", "--model", wide}, {"pack", wide, folder.resolve("x.nib").toString()}}) {
      refuses("metadata llama.embedding_length of " + wide + " is 16777216; allowed: 1 to ", arguments);
    }
    assertThat(names()).containsExactly("wide.gguf");
  }

  private Path huggingFace(String name, String tokenizer) throws IOException {
    Path model = Files.createDirectory(folder.resolve(name));
    for (String file : List.of("config.json", "model.safetensors", "tokenizer_config.json")) {
      Files.copy(SharedFixtures.require("models/home/" + file), model.resolve(file));
    }
    Files.writeString(model.resolve("tokenizer.json"), tokenizer);
    return model;
  }

  @Test
  void quantizeGivesAFileThatRunsOrNone() throws Exception {
    String out = folder.resolve("out.gguf").toString();
    ObjectMapper json = new ObjectMapper();
    String good = Files.readString(SharedFixtures.require("models/home/tokenizer.json"));
    ObjectNode far = (ObjectNode) json.readTree(good);
    ((ObjectNode) far.at("/added_tokens/0")).put("id", 16_777_216);
    Outcome refused = refused("with id 16777216; the model's ids are 0 to ", run(programOfLittleHeap(), "quantize", "--in", huggingFace("far", far.toString()).toString(),
        "--out", out, "--scheme", "q4_0"));
    assertThat(refused.err()).contains("tokenizer.json");
    ObjectNode unmergeable = (ObjectNode) json.readTree(good);
    ((ObjectNode) unmergeable.path("model")).putArray("merges").add("neither nor").add("x");
    refuses("merge", "quantize", "--in", huggingFace("unmergeable", unmergeable.toString()).toString(), "--out", out, "--scheme", "q4_0");
    assertThat(names()).containsExactly("far", "unmergeable");
  }

  @Test
  void twoAtOnceLeaveOneWholeFile() throws Exception {
    Path home = SharedFixtures.require("models/home");
    String out = folder.resolve("out.gguf").toString();
    List<Process> processes = new ArrayList<>();
    for (String scheme : List.of("q4_0", "f32", "q8_0")) {
      processes.add(start(program(), "quantize", "--in", home.toString(), "--out", out, "--scheme", scheme, "--force"));
    }
    for (Process process : processes) {
      Outcome outcome = await(process);
      assertThat(outcome.err()).isEmpty();
      assertThat(outcome.status()).isZero();
    }
    assertThat(names()).containsExactly("out.gguf");
    assertThat(nibble(with(STORY, "--model", out)).out()).startsWith("Once upon a time");
    Path packs = folder.resolve("packs");
    processes.clear();
    for (int i = 0; i < 2; i++) {
      processes.add(start(program(), with(STORY, "--model", out, "--pack-cache", packs.toString())));
    }
    Outcome first = await(processes.get(0));
    assertThat(first.status()).isZero();
    assertThat(await(processes.get(1)).out()).isEqualTo(first.out());
    try (var files = Files.list(packs)) {
      assertThat(files.map(file -> file.toString().replaceAll(".*\\.nib", ""))).containsExactlyInAnyOrder("", ".source");
    }
  }

  @Test
  void aFullDiskLeavesNothing() throws Exception {
    Path home = SharedFixtures.require("models/home");
    Path out = folder.resolve("x.gguf");
    Outcome outcome = shell("trap '' XFSZ; ulimit -f 1000; exec \"$@\"", "quantize", "--in", home.toString(), "--out", out.toString(), "--scheme", "q4_0");
    refused(out + " can't be written: ", outcome);
    assertThat(names()).isEmpty();
    Path disk = Files.createDirectory(folder.resolve("disk"));
    Assumptions.assumeTrue(new ProcessBuilder("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk.toString()).start().waitFor() == 0,
        "skipped: no file system can be mounted here");
    try {
      refuses(disk.resolve("x.gguf") + " can't be written: No space left on device", "quantize", "--in", home.toString(), "--out", disk.resolve("x.gguf").toString(), "--scheme", "q4_0");
      refuses(disk.resolve("x.nib") + " can't be written: No space left on device", "pack", EMBEDDED.toString(), disk.resolve("x.nib").toString());
      Outcome uncached = nibble(with(STORY, "--model", EMBEDDED.toString(), "--pack-cache", disk.toString()));
      assertThat(uncached.err()).startsWith("nibble: No pack is kept: ").contains("No space left on device").hasLineCount(1);
      assertThat(uncached.status()).isZero();
      assertThat(disk).isEmptyDirectory();
    } finally {
      assertThat(new ProcessBuilder("umount", disk.toString()).start().waitFor()).isZero();
    }
  }

  @Test
  void whatKilledPackersLeftIsSweptByTheNextStart() throws Exception {
    Path model = PackCliTest.large(folder.resolve("large.gguf"));
    Path packs = Files.createDirectory(folder.resolve("packs"));
    String[] run = {"run", "--temp", "0", "--max-tokens", "1", "--model", model.toString(), "--pack-cache", packs.toString(), "x"};
    List<Path> left = List.of();
    for (int i = 0; i < 2; i++) {
      Process process = start(program(), run);
      List<Path> before = left;
      long end = System.nanoTime() + 120_000_000_000L;
      while (process.isAlive() && (parts(packs).isEmpty() || parts(packs).equals(before))) {
        assertThat(System.nanoTime() - end).as("hangs").isNegative();
        Thread.sleep(5);
      }
      process.destroyForcibly().waitFor();
      left = parts(packs);
      Assumptions.assumeFalse(left.isEmpty(), "skipped: packed before it could be killed");
      assertThat(left).as("what the one before left is gone").hasSize(1).isNotEqualTo(before);
    }
    Outcome outcome = nibble(run);
    assertThat(outcome.status()).isZero();
    assertThat(outcome.err()).contains("Removed 1 file that packing left in " + packs + " when it was killed");
    assertThat(parts(packs)).isEmpty();
  }

  private static List<Path> parts(Path folder) throws IOException {
    try (var files = Files.list(folder)) {
      return files.filter(file -> file.toString().endsWith(".part")).toList();
    }
  }

  /** As package stores, ostree and layers of containers do: another model under the name, of the same size, with the time that all files have there. */
  @Test
  void aReplacedModelOfTheSameSizeAndTimeIsServed() throws Exception {
    Path packs = folder.resolve("packs");
    Path model = Files.copy(EMBEDDED, folder.resolve("model.gguf"));
    Files.setLastModifiedTime(model, FileTime.fromMillis(1000));
    String[] arguments = with(STORY, "--model", model.toString(), "--pack-cache", packs.toString());
    Outcome first = nibble(arguments);
    byte[] bytes = Files.readAllBytes(EMBEDDED);
    try (GgufFile file = GgufFile.open(EMBEDDED)) {
      for (GgufTensor tensor : file.tensors()) {
        for (long i = 0; tensor.type() == TensorFormat.Q4_0 && i < tensor.bytes(); i++) {
          bytes[(int) (tensor.offset() + i)] ^= (byte) (i % 18 < 2 ? 0 : 0x77); // nibbles, not scales
        }
      }
    }
    Path other = Files.write(folder.resolve("other.gguf"), bytes);
    Files.setLastModifiedTime(other, FileTime.fromMillis(1000));
    Files.move(other, model, StandardCopyOption.REPLACE_EXISTING);
    Outcome second = nibble(arguments);
    assertThat(second.err()).contains("has changed since it was packed");
    assertThat(second.out()).isNotEqualTo(first.out()).isEqualTo(nibble(with(STORY, "--model", model.toString())).out());
  }

  /** Exit codes of a program whose pack is cut short: a JVM can't always halt before the signal ends it. */
  List<Integer> endings() {
    return List.of(1, 128 + 7);
  }

  /** Copying another file over a pack takes its pages away while they are computed from. */
  @Test
  void aPackThatIsCutShortWhileItIsUsedEndsTheProcessWithOneLine() throws Exception {
    Path pack = folder.resolve("home.nib");
    assertThat(nibble("pack", EMBEDDED.toString(), pack.toString()).status()).isZero();
    assertThat(Files.getPosixFilePermissions(pack, LinkOption.NOFOLLOW_LINKS)).as("ordinary users' cp is refused").noneMatch(permission -> permission.name().endsWith("WRITE"));
    for (boolean busy : new boolean[] {true, false}) {
      Path served = Files.copy(pack, folder.resolve("served.nib"), StandardCopyOption.REPLACE_EXISTING);
      assertThat(served.toFile().setWritable(true)).isTrue();
      Process process = start(program(), "run", "--chat", "--temp", "0", "--max-tokens", "900", "--model", served.toString(), busy ? "tell me a story" : "hello");
      assertThat(process.getInputStream().read()).as("answers").isPositive();
      if (!busy) {
        while (process.getInputStream().read() != '\n') {
          // to the answer's end; then it waits for the next message
        }
      }
      SparseFiles.truncate(served, 100_000);
      Outcome outcome = await(process);
      assertThat(outcome.err()).startsWith("nibble: " + served + " was cut short").hasLineCount(1);
      assertThat(outcome.status()).isIn(endings());
    }
    Path replaced = Files.copy(pack, folder.resolve("replaced.nib"));
    Process process = start(program(), "run", "--chat", "--temp", "0", "--max-tokens", "900", "--model", replaced.toString(), "tell me a story");
    assertThat(process.getInputStream().read()).isPositive();
    Files.move(Files.copy(pack, folder.resolve("new.nib")), replaced, StandardCopyOption.REPLACE_EXISTING);
    process.getOutputStream().close();
    Outcome outcome = await(process);
    assertThat(outcome.err()).isEmpty();
    assertThat(outcome.status()).isZero();
  }
}
