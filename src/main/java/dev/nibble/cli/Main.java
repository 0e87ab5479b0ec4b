package dev.nibble.cli;

import io.quarkus.runtime.annotations.QuarkusMain;
import java.io.IOException;
import java.nio.file.NoSuchFileException;
import picocli.CommandLine;
import picocli.CommandLine.Command;

/** The program. Only {@code serve} starts the framework; other commands cost nothing of it. */
@QuarkusMain
@Command(name = "nibble", description = "INT4 language models on edge gateways.", mixinStandardHelpOptions = true, version = "nibble 0.1.0",
    subcommands = {ServeCommand.class, RunCommand.class, InspectCommand.class, QuantizeCommand.class, BenchCommand.class})
public final class Main implements Runnable {
  /** Exit code for input that can't be used. */
  static final int EXIT_USAGE = 2;

  private Main() {}

  public static void main(String[] args) {
    // Answers are UTF-8 whatever the terminal's locale says.
    System.setOut(new java.io.PrintStream(new java.io.FileOutputStream(java.io.FileDescriptor.out), true, java.nio.charset.StandardCharsets.UTF_8));
    System.setErr(new java.io.PrintStream(new java.io.FileOutputStream(java.io.FileDescriptor.err), true, java.nio.charset.StandardCharsets.UTF_8));
    System.exit(commandLine().execute(args));
  }

  static CommandLine commandLine() {
    return new CommandLine(new Main())
        .setParameterExceptionHandler((failure, arguments) -> complain(failure.getMessage() + "; see nibble "
            + (failure.getCommandLine().getParent() == null ? "" : failure.getCommandLine().getCommandName() + " ") + "--help"))
        .setExecutionExceptionHandler((failure, line, result) -> switch (failure) {
          case NoSuchFileException missing -> complain("no such file: " + missing.getFile());
          case IOException problem -> complain(problem.getMessage());
          case dev.nibble.engine.EngineException problem -> complain(problem.getMessage());
          case IllegalArgumentException problem -> complain(problem.getMessage());
          case dev.nibble.format.gguf.GgufKeyException problem -> complain(problem.getMessage());
          case Exception defect -> throw defect;
        });
  }

  private static int complain(String message) {
    System.err.println("nibble: " + String.valueOf(message).lines().findFirst().orElse("failed"));
    return EXIT_USAGE;
  }

  @Override
  public void run() {
    CommandLine.usage(this, System.out);
  }
}
