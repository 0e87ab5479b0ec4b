package dev.nibble.serve.rest;

import java.util.Set;

/** Paths of the REST port, one for each place, whatever a client writes: slashes at the end do not count, and OpenAI's places are there without {@code /v1} too. */
final class Paths {
  static final String MODELS = "/v1/models";
  static final String CHAT = "/v1/chat/completions";
  static final String TEXT = "/v1/completions";
  static final String TOKENIZE = "/tokenize";
  static final String DETOKENIZE = "/detokenize";
  static final String TOKENIZER_INFO = "/tokenizer_info";
  static final String VERSION = "/version";
  static final String METRICS = "/metrics";
  static final String FRAMEWORKS_METRICS = "/q/metrics";
  /** What the connection's guard makes of the target of {@code OPTIONS *}. */
  static final String SERVER = "/*";
  /** Whether it runs, as load balancers of vLLM's and of SageMaker's ask. */
  static final Set<String> HEALTH = Set.of("/health", "/ping");

  /** For messages. */
  static final String KNOWN = String.join(", ", MODELS, CHAT, TEXT, TOKENIZE, DETOKENIZE, TOKENIZER_INFO, VERSION, METRICS, "/health", "/ping", "/q/health, /q/metrics, /v2");

  private static final String PREFIX = "/v1";

  private Paths() {}

  /** The place that a path means. */
  static String canonical(String normalizedPath) {
    int end = normalizedPath.length();
    while (end > 1 && normalizedPath.charAt(end - 1) == '/') {
      end--;
    }
    String path = normalizedPath.substring(0, end);
    String prefixed = PREFIX + path;
    return prefixed.equals(MODELS) || prefixed.startsWith(MODELS + "/") || prefixed.equals(CHAT) || prefixed.equals(TEXT) ? prefixed : path;
  }

  /** Whether a canonical path is the Open Inference Protocol's, whose errors have another form. */
  static boolean isOpenInference(String path) {
    return path.equals("/v2") || path.startsWith("/v2/");
  }

  /** Whether a canonical path is the framework's: health and metrics. */
  static boolean isFrameworks(String path) {
    return path.equals("/q") || path.startsWith("/q/");
  }
}
