package dev.nibble.serve.auth;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.OverlappingFileLockException;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.DirectoryStream;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.TimeUnit;

/**
 * Changes a small text file so that nothing is lost: one program after the other, each reading what the one before wrote, and the file is at any time whole,
 * as it was or as it shall be, also after a crash or a loss of power. A link is followed, and stays one; owner, group and permissions stay.
 *
 * <p>Programs wait for each other by a lock on a file beside it, {@code .NAME.lock}, which is gone afterwards. It is an fcntl(2) lock: on network file systems
 * it holds between machines only where the server offers locks, so there keys should be changed from one machine.
 */
final class ReplacedFile {
  private static final long MAX_WAIT_SECONDS = 60; // many programs in a row; more is one that hangs
  private static final long PAUSE_MILLIS = 5;
  private static final Set<PosixFilePermission> OWNER_ONLY = PosixFilePermissions.fromString("rw-------");

  private final Path shown; // as its user named it
  private final Path target; // what is behind links
  private final Path folder;

  private ReplacedFile(Path file) throws IOException {
    shown = file;
    if (Files.exists(file)) {
      target = file.toRealPath();
    } else if (Files.isSymbolicLink(file)) {
      throw new InvalidKeyFileException(file + " is a link to " + Files.readSymbolicLink(file) + ", which is not there");
    } else {
      target = file.toAbsolutePath();
    }
    folder = target.getParent();
    if (folder == null || Files.exists(target) && !Files.isRegularFile(target)) {
      throw new InvalidKeyFileException(file + " is not a file");
    }
    if (!Files.isDirectory(folder)) {
      throw new InvalidKeyFileException(file + " can't be written: there is no folder " + folder);
    }
  }

  /** Makes the new text, from the file as it is while no other program changes it. */
  @FunctionalInterface
  interface Change {
    /** @param before the file; empty where there is none yet. @throws IOException if nothing is to be changed */
    String apply(Optional<Path> before) throws IOException;
  }

  /**
   * Changes a file, or makes it. When this returns, the new text is on the disk.
   *
   * @throws IOException if it can't be changed, and then it is as before: one line that names the file
   */
  static void change(Path file, Change change) throws IOException {
    change(file, change, () -> {});
  }

  /**
   * Changes a file, or makes it, if what it tells of can be delivered once the new text is on the disk, beside the file.
   *
   * @throws IOException if it can't be changed, and then it is as before: one line that names the file
   */
  static void change(Path file, Change change, KeyFile.Delivery delivery) throws IOException {
    ReplacedFile replaced = new ReplacedFile(file);
    try {
      replaced.changeLocked(change, delivery);
    } catch (InvalidKeyFileException told) {
      throw told;
    } catch (FileSystemException refused) {
      throw new InvalidKeyFileException(file + " can't be changed, and is as before: " + reason(refused) + " (" + refused.getFile() + ")");
    } catch (IOException failure) {
      throw new InvalidKeyFileException(file + " can't be changed, and is as before: " + failure.getMessage());
    }
  }

  private static String reason(FileSystemException refused) {
    return switch (refused) {
      case AccessDeniedException closed -> "permission denied";
      case NoSuchFileException missing -> "no such file";
      case FileSystemException other -> other.getReason() == null ? other.getClass().getSimpleName() : other.getReason();
    };
  }

  private void changeLocked(Change change, KeyFile.Delivery delivery) throws IOException {
    Path lockFile = folder.resolve("." + target.getFileName() + ".lock");
    try (FileChannel channel = locked(lockFile)) {
      try {
        sweep();
        write(change.apply(Files.exists(target) ? Optional.of(target) : Optional.empty()), delivery);
      } finally {
        // Still locked: whoever waits for this lock sees that its file is gone, and asks anew.
        Files.deleteIfExists(lockFile);
      }
    }
  }

  /** Waits for the lock. The channel holds it until it is closed. */
  private FileChannel locked(Path lockFile) throws IOException {
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(MAX_WAIT_SECONDS);
    while (System.nanoTime() - end < 0) {
      // The same file before it is opened and once it is locked: otherwise who held the lock removed it meanwhile, and another may have locked its successor.
      Optional<LockFile> before = LockFile.at(lockFile);
      if (before.isEmpty()) {
        make(lockFile);
        continue;
      }
      Optional<FileChannel> held = tried(lockFile, before);
      if (held.isPresent()) {
        return held.get();
      }
      pause();
    }
    throw new InvalidKeyFileException(shown + " has been locked by another program for " + MAX_WAIT_SECONDS + " seconds (" + lockFile + ")");
  }

  private static void make(Path lockFile) throws IOException {
    try {
      Files.createFile(lockFile, PosixFilePermissions.asFileAttribute(OWNER_ONLY));
    } catch (FileAlreadyExistsException another) {
      // made by who is after the lock as well
    }
  }

  private static Optional<FileChannel> tried(Path lockFile, Optional<LockFile> before) throws IOException {
    FileChannel channel;
    try {
      channel = FileChannel.open(lockFile, StandardOpenOption.WRITE);
    } catch (NoSuchFileException gone) {
      return Optional.empty();
    }
    boolean held = false;
    try {
      held = channel.tryLock() != null && LockFile.at(lockFile).equals(before);
    } catch (OverlappingFileLockException here) {
      // another thread of this program has it
    } finally {
      if (!held) {
        channel.close();
      }
    }
    return held ? Optional.of(channel) : Optional.empty();
  }

  /** Which file stands at a path. The time of the last change of its status tells it from one that got the same number later. */
  private record LockFile(Object number, Object changed) {
    static Optional<LockFile> at(Path path) throws IOException {
      try {
        Map<String, Object> attributes = Files.readAttributes(path, "unix:ino,ctime");
        return Optional.of(new LockFile(attributes.get("ino"), attributes.get("ctime")));
      } catch (NoSuchFileException gone) {
        return Optional.empty();
      }
    }
  }

  private static void pause() throws IOException {
    try {
      Thread.sleep(PAUSE_MILLIS);
    } catch (InterruptedException interrupt) {
      Thread.currentThread().interrupt();
      throw new IOException("interrupted");
    }
  }

  private String temporaryPrefix() {
    return "." + target.getFileName() + ".";
  }

  /** Removes what programs that were killed left: nobody else writes one while we have the lock. */
  private void sweep() throws IOException {
    try (DirectoryStream<Path> left = Files.newDirectoryStream(folder, path -> isTemporary(path.getFileName().toString()))) {
      for (Path each : left) {
        Files.deleteIfExists(each);
      }
    }
  }

  private boolean isTemporary(String name) {
    return name.startsWith(temporaryPrefix()) && name.endsWith(".part");
  }

  private void write(String text, KeyFile.Delivery delivery) throws IOException {
    Path part = folder.resolve(temporaryPrefix() + UUID.randomUUID() + ".part");
    try {
      boolean there = Files.exists(target);
      try (FileChannel channel = there
          ? FileChannel.open(part, Set.of(StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE), PosixFilePermissions.asFileAttribute(OWNER_ONLY))
          : FileChannel.open(part, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
        ByteBuffer bytes = ByteBuffer.wrap(text.getBytes(StandardCharsets.UTF_8));
        while (bytes.hasRemaining()) {
          channel.write(bytes);
        }
        if (there) {
          keepOwner(part);
          Files.setPosixFilePermissions(part, Files.getPosixFilePermissions(target)); // whoever could read it still can
        }
        channel.force(true);
      }
      delivery.deliver();
      Files.move(part, target, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    } finally {
      Files.deleteIfExists(part);
    }
    // The name too must outlive a loss of power.
    try (FileChannel channel = FileChannel.open(folder, StandardOpenOption.READ)) {
      channel.force(true);
    }
  }

  private void keepOwner(Path part) throws IOException {
    for (String attribute : new String[] {"unix:gid", "unix:uid"}) {
      Object wanted = Files.getAttribute(target, attribute);
      if (!wanted.equals(Files.getAttribute(part, attribute))) {
        try {
          Files.setAttribute(part, attribute, wanted);
        } catch (FileSystemException refused) {
          throw new InvalidKeyFileException(shown + " can't be changed by this user, who can't keep its owner and group; use its owner or root");
        }
      }
    }
  }
}
