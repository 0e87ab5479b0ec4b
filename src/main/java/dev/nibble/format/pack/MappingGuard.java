package dev.nibble.format.pack;

import dev.nibble.format.Printable;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.FileTime;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicBoolean;
import sun.misc.Signal;
import sun.misc.SignalHandler;

/**
 * Ends the process, with one line, when a file that is mapped for as long as it lives is written into. Whoever cuts the file short takes pages away that
 * kernels are reading, and nobody can give them back; whoever writes into it changes the weights. Both are seen by looking at the file every second, and
 * the former also where a kernel touches what is gone before that: the system then sends SIGBUS, and goes on sending it until the process is no more.
 */
final class MappingGuard implements Runnable {
  private static final long LOOK_MILLIS = 1000;
  private static final int EXIT_GONE = 1;
  private static final String BUS = "BUS";

  /** Compares a file with its checksums. */
  interface Content {
    /** @throws IOException if it is not as it was written, or can't be read */
    void verify() throws IOException;
  }

  private final Path path;
  private final FileChannel channel;
  private final long size;
  private final Content content;
  private final Object key;
  private FileTime modified;
  private final AtomicBoolean ending = new AtomicBoolean();

  private MappingGuard(Path path, FileChannel channel, Content content) throws IOException {
    this.path = path;
    this.channel = channel;
    this.content = content;
    size = channel.size();
    BasicFileAttributes now = Files.readAttributes(path, BasicFileAttributes.class);
    key = now.fileKey();
    modified = now.lastModifiedTime();
  }

  /**
   * Watches a file until its channel is closed.
   *
   * @param path of the file
   * @param channel by which it was mapped
   */
  static void start(Path path, FileChannel channel, Content content) throws IOException {
    MappingGuard guard = new MappingGuard(path, channel, content);
    Faults.handle(guard);
    Thread.ofPlatform().name("nibble-pack-guard").daemon(true).start(guard);
  }

  /** Handles the system's signal for all files that are mapped: the process has one handler. */
  private static final class Faults implements SignalHandler {
    private final List<MappingGuard> guards;

    private Faults(MappingGuard first) {
      guards = new CopyOnWriteArrayList<>(List.of(first));
    }

    /** Adds a guard to the handler that is there, or makes one. */
    static void handle(MappingGuard guard) {
      synchronized (Faults.class) {
        try {
          if (Signal.handle(new Signal(BUS), new Faults(guard)) instanceof Faults others) {
            others.guards.removeIf(other -> !other.channel.isOpen());
            others.guards.add(guard);
            Signal.handle(new Signal(BUS), others);
          }
        } catch (IllegalArgumentException unavailable) {
          // The system has no such signal, or it belongs to somebody else: the process ends without the line.
        }
      }
    }

    /** Run by a thread of its own; the one that touched what is gone tries again and again meanwhile. */
    @Override
    public void handle(Signal signal) {
      guards.stream().filter(MappingGuard::isShort).findFirst().orElseGet(guards::getLast).end("was cut short, or its disk failed,");
    }
  }

  private boolean isShort() {
    try {
      return channel.size() < size;
    } catch (IOException closed) {
      return false;
    }
  }

  @Override
  public void run() {
    try {
      while (channel.isOpen()) {
        Thread.sleep(LOOK_MILLIS);
        look();
      }
    } catch (InterruptedException stop) {
      Thread.currentThread().interrupt();
    }
  }

  private void look() {
    if (isShort()) {
      end("was cut short");
    }
    try {
      BasicFileAttributes now = Files.readAttributes(path, BasicFileAttributes.class);
      // Another file under the name is how packs are to be replaced; the one that is mapped lives on without a name.
      if (now.fileKey() != null && now.fileKey().equals(key) && !now.lastModifiedTime().equals(modified)) {
        modified = now.lastModifiedTime();
        content.verify();
      }
    } catch (InvalidPackException damaged) {
      end("was written into");
    } catch (IOException gone) {
      // as is a file that was removed
    }
  }

  private void end(String what) {
    if (!ending.compareAndSet(false, true)) {
      return; // the system sends the signal again and again
    }
    System.err.println("nibble: " + Printable.message(path.toString()) + " " + what + " while its weights were in use, which are lost; the process ends. "
        + "Replace a packed file by moving another over it, as nibble pack --force does.");
    System.err.flush();
    // A JVM halts when all its threads have stopped, which one that touches what is gone never does; so there the signal ends the process. A native executable just exits.
    if (!"runtime".equals(System.getProperty("org.graalvm.nativeimage.imagecode"))) {
      Signal.handle(new Signal(BUS), SignalHandler.SIG_DFL);
    }
    Runtime.getRuntime().halt(EXIT_GONE);
  }
}
