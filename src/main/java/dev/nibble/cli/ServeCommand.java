package dev.nibble.cli;

import io.quarkus.runtime.Quarkus;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Serves a model until told to stop. */
@Command(name = "serve", description = "Serves a model over REST.", mixinStandardHelpOptions = true)
final class ServeCommand implements Callable<Integer> {
  @Option(names = "--model", paramLabel = "FILE", description = "GGUF file; without, the embedded model nibble-home.")
  private Path model;

  @Option(names = "--http-port", paramLabel = "N", description = "Port of the REST API; default 8080.")
  private Integer httpPort;

  @Option(names = "--threads", paramLabel = "N", description = "Threads that compute; default one a processor.")
  private Integer threads;

  @Override
  public Integer call() throws NoSuchFileException {
    if (model != null) {
      if (!Files.exists(model)) {
        throw new NoSuchFileException(model.toString());
      }
      System.setProperty("nibble.model", model.toString());
    }
    set("quarkus.http.port", httpPort, 65535);
    set("nibble.threads", threads, 1024);
    Quarkus.run();
    return 0;
  }

  private static void set(String property, Integer value, int most) {
    if (value != null) {
      if (value < 1 || value > most) {
        throw new IllegalArgumentException(property + " is " + value + "; allowed: 1 to " + most);
      }
      System.setProperty(property, value.toString());
    }
  }
}
