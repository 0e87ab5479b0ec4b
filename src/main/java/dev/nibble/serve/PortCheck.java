package dev.nibble.serve;

import dev.nibble.serve.api.Settings;
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
  private static final String HOSTS = Settings.HTTP_HOST.name() + " and " + Settings.GRPC_HOST.name();
  private static final int EXIT_CODE = 1;

  /** Tries both addresses. Empty if the service can listen on them, otherwise one line that says why not. */
  public static Optional<String> problem(Config config) {
    int http = Settings.HTTP_PORT.in(config);
    int grpc = Settings.GRPC_PORT.in(config);
    if (http == grpc && http > 0) {
      return Optional.of("REST and gRPC can't both listen on port " + http + "; give one of them another by --http-port or --grpc-port");
    }
    int https = Settings.HTTPS_PORT.in(config);
    if (TlsSettings.isHttps(config) && https > 0 && (https == http || https == grpc)) {
      return Optional.of("HTTPS can't listen on port " + https + ", which " + (https == http ? "REST" : "gRPC") + " has; give it another by -D" + Settings.HTTPS_PORT.name() + "=N");
    }
    return problem(config, Settings.HTTP_HOST.in(config), http)
        .or(() -> TlsSettings.isHttps(config) ? problem(config, Settings.HTTP_HOST.in(config), Settings.HTTPS_PORT.in(config)) : Optional.empty())
        .or(() -> problem(config, Settings.GRPC_HOST.in(config), grpc));
  }

  private static Optional<String> problem(Config config, String host, int port) {
    try (ServerSocket socket = new ServerSocket()) {
      socket.setReuseAddress(true); // as the servers do: connections of a service before this one do not keep it from starting
      socket.bind(new InetSocketAddress(InetAddress.getByName(host), port));
      return Optional.empty();
    } catch (UnknownHostException unknown) {
      return Optional.of("there is no address \"" + host + "\" to listen on; " + HOSTS + " take names and addresses of this machine");
    } catch (BindException refused) {
      return Optional.of(String.valueOf(refused.getMessage()).contains("in use") ? taken(config, host, port)
          : "can't listen on " + host + " port " + port + ": " + refused.getMessage() + "; " + HOSTS + " take addresses of this machine");
    } catch (IOException failure) {
      return Optional.of("can't listen on " + host + " port " + port + ": " + failure.getMessage());
    }
  }

  /** Tells that another program listens where this one would. */
  public static String taken(Config config, String host, int port) {
    String option = port == Settings.HTTP_PORT.in(config) ? "--http-port" : port == Settings.GRPC_PORT.in(config) ? "--grpc-port" : "-D" + Settings.HTTPS_PORT.name() + "=N";
    return "port " + port + " of " + host + " is taken by another program (\"ss -ltnp\" shows which); give another by " + option;
  }

  /** The framework has opened its gRPC server by now, or has failed to and gone on. */
  void started(@Observes @Priority(1) StartupEvent event) {
    if (GrpcServerRecorder.getVerticleCount() == 0) {
      Config config = ConfigProvider.getConfig();
      String host = Settings.GRPC_HOST.in(config);
      int port = Settings.GRPC_PORT.in(config);
      throw new PreventFurtherStepsException(problem(config, host, port).orElse("gRPC can't listen on " + host + " port " + port
          + "; -Dquarkus.log.category.\"io.quarkus.grpc.runtime.GrpcServerRecorder\".level=ERROR shows why"), EXIT_CODE);
    }
  }
}
