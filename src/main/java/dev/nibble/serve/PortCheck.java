package dev.nibble.serve;

import io.quarkus.grpc.runtime.GrpcServerRecorder;
import io.quarkus.runtime.PreventFurtherStepsException;
import io.quarkus.runtime.StartupEvent;
import jakarta.annotation.Priority;
import jakarta.enterprise.event.Observes;
import jakarta.inject.Singleton;
import java.io.IOException;
import java.net.BindException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.UnknownHostException;
import java.util.Optional;
import org.eclipse.microprofile.config.Config;
import org.eclipse.microprofile.config.ConfigProvider;

/**
 * Whether the service can listen where it is told to. Asked before the framework starts, which tells of it in many lines; and again when its servers are
 * up, since it goes on without a gRPC server that could not be started.
 */
@Singleton
public final class PortCheck {
  private static final String HTTP = "quarkus.http.";
  private static final String GRPC = "quarkus.grpc.server.";
  private static final String ANY = "0.0.0.0";
  private static final int EXIT_CODE = 1;

  /** Tries both addresses. Empty if the service can listen on them, otherwise one line that says why not. */
  public static Optional<String> problem(Config config) {
    int http = config.getOptionalValue(HTTP + "port", Integer.class).orElse(8080);
    int grpc = config.getOptionalValue(GRPC + "port", Integer.class).orElse(9000);
    if (http == grpc && http > 0) {
      return Optional.of("REST and gRPC can't both listen on port " + http + "; give one of them another by --http-port or --grpc-port");
    }
    return problem(config.getOptionalValue(HTTP + "host", String.class).orElse(ANY), http)
        .or(() -> problem(config.getOptionalValue(GRPC + "host", String.class).orElse(ANY), grpc));
  }

  private static Optional<String> problem(String host, int port) {
    try (ServerSocket socket = new ServerSocket()) {
      socket.setReuseAddress(true); // as the servers do: connections of a service before this one do not keep it from starting
      socket.bind(new InetSocketAddress(InetAddress.getByName(host), port));
      return Optional.empty();
    } catch (UnknownHostException unknown) {
      return Optional.of("there is no address \"" + host + "\" to listen on; " + HTTP + "host and " + GRPC + "host take names and addresses of this machine");
    } catch (BindException refused) {
      return Optional.of(String.valueOf(refused.getMessage()).contains("in use") ? taken(host, port)
          : "can't listen on " + host + " port " + port + ": " + refused.getMessage() + "; " + HTTP + "host and " + GRPC + "host take addresses of this machine");
    } catch (IOException failure) {
      return Optional.of("can't listen on " + host + " port " + port + ": " + failure.getMessage());
    }
  }

  /** Tells that another program listens where this one would. */
  public static String taken(String host, int port) {
    return "port " + port + " of " + host + " is taken by another program (\"ss -ltnp\" shows which); give another by --http-port or --grpc-port";
  }

  /** The framework has opened its gRPC server by now, or has failed to and gone on. */
  void started(@Observes @Priority(1) StartupEvent event) {
    if (GrpcServerRecorder.getVerticleCount() == 0) {
      Config config = ConfigProvider.getConfig();
      String host = config.getOptionalValue(GRPC + "host", String.class).orElse(ANY);
      int port = config.getOptionalValue(GRPC + "port", Integer.class).orElse(0);
      throw new PreventFurtherStepsException(problem(host, port).orElse("gRPC can't listen on " + host + " port " + port
          + "; -Dquarkus.log.category.\"io.quarkus.grpc.runtime.GrpcServerRecorder\".level=ERROR shows why"), EXIT_CODE);
    }
  }
}
