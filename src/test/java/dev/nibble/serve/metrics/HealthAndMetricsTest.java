package dev.nibble.serve.metrics;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.nibble.serve.Api;
import io.quarkus.test.common.http.TestHTTPResource;
import io.quarkus.test.junit.QuarkusTest;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What operators see. */
@QuarkusTest
class HealthAndMetricsTest {
  private static final String MODEL = "gen_ai_request_model=\"nibble-home\"";

  @TestHTTPResource("/")
  URI base;

  private Api api;

  @BeforeEach
  void connect() throws Exception {
    api = new Api(base);
    Api.await("the model is loaded", () -> api.get("/q/health/started").status() == 200);
    // Whatever class asked this service before: answers that nobody waits for any more may still be ending.
    Api.await("nothing is being answered",
        () -> api.metric("nibble_requests_running", "") + api.metric("nibble_queue_depth", "") + api.metric("nibble_requests_preparing", "") == 0);
  }

  private JsonNode check(String path, String name) throws Exception {
    Api.Reply reply = api.get(path);
    assertThat(reply.status()).as(reply.text()).isEqualTo(200);
    assertThat(reply.json().get("status").textValue()).isEqualTo("UP");
    for (JsonNode check : reply.json().get("checks")) {
      if (check.get("name").textValue().equals(name)) {
        assertThat(check.get("status").textValue()).isEqualTo("UP");
        return check;
      }
    }
    throw new AssertionError("no check " + name + " in " + reply.text());
  }

  @Test
  void tellsHealth() throws Exception {
    check("/q/health/started", "model loaded");
    assertThat(check("/q/health/live", "engine").get("data").get("nibble-home").textValue()).isEqualTo("running");
    JsonNode ready = check("/q/health/ready", "model").get("data");
    assertThat(ready.get("model").textValue()).isEqualTo("nibble-home");
    assertThat(ready.get("queue_depth").intValue()).isZero();
    assertThat(ready.get("running").intValue()).isZero();
    check("/q/health", "model");
  }

  @Test
  void countsAnAnswer() throws Exception {
    List<String> names = List.of("nibble_prompt_tokens_total", "nibble_completion_tokens_total", "nibble_engine_forward_passes_total",
        "gen_ai_server_time_to_first_token_seconds_count", "gen_ai_server_time_per_output_token_seconds_count", "gen_ai_server_request_duration_seconds_count",
        "nibble_queue_wait_seconds_count");
    double[] before = values(names);
    double seconds = api.metric("gen_ai_server_request_duration_seconds_sum", MODEL);
    double requests = api.metric("gen_ai_server_request_duration_seconds_bucket", "le=\"+Inf\"");
    double firstTokens = api.metric("gen_ai_server_time_to_first_token_seconds_bucket", "le=\"+Inf\"");
    double stopped = api.metric("nibble_requests_total", "outcome=\"stop\"");
    double cut = api.metric("nibble_requests_total", "outcome=\"length\"");
    double refused = api.metric("nibble_requests_refused_total", "reason=\"context_length_exceeded\"");
    String messages = "\"messages\":[{\"role\":\"user\",\"content\":\"dim the kitchen light to 30 percent\"}]}";
    assertThat(api.post("/v1/chat/completions", "{\"temperature\":0," + messages).status()).isEqualTo(200);
    assertThat(api.post("/v1/chat/completions", "{\"temperature\":0,\"max_tokens\":5," + messages).status()).isEqualTo(200);
    String full = String.join(",", Collections.nCopies(1024, "300"));
    assertThat(api.post("/v1/completions", "{\"prompt\":[" + full + "]}").status()).as("ids that leave no room for an answer").isEqualTo(400);

    double[] after = values(names);
    // 15 ids of prompt each; 18 tokens and the end token, and 5: a pass for each prompt and each token but a last one that fills the limit.
    double[] more = {30, 23, 1 + 18 + 1 + 4, 2, 17 + 4, 2, 2};
    for (int i = 0; i < more.length; i++) {
      assertThat(after[i] - before[i]).as(names.get(i)).isEqualTo(more[i]);
    }
    assertThat(api.metric("nibble_requests_total", "outcome=\"stop\"")).isEqualTo(stopped + 1);
    assertThat(api.metric("nibble_requests_total", "outcome=\"length\"")).isEqualTo(cut + 1);
    assertThat(api.metric("nibble_requests_refused_total", "reason=\"context_length_exceeded\"")).isEqualTo(refused + 1);
    assertThat(api.metric("gen_ai_server_request_duration_seconds_sum", MODEL) - seconds).isBetween(1e-6, 600.0);
    assertThat(api.metric("gen_ai_server_request_duration_seconds_bucket", "le=\"+Inf\"") - requests).isEqualTo(2);
    assertThat(api.metric("gen_ai_server_time_to_first_token_seconds_bucket", "le=\"+Inf\"") - firstTokens).isEqualTo(2);
    assertThat(api.metric("nibble_requests_running", MODEL)).isZero();
    assertThat(api.metric("nibble_queue_depth", MODEL)).isZero();
  }

  /** What is found out about prompts before the engine hears of them. */
  @Test
  void countsWhatIsRefusedWhileItsPromptIsMade() throws Exception {
    double tooLong = api.metric("nibble_requests_refused_total", "reason=\"context_length_exceeded\"");
    double invalid = api.metric("nibble_requests_refused_total", "reason=\"invalid_request\"");
    double all = api.metric("nibble_requests_refused_total", MODEL);
    assertThat(api.post("/v1/completions", "{\"prompt\":\"" + "tell me more ".repeat(2_000) + "\"}").status()).isEqualTo(400);
    assertThat(api.metric("nibble_requests_refused_total", "reason=\"context_length_exceeded\"")).isEqualTo(tooLong + 1);
    assertThat(api.post("/v1/completions", "{\"prompt\":{}}").status()).isEqualTo(400);
    assertThat(api.post("/v1/chat/completions", "{\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}],\"guided_json\":{\"type\":\"object\"}}").status()).isEqualTo(400);
    assertThat(api.metric("nibble_requests_refused_total", "reason=\"invalid_request\"")).isEqualTo(invalid + 2);
    assertThat(api.post("/v1/completions", "{\"prompt\":\"Once\",\"model\":\"other\"}").status()).isEqualTo(404);
    assertThat(api.post("/tokenize", "{\"prompt\":1}").status()).as("nothing that an engine would do").isEqualTo(400);
    assertThat(api.metric("nibble_requests_refused_total", MODEL)).isEqualTo(all + 3);
  }

  private double[] values(List<String> names) throws Exception {
    double[] values = new double[names.size()];
    for (int i = 0; i < values.length; i++) {
      values[i] = api.metric(names.get(i), MODEL);
    }
    return values;
  }

  @Test
  void tellsWhatRuns() throws Exception {
    assertThat(api.metric("nibble_build_info", "version=\"0.1.0\"")).isEqualTo(1);
    String metrics = api.get("/q/metrics").text();
    assertThat(metrics).contains("nibble_energy_info{");
    assertThat(metrics.contains("nibble_energy_joules_total{")).as("counted where there is a source").isNotEqualTo(metrics.contains("source=\"none\""));
    assertThat(api.metric("nibble_model_info", "context_length=\"1024\"")).isEqualTo(1);
    assertThat(api.metric("nibble_model_info", "parameters=\"3672320\"")).isEqualTo(1);
    double vectors = api.metric("nibble_kernel_info", "mode=\"vector\",threads=");
    double scalar = api.metric("nibble_kernel_info", "mode=\"scalar\",threads=");
    assertThat(vectors + scalar).isEqualTo(1);
    double wide = 0;
    for (int bits : new int[] {128, 256, 512}) {
      wide += api.metric("nibble_kernel_info", "vector_bits=\"" + bits + "\"");
    }
    assertThat(wide).isEqualTo(vectors);
    List<String> providers = metrics.lines().filter(line -> line.startsWith("nibble_kernel_provider_info{")).toList();
    assertThat(providers).hasSize(4).filteredOn(line -> line.contains("taken=\"true\"")).hasSize(1);
    assertThat(providers).filteredOn(line -> line.contains("taken=\"false\"")).noneMatch(line -> line.contains("reason=\"\""));
  }

  @Test
  void theDocumentationListsEveryMetric() throws Exception {
    Set<String> served = api.get("/q/metrics").text().lines().filter(line -> line.startsWith("nibble_") || line.startsWith("gen_ai_"))
        .map(line -> line.split("[{ ]")[0].replaceAll("_(bucket|sum|count|max)$", "")).collect(Collectors.toCollection(TreeSet::new));
    Set<String> documented = Pattern.compile("^\\| `((?:nibble|gen_ai)_[a-z_]+)`", Pattern.MULTILINE).matcher(Files.readString(Path.of("docs/observability.md")))
        .results().map(match -> match.group(1)).collect(Collectors.toCollection(TreeSet::new));
    // Only where something measures energy.
    assertThat(documented.remove("nibble_energy_joules_total")).isTrue();
    served.remove("nibble_energy_joules_total");
    assertThat(documented).isEqualTo(served);
  }
}
