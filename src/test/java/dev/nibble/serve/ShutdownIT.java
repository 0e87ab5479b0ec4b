package dev.nibble.serve;

import static org.assertj.core.api.Assertions.assertThat;

import dev.nibble.FreePort;
import java.io.ByteArrayOutputStream;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * SIGTERM ends a real process as operators want it. An integration test, because only a packaged program is a process of its own:
 * the native executable where there is one, otherwise the one that Java runs.
 */
final class ShutdownIT {
  private static final String LONG =
      "{\"temperature\":0,\"ignore_eos\":true,\"max_tokens\":900,\"stream\":true,\"logprobs\":20,\"prompt\":\"Once upon a time\"}";

  @TempDir
  Path folder;

  @Test
  void finishesWhatRunsAndRefusesWhatComes() throws Exception {
    try (ServiceProcess service = ServiceProcess.start(ServiceProcess.program(), folder.resolve("log"))) {
      Api api = service.api();
      Process process = service.process();
      try (Api.Wire running = api.connect(); Api.Wire other = api.connect()) {
        running.post("/v1/completions", LONG);
        running.readThrough("data: ");
        process.destroy(); // SIGTERM
        Api.await("the service says that it stops", () -> api.get("/q/health/ready").status() == 503);
        assertThat(api.get("/q/health/live").status()).isEqualTo(200);
        other.post("/v1/completions", LONG);
        assertThat(other.readResponse()).startsWith("HTTP/1.1 503").contains("\"code\":\"shutting_down\"").containsIgnoringCase("retry-after: ");
        assertThat(running.readThrough("0\r\n\r\n")).contains("\"finish_reason\":\"length\"").contains("data: [DONE]");
      }
      assertThat(process.waitFor(Api.PATIENCE.toSeconds(), TimeUnit.SECONDS)).isTrue();
      // 128 + 15, or 0: the signal's own code or the program's, by how the runtime ends after its hooks.
      assertThat(process.exitValue()).isIn(0, 143);
      assertThat(Files.readString(folder.resolve("log"))).doesNotContain("\tat ", "Exception");
    }
  }

  /** As {@link StrangersTest} does it to a service in the test's own process, which has neither a log of its own nor an end. */
  @Test
  void strangersFillNoLogAndDoNotKeepItFromEnding() throws Exception {
    int grpcPort = FreePort.get();
    Path log = folder.resolve("log");
    try (ServiceProcess service = ServiceProcess.start(ServiceProcess.program(), Map.of("QUARKUS_GRPC_SERVER_PORT", Integer.toString(grpcPort)), log)) {
      InetSocketAddress rest = new InetSocketAddress("localhost", service.api().uri("/").getPort());
      InetSocketAddress grpc = new InetSocketAddress("localhost", grpcPort);
      Strangers strangers = new Strangers("localhost", rest.getPort(), grpcPort);
      long before = Files.readAllLines(log).size();
      strangers.malformed();
      strangers.frameFlood(grpc, Http2Wire.frame(Http2Wire.PING, 0, 0, new byte[8]));
      strangers.requestsWithoutEnd(grpc, Http2Wire.call("/grpc.health.v1.Health/Check"));
      List<String> lines = Files.readAllLines(log);
      assertThat(lines.size() - before).as("lines of some 900 odd messages: %s", lines).isBetween(1L, 12L);
      assertThat(String.join("\n", lines)).doesNotContain("\tat ").contains("not logged for ten minutes");

      try (Http2Wire hostile = new Http2Wire(rest)) {
        ByteArrayOutputStream requests = new ByteArrayOutputStream();
        for (int i = 0; i < 40_000; i++) {
          requests.writeBytes(Http2Wire.frame(Http2Wire.HEADERS, Http2Wire.END_HEADERS | Http2Wire.END_STREAM, 2 * i + 1, Http2Wire.request("GET", "/q/health/live", "localhost")));
        }
        hostile.offer(requests.toByteArray());
        service.process().destroy(); // SIGTERM
        assertThat(service.process().waitFor(20, TimeUnit.SECONDS)).as("ended").isTrue();
      }
      assertThat(service.process().exitValue()).isIn(0, 143);
      assertThat(Files.readString(log)).doesNotContain("\tat ");
    }
  }
}
