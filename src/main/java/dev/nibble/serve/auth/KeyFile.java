package dev.nibble.serve.auth;

import dev.nibble.format.InputFile;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * The keys that are let in: one {@link ApiKey} a line; empty lines and those that begin with # are for people. Names are there once. The file holds
 * hashes and no keys, so reading it lets nobody in; writing it does.
 *
 * @param text the file's text
 * @param keys its keys, in its order; with none, nobody is let in
 */
public record KeyFile(String text, List<ApiKey> keys) {
  private static final int MAX_BYTES = 1 << 20; // some ten thousand keys; each call is compared with all of them
  private static final String HEADING = "# API keys of Nibble: name scopes sha256:… [expires:…]\n";

  public KeyFile {
    keys = List.copyOf(keys);
  }

  /** Reads a file. @throws InvalidKeyFileException if it can't be read or used */
  public static KeyFile read(Path file) throws InvalidKeyFileException {
    return parse(file, text(file));
  }

  /** Reads a file's text. @throws InvalidKeyFileException if it can't be read */
  static String text(Path file) throws InvalidKeyFileException {
    byte[] bytes;
    try {
      InputFile.require(file);
    } catch (NoSuchFileException missing) {
      // told below
    } catch (IOException notRegular) {
      throw new InvalidKeyFileException(notRegular.getMessage());
    }
    try (InputStream in = Files.newInputStream(file)) {
      bytes = in.readNBytes(MAX_BYTES + 1);
    } catch (NoSuchFileException missing) {
      throw new InvalidKeyFileException(file + ": no such file");
    } catch (AccessDeniedException closed) {
      throw new InvalidKeyFileException(file + ": permission denied");
    } catch (IOException failure) {
      throw new InvalidKeyFileException(file + " can't be read: " + failure.getMessage());
    }
    if (bytes.length > MAX_BYTES) {
      throw new InvalidKeyFileException(file + " is larger than " + MAX_BYTES + " bytes, too large for a key file");
    }
    try {
      return StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes)).toString();
    } catch (CharacterCodingException binary) {
      throw new InvalidKeyFileException(file + " is not UTF-8 text");
    }
  }

  /** Parses a file's text. @throws InvalidKeyFileException naming file and line */
  static KeyFile parse(Path file, String text) throws InvalidKeyFileException {
    List<ApiKey> keys = new ArrayList<>();
    Set<String> names = new HashSet<>();
    int number = 0;
    for (String line : text.lines().toList()) {
      number++;
      if (!holdsKey(line)) {
        continue;
      }
      try {
        ApiKey key = ApiKey.parse(line);
        if (!names.add(key.name())) {
          throw new IllegalArgumentException("the name \"" + key.name() + "\" is there twice");
        }
        keys.add(key);
      } catch (IllegalArgumentException refusal) {
        throw new InvalidKeyFileException(file + " line " + number + ": " + refusal.getMessage());
      }
    }
    return new KeyFile(text, keys);
  }

  private static boolean holdsKey(String line) {
    return !line.isBlank() && !line.strip().startsWith("#");
  }

  /** Hands a key to who wants it. */
  @FunctionalInterface
  public interface Delivery {
    /** @throws IOException if it can't be handed over, and then must not be good for anything */
    void deliver() throws IOException;
  }

  /**
   * Adds a key to a file, which is made if there is none.
   *
   * @param delivery of the key, once it is sure that the file can have it, and before it does: a key that nobody got stays unknown
   * @throws IOException if it can't be, or has the name already, or is not delivered; the file is then as before
   */
  public static void add(Path file, ApiKey key, Delivery delivery) throws IOException {
    ReplacedFile.change(file, before -> {
      String text = before.isEmpty() ? HEADING : text(file);
      return checked(file, text, (text.isEmpty() || text.endsWith("\n") ? text : text + "\n") + key.line() + "\n");
    }, delivery);
  }

  /** Takes a key out of a file, whose other lines stay as they are. @throws IOException if it can't be, or there is no key of that name; the file is then as before */
  public static void remove(Path file, String name) throws IOException {
    read(file);
    ReplacedFile.change(file, before -> {
      KeyFile read = read(file);
      if (read.keys().stream().noneMatch(key -> key.name().equals(name))) {
        throw new InvalidKeyFileException(file + " has no key named \"" + name + "\"");
      }
      StringBuilder rest = new StringBuilder();
      read.text().lines().filter(line -> !holdsKey(line) || !ApiKey.parse(line).name().equals(name)).forEach(line -> rest.append(line).append('\n'));
      return checked(file, read.text(), rest.toString());
    });
  }

  /** The text after a change, if the service could use it. */
  private static String checked(Path file, String before, String after) throws InvalidKeyFileException {
    parse(file, before);
    parse(file, after);
    if (after.getBytes(StandardCharsets.UTF_8).length > MAX_BYTES) {
      throw new InvalidKeyFileException(file + " would be larger than " + MAX_BYTES + " bytes, too large for a key file");
    }
    return after;
  }
}
