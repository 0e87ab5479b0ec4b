package dev.nibble.serve.grpc;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.nibble.HomeFile;
import dev.nibble.format.gguf.GgufValue;
import dev.nibble.serve.Api;
import dev.nibble.v1.ListModelsRequest;
import dev.nibble.v1.TokenizeRequest;
import io.grpc.Status;
import io.quarkus.test.common.http.TestHTTPResource;
import io.quarkus.test.junit.QuarkusTest;
import io.quarkus.test.junit.QuarkusTestProfile;
import io.quarkus.test.junit.TestProfile;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** A served model whose chat template can't be used: clients learn that it is the model, and everything else goes on. */
@QuarkusTest
@TestProfile(UnusableTemplateTest.Hostile.class)
class UnusableTemplateTest extends GrpcClientTest {
  private static final Path FILE = Path.of("target/test-models/hostile.gguf");
  private static final String REASON = "its chat template can't be used: line 2, column ";

  /** A service with a model whose template doubles and loops. */
  public static final class Hostile implements QuarkusTestProfile {
    @Override
    public Map<String, String> getConfigOverrides() {
      String list = "[" + "1,".repeat(40) + "]";
      String template = "{{ bos_token }}\n" + ("{% for a in " + list + " %}").repeat(12) + "x" + "{% endfor %}".repeat(12);
      try {
        Files.createDirectories(FILE.getParent());
        new HomeFile().with(HomeFile.TEMPLATE, GgufValue.text(template)).write(FILE);
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
      return Map.of("nibble.model", FILE.toString());
    }
  }

  @TestHTTPResource("/")
  URI base;

  @Test
  void clientsLearnThatItIsTheModel() throws Exception {
    Api api = new Api(base);
    for (boolean stream : new boolean[] {false, true}) {
      Api.Reply reply = api.post("/v1/chat/completions", "{\"stream\":" + stream + ",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}");
      assertThat(reply.status()).isEqualTo(400);
      JsonNode error = reply.json().path("error");
      assertThat(error.path("type").asText()).isEqualTo("invalid_request_error");
      assertThat(error.path("code").asText()).isEqualTo("chat_unsupported");
      assertThat(error.path("param").isNull()).isTrue();
      assertThat(error.path("message").asText()).contains("\"hostile\"", REASON, ": rendering takes more steps than are allowed", "completions");
    }
    var refusal = assertError(refusal(() -> generation.generate(request(command()))), Status.Code.FAILED_PRECONDITION, "CHAT_UNSUPPORTED");
    assertThat(refusal.getMetadataMap()).containsEntry("model", "hostile");
    assertError(refusal(() -> tokenizer.tokenize(TokenizeRequest.newBuilder().setChat(chat("hi")).build())), Status.Code.FAILED_PRECONDITION, "CHAT_UNSUPPORTED");
    assertThat(models.listModels(ListModelsRequest.getDefaultInstance()).getModels(0).getChat()).isFalse();
    // Text goes on, and so does the service.
    assertThat(generation.generate(request(story(8))).getTokensCount()).isEqualTo(8);
    assertThat(api.post("/v1/completions", "{\"prompt\":\"Once\",\"max_tokens\":4}").status()).isEqualTo(200);
    assertThat(api.get("/q/health/ready").status()).isEqualTo(200);
  }
}
