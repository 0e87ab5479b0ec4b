package dev.nibble.serve.api.http;

import dev.nibble.engine.EngineException;
import io.vertx.core.http.HttpMethod;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Paths of the REST port, one for each place, whatever a client writes: slashes at the end do not count, and OpenAI's places are there without {@code /v1} too. */
public final class Paths {
  public static final String MODELS = "/v1/models";
  public static final String CHAT = "/v1/chat/completions";
  public static final String TEXT = "/v1/completions";
  public static final String TOKENIZE = "/tokenize";
  public static final String DETOKENIZE = "/detokenize";
  public static final String TOKENIZER_INFO = "/tokenizer_info";
  public static final String VERSION = "/version";
  static final String METRICS = "/metrics";
  static final String OPENAPI = "/q/openapi";
  static final String FRAMEWORKS_METRICS = "/q/metrics";
  /** What the connection's guard makes of the target of {@code OPTIONS *}. */
  static final String SERVER = "/*";
  /** Whether it runs, as load balancers of vLLM's and of SageMaker's ask. */
  static final Set<String> HEALTH = Set.of("/health", "/ping");

  /** For messages. */
  private static final String KNOWN = String.join(", ", MODELS, CHAT, TEXT, TOKENIZE, DETOKENIZE, TOKENIZER_INFO, VERSION, METRICS, "/health", "/ping", "/q/health, /q/metrics, /q/openapi, /v2");

  private static final String OPEN_INFERENCE_KNOWN = "/v2, /v2/health/live, /v2/health/ready, /v2/repository/index, /v2/models/stats, /v2/models/{name} and in it "
      + "ready, config, stats, infer, generate, generate_stream";

  private static final String PREFIX = "/v1";
  private static final Set<HttpMethod> READING = Set.of(HttpMethod.GET, HttpMethod.HEAD);
  private static final Set<HttpMethod> ANSWERING = Set.of(HttpMethod.POST);
  /** SageMaker's probes and vLLM's server have both. */
  private static final Set<HttpMethod> PROBING = Set.of(HttpMethod.GET, HttpMethod.HEAD, HttpMethod.POST);
  /** A model of the Open Inference Protocol, perhaps a version of it, and what of it is wanted (nothing: its metadata). */
  private static final Pattern MODEL = Pattern.compile("/v2/models/[^/]+(?:/versions/[^/]+)?(?:/(ready|config|stats|infer|generate|generate_stream))?");

  private Paths() {}

  /** A path without slashes at its end. */
  public static String bare(String path) {
    int end = path.length();
    while (end > 1 && path.charAt(end - 1) == '/') {
      end--;
    }
    return path.substring(0, end);
  }

  /** The place that a path means. */
  static String canonical(String normalizedPath) {
    String path = bare(normalizedPath);
    String prefixed = PREFIX + path;
    return prefixed.equals(MODELS) || prefixed.startsWith(MODELS + "/") || prefixed.equals(CHAT) || prefixed.equals(TEXT) ? prefixed : path;
  }

  /** The methods that a canonical path has; empty if there is no such place. Resources' annotations say the same, which a test compares. */
  static Optional<Set<HttpMethod>> methods(String path) {
    if (path.indexOf(';') >= 0) {
      return Optional.empty(); // resources would be found without what follows
    }
    return switch (path) {
      case MODELS, TOKENIZER_INFO, VERSION, METRICS, FRAMEWORKS_METRICS, OPENAPI, "/v2", "/v2/health/live", "/v2/health/ready", "/v2/models/stats" -> Optional.of(READING);
      case CHAT, TEXT, TOKENIZE, DETOKENIZE, "/v2/repository/index" -> Optional.of(ANSWERING);
      case "/health", "/ping" -> Optional.of(PROBING);
      case SERVER -> Optional.of(Set.of(HttpMethod.OPTIONS));
      default -> {
        if (path.startsWith(MODELS + "/")) {
          yield Optional.of(READING);
        }
        Matcher model = MODEL.matcher(path);
        if (!model.matches()) {
          yield Optional.empty();
        }
        yield Optional.of(switch (Optional.ofNullable(model.group(1)).orElse("")) {
          case "infer", "generate", "generate_stream" -> ANSWERING;
          default -> READING;
        });
      }
    };
  }

  /** The places of a canonical path's API, for messages. */
  static String known(String path) {
    return isOpenInference(path) ? OPEN_INFERENCE_KNOWN : KNOWN;
  }

  /** A name in a path, as text; a plus sign in a path is a plus sign. @throws EngineException INVALID_REQUEST if it is not well encoded */
  public static String decode(String encoded) {
    try {
      return URLDecoder.decode(encoded.replace("+", "%2B"), StandardCharsets.UTF_8);
    } catch (IllegalArgumentException malformed) {
      throw EngineException.invalid("model", "The model's name in the path is not well percent-encoded.");
    }
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
