package dev.nibble.serve.grpc;

import dev.nibble.FreePort;
import io.quarkus.test.common.QuarkusTestResourceLifecycleManager;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Map;

/** Has the gRPC server listen on a port that is free, in the JVM and as an executable alike, and tells tests which. */
public final class FreeGrpcPort implements QuarkusTestResourceLifecycleManager {
  /** A test that wants to know the port. */
  public interface Client {
    void grpcPort(int port);
  }

  private int port;

  @Override
  public Map<String, String> start() {
    try {
      port = FreePort.get();
    } catch (IOException failure) {
      throw new UncheckedIOException(failure);
    }
    String value = Integer.toString(port);
    return Map.of("quarkus.grpc.server.port", value, "quarkus.grpc.server.test-port", value);
  }

  @Override
  public void inject(Object testInstance) {
    if (testInstance instanceof Client client) {
      client.grpcPort(port);
    }
  }

  @Override
  public void stop() {}
}
