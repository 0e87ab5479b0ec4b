package dev.nibble.serve.auth;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.security.SecureRandom;
import java.time.DateTimeException;
import java.time.LocalDate;
import java.util.Base64;
import java.util.EnumSet;
import java.util.HexFormat;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * A key as the service knows it: by its SHA-256, not by itself. One line of a {@link KeyFile}: {@code name scopes sha256:HEX [expires:DATE]}.
 *
 * <p>A plain hash and none made slow (bcrypt, Argon2): those make guessing passwords dear, and a key of 256 random bits can't be guessed at any
 * speed. They would take time from the processor that computes answers, and anybody without a key could ask for it.
 *
 * @param name what operators call it; in logs and lists in the key's place
 * @param scopes what it is good for; at least one
 * @param sha256 lower-case hexadecimal SHA-256 of the key's UTF-8
 * @param expires the last day on which it is good, in UTC; empty: for ever
 */
public record ApiKey(String name, Set<Scope> scopes, String sha256, Optional<LocalDate> expires) {
  /** Names that can be used, in words. */
  public static final String NAMES = "1 to 64 letters, digits, dots, dashes and underscores";

  /** Begins every key that is made here, so that people and scanners for secrets see what it is. */
  private static final String PREFIX = "nib_";
  private static final int RANDOM_BYTES = 32; // 256 bits: as many as the hash has
  private static final int LONGEST_SHOWN = 20;
  private static final Pattern NAME = Pattern.compile("[A-Za-z0-9._-]{1,64}");
  private static final Pattern HASH = Pattern.compile("[0-9a-f]{64}");
  private static final String HASH_FIELD = "sha256:";
  private static final String EXPIRES_FIELD = "expires:";

  /** @throws IllegalArgumentException if a part can't be used; the message says what is allowed */
  public ApiKey {
    scopes = Set.copyOf(scopes);
    if (name.startsWith(PREFIX)) {
      throw new IllegalArgumentException("a key stands where its name should be");
    }
    if (!NAME.matcher(name).matches()) {
      throw new IllegalArgumentException("the name is " + shown(name) + "; allowed: " + NAMES);
    }
    if (scopes.isEmpty()) {
      throw new IllegalArgumentException("no scopes; allowed: " + Scope.WORDS);
    }
    if (!HASH.matcher(sha256).matches()) {
      // Not repeated: whoever wrote the key itself here should not find it in a log.
      throw new IllegalArgumentException("the hash of \"" + name + "\" is not 64 lower-case hexadecimal digits");
    }
  }

  /** A new key, as its user sends it. It is in no file, so it must be told now or never. */
  public static String random() {
    byte[] bytes = new byte[RANDOM_BYTES];
    new SecureRandom().nextBytes(bytes);
    return PREFIX + Base64.getUrlEncoder().withoutPadding().encodeToString(bytes);
  }

  /** SHA-256 of a key's UTF-8, 32 bytes. */
  static byte[] hash(String key) {
    try {
      return MessageDigest.getInstance("SHA-256").digest(key.getBytes(StandardCharsets.UTF_8));
    } catch (NoSuchAlgorithmException impossible) {
      throw new IllegalStateException("every Java has SHA-256", impossible);
    }
  }

  /** What the service keeps of a key. @throws IllegalArgumentException if name or scopes can't be used */
  public static ApiKey of(String name, Set<Scope> scopes, String key, Optional<LocalDate> expires) {
    return new ApiKey(name, scopes, HexFormat.of().formatHex(hash(key)), expires);
  }

  /** Scopes from words with commas between. @throws IllegalArgumentException if there are none, or one is unknown */
  public static Set<Scope> scopes(String words) {
    Set<Scope> scopes = EnumSet.noneOf(Scope.class);
    for (String word : words.split(",", -1)) {
      scopes.add(Scope.of(word).orElseThrow(() -> new IllegalArgumentException("the scope is " + shown(word) + "; allowed: " + Scope.WORDS + ", with commas between")));
    }
    return scopes;
  }

  /** A word for a message that may be logged: not if it is long enough to be a key. */
  private static String shown(String word) {
    return word.length() > LONGEST_SHOWN ? "too long" : "\"" + word + "\"";
  }

  /** A date such as 2027-01-31. @throws IllegalArgumentException if it is none */
  public static LocalDate date(String text) {
    try {
      return LocalDate.parse(text);
    } catch (DateTimeException unreadable) {
      throw new IllegalArgumentException("the date is " + shown(text) + "; allowed: a day such as 2027-01-31");
    }
  }

  /** Whether the key's last day was before {@code today}. */
  public boolean expired(LocalDate today) {
    return expires.filter(today::isAfter).isPresent();
  }

  /** The key's line of a key file, without its end. */
  public String line() {
    return name + " " + words(scopes) + " " + HASH_FIELD + sha256 + expires.map(day -> " " + EXPIRES_FIELD + day).orElse("");
  }

  /** Scopes as words, in one order. */
  public static String words(Set<Scope> scopes) {
    return scopes.stream().sorted().map(Scope::word).collect(Collectors.joining(","));
  }

  /** Reads {@link #line()}. @throws IllegalArgumentException if it is none; the message repeats no hash, which might be the key itself */
  static ApiKey parse(String line) {
    String[] fields = line.strip().split("\\s+");
    if (fields.length < 3 || fields.length > 4 || !fields[2].startsWith(HASH_FIELD) || fields.length == 4 && !fields[3].startsWith(EXPIRES_FIELD)) {
      throw new IllegalArgumentException("no key; allowed: NAME SCOPES sha256:HEX, and expires:DATE where it ends");
    }
    Optional<LocalDate> expires = fields.length == 4 ? Optional.of(date(fields[3].substring(EXPIRES_FIELD.length()))) : Optional.empty();
    return new ApiKey(fields[0], scopes(fields[1]), fields[2].substring(HASH_FIELD.length()), expires);
  }

  byte[] hashBytes() {
    return HexFormat.of().parseHex(sha256);
  }
}
