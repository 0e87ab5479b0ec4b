package dev.nibble.cli;

import dev.nibble.serve.auth.ApiKey;
import dev.nibble.serve.auth.KeyFile;
import java.io.IOException;
import java.nio.file.Path;
import java.time.LocalDate;
import java.time.ZoneOffset;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** Makes and removes API keys. A service that runs hears of it by itself. */
@Command(name = "keys", description = "Makes, lists and removes API keys.", mixinStandardHelpOptions = true,
    subcommands = {KeysCommand.New.class, KeysCommand.Show.class, KeysCommand.Revoke.class})
final class KeysCommand implements Runnable {
  @Spec
  private CommandSpec spec;

  @Override
  public void run() {
    throw new ParameterException(spec.commandLine(), "needs a command: " + String.join(", ", spec.subcommands().keySet()));
  }

  /** Makes a key. */
  @Command(name = "new", description = "Makes a key: prints it, this once, and its line of the key file.", mixinStandardHelpOptions = true)
  static final class New implements Callable<Integer> {
    @Option(names = "--name", required = true, paramLabel = "NAME", description = "What to call it: " + ApiKey.NAMES + ".")
    private String name;

    @Option(names = "--scopes", defaultValue = "generate", paramLabel = "S", description = "generate, offload, metrics, with commas between; default ${DEFAULT-VALUE}.")
    private String scopes;

    @Option(names = "--expires", paramLabel = "DATE", description = "The last day on which it is good, such as 2027-01-31; default none.")
    private String expires;

    @Option(names = "--file", paramLabel = "FILE", description = "Key file to add the line to, made if there is none; default: the line is printed.")
    private Path file;

    @Override
    public Integer call() throws IOException {
      String key = ApiKey.random();
      ApiKey kept = ApiKey.of(name, ApiKey.scopes(scopes), key, Optional.ofNullable(expires).map(ApiKey::date));
      if (file == null) {
        System.out.println(key);
        System.out.println(kept.line());
        return 0;
      }
      KeyFile.add(file, kept, () -> {
        System.out.println(key);
        if (System.out.checkError()) {
          throw new IOException("the key can't be written to standard output");
        }
      });
      return 0;
    }
  }

  /** Lists keys. */
  @Command(name = "list", description = "Lists the keys of a file: names, scopes, last days.", mixinStandardHelpOptions = true)
  static final class Show implements Callable<Integer> {
    @Option(names = "--file", required = true, paramLabel = "FILE", description = "Key file.")
    private Path file;

    @Override
    public Integer call() throws IOException {
      LocalDate today = LocalDate.now(ZoneOffset.UTC);
      for (ApiKey key : KeyFile.read(file).keys()) {
        String end = key.expires().map(day -> (key.expired(today) ? "  expired " : "  until ") + day).orElse("");
        System.out.println(key.name() + "  " + ApiKey.words(key.scopes()) + end);
      }
      return 0;
    }
  }

  /** Removes a key. */
  @Command(name = "revoke", description = "Removes a key from a file.", mixinStandardHelpOptions = true)
  static final class Revoke implements Callable<Integer> {
    @Option(names = "--file", required = true, paramLabel = "FILE", description = "Key file.")
    private Path file;

    @Option(names = "--name", required = true, paramLabel = "NAME", description = "The key's name.")
    private String name;

    @Override
    public Integer call() throws IOException {
      KeyFile.remove(file, name);
      return 0;
    }
  }
}
