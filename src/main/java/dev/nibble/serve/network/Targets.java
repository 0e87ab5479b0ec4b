package dev.nibble.serve.network;

import java.net.URI;
import java.net.URISyntaxException;
import java.util.Optional;
import java.util.regex.Pattern;

/** Targets of requests. */
final class Targets {
  private static final Pattern MALFORMED_PERCENT = Pattern.compile("%(?![0-9A-Fa-f]{2})");
  private static final int LONGEST_QUOTE = 64;

  private Targets() {}

  /** The refusal of a path, with its query, that is none; the framework would answer it with nothing. */
  static Optional<Refusal> refusal(String path) {
    if (MALFORMED_PERCENT.matcher(path).find()) {
      return Optional.of(Refusal.of(400, "malformed_request", "The path is not well percent-encoded: " + quoted(path) + "."));
    }
    try {
      new URI(path);
      return Optional.empty();
    } catch (URISyntaxException malformed) {
      String message = "The path has what no URL has, in its order or at all: " + quoted(path) + "; write such characters percent-encoded.";
      return Optional.of(Refusal.of(400, "malformed_request", message));
    }
  }

  /** The refusal of a method that no place has. */
  static Refusal unknownMethod(String method) {
    return Refusal.of(501, "method_not_implemented", "The method " + quoted(method) + " is not known here; known: DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT.");
  }

  /** Whether a target belongs to the Open Inference Protocol, whose errors have another form. */
  static boolean isOpenInference(String target) {
    return target.startsWith("/v2/") || target.equals("/v2") || target.startsWith("/v2?");
  }

  /** The beginning of what a client wrote, for messages. */
  static String quoted(String text) {
    return "\"" + (text.length() > LONGEST_QUOTE ? text.substring(0, LONGEST_QUOTE) + "…" : text) + "\"";
  }
}
