package dev.nibble.serve.api.http;

import java.util.Set;

/** Paths of the REST port, one for each place, whatever a client writes: slashes at the end do not count, and OpenAI's places are there without {@code /v1} too. */
public final class Paths {
  public static final String MODELS = "/v1/models";
  public static final String CHAT = "/v1/chat/completions";
  public static final String TEXT = "/v1/completions";
  public static final String TOKENIZE = "/tokenize";
  public static final String DETOKENIZE = "/detokenize";
  public static final String TOKENIZER_INFO = "/tokenizer_info";
  public static final String VERSION = "/version";
  public static final String METRICS = "/metrics";
  public static final String FRAMEWORKS_METRICS = "/q/metrics";
  /** What the connection's guard makes of the target of {@code OPTIONS *}. */
  public static final String SERVER = "/*";
  /** Whether it runs, as load balancers of vLLM's and of SageMaker's ask. */
  public static final Set<String> HEALTH = Set.of("/health", "/ping");

  /** For messages. */
  public static final String KNOWN = String.join(", ", MODELS, CHAT, TEXT, TOKENIZE, DETOKENIZE, TOKENIZER_INFO, VERSION, METRICS, "/health", "/ping", "/q/health, /q/metrics, /v2");

  private static final String PREFIX = "/v1";

  private Paths() {}

  /** The place that a path means. */
  public static String canonical(String normalizedPath) {
    int end = normalizedPath.length();
    while (end > 1 && normalizedPath.charAt(end - 1) == '/') {
      end--;
    }
    String path = normalizedPath.substring(0, end);
    String prefixed = PREFIX + path;
    return prefixed.equals(MODELS) || prefixed.startsWith(MODELS + "/") || prefixed.equals(CHAT) || prefixed.equals(TEXT) ? prefixed : path;
  }

  /** Whether a canonical path is the Open Inference Protocol's, whose errors have another form. */
  public static boolean isOpenInference(String path) {
    return path.equals("/v2") || path.startsWith("/v2/");
  }

  /** Whether a canonical path is the framework's: health and metrics. */
  public static boolean isFrameworks(String path) {
    return path.equals("/q") || path.startsWith("/q/");
  }
}
