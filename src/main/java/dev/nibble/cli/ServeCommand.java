package dev.nibble.cli;

import dev.nibble.engine.ModelOpener;
import dev.nibble.format.InputFile;
import dev.nibble.serve.PortCheck;
import dev.nibble.serve.SettingsCheck;
import io.quarkus.runtime.PreventFurtherStepsException;
import io.quarkus.runtime.Quarkus;
import io.quarkus.runtime.QuarkusBindException;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import org.eclipse.microprofile.config.ConfigProvider;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** Serves a model until told to stop. */
@Command(name = "serve", description = "Serves a model over gRPC and an OpenAI-compatible REST API.", mixinStandardHelpOptions = true)
final class ServeCommand implements Callable<Integer> {
  private static final int MOST_PORT = 65535;

  @Mixin
  private ModelOptions model;

  @Option(names = "--http-port", paramLabel = "N", description = "Port of the REST API; default 8080.")
  private Integer httpPort;

  @Option(names = "--grpc-port", paramLabel = "N", description = "Port of the gRPC API; default 9000.")
  private Integer grpcPort;

  @Option(names = "--keys-file", paramLabel = "FILE", description = "File of the API keys that are let in; default none, which lets everybody in.")
  private Path keysFile;

  // A native executable takes these out of the arguments by itself, so that this is for the JVM; both mean the same.
  @Option(names = "-D", paramLabel = "NAME=VALUE", description = "Any setting of the configuration table.")
  private Map<String, String> properties = Map.of();

  @Override
  public Integer call() throws IOException {
    properties.forEach(System::setProperty);
    if (model.model().isPresent()) {
      Path file = model.model().get();
      InputFile.require(file);
      System.setProperty("nibble.model", file.toString());
    }
    model.packCache().ifPresent(folder -> System.setProperty("nibble.pack-cache", folder.toString()));
    model.threads().ifPresent(threads -> System.setProperty("nibble.threads", Integer.toString(threads)));
    model.cacheSettings().forEach(System::setProperty);
    if (keysFile != null) {
      System.setProperty("nibble.auth.keys-file", keysFile.toString());
    }
    setPort("--http-port", "quarkus.http.port", httpPort);
    setPort("--grpc-port", "quarkus.grpc.server.port", grpcPort);
    SettingsCheck.require(ConfigProvider.getConfig());
    HeapLimit.require(ModelOpener.fittingPlan(ConfigProvider.getConfig().getOptionalValue("nibble.model", String.class).map(Path::of)));
    Optional<String> taken = PortCheck.problem(ConfigProvider.getConfig());
    if (taken.isPresent()) {
      return fail(taken.get());
    }
    Quarkus.run(null, (status, failure) -> System.exit(failure == null ? status : ended(failure)));
    return 0;
  }

  /** What kept the service from starting, in one line; its exit code. */
  private static int ended(Throwable failure) {
    Throwable cause = failure;
    while (cause.getCause() != null && cause.getCause() != cause) {
      cause = cause.getCause();
    }
    return switch (cause) {
      case PreventFurtherStepsException stop -> fail(stop.getMessage());
      case QuarkusBindException taken -> fail(PortCheck.taken(taken.getHost(), taken.getPort()));
      default -> {
        if (System.getenv(Main.TRACE) != null) {
          failure.printStackTrace();
        }
        yield fail("the service could not be started: " + cause + "; " + Main.TRACE + "=1 shows where");
      }
    };
  }

  private static int fail(String message) {
    System.err.println("nibble: " + String.valueOf(message).lines().findFirst().orElse("failed"));
    return Main.EXIT_FAILED;
  }

  /** A port's number, or a refusal that names the option or setting it comes from. */
  static int port(String name, String text) {
    try {
      int number = Integer.parseInt(text);
      if (number >= 1 && number <= MOST_PORT) {
        return number;
      }
    } catch (NumberFormatException unreadable) {
      // told below
    }
    throw new IllegalArgumentException(name + " is " + text + "; allowed: 1 to " + MOST_PORT);
  }

  private static void setPort(String option, String property, Integer port) {
    if (port != null) {
      System.setProperty(property, Integer.toString(port(option, port.toString())));
    }
  }
}
