package dev.nibble.serve;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.nibble.offload.FaultySidecar;
import dev.nibble.offload.FaultySidecar.Fault;
import io.quarkus.test.common.QuarkusTestResource;
import io.quarkus.test.common.QuarkusTestResourceLifecycleManager;
import io.quarkus.test.common.http.TestHTTPResource;
import io.quarkus.test.junit.QuarkusTest;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** A service with an accelerator beside it, as its clients see it. */
@QuarkusTest
@QuarkusTestResource(value = OffloadApiTest.Beside.class, restrictToAnnotatedClass = true)
class OffloadApiTest {
  /** Runs the accelerator; tests get hold of it. */
  public static final class Beside implements QuarkusTestResourceLifecycleManager {
    private FaultySidecar sidecar;

    @Override
    public Map<String, String> start() {
      try {
        sidecar = new FaultySidecar();
      } catch (IOException failure) {
        throw new UncheckedIOException(failure);
      }
      return Map.of("nibble.offload.targets", sidecar.target(), "nibble.offload.probe-interval", "50ms", "nibble.offload.stall-timeout", "1s");
    }

    @Override
    public void stop() {
      try {
        sidecar.close();
      } catch (IOException failure) {
        throw new UncheckedIOException(failure);
      }
    }

    @Override
    public void inject(Object test) {
      ((OffloadApiTest) test).sidecar = sidecar;
    }
  }

  @TestHTTPResource
  URI base;

  private FaultySidecar sidecar;
  private Api api;

  @BeforeEach
  void await() throws Exception {
    api = new Api(base);
    sidecar.set(Fault.NONE);
    Api.await("the accelerator is ready", () -> api.get("/q/health/ready").text().contains("\"" + sidecar.target() + "\": \"ready"));
  }

  private JsonNode complete(String more) throws IOException, InterruptedException {
    Api.Reply reply = api.post("/v1/completions", "{\"prompt\":\"Once upon a time\",\"max_tokens\":30,\"temperature\":0" + more + "}");
    assertThat(reply.status()).as(reply.text()).isEqualTo(200);
    return reply.json();
  }

  @Test
  void tellsWhereItWasComputed() throws Exception {
    JsonNode here = complete(",\"offload\":\"off\"");
    assertThat(here.at("/timings/offload").isMissingNode()).isTrue();
    JsonNode there = complete(",\"offload\":\"require\"");
    assertThat(there.at("/choices/0/text")).isEqualTo(here.at("/choices/0/text"));
    assertThat(there.at("/usage")).isEqualTo(here.at("/usage"));
    JsonNode offload = there.at("/timings/offload");
    assertThat(offload.get("policy").textValue()).isEqualTo("require");
    assertThat(offload.get("accelerator").textValue()).isEqualTo(sidecar.target());
    assertThat(offload.get("accelerator_tokens").intValue()).isEqualTo(30);
    assertThat(offload.get("reason").textValue()).isEqualTo("An accelerator is required.");
    assertThat(offload.get("continued").booleanValue()).isFalse();
  }

  /** An accelerator is asked for what fits, not for what the client wrote: its engine would refuse more than its context holds. */
  @Test
  void acceleratorsAreAskedForWhatFits() throws Exception {
    Api.Reply reply = api.post("/v1/completions", "{\"prompt\":\"Once upon a time\",\"max_tokens\":4096,\"temperature\":0,\"ignore_eos\":true,\"offload\":\"require\"}");
    assertThat(reply.status()).as(reply.text()).isEqualTo(200);
    JsonNode answer = reply.json();
    assertThat(answer.at("/usage/total_tokens").intValue()).isEqualTo(1024);
    assertThat(answer.at("/choices/0/finish_reason").textValue()).isEqualTo("length");
    assertThat(answer.at("/timings/offload/accelerator").textValue()).isEqualTo(sidecar.target());
    assertThat(answer.at("/timings/offload/accelerator_tokens").intValue()).isEqualTo(answer.at("/usage/completion_tokens").intValue());
    assertThat(answer.at("/timings/offload/continued").booleanValue()).isFalse();
  }

  @Test
  void autoSaysWhatItRestsOn() throws Exception {
    String reason = complete("").at("/timings/offload/reason").textValue();
    assertThat(reason).matches("[0-9.]+ s expected at " + sidecar.target() + ", [0-9.]+ s here \\(.*\\)\\.");
  }

  @Test
  void anAnswerThatBreaksOffGoesOn() throws Exception {
    String expected = complete(",\"offload\":\"off\"").at("/choices/0/text").textValue();
    double before = api.metric("nibble_offload_failures_total", "cause=\"stalled\"");
    sidecar.set(Fault.STALLS);
    Api.Reply reply = api.post("/v1/completions", "{\"prompt\":\"Once upon a time\",\"max_tokens\":30,\"temperature\":0,\"stream\":true,\"offload\":\"prefer\"}");
    StringBuilder text = new StringBuilder();
    String last = "";
    for (String event : reply.events()) {
      if (!event.equals("[DONE]")) {
        text.append(Api.parse(event).at("/choices/0/text").asText());
        last = event;
      }
    }
    assertThat(text.toString()).isEqualTo(expected);
    JsonNode offload = Api.parse(last).at("/timings/offload");
    assertThat(offload.get("continued").booleanValue()).isTrue();
    assertThat(offload.get("accelerator_tokens").intValue()).isEqualTo(5);
    assertThat(offload.get("reason").textValue()).contains("fell silent after 5 tokens");
    assertThat(api.metric("nibble_offload_failures_total", "cause=\"stalled\"")).isEqualTo(before + 1);
    sidecar.set(Fault.NONE);
  }

  @Test
  void refusesWordsThatAreNoPolicy() throws Exception {
    Api.Reply reply = api.post("/v1/completions", "{\"prompt\":\"x\",\"offload\":\"gpu\"}");
    assertThat(reply.status()).isEqualTo(400);
    assertThat(reply.json().at("/error/message").textValue()).isEqualTo("offload is \"gpu\"; allowed: off, auto, prefer, require.");
    assertThat(reply.json().at("/error/param").textValue()).isEqualTo("offload");
  }

  @Test
  void requiringOneThatIsGoneIsRefused() throws Exception {
    sidecar.set(Fault.ABSENT);
    Api.await("it is gone", () -> api.get("/q/health/ready").text().contains("\"" + sidecar.target() + "\": \"unreachable"));
    Api.Reply reply = api.post("/v1/completions", "{\"prompt\":\"x\",\"max_tokens\":3,\"offload\":\"require\"}");
    assertThat(reply.status()).isEqualTo(503);
    assertThat(reply.json().at("/error/code").textValue()).isEqualTo("accelerator_unavailable");
    assertThat(reply.header("Retry-After")).isEqualTo("1");
    assertThat(api.metric("nibble_offload_accelerator_up", sidecar.target())).isZero();
    assertThat(complete(",\"offload\":\"prefer\"").at("/timings/offload/accelerator").textValue()).isEmpty();
  }

  @Test
  void aMissingGpuIsToldLoudly() throws Exception {
    sidecar.set(Fault.GPU_MISSING);
    Api.await("it is told", () -> api.get("/q/health/ready").text().contains("degraded, faulty sidecar, test: no CUDA device was found"));
    Api.await("it is counted", () -> api.metric("nibble_offload_accelerator_gpu_missing", sidecar.target()) == 1);
  }

  @Test
  void metricsCountWhatWentThere() throws Exception {
    double before = api.metric("nibble_offload_tokens_total", sidecar.target());
    double firstTokens = api.metric("gen_ai_server_time_to_first_token_seconds_count", "");
    complete(",\"offload\":\"require\"");
    assertThat(api.metric("nibble_offload_tokens_total", sidecar.target())).isEqualTo(before + 30);
    assertThat(api.metric("gen_ai_server_time_to_first_token_seconds_count", "")).isEqualTo(firstTokens + 1);
  }
}
