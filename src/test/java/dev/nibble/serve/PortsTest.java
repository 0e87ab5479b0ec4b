package dev.nibble.serve;

import dev.nibble.serve.grpc.FreeGrpcPort;
import io.quarkus.test.common.QuarkusTestResource;
import io.quarkus.test.common.http.TestHTTPResource;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.URI;
import org.junit.jupiter.api.BeforeEach;

/** A service's two ports, for tests of what happens before a request is one. */
@QuarkusTestResource(FreeGrpcPort.class)
abstract class PortsTest implements FreeGrpcPort.Client {
  @TestHTTPResource("/")
  URI base;

  private int grpcPort;
  Api api;
  InetSocketAddress rest;
  InetSocketAddress grpc;

  @Override
  public final void grpcPort(int port) {
    grpcPort = port;
  }

  /** Whether the service is ready, asked in a way that leaves nothing behind which a test would see. */
  boolean ready() throws IOException, InterruptedException {
    return api.get("/q/health/ready").status() == 200;
  }

  @BeforeEach
  final void connect() throws Exception {
    api = new Api(base);
    rest = new InetSocketAddress(base.getHost(), base.getPort());
    grpc = new InetSocketAddress(base.getHost(), grpcPort);
    Api.await("the model is loaded", this::ready);
  }
}
