package dev.nibble.cli;

import dev.nibble.engine.EngineObserver;
import dev.nibble.engine.EngineOptions;
import dev.nibble.engine.SequentialEngine;
import dev.nibble.offload.AcceleratorState;
import dev.nibble.offload.AcceleratorStatus;
import dev.nibble.offload.OffloadObserver;
import dev.nibble.offload.OffloadSettings;
import dev.nibble.offload.OffloadingEngine;
import dev.nibble.runtime.ModelIdentity;
import dev.nibble.runtime.ModelOpener;
import dev.nibble.serve.SettingsCheck;
import dev.nibble.serve.api.ServeConfig;
import dev.nibble.serve.api.Settings;
import dev.nibble.serve.config.ProcessConfig;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import org.eclipse.microprofile.config.Config;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/**
 * Says how this box stands: what computes, whether the model answers, and how each accelerator is, by the very checks that serving makes. A line a finding,
 * each beginning with {@code ok} or {@code fail}; exit code 1 if anything fails.
 */
@Command(name = "doctor", description = "Checks this box: vectors, model, accelerators. Exit code 0 if all is well, 1 if not.", mixinStandardHelpOptions = true)
final class DoctorCommand implements Callable<Integer> {
  private static final long LOOK_MILLIS = 20_000; // a trial answer of a cold accelerator comes sooner

  @Mixin
  private ModelOptions model;

  @Option(names = "--offload-targets", paramLabel = "HOST:PORT", split = ",", descriptionKey = "nibble.offload.targets")
  private List<String> targets;

  private boolean well = true;

  @Override
  public Integer call() throws IOException, InterruptedException {
    if (targets != null) {
      String list = String.join(",", targets);
      Settings.OFFLOAD_TARGETS.read("--offload-targets", list);
      System.setProperty(Settings.OFFLOAD_TARGETS.name(), list);
    }
    Config config = ProcessConfig.read();
    SettingsCheck.require(config);
    OffloadSettings accelerators = ServeConfig.offload(config);
    model.fitHeap(); // before a word is said: the process may begin anew
    say(true, "machine", Runtime.getRuntime().availableProcessors() + " processors, " + System.getProperty("os.arch"));
    try (ModelOpener opener = model.opener(); ModelOpener.Opened opened = model.open(opener)) {
      look(opened, accelerators);
    }
    return well ? 0 : Main.EXIT_FAILED;
  }

  private void look(ModelOpener.Opened opened, OffloadSettings accelerators) throws InterruptedException {
    say(opened.memory().complaint().isEmpty(), "memory", opened.memory().complaint().orElse(opened.memory() + ", of which keys and values at most "
        + (opened.loaded().model().pages().limitBytes() >> 20)));
    say(opened.kernelComplaint().isEmpty(), "vectors", opened.kernelComplaint().orElse(opened.vectorBits() + " bits"));
    say(true, "kernels", opened.kernelChoice());
    say(true, "model", opened.info().name() + ", " + opened.info().parameters() / 1_000_000 + " M parameters, context " + opened.info().contextLength());
    opened.tokenizer().remarks().forEach(remark -> say(true, "vocabulary", remark));
    say(true, "chat", opened.tokenizer().whyNoChat().map(why -> "not possible with this model: " + why).orElse("possible"));
    try (SequentialEngine engine = new SequentialEngine(opened.info(), opened.loaded().model(), opened.tokenizer(), EngineOptions.DEFAULT)) {
      if (accelerators.targets().isEmpty()) {
        say(true, "accelerators", "none configured (" + Settings.OFFLOAD_TARGETS.variable() + ")");
      } else {
        look(engine, accelerators);
      }
    }
  }

  private void look(SequentialEngine engine, OffloadSettings settings) throws InterruptedException {
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

  private void say(boolean fine, String what, String finding) {
    well &= fine;
    System.out.printf("%-5s %-12s %s%n", fine ? "ok" : "fail", what, finding);
  }
}
