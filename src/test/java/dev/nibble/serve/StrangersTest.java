package dev.nibble.serve;

import static org.assertj.core.api.Assertions.assertThat;

import io.quarkus.test.junit.QuarkusTest;
import java.net.InetSocketAddress;
import java.net.http.HttpRequest.BodyPublishers;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What strangers can do to the ports, with the limits as they come. */
@QuarkusTest
class StrangersTest extends PortsTest {
  private static final String POST = "POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
  private static final String SECOND = "GET /v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n";

  private Strangers strangers;

  @BeforeEach
  void arrive() {
    strangers = new Strangers(base.getHost(), base.getPort(), grpc.getPort());
  }

  @Test
  void requestsThatNobodyReadsHoldNobodyUp() throws Exception {
    strangers.requestsWithoutEnd(rest, Http2Wire.request("GET", "/q/health/live", "localhost"));
    strangers.requestsWithoutEnd(rest, Http2Wire.request("GET", "/v1/models", "localhost"));
    strangers.requestsWithoutEnd(grpc, Http2Wire.call("/grpc.health.v1.Health/Check"));
    strangers.pipelined();
    Api.await("nothing is under way", () -> api.metric("nibble_connections_requests", "") <= 1);
  }

  @Test
  void oddRequestsMakeNoLabels() throws Exception {
    strangers.oddRequests(1_000);
    String methods = api.get("/q/metrics").text();
    assertThat(methods).doesNotContain("FOO", "ODD", "example.com");
  }

  @Test
  void watchesOfUnknownServicesAreNotKept() throws Exception {
    strangers.watches();
  }

  @Test
  void floodsOfFramesCloseTheConnection() throws Exception {
    double before = api.metric("nibble_connections_closed_total", "reason=\"frame_flood\"");
    strangers.rapidReset(rest, Http2Wire.request("GET", "/v1/models", "localhost"));
    strangers.rapidReset(grpc, Http2Wire.call("/nibble.v1.ModelService/ListModels"));
    for (InetSocketAddress port : List.of(rest, grpc)) {
      strangers.frameFlood(port, Http2Wire.frame(Http2Wire.PING, 0, 0, new byte[8]));
      strangers.frameFlood(port, Http2Wire.frame(Http2Wire.SETTINGS, 0, 0, new byte[0]));
      strangers.frameFlood(port, Http2Wire.frame(Http2Wire.PRIORITY, 0, 1, new byte[] {0, 0, 0, 0, 1}));
      strangers.frameFlood(port, Http2Wire.frame(Http2Wire.WINDOW_UPDATE, 0, 0, new byte[] {0, 0, 0, 1}));
      strangers.headWithoutEnd(port);
      strangers.emptyData(port, port == grpc);
    }
    assertThat(api.metric("nibble_connections_closed_total", "reason=\"frame_flood\"")).isGreaterThan(before);
  }

  @Test
  void whatIsNoMessageIsCounted() throws Exception {
    double closed = api.metric("nibble_connections_closed_total", "reason=\"other_protocol\"");
    double errors = api.metric("nibble_connections_errors_total", "source=\"grpc\"");
    strangers.malformed();
    assertThat(api.metric("nibble_connections_closed_total", "reason=\"other_protocol\"")).isGreaterThanOrEqualTo(closed + 301);
    assertThat(api.metric("nibble_connections_errors_total", "source=\"grpc\"")).isGreaterThanOrEqualTo(errors + 500);
  }

  @Test
  void messagesWithoutEndAndSilenceHoldNobodyUp() throws Exception {
    strangers.unfinishedMessages();
    strangers.silentConnections(300);
  }

  @Test
  void aRequestThatCanBeReadInTwoWaysIsRefusedAndTheConnectionClosed() throws Exception {
    for (String length : List.of("-1", "+5", "0x5", "5, 6", "5,5", "99999999999999999999", "5 5", "1e3", "")) {
      Strangers.Refused refused = strangers.refused(POST + "Content-Length: " + length + "\r\n\r\nhello" + SECOND);
      assertThat(refused.status()).as(length).isEqualTo(400);
      assertThat(refused.code()).isEqualTo("malformed_request");
    }
    for (String heads : List.of(
        "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", "Content-Length: 5\r\nContent-Length: 6\r\n",
        "Content-Length : 5\r\n", "A\0b: c\r\n", "A b: c\r\n", ": c\r\n", "no colon\r\n", "nocolon\r\n", "Foo: a\r\n b\r\n", "Foo: a\r\n\tb: c\r\n", "Content-Length: 5\r\n 6\r\n", "Foo: a\nContent-Length: 5\r\n", "Foo: a\rb\r\n", "Transfer-Encoding:\u000bchunked\r\n")) {
      Strangers.Refused refused = strangers.refused(POST + heads + "\r\n0\r\n\r\n" + SECOND);
      assertThat(refused.status()).as(heads).isEqualTo(400);
      assertThat(refused.code()).isEqualTo("malformed_request");
    }
    assertThat(strangers.refused(SECOND.replace("\r\n", "\n")).status()).as("bare line feeds").isEqualTo(400);
    assertThat(strangers.refused(SECOND.replace("1.1", "1.0").replace("\r\n\r\n", "\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")).status()).isEqualTo(400);
    for (String encoding : List.of("xchunked", "gzip, chunked", "chunked, chunked", "identity", "chunked\r\nTransfer-Encoding: chunked", "\"chunked\"", "")) {
      Strangers.Refused refused = strangers.refused(POST + "Transfer-Encoding: " + encoding + "\r\n\r\n0\r\n\r\n" + SECOND);
      assertThat(refused.status()).as(encoding).isEqualTo(501);
      assertThat(refused.code()).isEqualTo("transfer_encoding_not_supported");
    }
    for (String chunk : List.of(
        "-1\r\n", "0x5\r\nhello\r\n0\r\n\r\n", "ffffffffffffffff\r\n", "5;a=\0\r\nhello\r\n0\r\n\r\n", "5\nhello\r\n0\r\n\r\n", "5\r\nhelloXX0\r\n\r\n", "zz\r\n",
        "5;" + "a".repeat(100_000) + "\r\nhello\r\n0\r\n\r\n")) {
      Strangers.Refused refused = strangers.refused(POST + "Transfer-Encoding: chunked\r\n\r\n" + chunk);
      assertThat(refused.status()).as(chunk).isEqualTo(400);
      assertThat(refused.code()).isEqualTo("malformed_request");
    }
  }

  @Test
  void otherRequestsThatAreNoneAreRefusedInTheSameForm() throws Exception {
    assertThat(strangers.refused("GET /v1/models HTTP/1.1\r\n\r\n").code()).isEqualTo("invalid_host");
    assertThat(strangers.refused("GET /v1/models HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n").code()).isEqualTo("invalid_host");
    assertThat(strangers.refused("GET /v1/models HTTP/1.1\r\nHost: a b\r\n\r\n").code()).isEqualTo("invalid_host");
    assertThat(strangers.refused("GET v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n").code()).isEqualTo("malformed_request");
    assertThat(strangers.refused("GET * HTTP/1.1\r\nHost: localhost\r\n\r\n").code()).isEqualTo("malformed_request");
    assertThat(strangers.refused("GET ftp://localhost/v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n").code()).isEqualTo("malformed_request");
    assertThat(strangers.refused("FOO /v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n").status()).isEqualTo(501);
    assertThat(strangers.refused("GET /v1/models HTTP/1.2\r\nHost: localhost\r\n\r\n").status()).isEqualTo(505);
    assertThat(strangers.refused("GET /" + "a".repeat(9_000) + " HTTP/1.1\r\nHost: localhost\r\n\r\n").status()).isEqualTo(414);
    assertThat(strangers.refused("GET / HTTP/1.1\r\nHost: localhost\r\nA: " + "a".repeat(60_000) + "\r\n\r\n").status()).isEqualTo(431);
    assertThat(strangers.refused("GET /%zz HTTP/1.1\r\nHost: localhost\r\n\r\n").status()).isEqualTo(400);
    assertThat(strangers.refused(new byte[] {0, 1, 2, -1, -1, '\n', '\n'}).status()).isEqualTo(400);
    // A refusal comes after what was asked before it.
    try (Api.Wire wire = api.connect()) {
      wire.write(SECOND + "FOO / HTTP/1.1\r\nHost: localhost\r\n\r\n" + SECOND);
      assertThat(wire.readResponse()).startsWith("HTTP/1.1 200 ");
      assertThat(wire.readResponse()).startsWith("HTTP/1.1 501 ");
      assertThat(wire.readThrough("HTTP")).isEmpty();
    }
  }

  /** By HTTP/2's own status, docs/grpc.md says why; the connection goes on. */
  @Test
  void metadataThatAreTooLargeAreRefusedAndTheConnectionGoesOn() throws Exception {
    List<String> heads = new ArrayList<>(List.of(":method", "POST", ":scheme", "http", ":path", "/grpc.health.v1.Health/Check", ":authority", "localhost",
        "content-type", "application/grpc", "te", "trailers"));
    for (int i = 0; i < 70; i++) {
      heads.add("x-" + i);
      heads.add("a".repeat(100));
    }
    try (Http2Wire wire = new Http2Wire(grpc)) {
      wire.write(Http2Wire.frame(Http2Wire.HEADERS, Http2Wire.END_HEADERS, 1, Http2Wire.heads(heads)));
      Http2Wire.Frame frame = wire.read().orElseThrow();
      while (frame.stream() != 1) {
        frame = wire.read().orElseThrow();
      }
      assertThat(frame.type()).isEqualTo(Http2Wire.HEADERS);
      assertThat(frame.flags() & Http2Wire.END_STREAM).as("an answer without a body").isNotZero();
      wire.write(Http2Wire.frame(Http2Wire.HEADERS, Http2Wire.END_HEADERS, 3, Http2Wire.call("/grpc.health.v1.Health/Check")));
      wire.write(Http2Wire.frame(Http2Wire.DATA, Http2Wire.END_STREAM, 3, new byte[5]));
      while (frame.stream() != 3 || frame.type() != Http2Wire.DATA) {
        frame = wire.read().orElseThrow();
      }
      assertThat(frame.payload()).as("SERVING").endsWith(8, 1);
    }
  }

  /** Lines that arrive in pieces, wherever they are cut. */
  @Test
  void aFoldedHeaderIsRefusedHoweverItArrives() throws Exception {
    String request = "GET /v1/models HTTP/1.1\r\nHost: localhost\r\nFoo: a\r\n b\r\n\r\n";
    for (int cut : new int[] {request.indexOf(" b") - 2, request.indexOf(" b") - 1, request.indexOf(" b"), request.indexOf(" b") + 1}) {
      try (Api.Wire wire = api.connect()) {
        wire.write(SECOND);
        assertThat(wire.readResponse()).startsWith("HTTP/1.1 200 ");
        wire.write(request.substring(0, cut));
        Thread.sleep(50);
        wire.write(request.substring(cut));
        assertThat(wire.readResponse()).startsWith("HTTP/1.1 400 ").contains("obs-fold");
      }
    }
  }

  @Test
  void theTargetsOfRfc9112AreUnderstood() throws Exception {
    try (Api.Wire wire = api.connect()) {
      wire.write("OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n");
      assertThat(wire.readResponse()).startsWith("HTTP/1.1 200 ").containsIgnoringCase("\r\nallow: GET, HEAD, OPTIONS, POST\r\n");
      wire.write("GET http://localhost/v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n");
      assertThat(wire.readResponse()).startsWith("HTTP/1.1 200 ").contains("\"nibble-home\"");
    }
  }

  @Test
  void anOfferOfHttp2IsNotTaken() throws Exception {
    try (Api.Wire wire = api.connect()) {
      wire.write("GET /v1/models HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n");
      assertThat(wire.readResponse()).startsWith("HTTP/1.1 200 ").contains("\"nibble-home\"");
    }
  }

  @Test
  void otherNamesThanTheServicesAreRefused() throws Exception {
    for (String host : List.of("localhost", "127.0.0.1:8080", "[::1]:8080", "gateway", "jetson.local", "nibble.default.svc", "nibble.default.svc.cluster.local", "LOCALHOST.")) {
      assertThat(named(host, "/v1/models")).as(host).startsWith("HTTP/1.1 200 ");
    }
    for (String host : List.of("evil.example.com", "evil.example.com:8080", "127.0.0.1.example.com", "localhost.example.com", "xlocal.com")) {
      assertThat(named(host, "/v1/models")).as(host).startsWith("HTTP/1.1 421 ").contains("nibble.rest.allowed-hosts").contains("\"code\":\"host_not_allowed\"");
      assertThat(named(host, "/v2")).as(host).startsWith("HTTP/1.1 421 ").contains("{\"error\":\"");
      assertThat(named(host, "/q/health/live")).as(host).startsWith("HTTP/1.1 421 ");
    }
  }

  private String named(String host, String path) throws Exception {
    try (Api.Wire wire = api.connect()) {
      wire.write("GET " + path + " HTTP/1.1\r\nHost: " + host + "\r\n\r\n");
      return wire.readResponse();
    }
  }

  /** What browsers send to other sites without asking first: no type, or one of three. */
  @Test
  void webPagesCannotPost() throws Exception {
    for (String path : List.of("/v1/completions", "/v1/chat/completions", "/v2/models/nibble-home/generate", "/v2/models/nibble-home/generate_stream", "/v2/models/nibble-home/infer")) {
      for (String type : List.of("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=a", "text/plain; application/json")) {
        Api.Reply reply = api.send(api.request(path).header("Content-Type", type).POST(BodyPublishers.ofString("{\"prompt\":\"Once\",\"text_input\":\"Once\"}")).build());
        assertThat(reply.status()).as(path + " " + type).isEqualTo(415);
      }
      Api.Reply untyped = api.send(api.request(path).header("Origin", "http://localhost:3000").POST(BodyPublishers.ofString("{\"prompt\":\"Once\",\"text_input\":\"Once\"}")).build());
      assertThat(untyped.status()).as(path).isEqualTo(415);
      Api.Reply asked = api.send(api.request(path).header("Origin", "http://page").method("OPTIONS", BodyPublishers.noBody()).build());
      assertThat(asked.headers().firstValue("Access-Control-Allow-Origin")).as(path).isEmpty();
    }
  }

  @Test
  void bodiesAreUtf8() throws Exception {
    byte[] overlong = "{\"prompt\":\"aXXb\"}".getBytes(StandardCharsets.ISO_8859_1);
    overlong[12] = (byte) 0xc0;
    overlong[13] = (byte) 0xaf;
    for (byte[] body : List.of(overlong, "{\"prompt\":\"a\"}".getBytes(StandardCharsets.UTF_16BE), "{\"prompt\":\"a\"}".getBytes(StandardCharsets.UTF_16LE),
        "{\"prompt\":\"a\"}".getBytes(StandardCharsets.UTF_16), "{\"prompt\":\"a\"}".getBytes(Charset.forName("UTF-32")))) {
      Api.Reply reply = api.send(api.request("/v1/completions").header("Content-Type", "application/json").POST(BodyPublishers.ofByteArray(body)).build());
      assertThat(reply.status()).isEqualTo(400);
      assertThat(reply.json().get("error").get("message").textValue()).contains("UTF-8");
    }
  }
}
