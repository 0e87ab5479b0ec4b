package dev.nibble.serve.grpc;

import static org.assertj.core.api.Assertions.assertThat;

import dev.nibble.serve.Api;
import dev.nibble.v1.FinishReason;
import dev.nibble.v1.GenerateResponse;
import dev.nibble.v1.GenerationOptions;
import io.grpc.Status;
import io.quarkus.test.common.http.TestHTTPResource;
import io.quarkus.test.junit.QuarkusTest;
import io.quarkus.test.junit.QuarkusTestProfile;
import io.quarkus.test.junit.TestProfile;
import java.net.URI;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** What clients of both APIs are told when a request does not fit in the memory for keys and values. */
@QuarkusTest
@TestProfile(KvMemoryTest.LittleMemory.class)
class KvMemoryTest extends GrpcClientTest {
  /** A service whose memory for keys and values is small. */
  public static final class LittleMemory implements QuarkusTestProfile {
    @Override
    public Map<String, String> getConfigOverrides() {
      return Map.of("nibble.kv.memory", "800K");
    }
  }

  @TestHTTPResource("/")
  URI base;

  @Test
  void refusesWhatDoesNotFit() throws Exception {
    Map<String, String> metadata =
        assertError(refusal(() -> generation.generate(request(story(5).setText("word ".repeat(450))))), Status.Code.RESOURCE_EXHAUSTED, "KV_MEMORY_EXCEEDED").getMetadataMap();
    int longest = Integer.parseInt(metadata.get("longest_sequence"));
    assertThat(longest).isBetween(64, 899);

    Api api = new Api(base);
    Api.Reply reply = api.post("/v1/completions", "{\"prompt\":\"" + "word ".repeat(450) + "\",\"max_tokens\":5}");
    assertThat(reply.status()).as(reply.text()).isEqualTo(503);
    assertThat(reply.json().get("error").get("code").textValue()).isEqualTo("kv_memory_exceeded");
    assertThat(reply.json().get("error").get("type").textValue()).isEqualTo("server_error");
    assertThat(reply.json().get("error").get("message").textValue()).contains(longest + " tokens").contains("nibble.kv.memory");
    assertThat(reply.header("Retry-After")).as("waiting does not help").isEmpty();
    assertThat(api.metric("nibble_requests_refused_total", "reason=\"kv_memory_exceeded\"")).isEqualTo(2);

    // What says nothing about its length, or asks for more, gets what there is.
    for (GenerationOptions.Builder options : List.of(story(1).clearMaxTokens(), story(900))) {
      GenerateResponse whole = generation.generate(request(options.setIgnoreEndOfGeneration(true)));
      assertThat(whole.getFinishReason()).isEqualTo(FinishReason.FINISH_REASON_LENGTH);
      assertThat(whole.getUsage().getTotalTokens()).isEqualTo(longest).isLessThan(512);
    }
    assertThat(generation.generate(request(command())).getText()).isEqualTo(ANSWER);
  }
}
