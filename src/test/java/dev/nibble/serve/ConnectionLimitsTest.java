package dev.nibble.serve;

import static org.assertj.core.api.Assertions.assertThat;

import io.quarkus.test.junit.QuarkusTest;
import io.quarkus.test.junit.TestProfile;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.http.HttpRequest.BodyPublishers;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Connections that say nothing, or half of something, or that are too many; and that long answers are none of these. */
@QuarkusTest
@TestProfile(SmallLimits.class)
class ConnectionLimitsTest extends PortsTest {
  private static final String ONE = "127.0.0.1";
  private static final String TWO = "127.0.0.2";
  private static final int MANY_CONNECTIONS = 8;
  private static final int MANY_STREAMS = 99;

  private final List<AutoCloseable> open = new ArrayList<>();
  @Override
  boolean ready() throws IOException {
    return once(TWO, "/q/health/ready").startsWith("HTTP/1.1 200 ");
  }

  @AfterEach
  void close() throws Exception {
    for (AutoCloseable connection : open) {
      connection.close();
    }
    Api.await("connections are gone", () -> metric("nibble_connections ") <= 1);
  }

  private Api.Wire wire(String from) throws IOException {
    Socket socket = new Socket();
    socket.bind(new InetSocketAddress(from, 0));
    socket.connect(new InetSocketAddress(ONE, base.getPort()));
    Api.Wire wire = new Api.Wire(socket);
    open.add(wire);
    return wire;
  }

  /** The answer to a GET on a connection of its own. */
  private String once(String from, String path) throws IOException {
    try (Api.Wire wire = wire(from)) {
      wire.write("GET " + path + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
      return wire.readThrough("no end");
    }
  }

  /** A sample, asked for from an address that no test fills. */
  private double metric(String sample) throws IOException {
    return once("127.0.0.3", "/q/metrics").lines().filter(line -> line.startsWith(sample)).mapToDouble(line -> Double.parseDouble(line.substring(line.lastIndexOf(' ') + 1))).sum();
  }

  private double closed(String port, String reason) throws IOException {
    return metric("nibble_connections_closed_total{port=\"" + port + "\",reason=\"" + reason + "\"}");
  }

  /** A connection from {@value #ONE} on which a watch of health is under way. */
  private Http2Wire busy() throws IOException {
    Http2Wire wire = new Http2Wire(grpc);
    open.add(wire);
    watch(wire, 1);
    return wire;
  }

  /** Begins a watch of health, and waits for its first answer. */
  private static void watch(Http2Wire wire, int stream) throws IOException {
    wire.write(Http2Wire.frame(Http2Wire.HEADERS, Http2Wire.END_HEADERS, stream, Http2Wire.call("/grpc.health.v1.Health/Watch")));
    wire.write(Http2Wire.frame(Http2Wire.DATA, Http2Wire.END_STREAM, stream, new byte[5]));
    for (var frame = wire.read(); frame.orElseThrow().type() != Http2Wire.DATA || frame.orElseThrow().stream() != stream; frame = wire.read()) {
      // settings and heads
    }
  }

  private static boolean answersPing(Http2Wire wire) throws IOException {
    wire.write(Http2Wire.frame(Http2Wire.PING, 0, 0, new byte[] {7, 7, 7, 7, 7, 7, 7, 7}));
    for (var frame = wire.read(); frame.isPresent(); frame = wire.read()) {
      if (frame.get().type() == Http2Wire.PING && (frame.get().flags() & 1) != 0) {
        return true;
      }
    }
    return false;
  }

  @Test
  void aHeadMustArriveInTime() throws Exception {
    double before = closed("rest", "slow_head");
    Api.Wire half = wire(ONE);
    half.write("GET /v1/models HTTP/1.1\r\nHost: loc");
    assertThat(half.readResponse()).startsWith("HTTP/1.1 408 ").contains("nibble.connections.head-timeout");
    assertThat(half.readThrough("x")).isEmpty();
    Api.Wire silent = wire(ONE);
    assertThat(silent.readThrough("x")).isEmpty();
    Api.Wire second = wire(ONE);
    second.write("GET /v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n");
    second.readResponse();
    second.write("GET /v1/models HTTP/1.1\r\n");
    assertThat(second.readResponse()).startsWith("HTTP/1.1 408 ");
    assertThat(closed("rest", "slow_head")).isEqualTo(before + 3);
    Http2Wire tls = new Http2Wire(grpc);
    open.add(tls);
  }

  @Test
  void idleConnectionsAreClosedAndBusyOnesAreNot() throws Exception {
    Http2Wire watch = busy();
    Http2Wire idleCalls = new Http2Wire(grpc);
    open.add(idleCalls);
    Api.Wire idle = wire(ONE);
    idle.write("GET /v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n");
    idle.readResponse();
    List<Api.Wire> streams = new ArrayList<>();
    for (int i = 0; i < 4; i++) {
      Api.Wire stream = wire(ONE);
      stream.post("/v1/completions", "{\"temperature\":0,\"ignore_eos\":true,\"max_tokens\":900,\"stream\":true,\"logprobs\":20,\"prompt\":\"Once upon a time\"}");
      streams.add(stream);
    }
    assertThat(idle.readThrough("x")).isEmpty();
    idleCalls.readToEnd();
    for (Api.Wire stream : streams) {
      assertThat(stream.readThrough("0\r\n\r\n")).contains("data: [DONE]");
    }
    assertThat(answersPing(watch)).as("the stream that nothing was sent on for longer than that is still there").isTrue();
  }

  @Test
  void whoReadsNothingIsClosed() throws Exception {
    double before = closed("rest", "slow_reader");
    Http2Wire wire = new Http2Wire(new InetSocketAddress(ONE, base.getPort()));
    open.add(wire);
    wire.write(Http2Wire.frame(Http2Wire.SETTINGS, 0, 0, new byte[] {0, 4, 0, 0, 0, 0})); // no window for any stream
    wire.write(Http2Wire.frame(Http2Wire.HEADERS, 5, 1, Http2Wire.request("GET", "/v1/models", "localhost")));
    wire.readToEnd();
    assertThat(closed("rest", "slow_reader")).isEqualTo(before + 1);
  }

  @Test
  void idleConnectionsMakeRoom() throws Exception {
    List<Api.Wire> idle = new ArrayList<>();
    for (int i = 0; i < 3 * SmallLimits.MAX; i++) {
      idle.add(wire(ONE));
    }
    assertThat(once(TWO, "/v1/models")).startsWith("HTTP/1.1 200 ");
    assertThat(once(ONE, "/v1/models")).startsWith("HTTP/1.1 200 ");
    assertThat(metric("nibble_connections ")).isLessThanOrEqualTo(SmallLimits.MAX);
    assertThat(closed("rest", "made_room") + closed("grpc", "made_room")).isGreaterThanOrEqualTo(2 * SmallLimits.MAX);
    assertThat(idle.getFirst().readThrough("x")).as("the oldest goes first").isEmpty();
  }

  @Test
  void healthIsAnsweredWhereAllAreBusy() throws Exception {
    for (int i = 0; i < SmallLimits.MAX_PER_ADDRESS; i++) {
      busy();
    }
    assertThat(once(ONE, "/v1/models")).startsWith("HTTP/1.1 503 ").contains("\"code\":\"too_many_connections\"").containsIgnoringCase("retry-after: ");
    assertThat(once(ONE, "/q/health/ready")).startsWith("HTTP/1.1 200 ");
    assertThat(once(TWO, "/v1/models")).as("another address").startsWith("HTTP/1.1 200 ");
    try (Http2Wire wire = new Http2Wire(grpc)) {
      wire.write(Http2Wire.frame(Http2Wire.HEADERS, Http2Wire.END_HEADERS, 1, Http2Wire.call("/grpc.health.v1.Health/Check")));
      wire.write(Http2Wire.frame(Http2Wire.DATA, Http2Wire.END_STREAM, 1, new byte[5]));
      var frame = wire.read();
      while (frame.orElseThrow().type() != Http2Wire.DATA) {
        frame = wire.read();
      }
      assertThat(frame.get().payload()).as("SERVING").endsWith(8, 1);
    }
    assertThat(closed("rest", "too_many_of_address")).isGreaterThanOrEqualTo(1);
  }

  /** Beyond the requests that may be under way in all, whichever connections they came by; health is answered nevertheless, on both ports. */
  @Test
  void requestsUnderWayAreLimitedInAll() throws Exception {
    Http2Wire wire = busy();
    for (int i = 1; i < SmallLimits.MAX_REQUESTS; i++) {
      watch(wire, 2 * i + 1);
    }
    assertThat(once(TWO, "/v1/models")).startsWith("HTTP/1.1 503 ").contains("\"code\":\"too_many_requests_under_way\"").containsIgnoringCase("retry-after: ");
    assertThat(once(TWO, "/q/health/ready")).startsWith("HTTP/1.1 200 ");
    try (Http2Wire other = new Http2Wire(grpc)) {
      other.write(Http2Wire.frame(Http2Wire.HEADERS, Http2Wire.END_HEADERS, 1, Http2Wire.call("/nibble.v1.ModelService/ListModels")));
      other.write(Http2Wire.frame(Http2Wire.DATA, Http2Wire.END_STREAM, 1, new byte[5]));
      var frame = other.read().orElseThrow();
      while (frame.type() != Http2Wire.HEADERS) {
        frame = other.read().orElseThrow();
      }
      assertThat(frame.flags() & Http2Wire.END_STREAM).as("refused, without an answer before the status").isNotZero();
      watch(other, 3);
    }
    wire.close();
    Api.await("room again", () -> once(TWO, "/v1/models").startsWith("HTTP/1.1 200 "));
  }

  /** An answered request whose sender never ends it is reset, and its place given back; so with methods that nobody knows, and with bodies that do not come. */
  @Test
  void requestsWithoutEndGiveTheirPlacesBack() throws Exception {
    byte[] untyped = Http2Wire.request("POST", "/v1/completions", "localhost");
    byte[] typed = Http2Wire.heads(List.of(":method", "POST", ":scheme", "http", ":path", "/v1/completions", ":authority", "localhost", "content-type", "application/json"));
    byte[] connect = Http2Wire.heads(List.of(":method", "CONNECT", ":authority", "localhost:443"));
    for (byte[] head : List.of(untyped, typed, connect)) {
      assertReset(rest, head);
    }
    for (String method : List.of("/nibble.v1.ModelService/ListModels", "/nibble.v1.GenerationService/StreamGenerate", "/inference.GRPCInferenceService/ModelStreamInfer")) {
      assertReset(grpc, Http2Wire.call(method));
    }
    byte[] empty = {0, 0, 0, 0, 0};
    byte[] listServices = {0, 0, 0, 0, 2, 0x3a, 0};
    assertReset(grpc, Http2Wire.call("/grpc.health.v1.Health/Check"), empty);
    assertReset(grpc, Http2Wire.call("/nibble.v1.ModelService/ListModels"), empty);
    assertReset(grpc, Http2Wire.call("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"), listServices);
  }

  /** Streams of a head, and of messages where there are some, whose end never comes. */
  private void assertReset(InetSocketAddress port, byte[] head, byte[]... messages) throws Exception {
    List<Http2Wire> wires = new ArrayList<>();
    for (int i = 0; i < MANY_CONNECTIONS; i++) {
      wires.add(begin(port, head, messages));
    }
    for (Http2Wire wire : wires) {
      // In the order of their answers.
      for (int reset = 0; reset < MANY_STREAMS;) {
        Http2Wire.Frame frame = wire.read().orElseThrow();
        if (frame.type() == Http2Wire.RST_STREAM) {
          assertThat(frame.payload()).as("NO_ERROR").isEqualTo(new byte[4]);
          reset++;
        }
      }
    }
    Api.await("room again", () -> once(TWO, "/v1/models").startsWith("HTTP/1.1 200 "));
    close();
  }

  private Http2Wire begin(InetSocketAddress port, byte[] head, byte[]... messages) throws IOException {
    Http2Wire wire = new Http2Wire(port);
    open.add(wire);
    for (int i = 0; i < MANY_STREAMS; i++) {
      wire.write(Http2Wire.frame(Http2Wire.HEADERS, Http2Wire.END_HEADERS, 2 * i + 1, head));
      for (byte[] message : messages) {
        wire.write(Http2Wire.frame(Http2Wire.DATA, 0, 2 * i + 1, message));
      }
    }
    return wire;
  }

  @Test
  void namesAreAddedBySetting() throws Exception {
    for (String host : List.of("gateway.example.com", "a.example.org", "localhost")) {
      assertThat(named(host)).as(host).startsWith("HTTP/1.1 200 ");
    }
    for (String host : List.of("example.com", "x.gateway.example.com", "example.org", "evil.example.net")) {
      assertThat(named(host)).as(host).startsWith("HTTP/1.1 421 ");
    }
  }

  private String named(String host) throws IOException {
    try (Api.Wire wire = wire(TWO)) {
      wire.write("GET /v1/models HTTP/1.1\r\nHost: " + host + "\r\n\r\n");
      return wire.readResponse();
    }
  }

  /** What docs/security.md says of web pages that may. */
  @Test
  void pagesThatAreNamedMayAsk() throws Exception {
    Api.Reply asked = api.send(api.request("/v1/completions").header("Origin", "http://page.example.com").header("Access-Control-Request-Method", "POST")
        .header("Access-Control-Request-Headers", "content-type").method("OPTIONS", BodyPublishers.noBody()).build());
    assertThat(asked.header("Access-Control-Allow-Origin")).isEqualTo("http://page.example.com");
    Api.Reply answer = api.send(api.request("/v1/completions").header("Origin", "http://page.example.com").header("Content-Type", "application/json")
        .POST(BodyPublishers.ofString("{\"prompt\":\"Once\",\"max_tokens\":2}")).build());
    assertThat(answer.status()).as(answer.text()).isEqualTo(200);
    assertThat(answer.header("Access-Control-Allow-Origin")).isEqualTo("http://page.example.com");
    Api.Reply other = api.send(api.request("/v1/completions").header("Origin", "http://other.example.com").header("Access-Control-Request-Method", "POST")
        .method("OPTIONS", BodyPublishers.noBody()).build());
    assertThat(other.headers().firstValue("Access-Control-Allow-Origin")).isEmpty();
  }
}
