package dev.nibble.hostile;

import dev.nibble.model.family.Families;
import dev.nibble.model.family.Family;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Tries mutated models by the thousand and tells what became of them: {@code src/bench/hostile.sh} runs it.
 *
 * <pre>
 * MutatedModels COUNT FIRST               in this process
 * MutatedModels COUNT FIRST PROGRAM…      each by a process `PROGRAM… run --max-tokens 1 --model FILE`, or quantize
 * </pre>
 */
final class MutatedModels {
  private static final long MAX_SECONDS = 20; // for one, on a busy machine
  private static final int SHOWN = 25;
  private static final int USAGE = 2; // the program's exit code for input that can't be used

  private final Path folder;
  private final Mutator mutator;
  private final Trial trial;
  private final AtomicLong since = new AtomicLong(System.nanoTime());
  private final Map<String, Integer> outcomes = new TreeMap<>();
  private final Map<String, Integer> messages = new TreeMap<>();
  private int faults;

  MutatedModels(Path folder) throws IOException {
    this.folder = folder;
    Path making = Files.createDirectories(folder.resolve("seeds"));
    mutator = new Mutator(new Seeds(making).all(), Families.KNOWN.all().stream().map(Family::architecture).toList());
    trial = new Trial(folder);
  }

  Mutator mutator() {
    return mutator;
  }

  Trial trial() {
    return trial;
  }

  public static void main(String[] args) throws IOException, InterruptedException {
    int count = Integer.parseInt(args[0]);
    long first = Long.parseLong(args[1]);
    List<String> program = Arrays.asList(args).subList(2, args.length);
    MutatedModels all = new MutatedModels(Files.createTempDirectory("nibble-hostile"));
    all.watch();
    long most = 0;
    List<String> slowest = new ArrayList<>();
    for (long number = first; number < first + count; number++) {
      all.since.set(System.nanoTime());
      Mutator.Mutation mutation = all.mutator.mutate(number);
      Trial.Result result = program.isEmpty() ? all.trial.run(mutation, "m" + number) : all.process(mutation, "m" + number, program);
      all.count(number, mutation, result);
      most = Math.max(most, result.allocated());
      slowest.add(String.format("%6d ms  %d: %s", result.nanos() / 1_000_000, number, mutation.how().substring(0, Math.min(120, mutation.how().length()))));
    }
    slowest.sort(Comparator.reverseOrder());
    slowest.stream().limit(3).forEach(System.out::println);
    System.out.println("most allocated: " + (most >> 20) + " MiB");
    all.messages.entrySet().stream().sorted(Map.Entry.<String, Integer>comparingByValue().reversed()).limit(program.isEmpty() ? SHOWN * 8L : SHOWN)
        .forEach(entry -> System.out.printf("%6d  %s%n", entry.getValue(), entry.getKey()));
    all.outcomes.forEach((outcome, number) -> System.out.printf("%-18s %6d%n", outcome, number));
    System.out.println(all.faults + " faults of " + count);
    System.exit(all.faults == 0 ? 0 : 1);
  }

  private void count(long number, Mutator.Mutation mutation, Trial.Result result) {
    outcomes.merge(mutation.seed().kind() + " " + result.outcome(), 1, Integer::sum);
    switch (result.outcome()) {
      case WORKS -> { }
      case REFUSED -> messages.merge(shape(result.message()), 1, Integer::sum);
      case FAULT -> {
        faults++;
        System.out.printf("fault %d: %s%n  %s; it is in %s%n", number, mutation.how(), result.message(), folder.resolve("m" + number));
        result.failure().ifPresent(failure -> Arrays.stream(failure.getStackTrace()).limit(8).forEach(frame -> System.out.println("    " + frame)));
      }
    }
  }

  /** A message without what is one file's. */
  private String shape(String message) {
    String general = message.replace(folder.toString(), "").replaceAll("\"[^\"]*\"", "\"…\"").replaceAll("\\d+", "0");
    return general.length() > 110 ? general.substring(0, 110) : general;
  }

  /** Ends the process, with a stack, when one takes too long. */
  private void watch() {
    Thread.ofPlatform().name("watch").daemon(true).start(() -> {
      try {
        while (true) {
          TimeUnit.SECONDS.sleep(1);
          if (System.nanoTime() - since.get() > TimeUnit.SECONDS.toNanos(2 * MAX_SECONDS)) {
            Thread.getAllStackTraces().forEach((thread, stack) -> {
              System.out.println(thread.getName());
              Arrays.stream(stack).limit(30).forEach(frame -> System.out.println("    " + frame));
            });
            System.out.println("a model takes more than " + 2 * MAX_SECONDS + " seconds");
            Runtime.getRuntime().halt(1);
          }
        }
      } catch (InterruptedException end) {
        Thread.currentThread().interrupt();
      }
    });
  }

  private Trial.Result process(Mutator.Mutation mutation, String name, List<String> program) throws IOException, InterruptedException {
    Path place = Files.createDirectory(folder.resolve(name));
    mutation.files().forEach((file, bytes) -> {
      try {
        Files.write(place.resolve(file), bytes);
      } catch (IOException full) {
        throw new UncheckedIOException(full);
      }
    });
    List<String> command = new ArrayList<>(program);
    if (mutation.seed().kind() == Seed.Kind.FOLDER) {
      command.addAll(List.of("quantize", "--in", place.toString(), "--out", place.resolve("out.gguf").toString(), "--scheme", "q4_0"));
    } else {
      command.addAll(List.of("run", "--model", place.resolve(mutation.seed().open()).toString(), "--temp", "0", "--max-tokens", "1", "Once upon"));
    }
    Path said = place.resolve("said");
    long start = System.nanoTime();
    Process process = new ProcessBuilder(command).redirectError(said.toFile()).redirectOutput(ProcessBuilder.Redirect.DISCARD).start();
    process.getOutputStream().close();
    boolean ended = process.waitFor(MAX_SECONDS, TimeUnit.SECONDS);
    if (!ended) {
      process.destroyForcibly().waitFor();
    }
    String text = new String(Files.readAllBytes(said), StandardCharsets.UTF_8).lines().filter(line -> !line.startsWith("WARNING: Using incubator")).reduce("", (a, b) -> a + b + "\n");
    int status = process.exitValue();
    boolean told = status == USAGE && text.startsWith("nibble: ") && text.lines().count() == 1 && !text.contains("defect");
    Trial.Outcome outcome = ended && status == 0 ? Trial.Outcome.WORKS : ended && told ? Trial.Outcome.REFUSED : Trial.Outcome.FAULT;
    if (outcome != Trial.Outcome.FAULT) {
      try (var files = Files.list(place)) {
        for (Path file : files.toList()) {
          Files.delete(file);
        }
      }
      Files.delete(place);
    }
    String message = outcome == Trial.Outcome.FAULT ? (ended ? "ended with " + status : "did not end") + ": " + text.strip() : text.strip();
    return new Trial.Result(outcome, message, 0, System.nanoTime() - start, Optional.empty());
  }
}
