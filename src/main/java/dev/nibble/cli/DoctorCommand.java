package dev.nibble.cli;

import dev.nibble.engine.EngineObserver;
import dev.nibble.engine.EngineOptions;
import dev.nibble.engine.ModelIdentity;
import dev.nibble.engine.ModelOpener;
import dev.nibble.engine.OffloadPolicy;
import dev.nibble.engine.SequentialEngine;
import dev.nibble.offload.AcceleratorState;
import dev.nibble.offload.AcceleratorStatus;
import dev.nibble.offload.OffloadObserver;
import dev.nibble.offload.OffloadSettings;
import dev.nibble.offload.OffloadingEngine;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/**
 * Says how this box stands: what computes, whether the model answers, and how each accelerator is, by the very checks that serving makes. A line a finding,
 * each beginning with {@code ok} or {@code fail}; exit code 1 if anything fails.
 */
@Command(name = "doctor", description = "Checks this box: vectors, model, accelerators. Exit code 0 if all is well, 1 if not.", mixinStandardHelpOptions = true)
final class DoctorCommand implements Callable<Integer> {
  private static final String TARGETS_SETTING = "NIBBLE_OFFLOAD_TARGETS";
  private static final String KEY_SETTING = "NIBBLE_OFFLOAD_KEY_FILE";
  private static final String TLS_SETTING = "NIBBLE_OFFLOAD_TLS_";
  private static final long LOOK_MILLIS = 20_000; // a trial answer of a cold accelerator comes sooner

  @Mixin
  private ModelOptions model;

  @Option(names = "--offload-targets", paramLabel = "HOST:PORT", split = ",", description = "Accelerators; default those of NIBBLE_OFFLOAD_TARGETS.")
  private List<String> targets;

  private boolean well = true;

  @Override
  public Integer call() throws IOException, InterruptedException {
    model.fitHeap(); // before a word is said: the process may begin anew
    say(true, "machine", Runtime.getRuntime().availableProcessors() + " processors, " + System.getProperty("os.arch"));
    ModelOpener.Opened opened = model.open();
    say(opened.memory().complaint().isEmpty(), "memory", opened.memory().complaint().orElse(opened.memory() + ", of which keys and values at most "
        + (opened.loaded().model().pages().limitBytes() >> 20)));
    say(opened.whyNoVectors().isEmpty(), "vectors", opened.whyNoVectors().isEmpty() ? opened.vectorBits() + " bits" : opened.whyNoVectors());
    say(true, "model", opened.info().name() + ", " + opened.info().parameters() / 1_000_000 + " M parameters, context " + opened.info().contextLength());
    opened.tokenizer().remarks().forEach(remark -> say(true, "vocabulary", remark));
    say(true, "chat", opened.tokenizer().whyNoChat().map(why -> "not possible with this model: " + why).orElse("possible"));
    List<OffloadSettings.Target> accelerators = targets().stream().map(OffloadSettings.Target::of).toList();
    try (SequentialEngine engine = new SequentialEngine(opened.info(), opened.loaded().model(), opened.tokenizer(), EngineOptions.DEFAULT)) {
      if (accelerators.isEmpty()) {
        say(true, "accelerators", "none configured (" + TARGETS_SETTING + ")");
      } else {
        look(engine, accelerators);
      }
    }
    return well ? 0 : Main.EXIT_FAILED;
  }

  private List<String> targets() {
    if (targets != null) {
      return targets;
    }
    return setting(TARGETS_SETTING).map(list -> Arrays.asList(list.split(","))).orElse(List.of());
  }

  private void look(SequentialEngine engine, List<OffloadSettings.Target> accelerators) throws InterruptedException {
    OffloadSettings usual = OffloadSettings.of(accelerators, OffloadPolicy.AUTO);
    OffloadSettings settings = new OffloadSettings(usual.targets(), usual.policy(), tls(), usual.connectTimeout(), usual.hedgeDelay(), usual.stallTimeout(),
        usual.tokenTimeout(), usual.probeInterval(), usual.powerBudgetWatts(), file(KEY_SETTING));
    List<AcceleratorStatus> last = new ArrayList<>();
    try (OffloadingEngine offloading = new OffloadingEngine(engine, () -> ModelIdentity.of(model.model()), settings, EngineObserver.NONE, OffloadObserver.NONE)) {
      long end = System.nanoTime() + LOOK_MILLIS * 1_000_000;
      do {
        Thread.sleep(20);
        last.clear();
        last.addAll(offloading.accelerators());
      } while (System.nanoTime() - end < 0 && last.stream().anyMatch(status -> status.state() == AcceleratorState.UNKNOWN));
    }
    for (AcceleratorStatus status : last) {
      boolean fine = status.state() == AcceleratorState.READY;
      String rates = status.rates().decode() > 0 ? String.format(Locale.ROOT, "; decode %.0f tokens/s", status.rates().decode()) : "";
      String what = fine && !status.gpu() ? "; no GPU computes there" : "";
      say(fine, "accelerator", status.line() + rates + what + (fine && status.exact() ? "; exact tokens" : ""));
    }
  }

  private static Optional<OffloadSettings.Tls> tls() {
    return file(TLS_SETTING + "TRUST").map(trust -> new OffloadSettings.Tls(trust, file(TLS_SETTING + "CERTIFICATE"), file(TLS_SETTING + "KEY")));
  }

  private static Optional<Path> file(String name) {
    return setting(name).map(Path::of);
  }

  /** A setting as {@code serve} would take it from the environment. */
  private static Optional<String> setting(String name) {
    Optional<String> value = Optional.ofNullable(System.getenv(name));
    if (value.isPresent() && value.get().isBlank()) {
      throw new IllegalArgumentException(name + " is empty; give it a value, or leave it out");
    }
    return value;
  }

  private void say(boolean fine, String what, String finding) {
    well &= fine;
    System.out.printf("%-5s %-12s %s%n", fine ? "ok" : "fail", what, finding);
  }
}
