package dev.nibble.offload;

import dev.nibble.engine.EngineException;
import dev.nibble.engine.NanoClock;
import dev.nibble.engine.SequentialEngine;
import dev.nibble.runtime.ModelIdentity;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.UnknownHostException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.logging.Level;
import java.util.logging.Logger;

/**
 * All accelerators. A thread looks at each of them again and again: resolves names (every address is an accelerator of its own), asks what is there, tries
 * what is new. Requests go only to those that were looked at, so that choosing costs nothing.
 */
final class AcceleratorPool implements AutoCloseable {
  private static final Logger LOG = Logger.getLogger(AcceleratorPool.class.getName());

  private final OffloadSettings settings;
  private final SequentialEngine engine;
  private final Callable<ModelIdentity> identify;
  private final OffloadObserver observer;
  private final NanoClock clock;
  private final GrpcChannels channels = new GrpcChannels();
  private final Thread looker;

  private volatile List<Accelerator> accelerators = List.of();
  private volatile List<AcceleratorStatus> unresolved = List.of();

  // Of the looking thread.
  private final Map<String, Accelerator> known = new LinkedHashMap<>();
  private Optional<ModelIdentity> identity = Optional.empty();
  private String whyNoIdentity = "";
  private Optional<Canary> canary = Optional.empty();

  AcceleratorPool(OffloadSettings settings, SequentialEngine engine, Callable<ModelIdentity> identify, OffloadObserver observer, NanoClock clock) {
    this.settings = settings;
    this.engine = engine;
    this.identify = identify;
    this.observer = observer;
    this.clock = clock;
    unresolved = settings.targets().stream().map(target -> AcceleratorStatus.unknown(target.toString(), AcceleratorState.UNKNOWN, "not looked at yet")).toList();
    looker = Thread.ofPlatform().name("nibble-offload").daemon(true).start(this::look);
  }

  /** Those that have an address, in the order of the settings. */
  List<Accelerator> all() {
    return accelerators;
  }

  /** Names that have no address. */
  List<AcceleratorStatus> unresolved() {
    return unresolved;
  }

  /** What is known, names without an address included. */
  List<AcceleratorStatus> statuses() {
    List<AcceleratorStatus> statuses = new ArrayList<>(accelerators.stream().map(Accelerator::status).toList());
    statuses.addAll(unresolved);
    return statuses;
  }

  private void look() {
    try {
      prepare();
      while (true) {
        resolve();
        List<Thread> looks = new ArrayList<>();
        for (Accelerator accelerator : accelerators) {
          // Side by side: one that does not answer must not make us blind to the others.
          looks.add(Thread.ofVirtual().name("nibble-offload-look").start(() -> {
            try {
              accelerator.look(identity, whyNoIdentity, canary);
            } catch (InterruptedException closing) {
              Thread.currentThread().interrupt();
            } catch (RuntimeException defect) {
              LOG.log(Level.SEVERE, "Looking at accelerator " + accelerator.name() + " failed.", defect);
            }
          }));
        }
        for (Thread look : looks) {
          look.join();
        }
        observer.looked(statuses());
        Thread.sleep(settings.probeInterval());
      }
    } catch (InterruptedException closing) {
      Thread.currentThread().interrupt();
    }
  }

  private void prepare() throws InterruptedException {
    try {
      identity = Optional.of(identify.call());
      canary = Optional.of(Canary.of(engine));
    } catch (InterruptedException closing) {
      throw closing;
    } catch (IOException | EngineException | IllegalStateException problem) {
      whyNoIdentity = problem.getMessage();
      LOG.log(Level.WARNING, "No accelerator can be used: {0}", problem.getMessage());
    } catch (Exception defect) {
      whyNoIdentity = "the model could not be identified";
      LOG.log(Level.SEVERE, "No accelerator can be used.", defect);
    }
  }

  private void resolve() {
    Map<String, Accelerator> present = new LinkedHashMap<>();
    List<AcceleratorStatus> without = new ArrayList<>();
    for (OffloadSettings.Target target : settings.targets()) {
      try {
        InetAddress[] addresses = InetAddress.getAllByName(target.host());
        // localhost has two addresses nearly everywhere, and one service behind them.
        boolean alone = addresses.length == 1 || addresses[0].isLoopbackAddress();
        for (InetAddress address : addresses) {
          String name = alone ? target.toString() : target + "/" + address.getHostAddress();
          if (!present.containsKey(name)) {
            Accelerator accelerator = known.get(name);
            present.put(name, accelerator != null ? accelerator
                : new Accelerator(name, new InetSocketAddress(address, target.port()), target.toString(), settings, channels, clock));
          }
        }
      } catch (UnknownHostException unknown) {
        without.add(AcceleratorStatus.unknown(target.toString(), AcceleratorState.UNREACHABLE, "there is no host \"" + target.host() + "\""));
      }
    }
    known.forEach((name, accelerator) -> {
      if (!present.containsKey(name)) {
        LOG.log(Level.INFO, "Accelerator {0} is gone: its name has not that address any more.", name);
        accelerator.close();
      }
    });
    for (AcceleratorStatus status : without) {
      if (!unresolved.contains(status)) {
        LOG.log(Level.WARNING, "Accelerator {0}", status.line());
      }
    }
    known.clear();
    known.putAll(present);
    accelerators = List.copyOf(present.values());
    unresolved = List.copyOf(without);
  }

  @Override
  public void close() {
    looker.interrupt();
    accelerators.forEach(Accelerator::close);
    channels.close();
  }
}
