package dev.nibble;

import static org.junit.platform.engine.discovery.DiscoverySelectors.selectClass;

import java.io.PrintWriter;
import java.util.Arrays;
import org.junit.jupiter.engine.JupiterTestEngine;
import org.junit.platform.engine.TestExecutionResult;
import org.junit.platform.engine.support.descriptor.MethodSource;
import org.junit.platform.launcher.Launcher;
import org.junit.platform.launcher.LauncherDiscoveryRequest;
import org.junit.platform.launcher.TestExecutionListener;
import org.junit.platform.launcher.TestIdentifier;
import org.junit.platform.launcher.core.LauncherConfig;
import org.junit.platform.launcher.core.LauncherDiscoveryRequestBuilder;
import org.junit.platform.launcher.core.LauncherFactory;
import org.junit.platform.launcher.listeners.SummaryGeneratingListener;
import org.junit.platform.launcher.listeners.TestExecutionSummary;

/**
 * Runs test classes named as arguments where there is no Maven: deploy/arm64/test.sh starts it on an emulated processor. Says each test as it ends;
 * ends with status 1 after a failure, or if nothing ran.
 */
public final class SelectedTests {
  private SelectedTests() {}

  public static void main(String[] classes) {
    LauncherDiscoveryRequest request = LauncherDiscoveryRequestBuilder.request()
        .selectors(Arrays.stream(classes).map(name -> selectClass(name)).toList()).build();
    // Plain tests only: the framework's listeners would begin to build an application.
    Launcher launcher = LauncherFactory.create(LauncherConfig.builder().enableTestEngineAutoRegistration(false).addTestEngines(new JupiterTestEngine())
        .enableLauncherSessionListenerAutoRegistration(false).enableLauncherDiscoveryListenerAutoRegistration(false)
        .enableTestExecutionListenerAutoRegistration(false).enablePostDiscoveryFilterAutoRegistration(false).build());
    SummaryGeneratingListener listener = new SummaryGeneratingListener();
    launcher.execute(request, listener, new Progress());
    TestExecutionSummary summary = listener.getSummary();
    summary.printFailuresTo(new PrintWriter(System.out, true), 30);
    long failed = summary.getTotalFailureCount();
    System.out.println(summary.getTestsSucceededCount() + " passed, " + failed + " failed, "
        + (summary.getTestsSkippedCount() + summary.getTestsAbortedCount()) + " skipped");
    System.exit(failed == 0 && summary.getTestsSucceededCount() > 0 ? 0 : 1);
  }

  private static final class Progress implements TestExecutionListener {
    private long start = System.nanoTime();

    @Override
    public void executionStarted(TestIdentifier test) {
      start = System.nanoTime();
    }

    @Override
    public void executionFinished(TestIdentifier test, TestExecutionResult result) {
      if (test.isTest()) {
        String name = test.getSource().filter(source -> source instanceof MethodSource).map(source -> (MethodSource) source)
            .map(method -> method.getClassName() + "." + method.getMethodName() + " ").orElse("");
        System.out.printf("%-10s %6.1f s  %s%s%n", result.getStatus(), (System.nanoTime() - start) / 1e9, name, test.getDisplayName());
      }
    }
  }
}
