package dev.nibble.cli;

import java.nio.charset.Charset;
import java.nio.charset.IllegalCharsetNameException;
import java.nio.charset.UnsupportedCharsetException;
import java.nio.file.InvalidPathException;
import java.util.Map;
import java.util.Optional;

/**
 * Finds letters that Java lost before the program began. A JVM reads arguments, the environment and file names by the locale's encoding, and nothing can change
 * that once it runs: in the locale C every byte beyond ASCII becomes the replacement character. The front door, the container files and the unit therefore set
 * a locale of UTF-8, and who starts Java by himself is told to.
 */
final class LocaleCheck {
  private static final char LOST = '\uFFFD';
  private static final String REMEDY = "; set the environment variable LC_ALL=C.UTF-8";

  private LocaleCheck() {}

  /**
   * What was lost.
   *
   * @param encoding of the locale, as Java names it
   * @return one line that names the place; empty where nothing was
   */
  static Optional<String> complaint(String encoding, String[] arguments, Map<String, String> environment) {
    if (isUnicode(encoding)) {
      return Optional.empty(); // a replacement character is then what was written
    }
    for (int i = 0; i < arguments.length; i++) {
      if (arguments[i].indexOf(LOST) >= 0) {
        return Optional.of("argument " + (i + 1) + " holds letters that Java can't read in this locale, whose encoding is " + encoding + REMEDY);
      }
    }
    return environment.entrySet().stream().filter(each -> (each.getKey().startsWith("NIBBLE_") || each.getKey().startsWith("QUARKUS_")) && each.getValue().indexOf(LOST) >= 0)
        .map(Map.Entry::getKey).sorted().findFirst()
        .map(name -> name + " holds letters that Java can't read in this locale, whose encoding is " + encoding + REMEDY);
  }

  /** What is wrong with a path that can't be one. */
  static String complaint(InvalidPathException unusable) {
    String encoding = System.getProperty("sun.jnu.encoding");
    return "\"" + unusable.getInput() + "\" can't be a file's name" + (isUnicode(encoding) ? ": " + unusable.getReason() : " in this locale, whose encoding is " + encoding + REMEDY);
  }

  private static boolean isUnicode(String encoding) {
    try {
      return encoding != null && Charset.forName(encoding).newEncoder().canEncode(LOST);
    } catch (IllegalCharsetNameException | UnsupportedCharsetException | UnsupportedOperationException unknown) {
      return false;
    }
  }
}
