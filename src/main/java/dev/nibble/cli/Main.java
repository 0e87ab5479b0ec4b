package dev.nibble.cli;

import dev.nibble.engine.EngineException;
import dev.nibble.format.Printable;
import dev.nibble.format.gguf.GgufKeyException;
import io.quarkus.runtime.annotations.QuarkusMain;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.InvalidPathException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Optional;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;
import picocli.CommandLine.TypeConversionException;

/** The program. Only {@code serve} starts the framework; other commands cost nothing of it. */
@QuarkusMain
@Command(name = "nibble", description = "INT4 language models on edge gateways.", mixinStandardHelpOptions = true, version = "nibble 0.1.0",
    subcommands = {ServeCommand.class, RunCommand.class, InspectCommand.class, QuantizeCommand.class, PackCommand.class, BenchCommand.class, EvalCommand.class,
        HealthCommand.class, DoctorCommand.class, KeysCommand.class, K3sSizeCommand.class})
public final class Main implements Runnable {
  /** Exit code for input that can't be used. */
  static final int EXIT_USAGE = 2;
  /** Exit code for a defect of ours, or a machine too small. */
  static final int EXIT_FAILED = 1;
  /** Environment variable that makes defects show where they happened. */
  static final String TRACE = "NIBBLE_TRACE";

  @Spec
  private CommandSpec spec;

  private Main() {}

  public static void main(String[] args) {
    // Answers are UTF-8 whatever the terminal's locale says.
    StandardOutput out = new StandardOutput();
    System.setOut(new PrintStream(out, true, StandardCharsets.UTF_8));
    System.setErr(new PrintStream(new FileOutputStream(FileDescriptor.err), true, StandardCharsets.UTF_8));
    Optional<String> garbled = LocaleCheck.complaint(System.getProperty("sun.jnu.encoding"), args, System.getenv());
    if (garbled.isPresent()) {
      System.exit(complain(garbled.get()));
    }
    int status;
    try {
      status = commandLine().execute(args);
    } catch (OutOfMemoryError full) {
      complain("not enough memory for this: " + full.getMessage());
      status = EXIT_FAILED;
    } catch (Error defect) {
      status = admit(defect);
    }
    System.exit(out.isLost() ? lost(out, status) : status);
  }

  /** The exit code of a command whose output could not be written, which is told unless the command has told of it. A reader of a pipe who had enough is no failure. */
  private static int lost(StandardOutput out, int status) {
    Optional<String> complaint = out.complaint();
    if (status == EXIT_USAGE || complaint.isEmpty()) {
      return status == EXIT_USAGE ? EXIT_FAILED : status;
    }
    complain(complaint.get());
    return EXIT_FAILED;
  }

  static CommandLine commandLine() {
    return new CommandLine(new Main())
        .setResourceBundle(new SettingTexts())
        .registerConverter(Path.class, Main::path)
        .setParameterExceptionHandler((failure, arguments) -> refuse(failure))
        .setExecutionExceptionHandler((failure, line, result) -> switch (failure) {
          case ParameterException problem -> refuse(problem);
          case StandardOutput.LostException told -> 0; // at the end, if it is to be told at all
          case NoSuchFileException missing -> complain("no such file: " + missing.getFile());
          case AccessDeniedException closed -> complain("permission denied: " + closed.getFile());
          case IOException problem -> complain(problem.getMessage());
          case InvalidPathException unusable -> complain(LocaleCheck.complaint(unusable));
          case EngineException problem -> complain(problem.getMessage());
          case IllegalArgumentException problem -> complain(problem.getMessage());
          case GgufKeyException problem -> complain(problem.getMessage());
          case Exception defect -> admit(defect);
        });
  }

  /** A file's or folder's name. An empty one is a mistake, such as a variable that was never set: Java takes it for the working directory. */
  private static Path path(String text) {
    if (text.isEmpty()) {
      throw new TypeConversionException("the name is empty");
    }
    try {
      return Path.of(text);
    } catch (InvalidPathException unusable) {
      throw new TypeConversionException(LocaleCheck.complaint(unusable));
    }
  }

  private static int refuse(ParameterException failure) {
    CommandLine command = failure.getCommandLine();
    return complain(failure.getMessage().lines().findFirst().orElse("failed") + "; see nibble " + (command.getParent() == null ? "" : command.getCommandName() + " ") + "--help");
  }

  private static int complain(String message) {
    System.err.println("nibble: " + Printable.message(message == null ? "failed" : message));
    return EXIT_USAGE;
  }

  private static int admit(Throwable defect) {
    complain("failed because of a defect in the program: " + defect + "; " + TRACE + "=1 shows where");
    if (System.getenv(TRACE) != null) {
      defect.printStackTrace();
    }
    return EXIT_FAILED;
  }

  @Override
  public void run() {
    throw new ParameterException(spec.commandLine(), "needs a command: " + String.join(", ", spec.subcommands().keySet()));
  }
}
