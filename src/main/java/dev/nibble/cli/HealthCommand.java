package dev.nibble.cli;

import dev.nibble.format.InputFile;
import dev.nibble.offload.GrpcChannels;
import dev.nibble.offload.OffloadSettings;
import dev.nibble.serve.api.Settings;
import dev.nibble.serve.config.Kind;
import dev.nibble.serve.config.ProcessConfig;
import dev.nibble.serve.config.Setting;
import grpc.health.v1.HealthGrpc;
import grpc.health.v1.HealthOuterClass.HealthCheckRequest;
import grpc.health.v1.HealthOuterClass.HealthCheckResponse.ServingStatus;
import io.grpc.ManagedChannel;
import io.grpc.StatusRuntimeException;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.UnknownHostException;
import java.nio.file.Path;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import org.eclipse.microprofile.config.Config;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/**
 * Asks a running service whether it serves, by {@code grpc.health.v1}: the health check of containers that hold nothing but this program.
 * Exit code 0 if it does, 1 with one line if it does not or does not answer, 2 for an option that can't be used.
 */
@Command(name = "health", description = "Asks a running service whether it serves: exit code 0 if so, 1 if not.", mixinStandardHelpOptions = true)
final class HealthCommand implements Callable<Integer> {
  private static final double LEAST_SECONDS = 0.01;
  private static final double MOST_SECONDS = 3600;
  private static final long MAX_TRUST_BYTES = 1 << 20; // hundreds of certificates
  private static final String LOOPBACK = "localhost";
  // What has the framework's gRPC server speak TLS.
  private static final Setting<Boolean> PLAIN_TEXT = Setting.optional("quarkus.grpc.server.plain-text", Kind.flag(), "", "");
  private static final Setting<String> CERTIFICATE = Setting.optional("quarkus.grpc.server.ssl.certificate", Kind.text(""), "", "");
  private static final Setting<String> KEY_STORE = Setting.optional("quarkus.grpc.server.ssl.key-store", Kind.text(""), "", "");

  @Option(names = "--address", paramLabel = "HOST", description = "Where it runs; default as the service's own settings say, else this machine.")
  private String address;

  @Option(names = "--grpc-port", paramLabel = "N", description = "Port of its gRPC API; default as the service's own settings say, else 9000.")
  private Integer port;

  @Option(names = "--tls", description = "Ask over TLS, as is done anyway where the service's own settings have a certificate for gRPC.")
  private boolean tls;

  @Option(names = "--trust", paramLabel = "FILE",
      description = "Ask over TLS, and only who has a certificate for --address that those in this PEM file sign; default whatever certificate it has.")
  private Path trust;

  @Option(names = "--service", paramLabel = "NAME", defaultValue = "", description = "A service's full name, or a model's name; default the whole.")
  private String service;

  @Option(names = "--timeout", paramLabel = "SECONDS", defaultValue = "2", description = "How long to wait for the answer; default ${DEFAULT-VALUE}.")
  private double timeout;

  @Override
  public Integer call() throws IOException {
    Config config = ProcessConfig.read();
    int number = port != null ? ServeCommand.port("--grpc-port", port.toString())
        : ServeCommand.port(Settings.GRPC_PORT.named(config), Settings.GRPC_PORT.in(config).toString());
    if (!(timeout >= LEAST_SECONDS && timeout <= MOST_SECONDS)) {
      throw new IllegalArgumentException("--timeout is " + timeout + "; allowed: " + LEAST_SECONDS + " to " + MOST_SECONDS + " seconds");
    }
    if (trust != null) {
      InputFile.requireSmall(trust, MAX_TRUST_BYTES);
    }
    String host = address != null ? address : reachable(Settings.GRPC_HOST.in(config)).orElse(LOOPBACK);
    boolean encrypted = tls || trust != null || PLAIN_TEXT.given(config).filter(plain -> !plain).isPresent() || CERTIFICATE.given(config).isPresent()
        || KEY_STORE.given(config).isPresent();
    try {
      return ask(new InetSocketAddress(InetAddress.getByName(host), number), host + ":" + number, encrypted);
    } catch (UnknownHostException unknown) {
      throw new IllegalArgumentException("there is no host \"" + host + "\"; allowed for --address: a host's name or address");
    }
  }

  /** An address that can be connected to; servers also listen on "all addresses", which is none. */
  private static Optional<String> reachable(String listening) {
    return listening.isBlank() || listening.equals("0.0.0.0") || listening.equals("::") ? Optional.empty() : Optional.of(listening);
  }

  private int ask(InetSocketAddress target, String name, boolean encrypted) throws IOException {
    GrpcChannels channels = new GrpcChannels();
    // Without --trust as Kubernetes' own probes do it: nothing secret is said, and a certificate need not have the name that a box calls itself by.
    ManagedChannel channel = encrypted && trust == null ? channels.openToAnybody(target, name)
        : channels.open(target, name, Optional.ofNullable(trust).map(file -> new OffloadSettings.Tls(file, Optional.empty(), Optional.empty())));
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
