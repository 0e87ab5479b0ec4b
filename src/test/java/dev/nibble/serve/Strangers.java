package dev.nibble.serve;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.SocketException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Random;

/**
 * What strangers do to the two ports of a service that runs somewhere, each followed by whether others are still served. {@link StrangersTest} does all of
 * it to a service of its own; {@code main} does it to any: HOST REST_PORT GRPC_PORT.
 */
public final class Strangers {
  private static final int REQUESTS = 20_000;
  private static final int BATCH = 200;
  /** Far above what an answer takes on a busy machine, and far below what the faults took. */
  private static final Duration PROMPT = Duration.ofSeconds(20);

  private final InetSocketAddress rest;
  private final InetSocketAddress grpc;
  private final Api api;

  public Strangers(String host, int restPort, int grpcPort) {
    rest = new InetSocketAddress(host, restPort);
    grpc = new InetSocketAddress(host, grpcPort);
    api = new Api(URI.create("http://" + host + ":" + restPort + "/"));
  }

  public static void main(String[] arguments) throws Exception {
    Strangers strangers = new Strangers(arguments[0], Integer.parseInt(arguments[1]), Integer.parseInt(arguments[2]));
    strangers.all();
    System.out.println("The service stood it all.");
  }

  /** Everything, one after the other. */
  public void all() throws Exception {
    requestsWithoutEnd(rest, Http2Wire.request("GET", "/q/health/live", "localhost"));
    requestsWithoutEnd(grpc, Http2Wire.call("/grpc.health.v1.Health/Check"));
    oddRequests(1_000);
    watches();
    rapidReset(rest, Http2Wire.request("GET", "/v1/models", "localhost"));
    rapidReset(grpc, Http2Wire.call("/nibble.v1.ModelService/ListModels"));
    for (InetSocketAddress port : List.of(rest, grpc)) {
      frameFlood(port, Http2Wire.frame(Http2Wire.PING, 0, 0, new byte[8]));
      frameFlood(port, Http2Wire.frame(Http2Wire.SETTINGS, 0, 0, new byte[0]));
      frameFlood(port, Http2Wire.frame(Http2Wire.WINDOW_UPDATE, 0, 0, new byte[] {0, 0, 0, 1}));
      frameFlood(port, Http2Wire.frame(Http2Wire.PRIORITY, 0, 1, new byte[] {0, 0, 0, 0, 1}));
      headWithoutEnd(port);
      emptyData(port, port == grpc);
    }
    malformed();
    unfinishedMessages();
    pipelined();
    silentConnections(300);
  }

  /** That others are answered at once, on new connections to both event loops and both ports. */
  public void othersAreServed() throws Exception {
    HttpClient client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
    for (int i = 0; i < 4; i++) {
      try (Api.Wire wire = api.connect()) {
        wire.socket().setSoTimeout((int) PROMPT.toMillis());
        wire.write("GET /q/health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        assertThat(wire.readThrough("\r\n")).isEqualTo("HTTP/1.1 200 OK\r\n");
      }
      assertThat(grpcAnswers("/grpc.health.v1.Health/Check")).as("gRPC health").isTrue();
    }
    HttpRequest completion = HttpRequest.newBuilder(api.uri("/v1/completions")).timeout(PROMPT).header("Content-Type", "application/json")
        .POST(HttpRequest.BodyPublishers.ofString("{\"prompt\":\"Once\",\"max_tokens\":2}")).build();
    assertThat(client.send(completion, HttpResponse.BodyHandlers.ofString()).statusCode()).isEqualTo(200);
  }

  /** Whether a call with an empty message is answered by anything at all. */
  private boolean grpcAnswers(String path) throws IOException {
    try (Http2Wire wire = new Http2Wire(grpc)) {
      wire.write(Http2Wire.frame(Http2Wire.HEADERS, Http2Wire.END_HEADERS, 1, Http2Wire.call(path)));
      wire.write(Http2Wire.frame(Http2Wire.DATA, Http2Wire.END_STREAM, 1, new byte[5]));
      for (var frame = wire.read(); frame.isPresent(); frame = wire.read()) {
        if (frame.get().stream() == 1) {
          return frame.get().type() == Http2Wire.HEADERS;
        }
      }
      return false;
    }
  }

  /** One connection that sends requests, never reads, and goes. */
  public void requestsWithoutEnd(InetSocketAddress port, byte[] head) throws Exception {
    try (Http2Wire wire = new Http2Wire(port)) {
      ByteArrayOutputStream batch = new ByteArrayOutputStream();
      for (int sent = 0; sent < REQUESTS; sent++) {
        batch.writeBytes(Http2Wire.frame(Http2Wire.HEADERS, Http2Wire.END_HEADERS | Http2Wire.END_STREAM, 2 * sent + 1, head));
        if (sent % BATCH == BATCH - 1) {
          if (!wire.offer(batch.toByteArray())) {
            break;
          }
          batch.reset();
        }
      }
      othersAreServed();
    }
    othersAreServed();
  }

  /** Methods, paths, queries, names of hosts and models, keys and gRPC methods that strangers make up; metrics must not grow by them. */
  public void oddRequests(int count) throws Exception {
    odd("warm", 3);
    int before = api.get("/q/metrics").text().length();
    odd("odd", count);
    int after = api.get("/q/metrics").text().length();
    // Counters get longer by their digits, and a label that was not met before may appear; 1,000 odd labels would be 150,000 letters.
    assertThat(after).as("letters of metrics, %d before", before).isLessThan(before + 12_000);
    othersAreServed();
  }

  private void odd(String word, int count) throws IOException {
    for (int i = 0; i < count; i++) {
      String name = word.toUpperCase(Locale.ROOT) + i;
      once("FOO" + name + " /v1/models HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
      if (i % 5 == 0) {
        String ok = " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n";
        once("GET /" + name + ok + "\r\n");
        once("GET /v1/models/" + name + ok + "\r\n");
        once("GET /v2/models/" + name + "/versions/" + name + "/ready" + ok + "\r\n");
        once("GET /q/" + name + ok + "\r\n");
        once("GET /q/metrics/" + name + ok + "\r\n");
        once("GET /v1/models?" + name + "=1" + ok + "Authorization: Bearer " + name + "\r\n\r\n");
        once("GET /v1/models HTTP/1.1\r\nHost: " + name + ".example.com\r\nConnection: close\r\n\r\n");
        once("OPTIONS /" + name + ok + "Origin: http://" + name + "\r\nAccess-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: a\r\n\r\n");
      }
    }
    try (Http2Wire wire = new Http2Wire(rest); Http2Wire calls = new Http2Wire(grpc)) {
      for (int i = 0; i < Math.min(count, 300); i++) {
        wire.offer(Http2Wire.frame(Http2Wire.HEADERS, 5, 2 * i + 1, Http2Wire.request("BAR" + word + i, "/v1/models", "localhost")));
        calls.offer(Http2Wire.frame(Http2Wire.HEADERS, 5, 2 * i + 1, Http2Wire.call("/" + word + i + ".Service/Method" + i)));
        readAnswer(wire, 2 * i + 1);
        readAnswer(calls, 2 * i + 1);
      }
    }
  }

  private static void readAnswer(Http2Wire wire, int stream) throws IOException {
    for (var frame = wire.read(); frame.isPresent(); frame = wire.read()) {
      if (frame.get().stream() == stream) {
        return;
      }
    }
  }

  private void once(String request) throws IOException {
    try (Api.Wire wire = api.connect()) {
      wire.write(request);
      wire.readThrough("\r\n\r\n");
    }
  }

  /** Watches of services with names of 4 MB, and many with short ones. */
  public void watches() throws Exception {
    List<Http2Wire> wires = new ArrayList<>();
    try {
      byte[] name = new byte[4_000_000];
      Arrays.fill(name, (byte) 'a');
      for (int i = 0; i < 12; i++) {
        Http2Wire wire = new Http2Wire(grpc);
        wires.add(wire);
        wire.offer(watch(1, name));
      }
      for (int i = 0; i < 10; i++) {
        Http2Wire wire = new Http2Wire(grpc);
        wires.add(wire);
        for (int stream = 0; stream < 100; stream++) {
          wire.offer(watch(2 * stream + 1, ("name-" + i + "-" + stream).getBytes(StandardCharsets.UTF_8)));
        }
      }
      othersAreServed();
    } finally {
      for (Http2Wire wire : wires) {
        wire.close();
      }
    }
    othersAreServed();
  }

  /** A call of Watch, in frames of 16 KiB. */
  private static byte[] watch(int stream, byte[] name) {
    ByteArrayOutputStream message = new ByteArrayOutputStream();
    message.write(0x0a); // field 1, a string
    for (int rest = name.length; ; rest >>>= 7) {
      if (rest < 0x80) {
        message.write(rest);
        break;
      }
      message.write(rest & 0x7f | 0x80);
    }
    message.writeBytes(name);
    int length = message.size();
    ByteArrayOutputStream body = new ByteArrayOutputStream();
    body.writeBytes(new byte[] {0, (byte) (length >>> 24), (byte) (length >>> 16), (byte) (length >>> 8), (byte) length});
    body.writeBytes(message.toByteArray());
    byte[] bytes = body.toByteArray();
    ByteArrayOutputStream frames = new ByteArrayOutputStream();
    frames.writeBytes(Http2Wire.frame(Http2Wire.HEADERS, Http2Wire.END_HEADERS, stream, Http2Wire.call("/grpc.health.v1.Health/Watch")));
    // What the windows allow (64 KiB each to begin with, the server's may be larger) is sent; the rest would be flow control's fault and not the message's.
    for (int at = 0; at < Math.min(bytes.length, 64_000); at += 16_000) {
      int end = Math.min(bytes.length, at + 16_000);
      frames.writeBytes(Http2Wire.frame(Http2Wire.DATA, end == bytes.length ? Http2Wire.END_STREAM : 0, stream, Arrays.copyOfRange(bytes, at, end)));
    }
    return frames.toByteArray();
  }

  /** Requests that are reset as soon as they are sent: the server closes the connection. */
  public void rapidReset(InetSocketAddress port, byte[] head) throws Exception {
    try (Http2Wire wire = new Http2Wire(port)) {
      byte[] cancel = {0, 0, 0, 8};
      boolean open = true;
      for (int sent = 0; open && sent < REQUESTS; sent++) {
        open = wire.offer(Http2Wire.frame(Http2Wire.HEADERS, 5, 2 * sent + 1, head)) && wire.offer(Http2Wire.frame(Http2Wire.RST_STREAM, 0, 2 * sent + 1, cancel));
      }
      wire.readToEnd();
    }
    othersAreServed();
  }

  /** A frame again and again: the server closes the connection. */
  public void frameFlood(InetSocketAddress port, byte[] frame) throws Exception {
    try (Http2Wire wire = new Http2Wire(port)) {
      ByteArrayOutputStream batch = new ByteArrayOutputStream();
      for (int i = 0; i < 1_000; i++) {
        batch.writeBytes(frame);
      }
      byte[] bytes = batch.toByteArray();
      for (int i = 0; i < 100 && wire.offer(bytes); i++) {
        // on
      }
      wire.readToEnd();
    }
    othersAreServed();
  }

  /** A head in pieces without an end: the server closes the connection. */
  public void headWithoutEnd(InetSocketAddress port) throws Exception {
    try (Http2Wire wire = new Http2Wire(port)) {
      wire.offer(Http2Wire.frame(Http2Wire.HEADERS, 0, 1, Http2Wire.request("GET", "/v1/models", "localhost")));
      byte[] empty = Http2Wire.frame(Http2Wire.CONTINUATION, 0, 1, new byte[0]);
      for (int i = 0; i < 20_000 && wire.offer(empty); i++) {
        // on
      }
      wire.readToEnd();
    }
    othersAreServed();
  }

  /** A body of frames without bytes: the server closes the connection, or gives the request up. */
  public void emptyData(InetSocketAddress port, boolean call) throws Exception {
    try (Http2Wire wire = new Http2Wire(port)) {
      byte[] head = call ? Http2Wire.call("/grpc.health.v1.Health/Check") : Http2Wire.request("POST", "/v1/completions", "localhost");
      wire.offer(Http2Wire.frame(Http2Wire.HEADERS, Http2Wire.END_HEADERS, 1, head));
      byte[] empty = Http2Wire.frame(Http2Wire.DATA, 0, 1, new byte[0]);
      for (int i = 0; i < 100_000 && wire.offer(empty); i++) {
        // on
      }
      wire.readToEnd();
    }
    othersAreServed();
  }

  /** Bytes that are no message, no HTTP/2, no TLS: each connection is closed or answered, and the service goes on. */
  public void malformed() throws Exception {
    byte[] hello = new byte[200];
    hello[0] = 0x16;
    hello[1] = 3;
    hello[2] = 1;
    byte[] binary = new byte[300];
    new Random(7).nextBytes(binary);
    binary[0] = (byte) 0xff;
    binary[298] = '\n';
    binary[299] = '\n';
    for (InetSocketAddress port : List.of(rest, grpc)) {
      for (byte[] bytes : List.of(hello, binary)) {
        for (int i = 0; i < 100; i++) {
          sent(port, bytes);
        }
      }
    }
    assertThat(sent(grpc, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".getBytes(StandardCharsets.US_ASCII))).startsWith("HTTP/1.1 400 ").contains("speaks gRPC");
    try (Http2Wire wire = new Http2Wire(grpc)) {
      for (int i = 0; i < 500; i++) {
        wire.write(Http2Wire.frame(Http2Wire.HEADERS, Http2Wire.END_HEADERS, 2 * i + 1, Http2Wire.call("/nibble.v1.GenerationService/Generate")));
        wire.write(Http2Wire.frame(Http2Wire.DATA, Http2Wire.END_STREAM, 2 * i + 1, new byte[] {0, 0, 0, 0, 3, -1, -1, -1}));
        readAnswer(wire, 2 * i + 1);
      }
    }
    othersAreServed();
  }

  /** What a port answers to bytes, to the end of the connection. */
  private static String sent(InetSocketAddress port, byte[] bytes) throws IOException {
    try (Socket socket = new Socket()) {
      socket.connect(port);
      socket.setSoTimeout((int) Api.PATIENCE.toMillis());
      socket.getOutputStream().write(bytes);
      return new String(socket.getInputStream().readAllBytes(), StandardCharsets.ISO_8859_1);
    } catch (SocketException reset) {
      return "";
    }
  }

  /** Calls whose messages of 4 MB never end, on several connections. */
  public void unfinishedMessages() throws Exception {
    List<Http2Wire> wires = new ArrayList<>();
    try {
      for (int i = 0; i < 40; i++) {
        Http2Wire wire = new Http2Wire(grpc);
        wires.add(wire);
        boolean open = true;
        for (int stream = 1; open && stream < 20; stream += 2) {
          open = wire.offer(Http2Wire.frame(Http2Wire.HEADERS, Http2Wire.END_HEADERS, stream, Http2Wire.call("/nibble.v1.GenerationService/Generate")));
          byte[] first = new byte[16_000];
          first[1] = 0;
          first[2] = 0x3d; // 4,000,000 bytes and some
          for (int sent = 0; open && sent < 60_000; sent += first.length) {
            open = wire.offer(Http2Wire.frame(Http2Wire.DATA, 0, stream, sent == 0 ? first : new byte[16_000]));
          }
        }
      }
      othersAreServed();
    } finally {
      for (Http2Wire wire : wires) {
        wire.close();
      }
    }
    othersAreServed();
  }

  /** HTTP/1.1 requests sent ahead without reading: the connection is closed. */
  public void pipelined() throws Exception {
    try (Socket socket = new Socket()) {
      socket.connect(rest);
      byte[] batch = "GET /v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(500).getBytes(StandardCharsets.US_ASCII);
      for (int i = 0; i < 40; i++) {
        socket.getOutputStream().write(batch);
      }
      othersAreServed();
    } catch (SocketException closed) {
      // as it should be
    }
    othersAreServed();
  }

  /** Connections that say nothing, or half of something. */
  public void silentConnections(int count) throws Exception {
    List<Socket> sockets = new ArrayList<>();
    try {
      for (int i = 0; i < count; i++) {
        Socket socket = new Socket();
        sockets.add(socket);
        socket.connect(i % 2 == 0 ? rest : grpc);
        String part = switch (i % 6) {
          case 0 -> "GET /v1/models HTTP/1.1\r\nHost: local";
          case 1 -> "PRI * HTTP/2.0\r\n";
          case 2 -> "";
          case 3 -> "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0";
          case 4 -> "POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 4000000\r\n\r\n{\"prompt\":\"";
          default -> "\u0016\u0003\u0001";
        };
        try {
          socket.getOutputStream().write(part.getBytes(StandardCharsets.ISO_8859_1));
        } catch (IOException closed) {
          // by now
        }
      }
      othersAreServed();
    } finally {
      for (Socket socket : sockets) {
        socket.close();
      }
    }
    othersAreServed();
  }

  // ---- HTTP/1.1 that can be read in two ways

  /** What is answered to a request of HTTP/1.1 that the connection does not outlive. */
  public Refused refused(String request) throws IOException {
    return refused(request.getBytes(StandardCharsets.ISO_8859_1));
  }

  public Refused refused(byte[] request) throws IOException {
    String text = sent(rest, request);
    assertThat(text).as("answer to %s", new String(request, StandardCharsets.ISO_8859_1)).startsWith("HTTP/1.1 ").contains("\r\n\r\n");
    int end = text.indexOf("\r\n\r\n");
    assertThat(text.substring(0, end)).containsIgnoringCase("connection: close");
    String body = text.substring(end + 4);
    assertThat(body).as("one answer and no more").doesNotContainPattern("HTTP/1\\.1 \\d");
    return new Refused(Integer.parseInt(text.substring(9, 12)), Api.parse(body).get("error"));
  }

  /** A refusal that closed its connection. */
  public record Refused(int status, JsonNode error) {
    public String code() {
      return error.get("code").textValue();
    }
  }
}
