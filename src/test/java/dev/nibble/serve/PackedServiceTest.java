package dev.nibble.serve;

import static org.assertj.core.api.Assertions.assertThat;

import io.quarkus.test.common.http.TestHTTPResource;
import io.quarkus.test.junit.QuarkusTest;
import io.quarkus.test.junit.TestProfile;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

/** A model served from its pack answers as the model itself. */
@QuarkusTest
@TestProfile(PackedService.class)
class PackedServiceTest {
  @TestHTTPResource("/")
  URI base;

  @Test
  void keepsAPackAndAnswersFromIt() throws Exception {
    Api api = new Api(base);
    String request = "{\"temperature\":0,\"messages\":[{\"role\":\"user\",\"content\":\"dim the kitchen light to 30 percent\"}]}";
    Api.await("the model is loaded", () -> api.post("/v1/chat/completions", request).status() == 200);
    Api.Reply reply = api.post("/v1/chat/completions", request);
    assertThat(reply.json().path("model").asText()).isEqualTo("nibble-home");
    assertThat(reply.json().path("choices").path(0).path("message").path("content").asText())
        .isEqualTo("{\"device\":\"light\",\"room\":\"kitchen\",\"action\":\"dim\",\"value\":30}");
    try (var packs = Files.list(Path.of(PackedService.FOLDER))) {
      assertThat(packs.map(pack -> pack.getFileName().toString()).sorted()).satisfiesExactly(
          pack -> assertThat(pack).startsWith("nibble-home-").endsWith(".nib"),
          source -> assertThat(source).startsWith("nibble-home-").endsWith(".nib.source"));
    }
  }
}
