package dev.nibble;

import java.io.IOException;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.ThreadLocalRandom;

/**
 * Ports for servers that tests start by number. Asking the system for one (port 0) is not enough: what it gives lies where it also takes the ports of
 * clients' connections from, so one of those may sit on the number by the time that the server wants it.
 */
public final class FreePort {
  private static final Path CLIENTS = Path.of("/proc/sys/net/ipv4/ip_local_port_range");
  private static final int FIRST = 20_000;
  private static final int TRIES = 1000;

  private FreePort() {}

  /** A port that is free, and that no client's connection gets; any free one where the system leaves none to servers. */
  public static int get() throws IOException {
    int end = Files.exists(CLIENTS) ? Integer.parseInt(Files.readString(CLIENTS).trim().split("\\s+")[0]) : FIRST;
    if (end - FIRST < TRIES) {
      return free(0);
    }
    for (int i = 0; i < TRIES; i++) {
      try {
        return free(ThreadLocalRandom.current().nextInt(FIRST, end));
      } catch (IOException taken) {
        // The next.
      }
    }
    throw new IOException("of " + TRIES + " ports none was free");
  }

  private static int free(int port) throws IOException {
    try (ServerSocket socket = new ServerSocket(port)) {
      return socket.getLocalPort();
    }
  }
}
