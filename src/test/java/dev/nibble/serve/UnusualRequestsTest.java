package dev.nibble.serve;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.quarkus.test.junit.QuarkusTest;
import java.net.SocketException;
import java.net.http.HttpRequest.BodyPublishers;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Locale;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Requests that few clients write, and that the standards allow, or leave no doubt about. */
@QuarkusTest
class UnusualRequestsTest extends PortsTest {
  private static final String CHUNKED = "POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
  private static final String SECOND = "GET /v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n";
  private static final String BODY = "{\"prompt\":\"Once\",\"max_tokens\":2}";

  private Strangers strangers;

  @BeforeEach
  void arrive() {
    strangers = new Strangers(base.getHost(), base.getPort(), grpc.getPort());
  }

  // ---- bodies in chunks

  @Test
  void chunksMayHaveZerosBeforeTheirSizesAndExtensions() throws Exception {
    String size = Integer.toHexString(BODY.length());
    for (String line : List.of(size, size.toUpperCase(Locale.ROOT), "0" + size, "0".repeat(14) + size, size + ";a", size + ";a=b", size + " ; a = b", size + ";\ta;b=c",
        size + ";a=\"b \\\" ; c\"", size + ";a=" + "b".repeat(2_000))) {
      try (Api.Wire wire = api.connect()) {
        wire.write(CHUNKED + line + "\r\n" + BODY + "\r\n0;end\r\nX-Sum: 1\r\n\r\n" + SECOND);
        assertThat(wire.readResponse()).as(line).startsWith("HTTP/1.1 200 ").contains("text_completion");
        assertThat(wire.readResponse()).as(line).startsWith("HTTP/1.1 200 ").contains("\"nibble-home\"");
      }
    }
  }

  @Test
  void chunksMayArriveInPieces() throws Exception {
    String request = CHUNKED + "3;a=b\r\n" + BODY.substring(0, 3) + "\r\n" + Integer.toHexString(BODY.length() - 3) + "\r\n" + BODY.substring(3) + "\r\n000\r\nX: y\r\n\r\n" + SECOND;
    try (Api.Wire wire = api.connect()) {
      wire.socket().setTcpNoDelay(true);
      for (char next : request.toCharArray()) {
        wire.write(String.valueOf(next));
      }
      assertThat(wire.readResponse()).startsWith("HTTP/1.1 200 ").contains("text_completion");
      assertThat(wire.readResponse()).startsWith("HTTP/1.1 200 ").contains("\"nibble-home\"");
    }
  }

  @Test
  void chunksThatCanBeReadInTwoWaysAreRefused() throws Exception {
    for (String chunk : List.of(
        "100000000\r\n\r\n", "100000005\r\nhello\r\n0\r\n\r\n", "10000000000000000\r\n\r\n", "80000000\r\nhello", "8000000000000000\r\nhello", "00000000000000005\r\nhello\r\n0\r\n\r\n",
        "+5\r\nhello\r\n0\r\n\r\n", "-5\r\nhello\r\n0\r\n\r\n", "-0\r\n\r\n", "0x5\r\nhello\r\n0\r\n\r\n", " 5\r\nhello\r\n0\r\n\r\n", "5 \r\nhello\r\n0\r\n\r\n", "\t5\r\nhello\r\n0\r\n\r\n",
        "5\t\r\nhello\r\n0\r\n\r\n", "5_0\r\n", "5h\r\n", "5,a\r\n", "5;\r\n", "5;=a\r\n", "5;a=\r\n", "5;a=\"b\r\n", "5;a b\r\n", "5\r\r\n", "5\n", "\r\n", ";a\r\n", "\uff15\r\n",
        "5\r\nhello0\r\n\r\n", "5\r\nhello\n0\r\n\r\n", "0\r\nno colon\r\n\r\n", "0\r\n a: b\r\n\r\n", "0\r\na : b\r\n\r\n", "0\r\n: b\r\n\r\n", "0\r\na: b\n\r\n",
        ("1;" + "a".repeat(1_000) + "\r\nx\r\n").repeat(20), "0\r\n" + ("a: " + "b".repeat(1_000) + "\r\n").repeat(20) + "\r\n", "1;" + "a".repeat(10_000))) {
      Strangers.Refused refused = strangers.refused(CHUNKED + chunk + SECOND);
      assertThat(refused.status()).as(chunk).isEqualTo(400);
      assertThat(refused.code()).as(chunk).isEqualTo("malformed_request");
      assertThat(refused.error().get("message").textValue()).as(chunk).contains("chunk");
    }
  }

  @Test
  void aLargeChunkIsABodyThatIsTooLarge() throws Exception {
    try (Api.Wire wire = api.connect()) {
      wire.write(CHUNKED + "7fffffff\r\n");
      byte[] part = new byte[1 << 20];
      try {
        for (int i = 0; i < 64; i++) {
          wire.socket().getOutputStream().write(part);
        }
      } catch (SocketException closed) {
        // as it should be, after the answer
      }
      assertThat(wire.readResponse()).startsWith("HTTP/1.1 413 ");
    }
  }

  // ---- targets and hosts

  @Test
  void aMalformedHostIsNamed() throws Exception {
    for (String host : List.of("localhost:99999", "localhost:abc", "[::1", "::1", "user@localhost", "a/b", "a b", "a\"b", "http://localhost", "localhost:80:80")) {
      Strangers.Refused refused = strangers.refused("GET /v1/models HTTP/1.1\r\nHost: " + host + "\r\n\r\n");
      assertThat(refused.status()).as(host).isEqualTo(400);
      assertThat(refused.code()).as(host).isEqualTo("invalid_host");
      assertThat(refused.error().get("message").textValue()).as(host).contains(host);
    }
  }

  @Test
  void theHostOfAUrlCounts() throws Exception {
    for (String target : List.of("http://localhost/v1/models", "HTTP://LOCALHOST:8080/v1/models?a=b", "http://127.0.0.1/v1/models#top", "https://localhost/v1/models", "http://[::1]:80/v1/models")) {
      assertThat(answer("GET " + target, "evil.example.com")).as(target).startsWith("HTTP/1.1 200 ").contains("\"nibble-home\"");
    }
    assertThat(answer("GET http://evil.example.com/v1/models", "localhost")).startsWith("HTTP/1.1 421 ").contains("\"code\":\"host_not_allowed\"", "evil.example.com");
    assertThat(answer("GET http://evil.example.com/v2", "localhost")).startsWith("HTTP/1.1 421 ").contains("{\"error\":\"");
    assertThat(answer("OPTIONS http://localhost", "localhost")).startsWith("HTTP/1.1 200 ").containsIgnoringCase("\r\nallow: GET, HEAD, OPTIONS, POST\r\n");
    assertThat(answer("GET http://localhost", "localhost")).startsWith("HTTP/1.1 404 ").contains("\"code\":\"unknown_url\"");
    for (String target : List.of("http://", "http:///v1/models", "http://user@localhost/v1/models", "http://[::1/v1/models", "http://localhost:99999/v1/models", "http://a b/", "http:/v1/models", "//",
        "v1/models", "?a", "http://localhost:x")) {
      Strangers.Refused refused = strangers.refused("GET " + target + " HTTP/1.1\r\nHost: localhost\r\n\r\n");
      assertThat(refused.status()).as(target).isEqualTo(400);
      assertThat(refused.code()).as(target).isEqualTo("malformed_request");
    }
    assertThat(strangers.refused("GET http://localhost/v1/models HTTP/1.1\r\n\r\n").code()).as("it needs a Host nevertheless").isEqualTo("invalid_host");
  }

  /** No answer is without a body, whatever the target is. */
  @Test
  void oddTargetsGetErrorsWithBodies() throws Exception {
    for (String target : List.of("/v1/models/%", "/%00", "/%ff", "/..", "/../..", "/a\\b", "/{a}", "/a|b", "/a\"b", "/\u00fc", "/;", "/?", "/??", "/v1//models/../x", "/%2e%2e/%2e", "/v2/%2f", "/q", "/q/x",
        "/" + "a".repeat(3_000))) {
      assertThat(answer("GET " + target, "localhost")).as(target).containsPattern("^HTTP/1\\.1 4\\d\\d ").contains("\"error\"");
    }
  }

  private String answer(String request, String host) throws Exception {
    try (Api.Wire wire = api.connect()) {
      wire.write(request + " HTTP/1.1\r\nHost: " + host + "\r\n\r\n");
      return wire.readResponse();
    }
  }

  // ---- methods

  @Test
  void connectIsNotKnown() throws Exception {
    assertThat(strangers.refused("CONNECT localhost:443 HTTP/1.1\r\nHost: localhost:443\r\n\r\n").status()).isEqualTo(501);
    double errors = api.metric("nibble_connections_errors_total", "");
    try (Http2Wire wire = new Http2Wire(rest)) {
      for (int stream = 1; stream < 100; stream += 2) {
        wire.write(Http2Wire.frame(Http2Wire.HEADERS, Http2Wire.END_HEADERS, stream, Http2Wire.heads(List.of(":method", "CONNECT", ":authority", "localhost:443"))));
        assertThat(new String(wire.read(Http2Wire.DATA, stream).payload(), StandardCharsets.UTF_8)).contains("\"code\":\"method_not_implemented\"", "CONNECT");
      }
      assertThat(wire.read(Http2Wire.RST_STREAM, 99).payload()).as("NO_ERROR").isEqualTo(new byte[4]);
    }
    Api.await("nothing is under way", () -> api.metric("nibble_connections_requests", "") <= 1);
    assertThat(api.metric("nibble_connections_errors_total", "")).as("nothing for the log").isEqualTo(errors);
  }

  @Test
  void pathsOfHttp2ThatCantBeReadAreNamed() throws Exception {
    double errors = api.metric("nibble_connections_errors_total", "");
    try (Http2Wire wire = new Http2Wire(rest)) {
      wire.write(Http2Wire.frame(Http2Wire.HEADERS, 5, 1, Http2Wire.request("GET", "/%zz", "localhost")));
      assertThat(new String(wire.read(Http2Wire.DATA, 1).payload(), StandardCharsets.UTF_8)).contains("\"code\":\"malformed_request\"");
      wire.write(Http2Wire.frame(Http2Wire.HEADERS, 5, 3, Http2Wire.request("GET", "v1/models", "localhost")));
      assertThat(new String(wire.read(Http2Wire.DATA, 3).payload(), StandardCharsets.UTF_8)).contains("\"error\":{");
      wire.write(Http2Wire.frame(Http2Wire.HEADERS, 5, 7, Http2Wire.request("GET", "/v2/%zz", "localhost")));
      assertThat(new String(wire.read(Http2Wire.DATA, 7).payload(), StandardCharsets.UTF_8)).contains("{\"error\":\"");
      wire.write(Http2Wire.frame(Http2Wire.HEADERS, 5, 9, Http2Wire.request("GET", "/v1/models", "a b")));
      assertThat(wire.read(Http2Wire.RST_STREAM, 9).payload()).as("a malformed :authority").isEqualTo(new byte[] {0, 0, 0, 1});
      wire.write(Http2Wire.frame(Http2Wire.HEADERS, 5, 11, Http2Wire.request("GET", "/v1/models", "localhost")));
      assertThat(new String(wire.read(Http2Wire.DATA, 11).payload(), StandardCharsets.UTF_8)).contains("\"nibble-home\"");
    }
    assertThat(api.metric("nibble_connections_errors_total", "")).as("nothing for the log").isEqualTo(errors);
  }

  @Test
  void metricsAreOnlyRead() throws Exception {
    for (String path : List.of("/metrics", "/q/metrics", "/metrics/")) {
      Api.Reply posted = api.post(path, "{}");
      assertThat(posted.status()).as(path).isEqualTo(405);
      assertThat(posted.header("Allow")).isEqualTo("GET, HEAD");
      assertThat(posted.json().get("error").get("code").textValue()).isEqualTo("method_not_allowed");
      assertThat(api.send(api.request(path).method("HEAD", BodyPublishers.noBody()).build()).status()).as(path).isEqualTo(200);
      assertThat(api.get(path).status()).as(path).isEqualTo(200);
    }
  }

  // ---- clients that close their side

  @Test
  void whoClosesItsSideIsAnswered() throws Exception {
    for (String body : List.of(BODY, "{\"prompt\":\"Once upon a time\",\"max_tokens\":200,\"ignore_eos\":true}", "{\"prompt\":\"Once\",\"max_tokens\":100,\"ignore_eos\":true,\"stream\":true}")) {
      try (Api.Wire wire = api.connect()) {
        wire.post("/v1/completions", body);
        wire.socket().shutdownOutput();
        String answer = wire.readThrough("no end");
        while (answer.startsWith("HTTP/1.1 102 ")) {
          answer = answer.substring(answer.indexOf("\r\n\r\n") + 4);
        }
        assertThat(answer).startsWith("HTTP/1.1 200 ").contains("\"finish_reason\":\"length\"");
        if (body.contains("stream")) {
          assertThat(answer).contains("data: [DONE]").endsWith("0\r\n\r\n");
        }
      }
    }
    try (Api.Wire wire = api.connect()) {
      wire.write(SECOND + SECOND);
      wire.socket().shutdownOutput();
      String answers = wire.readThrough("no end");
      assertThat(answers.split("HTTP/1.1 200 ", -1)).hasSize(3);
    }
    try (Api.Wire wire = api.connect()) {
      wire.write("POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{");
      wire.socket().shutdownOutput();
      assertThat(wire.readThrough("no end")).as("a request that has not come whole").isEmpty();
    }
    Api.await("connections are closed", () -> api.metric("nibble_connections", "") <= 2);
  }

  /** Nobody reads the answer: it is not computed to its end. */
  @Test
  void whoIsGoneIsNotTakenForOneThatWaits() throws Exception {
    for (boolean stream : new boolean[] {false, true}) {
      Api.Wire wire = api.connect();
      wire.post("/v1/completions", "{\"prompt\":\"Once\",\"ignore_eos\":true,\"max_tokens\":2000,\"stream\":" + stream + "}");
      Api.await("it is under way", () -> api.metric("nibble_connections_requests", "") >= 2);
      wire.close();
      Api.await("it is given up", () -> api.metric("nibble_connections_requests", "") <= 1);
    }
  }

  // ---- bodies

  @Test
  void utf8IsSaidInSeveralWays() throws Exception {
    for (String type : List.of("application/json; charset=utf8", "application/json; charset=UTF8", "application/json;charset=Utf-8", "application/json; charset=\"utf8\"", "APPLICATION/JSON")) {
      assertThat(api.send(api.request("/v1/completions").header("Content-Type", type).POST(BodyPublishers.ofString(BODY)).build()).status()).as(type).isEqualTo(200);
    }
    assertThat(api.send(api.request("/v1/completions").header("Content-Type", "application/json; charset=utf-16").POST(BodyPublishers.ofString(BODY)).build()).status()).isEqualTo(415);
  }

  @Test
  void longTextsAreRefusedForWhatTheyAre() throws Exception {
    String data = "a".repeat(200_000);
    String image = "{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/png;base64," + data + "\"}}";
    JsonNode refused = chat("{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"What is it?\"}," + image + "]}]}");
    assertThat(refused.get("param").textValue()).isEqualTo("messages[0].content[1].image_url");
    assertThat(refused.get("code").isNull()).isTrue();
    assertThat(refused.get("message").textValue()).contains("messages[0].content[1].image_url is not supported", "nothing but text");
    for (String text : List.of("\"" + data + "\"", "[{\"type\":\"text\",\"text\":\"" + data + "\"}]")) {
      assertThat(chat("{\"messages\":[{\"role\":\"user\",\"content\":" + text + "}]}").get("code").textValue()).isEqualTo("context_length_exceeded");
    }
    assertThat(chat("{\"messages\":[{\"role\":\"user\",\"content\":\"a\",\"name\":\"" + data + "\"}]}").get("param").textValue()).isEqualTo("messages[0].name");
    JsonNode images = chat("{\"images\":[\"" + data + "\"],\"messages\":[{\"role\":\"user\",\"content\":\"a\"}]}");
    assertThat(images.get("param").textValue()).isEqualTo("images");
    assertThat(images.get("message").textValue()).contains("images is not supported: the model reads and writes nothing but text.");
    for (String field : List.of("\"user\":\"" + data + "\"", "\"metadata\":{\"a\":[\"" + data + "\"]}", "\"prediction\":{\"type\":\"content\",\"content\":\"" + data + "\"}")) {
      Api.Reply reply = api.post("/v1/chat/completions", "{\"max_tokens\":1,\"messages\":[{\"role\":\"user\",\"content\":\"a\"}]," + field + "}");
      assertThat(reply.status()).as(reply.text()).isEqualTo(200);
      assertThat(reply.text()).doesNotContain("ignored");
    }
    assertThat(api.post("/v1/completions", "{\"prompt\":\"a\",\"user\":\"a\",\"user\":\"b\"}").status()).as("twice").isEqualTo(400);
    assertThat(api.post("/v1/completions", "{\"prompt\":\"a\",\"user\":{\"a\":}}").status()).as("malformed").isEqualTo(400);
    assertThat(api.post("/v1/completions", BODY + " {}").json().get("error").get("message").textValue()).contains("not well-formed JSON");
  }

  private JsonNode chat(String body) throws Exception {
    Api.Reply reply = api.post("/v1/chat/completions", body);
    assertThat(reply.status()).as(reply.text()).isEqualTo(400);
    return reply.json().get("error");
  }

  @Test
  void anyLargeNumberOfTokensIsCut() throws Exception {
    for (String number : List.of("2147483648", "4294967296", "1e12", "9223372036854775808", "100000000000000000000000000")) {
      for (String name : List.of("max_tokens", "max_completion_tokens")) {
        Api.Reply reply = api.post("/v1/chat/completions", "{\"messages\":[{\"role\":\"user\",\"content\":\"a\"}],\"stop\":[\" \",\"a\",\"e\",\"i\",\"o\"],\"" + name + "\":" + number + "}");
        assertThat(reply.status()).as(reply.text()).isEqualTo(200);
      }
    }
    for (String number : List.of("0", "-2", "-4294967295", "1.5", "1e400", "\"5\"")) {
      Api.Reply reply = api.post("/v1/completions", "{\"prompt\":\"a\",\"max_tokens\":" + number + "}");
      assertThat(reply.status()).as(number).isEqualTo(400);
      assertThat(reply.text()).as(number).contains("max_tokens");
    }
  }
}
