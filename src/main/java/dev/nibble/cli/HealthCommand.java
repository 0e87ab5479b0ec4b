package dev.nibble.cli;

import dev.nibble.offload.GrpcChannels;
import grpc.health.v1.HealthGrpc;
import grpc.health.v1.HealthOuterClass.HealthCheckRequest;
import grpc.health.v1.HealthOuterClass.HealthCheckResponse.ServingStatus;
import io.grpc.ManagedChannel;
import io.grpc.StatusRuntimeException;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.UnknownHostException;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/**
 * Asks a running service whether it serves, by {@code grpc.health.v1}: the health check of containers that hold nothing but this program.
 * Exit code 0 if it does, 1 with one line if it does not or does not answer, 2 for an option that can't be used.
 */
@Command(name = "health", description = "Asks a running service whether it serves: exit code 0 if so, 1 if not.", mixinStandardHelpOptions = true)
final class HealthCommand implements Callable<Integer> {
  private static final int DEFAULT_PORT = 9000; // as in application.properties, which is not read without starting the framework
  private static final String PORT_SETTING = "QUARKUS_GRPC_SERVER_PORT";
  private static final String HOST_SETTING = "QUARKUS_GRPC_SERVER_HOST";
  private static final double LEAST_SECONDS = 0.01;
  private static final double MOST_SECONDS = 3600;
  private static final String LOOPBACK = "localhost";

  @Option(names = "--address", paramLabel = "HOST", description = "Where it runs; default that of QUARKUS_GRPC_SERVER_HOST, else this machine.")
  private String address;

  @Option(names = "--grpc-port", paramLabel = "N", description = "Port of its gRPC API; default that of QUARKUS_GRPC_SERVER_PORT, else 9000.")
  private Integer port;

  @Option(names = "--service", paramLabel = "NAME", defaultValue = "", description = "A service's full name, or a model's name; default the whole.")
  private String service;

  @Option(names = "--timeout", paramLabel = "SECONDS", defaultValue = "2", description = "How long to wait for the answer; default ${DEFAULT-VALUE}.")
  private double timeout;

  @Override
  public Integer call() throws IOException {
    int number = port != null ? ServeCommand.port("--grpc-port", port.toString())
        : setting(PORT_SETTING).map(text -> ServeCommand.port(PORT_SETTING, text)).orElse(DEFAULT_PORT);
    if (!(timeout >= LEAST_SECONDS && timeout <= MOST_SECONDS)) {
      throw new IllegalArgumentException("--timeout is " + timeout + "; allowed: " + LEAST_SECONDS + " to " + MOST_SECONDS + " seconds");
    }
    String host = address != null ? address : setting(HOST_SETTING).flatMap(HealthCommand::reachable).orElse(LOOPBACK);
    try {
      return ask(new InetSocketAddress(InetAddress.getByName(host), number), host + ":" + number);
    } catch (UnknownHostException unknown) {
      throw new IllegalArgumentException("there is no host \"" + host + "\"; allowed for --address: a host's name or address");
    }
  }

  /** A setting as {@code serve} would take it from the environment, the only place that a container's health check shares with it. */
  private static Optional<String> setting(String name) {
    return Optional.ofNullable(System.getenv(name)).map(String::strip).filter(text -> !text.isEmpty());
  }

  /** An address that can be connected to; servers also listen on "all addresses", which is none. */
  private static Optional<String> reachable(String listening) {
    return listening.isBlank() || listening.equals("0.0.0.0") || listening.equals("::") ? Optional.empty() : Optional.of(listening);
  }

  private int ask(InetSocketAddress target, String name) throws IOException {
    GrpcChannels channels = new GrpcChannels();
    ManagedChannel channel = channels.open(target, name, Optional.empty());
    try {
      ServingStatus status = HealthGrpc.newBlockingStub(channel).withDeadlineAfter(Math.round(timeout * 1000), TimeUnit.MILLISECONDS)
          .check(HealthCheckRequest.newBuilder().setService(service).build()).getStatus();
      if (status == ServingStatus.SERVING) {
        System.out.println("serving");
        return 0;
      }
      return complain(what() + " at " + name + " does not serve: " + status);
    } catch (StatusRuntimeException failure) {
      return complain(switch (failure.getStatus().getCode()) {
        case NOT_FOUND -> "there is no " + what() + " at " + name;
        case DEADLINE_EXCEEDED -> "no answer from " + name + " within " + timeout + " seconds";
        case UNAVAILABLE -> "nothing answers at " + name + reason(failure);
        default -> name + " does not tell its health: " + failure.getStatus().getCode() + reason(failure);
      });
    } finally {
      // The process ends next: nothing is waited for.
      channel.shutdownNow();
      channels.close();
    }
  }

  private String what() {
    return service.isEmpty() ? "the service" : "service or model \"" + service + "\"";
  }

  private static String reason(StatusRuntimeException failure) {
    Throwable cause = failure.getStatus().getCause();
    String text = cause == null ? failure.getStatus().getDescription() : cause.getMessage();
    return text == null ? "" : ": " + text.lines().findFirst().orElse("");
  }

  private static int complain(String message) {
    System.err.println("nibble: " + message);
    return Main.EXIT_FAILED;
  }
}
