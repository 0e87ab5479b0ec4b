package dev.nibble.cli;

import dev.nibble.format.InputFile;
import dev.nibble.runtime.ModelOpener;
import dev.nibble.serve.PortCheck;
import dev.nibble.serve.SettingsCheck;
import dev.nibble.serve.api.Settings;
import dev.nibble.serve.config.Kind;
import dev.nibble.serve.config.ProcessConfig;
import dev.nibble.serve.config.Setting;
import io.quarkus.runtime.PreventFurtherStepsException;
import io.quarkus.runtime.Quarkus;
import io.quarkus.runtime.QuarkusBindException;
import io.smallrye.config.ConfigValidationException;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import org.eclipse.microprofile.config.Config;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** Serves a model until told to stop. */
@Command(name = "serve", description = "Serves a model over gRPC and an OpenAI-compatible REST API.", mixinStandardHelpOptions = true)
final class ServeCommand implements Callable<Integer> {
  private static final Kind<Integer> PORT = Kind.integer(1, 65535, "1 to 65535");

  @Mixin
  private ModelOptions model;

  @Option(names = "--http-port", paramLabel = "N", descriptionKey = "quarkus.http.port")
  private Integer httpPort;

  @Option(names = "--grpc-port", paramLabel = "N", descriptionKey = "quarkus.grpc.server.port")
  private Integer grpcPort;

  @Option(names = "--keys-file", paramLabel = "FILE", descriptionKey = "nibble.auth.keys-file")
  private Path keysFile;

  // A native executable takes these out of the arguments by itself, so that this is for the JVM; both mean the same.
  @Option(names = "-D", paramLabel = "NAME=VALUE", description = "Any setting of the configuration table.")
  private Map<String, String> properties = Map.of();

  @Override
  public Integer call() throws IOException {
    properties.forEach(System::setProperty);
    if (model.model().isPresent()) {
      InputFile.require(model.model().get());
    }
    model.settings().forEach(System::setProperty);
    set(Settings.KEYS_FILE, keysFile);
    set(Settings.HTTP_PORT, httpPort == null ? null : port("--http-port", httpPort.toString()));
    set(Settings.GRPC_PORT, grpcPort == null ? null : port("--grpc-port", grpcPort.toString()));
    Config config = ProcessConfig.read();
    SettingsCheck.requireKnown();
    SettingsCheck.require(config);
    HeapLimit.require(ModelOpener.fittingPlan(Settings.MODEL.given(config).map(Path::of)));
    Optional<String> taken = PortCheck.problem(config);
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
      case ConfigValidationException invalid -> {
        // One of the framework's own settings, of which there are thousands.
        fail(String.valueOf(invalid.getProblemCount() == 0 ? invalid.getMessage() : invalid.getProblem(0).getMessage()).replaceFirst("^[A-Za-z.]+Exception: ", ""));
        yield Main.EXIT_USAGE;
      }
      case QuarkusBindException taken -> fail(PortCheck.taken(ProcessConfig.read(), taken.getHost(), taken.getPort()));
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

  /** The number of a port that can be called, or a refusal that names the option or setting it comes from. */
  static int port(String name, String text) {
    return PORT.read(text).orElseThrow(() -> new IllegalArgumentException(name + " is " + text + "; allowed: " + PORT.allowed()));
  }

  private static void set(Setting<?> setting, Object value) {
    if (value != null) {
      System.setProperty(setting.name(), value.toString());
    }
  }
}
