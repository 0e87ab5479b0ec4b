package dev.nibble.serve.rest;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.nibble.serve.Api;
import dev.nibble.serve.SmallQueue;
import io.quarkus.test.common.http.TestHTTPResource;
import io.quarkus.test.junit.QuarkusTest;
import io.quarkus.test.junit.TestProfile;
import java.net.URI;
import org.junit.jupiter.api.Test;

/** What clients are told when the waiting line is full. */
@QuarkusTest
@TestProfile(SmallQueue.class)
class QueueOverflowTest {
  private static final String LONG =
      "{\"temperature\":0,\"ignore_eos\":true,\"max_tokens\":900,\"stream\":true,\"logprobs\":20,\"prompt\":\"Once upon a time\"}";

  @TestHTTPResource("/")
  URI base;

  @Test
  void refusesWhatTheLineCannotHold() throws Exception {
    Api api = new Api(base);
    double refused = api.metric("nibble_requests_refused_total", "reason=\"queue_full\"");
    try (Api.Wire running = api.connect(); Api.Wire waiting = api.connect()) {
      running.post("/v1/completions", LONG);
      running.readThrough("data: ");
      waiting.post("/v1/completions", LONG);
      Api.await("the line is full", () -> api.metric("nibble_queue_depth", "") == 1);

      Api.Reply reply = api.post("/v1/completions", LONG);
      assertThat(reply.status()).as(reply.text()).isEqualTo(429);
      assertThat(Integer.parseInt(reply.header("Retry-After"))).isBetween(1, 600);
      assertThat(reply.header("Content-Type")).isEqualTo("application/json");
      JsonNode error = reply.json().get("error");
      assertThat(error.get("type").textValue()).isEqualTo("rate_limit_error");
      assertThat(error.get("code").textValue()).isEqualTo("queue_full");
      assertThat(error.get("param").isNull()).isTrue();
      assertThat(error.get("message").textValue()).contains("1 requests").contains("try again in");
      assertThat(api.metric("nibble_requests_refused_total", "reason=\"queue_full\"")).isEqualTo(refused + 1);
    }
    Api.await("both are cancelled", () -> api.metric("nibble_requests_running", "") + api.metric("nibble_queue_depth", "") == 0);
    assertThat(api.post("/v1/completions", "{\"prompt\":\"Once\",\"max_tokens\":2}").status()).isEqualTo(200);
  }
}
