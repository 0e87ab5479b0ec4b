package dev.nibble.serve.rest;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.nibble.serve.Api;
import dev.nibble.serve.Keyed;
import dev.nibble.serve.auth.ApiKey;
import dev.nibble.serve.auth.KeyFile;
import dev.nibble.serve.auth.Scope;
import io.quarkus.test.common.http.TestHTTPResource;
import io.quarkus.test.junit.QuarkusTest;
import io.quarkus.test.junit.TestProfile;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.nio.file.Files;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** HTTP with keys. */
@QuarkusTest
@TestProfile(Keyed.class)
class KeysTest {
  private static final String QUESTION = "{\"prompt\":\"Once\",\"max_tokens\":2}";

  @TestHTTPResource("/")
  URI base;

  private Api api;

  @BeforeEach
  void ready() throws Exception {
    Keyed.writeKeys();
    api = new Api(base);
    Api.await("the model is loaded", () -> api.get("/q/health/started").status() == 200);
    Api.await("the keys are loaded", () -> api.get("/q/health/ready").text().contains("\"keys\": \"" + Keyed.KEYS + " loaded\""));
  }

  private Api.Reply ask(String key) throws IOException, InterruptedException {
    HttpRequest.Builder request = api.request("/v1/completions").header("Content-Type", "application/json").POST(BodyPublishers.ofString(QUESTION));
    return api.send(key.isEmpty() ? request.build() : request.header("Authorization", "Bearer " + key).build());
  }

  private Api.Reply get(String path, String key) throws IOException, InterruptedException {
    return api.send(api.request(path).header("Authorization", "Bearer " + key).build());
  }

  private double metric(String name, String labels) throws IOException, InterruptedException {
    return get("/q/metrics", Keyed.METRICS).text().lines().filter(line -> line.startsWith(name) && line.contains(labels))
        .mapToDouble(line -> Double.parseDouble(line.substring(line.lastIndexOf(' ') + 1))).sum();
  }

  private static void refused(Api.Reply reply, int status, String code, String challenge) {
    assertThat(reply.status()).as(reply.text()).isEqualTo(status);
    assertThat(reply.header("WWW-Authenticate")).isEqualTo(challenge);
    assertThat(reply.header("Content-Type")).isEqualTo("application/json");
    assertThat(reply.header("X-Request-Id")).startsWith("req_");
    JsonNode error = reply.json().get("error");
    assertThat(error.get("type").textValue()).isEqualTo("invalid_request_error");
    assertThat(error.get("code").textValue()).isEqualTo(code);
    assertThat(error.get("param").isNull()).isTrue();
    assertThat(error.get("message").textValue()).isNotBlank().doesNotContain("nib_");
  }

  @Test
  void letsInWhoHasAKey() throws Exception {
    assertThat(ask(Keyed.GENERATE).status()).isEqualTo(200);
    assertThat(get("/v1/models", Keyed.GENERATE).status()).isEqualTo(200);
    HttpRequest lowerCase = api.request("/v1/models").header("authorization", "bearer  " + Keyed.GENERATE + " ").build();
    assertThat(api.send(lowerCase).status()).isEqualTo(200);
    for (String path : List.of("/q/metrics", "/metrics", "/metrics/")) {
      assertThat(get(path, Keyed.METRICS).status()).as(path).isEqualTo(200);
      refused(get(path, Keyed.GENERATE), 403, "missing_scope", "Bearer realm=\"nibble\", error=\"insufficient_scope\", scope=\"metrics\"");
    }
    for (String path : List.of("/models", "/version", "/tokenizer_info")) {
      assertThat(get(path, Keyed.GENERATE).status()).as(path).isEqualTo(200);
    }
  }

  @Test
  void refusesOthersAndCountsThem() throws Exception {
    double missing = metric("nibble_auth_rejected_total", "reason=\"missing\",wire=\"rest\"");
    double invalid = metric("nibble_auth_rejected_total", "reason=\"invalid\",wire=\"rest\"");
    double expired = metric("nibble_auth_rejected_total", "reason=\"expired\",wire=\"rest\"");
    double scope = metric("nibble_auth_rejected_total", "reason=\"scope\",wire=\"rest\"");
    refused(ask(""), 401, "invalid_api_key", "Bearer realm=\"nibble\", scope=\"generate\"");
    HttpRequest basic = api.request("/v1/models").header("Authorization", "Basic dXNlcjpwYXNz").build();
    refused(api.send(basic), 401, "invalid_api_key", "Bearer realm=\"nibble\", scope=\"generate\"");
    for (String wrong : List.of("nib_wrong", "x", Keyed.GENERATE + "x", Keyed.GENERATE.substring(1), "é")) {
      refused(ask(wrong.equals("é") ? "%C3%A9" : wrong), 401, "invalid_api_key", "Bearer realm=\"nibble\", error=\"invalid_token\"");
    }
    refused(ask(Keyed.EXPIRED), 401, "invalid_api_key", "Bearer realm=\"nibble\", error=\"invalid_token\"");
    refused(ask(Keyed.METRICS), 403, "missing_scope", "Bearer realm=\"nibble\", error=\"insufficient_scope\", scope=\"generate\"");
    refused(get("/q/metrics", Keyed.GENERATE), 403, "missing_scope", "Bearer realm=\"nibble\", error=\"insufficient_scope\", scope=\"metrics\"");
    assertThat(metric("nibble_auth_rejected_total", "reason=\"missing\",wire=\"rest\"")).isEqualTo(missing + 2);
    assertThat(metric("nibble_auth_rejected_total", "reason=\"invalid\",wire=\"rest\"")).isEqualTo(invalid + 5);
    assertThat(metric("nibble_auth_rejected_total", "reason=\"expired\",wire=\"rest\"")).isEqualTo(expired + 1);
    assertThat(metric("nibble_auth_rejected_total", "reason=\"scope\",wire=\"rest\"")).isEqualTo(scope + 2);
    assertThat(metric("nibble_auth_keys", "nibble_auth_keys ")).isEqualTo(Keyed.KEYS);
  }

  /** Settings of this service besides its keys. */
  @Test
  void aStrictServiceRefusesWhatOthersCut() throws Exception {
    for (String body : List.of("{\"prompt\":\"Once\",\"max_tokens\":4096}", "{\"prompt\":\"Once\",\"max_tokens\":2,\"parse_special\":true}")) {
      Api.Reply reply = api.send(api.request("/v1/completions").header("Content-Type", "application/json").header("Authorization", "Bearer " + Keyed.GENERATE)
          .POST(BodyPublishers.ofString(body)).build());
      assertThat(reply.status()).as(body).isEqualTo(400);
      if (body.contains("4096")) {
        assertThat(reply.json().get("error").get("code").textValue()).isEqualTo("context_length_exceeded");
        assertThat(reply.json().get("error").get("message").textValue()).contains("max_tokens 4096");
      } else {
        assertThat(reply.json().get("error").get("param").textValue()).isEqualTo("parse_special");
        assertThat(reply.json().get("error").get("message").textValue()).contains("nibble.special-tokens is never");
      }
    }
  }

  /** Whatever path is asked: only health is open. */
  @Test
  void onlyHealthIsOpen() throws Exception {
    for (String path : List.of("/q/health", "/q/health/", "/q/health/live", "/q/health/ready", "/q/health/started", "/health", "/ping", "/health/",
        "/v2/health/live", "/v2/health/ready", "/v2/models/nibble-home/ready", "/v2/models/nibble-home/versions/1/ready")) {
      assertThat(api.get(path).status()).as(path).isEqualTo(200);
    }
    for (String path : List.of("/", "/v1", "/v1/models", "/v1/nothing", "/nothing", "/q", "/q/metrics", "/q/metrics/", "//q//metrics", "/q/health/../metrics",
        "/q/health/%2e%2e/metrics", "/q/health/%2E%2E%2Fmetrics/../../../v1/models", "/q/healthy", "/q%2Fhealth", "/./v1/models", "/v1/../v1/models", "/models", "/completions", "/chat/completions/", "/metrics", "/metrics/", "/version", "/tokenize",
        "/detokenize", "/tokenizer_info", "/health/../v1/models", "/ping/x", "/healthy",
        "/v2", "/v2/models/nibble-home", "/v2/models/nibble-home/stats", "/v2/models/nibble-home/infer", "/v2/models/ready", "/v2/models/a/b/ready",
        "/v2/models/nibble-home/ready/infer", "/v2/models/nibble-home/ready/../infer")) {
      for (String method : List.of("GET", "HEAD", "POST", "OPTIONS", "PUT", "DELETE", "PATCH")) {
        try (Api.Wire wire = api.connect()) {
          wire.write(method + " " + path + " HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
          assertThat(wire.readThrough("\r\n")).as(method + " " + path).startsWith("HTTP/1.1 401 ");
        }
      }
    }
    try (Api.Wire wire = api.connect()) {
      wire.write("BREW / HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\n\r\n");
      assertThat(wire.readThrough("\r\n")).as("what is no method is none, whoever asks").startsWith("HTTP/1.1 501 ");
    }
    // Strangers do not make labels up.
    Api.await("it is counted", () -> metric("http_server_requests_seconds_count", "uri=\"/other\"") > 0);
    assertThat(get("/q/metrics", Keyed.METRICS).text()).contains("uri=\"/v1/models\"").doesNotContain("/nothing", "healthy");
  }

  /** A body that nobody reads does not disturb the next request of its connection. */
  @Test
  void connectionsStayOpen() throws Exception {
    try (Api.Wire wire = api.connect()) {
      wire.post("/v1/completions", "{\"prompt\":\"" + "x".repeat(1_000_000) + "\"}");
      assertThat(wire.readResponse()).startsWith("HTTP/1.1 401 ");
      wire.write("GET /v1/models HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer " + Keyed.GENERATE + "\r\n\r\n");
      assertThat(wire.readResponse()).startsWith("HTTP/1.1 200 ").contains("nibble-home");
    }
    try (Api.Wire wire = api.connect()) {
      wire.write("POST /v1/completions HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n");
      assertThat(wire.readResponse()).as("asked before the body is sent").startsWith("HTTP/1.1 401 ");
    }
  }

  @Test
  void keysAreRotatedWithoutARestart() throws Exception {
    String next = ApiKey.random();
    assertThat(ask(next).status()).isEqualTo(401);
    KeyFile.add(Keyed.FILE, ApiKey.of("next", Set.of(Scope.GENERATE), next, Optional.empty()), () -> {});
    Api.await("the new key is let in", () -> get("/v1/models", next).status() == 200);
    assertThat(ask(Keyed.GENERATE).status()).as("the old one still is").isEqualTo(200);
    KeyFile.remove(Keyed.FILE, "generate");
    Api.await("the old key is not let in", () -> get("/v1/models", Keyed.GENERATE).status() == 401);
    assertThat(ask(next).status()).isEqualTo(200);
  }

  @Test
  void aFileThatCannotBeUsedChangesNothing() throws Exception {
    for (String broken : List.of("generate generate sha256:12\n", "", "\u0000")) {
      double failures = metric("nibble_auth_keys_reload_failures_total", "");
      if (broken.isEmpty()) {
        Files.delete(Keyed.FILE);
      } else {
        Keyed.write(broken);
      }
      Api.await("it is told", () -> metric("nibble_auth_keys_reload_failures_total", "") > failures);
      Api.Reply ready = api.get("/q/health/ready");
      assertThat(ready.status()).isEqualTo(200);
      assertThat(ready.text()).contains(Keyed.KEYS + " loaded, and the file as it is now can't be used");
      assertThat(ask(Keyed.GENERATE).status()).isEqualTo(200);
    }
    Keyed.write("# nobody\n");
    Api.await("nobody is let in", () -> get("/v1/models", Keyed.GENERATE).status() == 401);
  }

  @Test
  void openAisClientBringsKeys() throws Exception {
    OpenAiClientTest.install();
    OpenAiClientTest.Run run = OpenAiClientTest.run("node", "drive.mjs", base.resolve("/v1").toString(), Keyed.GENERATE);
    assertThat(run.exitCode()).as(run.output()).isZero();
    assertThat(run.output().lines()).hasSize(7);
    run = OpenAiClientTest.run("node", "keys.mjs", base.resolve("/v1").toString(), Keyed.METRICS, Keyed.EXPIRED);
    assertThat(run.exitCode()).as(run.output()).isZero();
    assertThat(run.output().lines()).containsExactly("ok wrong keys", "ok missing scope");
  }
}
