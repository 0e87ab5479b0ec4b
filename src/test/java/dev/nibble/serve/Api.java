package dev.nibble.serve;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpHeaders;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/** A running service as its clients see it. */
public final class Api {
  /** How long anything may take on a busy machine. */
  public static final Duration PATIENCE = Duration.ofSeconds(60);

  private static final ObjectMapper JSON = new ObjectMapper();
  private final HttpClient client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).connectTimeout(PATIENCE).build();
  private final URI base;

  public Api(URI base) {
    this.base = base;
  }

  /** A response, its body whole. */
  public record Reply(int status, HttpHeaders headers, String text) {
    public JsonNode json() {
      return parse(text);
    }

    public String header(String name) {
      return headers.firstValue(name).orElse("");
    }

    /** The data of a stream's events, in order. */
    public List<String> events() {
      List<String> events = new ArrayList<>();
      for (String event : text.split("\n\n")) {
        if (!event.startsWith("data: ") || event.contains("\n")) {
          throw new AssertionError("not an event of one line of data: " + event);
        }
        events.add(event.substring(6));
      }
      return events;
    }
  }

  public static JsonNode parse(String text) {
    try {
      return JSON.readTree(text);
    } catch (IOException malformed) {
      throw new UncheckedIOException("not JSON: " + text, malformed);
    }
  }

  public URI uri(String path) {
    return base.resolve(path);
  }

  public HttpRequest.Builder request(String path) {
    return HttpRequest.newBuilder(uri(path)).timeout(PATIENCE);
  }

  public Reply send(HttpRequest request) throws IOException, InterruptedException {
    var response = client.send(request, BodyHandlers.ofString(StandardCharsets.UTF_8));
    return new Reply(response.statusCode(), response.headers(), response.body());
  }

  public Reply get(String path) throws IOException, InterruptedException {
    return send(request(path).build());
  }

  public Reply post(String path, String json) throws IOException, InterruptedException {
    return send(request(path).header("Content-Type", "application/json").POST(BodyPublishers.ofString(json)).build());
  }

  /** Sum of a metric's samples whose labels contain {@code labels}. */
  public double metric(String name, String labels) throws IOException, InterruptedException {
    return get("/q/metrics").text().lines()
        .filter(line -> line.startsWith(name + "{") || line.startsWith(name + " "))
        .filter(line -> line.contains(labels))
        .mapToDouble(line -> Double.parseDouble(line.substring(line.lastIndexOf(' ') + 1)))
        .sum();
  }

  /** Forward passes of the engine so far. */
  public double forwardPasses() throws IOException, InterruptedException {
    return metric("nibble_engine_forward_passes_total", "");
  }

  /** A condition that asks the service. */
  @FunctionalInterface
  public interface Condition {
    boolean holds() throws IOException, InterruptedException;
  }

  /** Waits until a condition holds, asking again and again. */
  public static void await(String what, Condition condition) throws IOException, InterruptedException {
    long end = System.nanoTime() + PATIENCE.toNanos();
    while (!condition.holds()) {
      if (System.nanoTime() - end > 0) {
        throw new AssertionError("waited in vain until " + what);
      }
      Thread.sleep(2);
    }
  }

  /** A bare connection, for what HTTP clients would not do. */
  public Wire connect() throws IOException {
    return new Wire(new Socket(base.getHost(), base.getPort()));
  }

  /** Like {@link #connect()}, with room for few bytes that were not read. */
  public Wire connectWithSmallBuffer() throws IOException {
    Socket socket = new Socket();
    socket.setReceiveBufferSize(4096);
    socket.connect(new java.net.InetSocketAddress(base.getHost(), base.getPort()));
    return new Wire(socket);
  }

  /** Bytes to and from the service. */
  public record Wire(Socket socket) implements AutoCloseable {
    public Wire {
      try {
        socket.setSoTimeout((int) PATIENCE.toMillis());
      } catch (IOException failure) {
        throw new UncheckedIOException(failure);
      }
    }

    public void write(String text) throws IOException {
      socket.getOutputStream().write(text.getBytes(StandardCharsets.UTF_8));
      socket.getOutputStream().flush();
    }

    /** Writes a POST of JSON that keeps the connection. */
    public void post(String path, String json) throws IOException {
      int length = json.getBytes(StandardCharsets.UTF_8).length;
      write("POST " + path + " HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\nContent-Length: " + length + "\r\n\r\n" + json);
    }

    /** Reads until what was read contains {@code end}, or to the end of the stream. */
    public String readThrough(String end) throws IOException {
      StringBuilder text = new StringBuilder();
      InputStream in = socket.getInputStream();
      for (int next = in.read(); next >= 0; next = in.read()) {
        text.append((char) next);
        if (text.length() >= end.length() && text.indexOf(end, text.length() - end.length()) >= 0) {
          return text.toString();
        }
      }
      return text.toString();
    }

    /** Reads a response with a Content-Length: its head and body. */
    public String readResponse() throws IOException {
      String head = readThrough("\r\n\r\n");
      String length = head.lines().filter(line -> line.toLowerCase(java.util.Locale.ROOT).startsWith("content-length:")).findFirst().orElseThrow();
      byte[] body = socket.getInputStream().readNBytes(Integer.parseInt(length.substring(15).strip()));
      return head + new String(body, StandardCharsets.UTF_8);
    }

    @Override
    public void close() throws IOException {
      socket.close();
    }
  }
}
