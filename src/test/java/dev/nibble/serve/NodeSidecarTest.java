package dev.nibble.serve;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import dev.nibble.FreePort;
import io.quarkus.test.common.QuarkusTestResource;
import io.quarkus.test.common.QuarkusTestResourceLifecycleManager;
import io.quarkus.test.common.http.TestHTTPResource;
import io.quarkus.test.junit.QuarkusTest;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** A service with the sidecar of deploy/jetson beside it, llama.cpp on processor cores serving the same file. Skipped where that is not built. */
@QuarkusTest
@QuarkusTestResource(value = NodeSidecarTest.Beside.class, restrictToAnnotatedClass = true)
class NodeSidecarTest {
  private static final Path PROGRAM = Path.of("deploy/jetson/dist/main.js");
  private static final Path MODEL = Path.of("src/main/resources/models/nibble-home.gguf");
  private static final int KILLS = 50;
  private static final long SEED = 20261126;
  /** Below this difference of log-probabilities, other kernels may choose the other token (docs/offload.md). */
  private static final double CLOSE = 0.1;

  /** Runs the sidecar on one port; tests kill and restart it. */
  public static final class Beside implements QuarkusTestResourceLifecycleManager {
    private int port;
    private Process process;

    @Override
    public Map<String, String> start() {
      try {
        port = FreePort.get();
      } catch (IOException failure) {
        throw new UncheckedIOException(failure);
      }
      // What speaks llama.cpp is not exact, and may be slower here: requests of these tests say where they go.
      return Map.of("nibble.offload.targets", "localhost:" + port, "nibble.offload.policy", "off", "nibble.offload.probe-interval", "50ms");
    }

    void run() throws IOException {
      if (process != null && process.isAlive()) {
        return;
      }
      process = new ProcessBuilder("node", PROGRAM.toString(), "--model", MODEL.toString(), "--host", "127.0.0.1", "--port", Integer.toString(port), "--device", "cpu", "--threads", "1")
          .redirectErrorStream(true).redirectOutput(Path.of("target/node-sidecar.log").toFile()).start();
    }

    void kill() throws InterruptedException {
      process.destroyForcibly(); // SIGKILL
      process.waitFor(10, TimeUnit.SECONDS);
    }

    @Override
    public void stop() {
      if (process != null) {
        process.destroyForcibly();
      }
    }

    @Override
    public void inject(Object test) {
      ((NodeSidecarTest) test).beside = this;
    }
  }

  @TestHTTPResource("/")
  URI base;

  private Beside beside;
  private Api api;

  @BeforeEach
  void await() throws Exception {
    assumeTrue(Files.exists(PROGRAM), "the sidecar is not built: deploy/jetson/test.sh builds it");
    api = new Api(base);
    awaitReady();
  }

  private void awaitReady() throws IOException, InterruptedException {
    beside.run();
    Api.await("the sidecar is ready", () -> api.get("/q/health/ready").text().contains("\"localhost:" + beside.port + "\": \"ready"));
  }

  private static String body(String prompt, int tokens, String more) {
    return "{\"prompt\":\"" + prompt + "\",\"max_tokens\":" + tokens + ",\"temperature\":0,\"ignore_eos\":true" + more + "}";
  }

  private JsonNode complete(String prompt, String more) throws IOException, InterruptedException {
    Api.Reply reply = api.post("/v1/completions", body(prompt, 64, more));
    assertThat(reply.status()).as(reply.text()).isEqualTo(200);
    return reply.json();
  }

  private static List<String> tokens(JsonNode answer) {
    List<String> tokens = new ArrayList<>();
    answer.at("/choices/0/logprobs/tokens").forEach(token -> tokens.add(token.asText()));
    return tokens;
  }

  @Test
  void greedyTokensAreThoseOfTheGatewayWhereTheyAreNotClose() throws Exception {
    int equal = 0;
    int total = 0;
    for (String prompt : List.of("Once upon a time", "The little robot", "Lily and the garden", "One day, Tom", "The fan went on", "There was a big dog")) {
      JsonNode here = complete(prompt, ",\"logprobs\":2,\"offload\":\"off\"");
      JsonNode there = complete(prompt, ",\"logprobs\":0,\"offload\":\"require\"");
      assertThat(there.at("/timings/offload/accelerator_tokens").intValue()).isEqualTo(64);
      List<String> expected = tokens(here);
      List<String> actual = tokens(there);
      int place = 0;
      while (place < 64 && expected.get(place).equals(actual.get(place))) {
        place++;
      }
      total += 64;
      equal += place;
      if (place < 64) {
        // Behind a token that differs everything does: only that one's margin counts.
        List<Double> best = new ArrayList<>();
        here.at("/choices/0/logprobs/top_logprobs/" + place).forEach(value -> best.add(value.asDouble()));
        best.sort(java.util.Comparator.reverseOrder());
        assertThat(best.get(0) - best.get(1)).as("%s: token %d is \"%s\", not \"%s\"", prompt, place, actual.get(place), expected.get(place)).isLessThan(CLOSE);
      }
    }
    // Were they close all the time, the comparison would tell nothing.
    assertThat(equal).as("of %d", total).isGreaterThan(total / 2);
  }

  @Test
  @Timeout(value = 10, unit = TimeUnit.MINUTES)
  void whereverItIsKilledTheAnswerIsWhole() throws Exception {
    Random random = new Random(SEED);
    String prompt = "Once upon a time";
    int length = 300;
    int cutShort = 0;
    for (int run = 0; run < KILLS; run++) {
      awaitReady();
      // It works again; and an answer that it finishes ends the growth of the circuit breaker's rests.
      assertThat(complete(prompt, ",\"offload\":\"require\"").at("/timings/offload/accelerator_tokens").intValue()).isEqualTo(64);
      int killedAfter = 1 + random.nextInt(length - 100);
      var request = api.request("/v1/completions").header("Content-Type", "application/json")
          .POST(BodyPublishers.ofString(body(prompt, length, ",\"stream\":true,\"logprobs\":0,\"offload\":\"prefer\""))).build();
      List<String> tokens = new ArrayList<>();
      StringBuilder text = new StringBuilder();
      JsonNode offload = null;
      try (HttpClient client = HttpClient.newHttpClient(); Stream<String> lines = client.send(request, BodyHandlers.ofLines()).body()) {
        for (Iterator<String> line = lines.iterator(); line.hasNext(); ) {
          String data = line.next();
          if (!data.startsWith("data: {")) {
            continue;
          }
          JsonNode event = Api.parse(data.substring(6));
          assertThat(event.has("error")).as(data).isFalse();
          text.append(event.at("/choices/0/text").asText());
          event.at("/choices/0/logprobs/tokens").forEach(token -> tokens.add(token.asText()));
          offload = event.has("timings") ? event.at("/timings/offload") : offload;
          if (tokens.size() == killedAfter) {
            beside.kill();
          }
        }
      }
      String what = "run " + run + ", killed after " + killedAfter + " tokens: " + offload;
      assertThat(tokens).as(what).hasSize(length);
      int there = offload.get("accelerator_tokens").intValue();
      cutShort += there < length ? 1 : 0;
      assertThat(there).as(what).isGreaterThanOrEqualTo(killedAfter);
      assertThat(offload.get("continued").booleanValue()).as(what).isEqualTo(there < length);
      // The text is the tokens' (control tokens have names and no text), none lost and none twice; and the rest is what the gateway itself makes of the beginning.
      assertThat(text.toString()).as(what).isEqualTo(tokens.stream().filter(token -> !token.startsWith("<|")).collect(Collectors.joining()));
      assertThat(tokens.subList(there, length)).as(what).isEqualTo(rest(prompt, text.toString(), tokens, there, length));
    }
    assertThat(cutShort).as("answers that were cut short").isGreaterThanOrEqualTo(KILLS * 9 / 10);
  }

  /** What the gateway alone says after prompt and the first tokens of the answer. */
  private List<String> rest(String prompt, String text, List<String> tokens, int given, int length) throws IOException, InterruptedException {
    if (given == length) {
      return List.of();
    }
    JsonNode alone = api.post("/v1/completions", body(prompt, length, ",\"logprobs\":0,\"offload\":\"off\"")).json();
    List<String> whole = tokens(alone);
    // Where the sidecar chose as the gateway does, the whole is the gateway's own; elsewhere only the length can be checked.
    return whole.subList(0, given).equals(tokens.subList(0, given)) ? whole.subList(given, length) : tokens.subList(given, length);
  }
}
