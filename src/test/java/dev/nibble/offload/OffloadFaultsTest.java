package dev.nibble.offload;

import static org.assertj.core.api.Assertions.assertThat;

import dev.nibble.engine.OffloadPolicy;
import dev.nibble.engine.Placement;
import dev.nibble.engine.RecordingListener;
import dev.nibble.offload.FaultySidecar.Fault;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.logging.Handler;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Whatever an accelerator does, the client hears one whole answer, the same one. Writes {@code target/offload-faults.md}, the table of docs/offload.md, and
 * holds the documentation against it.
 */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
final class OffloadFaultsTest {
  private final Map<Fault, String> rows = new EnumMap<>(Fault.class);

  private final List<String> logged = Collections.synchronizedList(new ArrayList<>());
  private final Logger logger = Logger.getLogger("dev.nibble.offload");
  private final Handler handler = new Handler() {
    @Override
    public void publish(LogRecord entry) {
      String text = java.text.MessageFormat.format(entry.getMessage(), entry.getParameters() == null ? new Object[0] : entry.getParameters());
      logged.add(entry.getLevel() + " " + text);
    }

    @Override
    public void flush() {}

    @Override
    public void close() {}
  };

  @BeforeEach
  void listen() {
    logged.clear();
    logger.addHandler(handler);
  }

  @AfterEach
  void hush() {
    logger.removeHandler(handler);
  }

  @ParameterizedTest
  @EnumSource(Fault.class)
  void theAnswerIsWhole(Fault fault) throws Exception {
    rows.put(fault, row(fault));
  }

  /** Has an accelerator with a fault asked, and tells what that looked like. */
  private String row(Fault fault) throws Exception {
    logged.clear();
    try (FaultySidecar sidecar = new FaultySidecar(fault, Optional.empty()); Gateway gateway = new Gateway(settings(fault, sidecar.target()))) {
      RecordingListener expected = gateway.submit(OffloadPolicy.OFF);
      String text = expected.text();
      assertThat(expected.result().placement()).isEmpty();

      AcceleratorState state = switch (fault) {
        case ABSENT, HALF_OPEN -> AcceleratorState.UNREACHABLE;
        case WRONG_MODEL, OTHER_PROTOCOL -> AcceleratorState.MISMATCHED;
        case GPU_MISSING -> AcceleratorState.DEGRADED;
        case WRONG_TOKENS -> AcceleratorState.WRONG_ANSWERS;
        default -> AcceleratorState.READY;
      };
      gateway.awaitState(0, state);
      RecordingListener listener = gateway.submit(OffloadPolicy.PREFER);
      assertThat(listener.text()).isEqualTo(text);
      assertThat(listener.ids()).containsExactly(expected.ids());
      assertThat(listener.ends).hasValue(1);
      assertThat(listener.result().completionTokens()).isEqualTo(expected.result().completionTokens());
      assertThat(listener.result().promptTokens()).isEqualTo(expected.result().promptTokens());
      assertThat(listener.result().reason()).isEqualTo(expected.result().reason());
      Placement placement = listener.result().placement().orElseThrow();
      boolean inAnswer = placement.acceleratorTokens() > 0;
      // What is wrong after the last token leaves nothing to go on with.
      boolean fine = fault == Fault.NONE || fault == Fault.DELAYS || fault == Fault.MISCOUNTS;
      assertThat(placement.continued()).isEqualTo(inAnswer && !fine);
      return row(fault, sidecar, gateway, placement);
    }
  }

  /** Only what is noticed by the time that passes needs short ones. */
  private static OffloadSettings settings(Fault fault, String target) {
    return switch (fault) {
      case HALF_OPEN, NEVER_TAKES, NO_FIRST_TOKEN, STALLS -> Gateway.hasty(target);
      default -> Gateway.settings(target);
    };
  }

  private String row(Fault fault, FaultySidecar sidecar, Gateway gateway, Placement placement) {
    String seen = (placement.acceleratorTokens() == 0 ? "computed here" : placement.continued() ? placement.acceleratorTokens() + " tokens from there, the rest here"
        : "all " + placement.acceleratorTokens() + " tokens from there") + "; `reason`: " + placement.reason();
    String log = logged.stream().filter(line -> line.startsWith("WARNING")).map(line -> line.replaceAll("Request [0-9a-f-]{36}", "Request ID"))
        .distinct().collect(Collectors.joining("; "));
    String metric = gateway.heard.stream().distinct().map(name -> "`" + name + "`").collect(Collectors.joining(", "));
    String state = gateway.status(0).state().name().toLowerCase(java.util.Locale.ROOT);
    if (metric.isEmpty()) {
      metric = "`nibble_offload_accelerator_info{state=\"" + state + "\"}`";
    }
    return ("| " + fault.words() + " | " + seen + " | " + (log.isEmpty() ? "–" : log) + " | " + metric + " |")
        // How the end of a connection shows depends on who notices first.
        .replaceAll(fault == Fault.DIES ? "tokens \\([^)]*\\)" : "$^", "tokens (…)")
        .replace(sidecar.target(), "jetson:9100").replaceAll("left alone for [0-9.]+ s", "left alone for … s").replaceAll("localhost/127.0.0.1:\\d+", "jetson:9100");
  }

  /** Rows that have not been made yet, in whatever order tests run and if this one runs alone, are made here. */
  @Test
  void theDocumentationHasTheTable() throws Exception {
    for (Fault fault : Fault.values()) {
      if (!rows.containsKey(fault)) {
        rows.put(fault, row(fault));
      }
    }
    String table = "| fault | client sees | gateway logs | metric |\n| --- | --- | --- | --- |\n" + String.join("\n", rows.values()) + "\n";
    Files.writeString(Path.of("target/offload-faults.md"), table);
    assertThat(Files.readString(Path.of("docs/offload.md"))).as("docs/offload.md has the table of target/offload-faults.md").contains(table);
  }

  @Test
  void oneThatIsAbsentIsFoundWhenItComesBack() throws Exception {
    try (FaultySidecar sidecar = new FaultySidecar()) {
      sidecar.set(Fault.ABSENT);
      try (Gateway gateway = new Gateway(Gateway.settings(sidecar.target()))) {
        gateway.awaitState(0, AcceleratorState.UNREACHABLE);
        sidecar.set(Fault.NONE);
        gateway.awaitState(0, AcceleratorState.READY);
        assertThat(gateway.submit(OffloadPolicy.REQUIRE).result().placement().orElseThrow().accelerator()).isEqualTo(sidecar.target());
      }
    }
  }
}
