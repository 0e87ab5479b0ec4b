package dev.nibble.serve;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A native executable that may open 64 files, and a stranger who opens as many connections as there may be: others still get in. */
final class FewFilesIT {
  @TempDir
  Path folder;

  @Test
  void othersStillGetIn() throws Exception {
    Path executable = ServiceProcess.executable();
    assumeTrue(Files.isExecutable(executable), "there is no native executable");
    List<String> program = List.of("bash", "-c", "ulimit -n 64; exec \"$0\" \"$@\"", executable.toString());
    try (ServiceProcess service = ServiceProcess.start(program, folder.resolve("log"))) {
      List<Socket> silent = new ArrayList<>();
      try {
        for (int i = 0; i < 300; i++) {
          silent.add(new Socket(service.api().uri("/").getHost(), service.api().uri("/").getPort()));
        }
        for (int i = 0; i < 5; i++) {
          try (Api.Wire wire = service.api().connect()) {
            wire.write("GET /q/health/ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
            assertThat(wire.readThrough("\r\n")).isEqualTo("HTTP/1.1 200 OK\r\n");
          }
          try (Api.Wire wire = service.api().connect()) {
            wire.post("/v1/completions", "{\"prompt\":\"Once\",\"max_tokens\":2}");
            assertThat(wire.readResponse()).startsWith("HTTP/1.1 200 ");
          }
        }
      } finally {
        for (Socket socket : silent) {
          socket.close();
        }
      }
      assertThat(Files.readString(folder.resolve("log"))).contains("so few files").doesNotContain("\tat ");
    }
  }
}
