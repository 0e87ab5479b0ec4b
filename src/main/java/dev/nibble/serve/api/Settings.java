package dev.nibble.serve.api;

import dev.nibble.engine.OffloadPolicy;
import dev.nibble.model.kvcache.KvCacheOptions;
import dev.nibble.offload.OffloadSettings;
import dev.nibble.serve.config.Kind;
import dev.nibble.serve.config.Setting;
import io.quarkus.runtime.configuration.MemorySize;
import java.time.Duration;
import java.util.List;
import java.util.Set;

/** All settings, each written once; see {@link Setting}. The order is that of the documentation's tables. */
public final class Settings {
  private static final int MOST_PORT = 65535;
  private static final String PORT = "1 to 65535, or 0 for any that is free";
  private static final String ABOVE_ZERO = "a time such as 10s or 5m, above 0";
  private static final String SHORT = "a time such as 500ms or 3s";
  private static final String PEM = "a PEM file";

  public static final Setting<String> MODEL =
      Setting.optional("nibble.model", Kind.text("a file"), "the embedded model", "GGUF or packed file of the model");
  public static final Setting<String> MODEL_NAME =
      Setting.optional("nibble.model-name", Kind.text("a name"), "the file's name", "name that requests use");
  public static final Setting<Integer> HTTP_PORT =
      Setting.of("quarkus.http.port", Kind.integer(0, MOST_PORT, PORT), "8080", "port of REST, health and metrics");
  public static final Setting<Integer> HTTPS_PORT = Setting.of("quarkus.http.ssl-port", Kind.integer(0, MOST_PORT, PORT), "8443",
      "port of REST, health and metrics over HTTPS, where there is a [certificate](docs/security.md#tls)");
  public static final Setting<Integer> GRPC_PORT =
      Setting.of("quarkus.grpc.server.port", Kind.integer(0, MOST_PORT, PORT), "9000", "port of gRPC");
  public static final Setting<String> HTTP_HOST =
      Setting.of("quarkus.http.host", Kind.text("a name or address of this machine"), "0.0.0.0", "address that REST listens on");
  public static final Setting<String> GRPC_HOST =
      Setting.of("quarkus.grpc.server.host", Kind.text("a name or address of this machine"), "0.0.0.0", "address that gRPC listens on");
  /** Beyond any gateway; keeps typing errors from starting a million threads. */
  public static final Setting<Integer> THREADS =
      Setting.optional("nibble.threads", Kind.integer(1, 1024, "1 to 1024"), "one a physical core", "threads that compute");
  public static final Setting<String> PACK_CACHE =
      Setting.optional("nibble.pack-cache", Kind.text("a folder"), "none", "folder that keeps the packed form of GGUF files, made on first use");
  public static final Setting<String> KV_KEYS = Setting.optional("nibble.kv.keys", Kind.text(KvCacheOptions.FORMATS, KvCacheOptions::isFormat), "8",
      "bits, or float format, of keys in the KV cache");
  public static final Setting<String> KV_VALUES = Setting.optional("nibble.kv.values", Kind.text(KvCacheOptions.FORMATS, KvCacheOptions::isFormat),
      "8, or 4 from 2 billion parameters", "bits, or float format, of values in the KV cache");
  public static final Setting<Integer> KV_RESIDUAL = Setting.of("nibble.kv.residual",
      Kind.integer(0, KvCacheOptions.MOST_RESIDUAL, "0 to " + KvCacheOptions.MOST_RESIDUAL), "64", "tokens before the open page of 64 that stay exact in the KV cache");
  public static final Setting<Boolean> KV_ROTATE =
      Setting.of("nibble.kv.rotate", Kind.flag(), "false", "rotate keys before quantising them, which makes 4 bits better; heads' width must be a power of two");
  public static final Setting<String> KV_MEMORY = Setting.optional("nibble.kv.memory",
      Kind.text(KvCacheOptions.MEMORY, size -> KvCacheOptions.memory(size).isPresent()),
      "half of the heap", "most memory for keys and values of all sequences");
  public static final Setting<String> VECTOR_BITS = Setting.optional("nibble.vector.bits",
      Kind.text("512, 256, 128, 0 for no vectors", Set.of("512", "256", "128", "0")::contains), "the widest there is", "bits of the vectors that compute");
  public static final Setting<String> KEYS_FILE =
      Setting.optional("nibble.auth.keys-file", Kind.text("a file of keys"), "none", "API keys that are let in; without it everybody is");
  public static final Setting<Duration> KEYS_RELOAD =
      Setting.of("nibble.auth.reload-interval", Kind.timeAboveZero("a time such as 5s or 1m, above 0"), "5s", "how often that file is looked at");
  public static final Setting<Integer> READY_QUEUE_LIMIT = Setting.optional("nibble.ready.queue-limit",
      Kind.integer(0, Integer.MAX_VALUE, "an integer, 1 or more, or 0 for none"), "queue capacity",
      "waiting requests from which on the service is not ready, until three quarters of them are left");
  public static final Setting<Duration> CANARY_INTERVAL = Setting.of("nibble.ready.canary-interval", Kind.time("a time such as 30s or 5m, or 0 for never"), "30s",
      "after how long without requests a few tokens are computed and compared with those of the first time");
  public static final Setting<Duration> CANARY_TIMEOUT = Setting.of("nibble.ready.canary-timeout", Kind.timeAboveZero("a time such as 60s or 2m, above 0"), "60s",
      "how long those tokens may take; later, the service is not ready");
  public static final Setting<Duration> LIVE_STALL = Setting.of("nibble.live.stall", Kind.time("a time such as 120s or 5m, or 0 for any"), "120s",
      "longest time without a step of the engine; after that the service is not live");
  public static final Setting<Integer> QUEUE_CAPACITY =
      Setting.of("nibble.queue-capacity", Kind.count(), "64", "requests that may wait; more get RESOURCE_EXHAUSTED / 429");
  public static final Setting<Integer> DEFAULT_MAX_TOKENS =
      Setting.of("nibble.default-max-tokens", Kind.count(), "512", "longest answer where a request does not say, as far as the context leaves room");
  public static final Setting<Boolean> STRICT_MAX_TOKENS = Setting.of("nibble.strict-max-tokens", Kind.flag(), "false",
      "refuse a `max_tokens` that context or memory have no room for; otherwise the answer ends where they do");
  public static final Setting<String> SPECIAL_TOKENS = Setting.of("nibble.special-tokens",
      Kind.text(SpecialTokens.WORDS, word -> SpecialTokens.of(word).isPresent()), "request",
      "whether a text's names of special tokens stand for these: where the request says so, always, never: [REST](docs/rest.md#special-tokens-in-text)");
  public static final Setting<Duration> GRACE_PERIOD =
      Setting.of("nibble.grace-period", Kind.time("a time such as 20s or 2m"), "20s", "how long running answers may take after SIGTERM");
  public static final Setting<MemorySize> MAX_BODY_SIZE =
      Setting.of("nibble.rest.max-body-size", Kind.size(1, "a size such as 500K or 4M, from 1 byte"), "4M", "largest request body");
  public static final Setting<Duration> BODY_TIMEOUT = Setting.of("nibble.rest.body-timeout", Kind.timeAboveZero("a time such as 10s or 1m, above 0"), "10s",
      "how long a request body may take to come, and a second more for each 64 KiB");
  public static final Setting<Duration> STREAM_COMMENT_INTERVAL = Setting.of("nibble.rest.stream-comment-interval",
      Kind.time("a time such as 10s, or 0 for none"), "10s", "after how long without a word a stream gets a comment");
  public static final Setting<List<String>> ALLOWED_HOSTS = Setting.optional("nibble.rest.allowed-hosts", Kind.list(HostNames.FORM, HostNames::isName), "none",
      "names that the service may be called by, besides addresses, `localhost`, names without dots and local ones: [docs/security.md](docs/security.md#web-pages)");
  public static final Setting<Duration> PREPARE_TIMEOUT = Setting.of("nibble.prepare.timeout", Kind.timeAboveZero("a time such as 10s or 1m, above 0"), "10s",
      "how long reading a request and making its prompt into tokens may take");
  public static final Setting<MemorySize> PREPARE_MEMORY = Setting.optional("nibble.prepare.memory",
      Kind.size(1, "a size such as 32M, at least twice " + MAX_BODY_SIZE.name()), "an eighth of the heap, at most 8 MiB a processor, at least two bodies",
      "most memory of requests that are not in line yet; more get RESOURCE_EXHAUSTED / 429");

  public static final Setting<List<String>> OFFLOAD_TARGETS = Setting.optional("nibble.offload.targets",
      Kind.list(OffloadSettings.Target.FORM + ", several with commas between", OffloadSettings.Target::isTarget), "none",
      "where accelerators listen; a name with several addresses (a headless Service) is as many accelerators");
  public static final Setting<String> OFFLOAD_POLICY =
      Setting.of("nibble.offload.policy", Kind.text(OffloadPolicy.WORDS, word -> OffloadPolicy.of(word).isPresent()), "auto",
          "which answers accelerators compute where a request does not say");
  public static final Setting<Duration> OFFLOAD_CONNECT_TIMEOUT =
      Setting.of("nibble.offload.connect-timeout", Kind.timeAboveZero(SHORT), "2s", "how long an accelerator may take to take a request, or to describe itself");
  public static final Setting<Duration> OFFLOAD_HEDGE_DELAY =
      Setting.of("nibble.offload.hedge-delay", Kind.timeAboveZero(SHORT), "150ms", "after this long without being taken, a request is offered to the next accelerator as well");
  public static final Setting<Duration> OFFLOAD_STALL_TIMEOUT = Setting.of("nibble.offload.stall-timeout", Kind.timeAboveZero(SHORT), "3s",
      "longest silence in an answer; accelerators tell of progress once a second");
  public static final Setting<Duration> OFFLOAD_TOKEN_TIMEOUT = Setting.of("nibble.offload.token-timeout", Kind.timeAboveZero(SHORT), "30s",
      "longest wait for a token, its turn and the prompt included");
  public static final Setting<Duration> OFFLOAD_PROBE_INTERVAL =
      Setting.of("nibble.offload.probe-interval", Kind.timeAboveZero(SHORT), "2s", "time between two looks at an accelerator");
  public static final Setting<Double> OFFLOAD_POWER_BUDGET =
      Setting.optional("nibble.offload.power-budget", Kind.number("watts, above 0"), "any", "watts an accelerator may draw to get more work");
  public static final Setting<String> OFFLOAD_TRUST = Setting.optional("nibble.offload.tls.trust", Kind.text(PEM), "plain text",
      "who signs accelerators' certificates, which must have the target's name");
  public static final Setting<String> OFFLOAD_CERTIFICATE =
      Setting.optional("nibble.offload.tls.certificate", Kind.text(PEM), "none", "our own certificate, for accelerators that ask for one");
  public static final Setting<String> OFFLOAD_KEY = Setting.optional("nibble.offload.tls.key", Kind.text(PEM), "none", "its private key (PKCS #8)");
  public static final Setting<String> OFFLOAD_KEY_FILE = Setting.optional("nibble.offload.key-file", Kind.text("a file of one key"), "none",
      "an API key (scope `offload`), for Nibbles that ask for one ([security.md](security.md)); read again for each call");
  public static final Setting<Boolean> OFFLOAD_SERVE = Setting.of("nibble.offload.serve", Kind.flag(), "true", "whether this one computes for others");

  public static final Setting<Integer> MAX_CONNECTIONS = Setting.of("nibble.connections.max", Kind.count(), "1000",
      "connections in all; fewer where the process may open fewer files (`ulimit -n`, `LimitNOFILE=`), which the log says");
  public static final Setting<Integer> MAX_PER_ADDRESS = Setting.of("nibble.connections.max-per-address", Kind.count(), "500",
      "connections of one address. A proxy in front is one address: raise it there to what the proxy opens");
  public static final Setting<Integer> MAX_REQUESTS_PER_CONNECTION = Setting.of("nibble.connections.max-requests-per-connection", Kind.count(), "100",
      "requests under way on one connection (HTTP/2 streams, HTTP/1.1 requests sent ahead), held to from its first frame on, whatever the client acknowledges");
  public static final Setting<Integer> MAX_REQUESTS = Setting.of("nibble.connections.max-requests", Kind.count(), "1024",
      "requests under way in all; more get 503 or RESOURCE_EXHAUSTED (`TOO_MANY_REQUESTS_UNDER_WAY`)");
  public static final Setting<Duration> HEAD_TIMEOUT = Setting.of("nibble.connections.head-timeout", Kind.timeAboveZero(ABOVE_ZERO), "10s",
      "how long the head of a request may take, or a new connection to its first; a gRPC message has begun by then, and may take six times as long. Bodies of REST: `nibble.rest.body-timeout`");
  public static final Setting<Duration> IDLE_TIMEOUT = Setting.of("nibble.connections.idle-timeout", Kind.timeAboveZero(ABOVE_ZERO), "5m",
      "how long a connection is kept on which nothing is under way. An answer that waits or is computed is under way, however long it takes");
  public static final Setting<Duration> READ_TIMEOUT = Setting.of("nibble.connections.read-timeout", Kind.timeAboveZero(ABOVE_ZERO), "60s",
      "how long a client may take nothing of what is ready for it");
  public static final Setting<Integer> MAX_RESETS = Setting.of("nibble.connections.max-resets", Kind.count(), "1000",
      "HTTP/2 streams that one connection may reset in 30 seconds. Other frames that ask for nothing (PING, SETTINGS, empty DATA, CONTINUATION …) have fixed limits");
  public static final Setting<MemorySize> MAX_UNFINISHED = Setting.of("nibble.connections.max-unfinished",
      Kind.size(4L << 20, "a size such as 16M, from 4M"), "16M",
      "bytes of gRPC messages that have not arrived whole, in all");
  public static final Setting<Integer> MAX_HEALTH_WATCHES = Setting.of("nibble.connections.max-health-watches", Kind.count(), "100",
      "streams of `grpc.health.v1.Health/Watch` in all. Names longer than 256 characters are unknown for good, and not kept");

  /** What README.md lists. */
  public static final List<Setting<?>> GENERAL = List.of(MODEL, MODEL_NAME, HTTP_PORT, HTTPS_PORT, GRPC_PORT, HTTP_HOST, GRPC_HOST, THREADS, PACK_CACHE, KV_KEYS, KV_VALUES, KV_RESIDUAL,
      KV_ROTATE, KV_MEMORY, VECTOR_BITS, KEYS_FILE, KEYS_RELOAD, READY_QUEUE_LIMIT, CANARY_INTERVAL, CANARY_TIMEOUT, LIVE_STALL, QUEUE_CAPACITY, DEFAULT_MAX_TOKENS,
      STRICT_MAX_TOKENS, SPECIAL_TOKENS, GRACE_PERIOD, MAX_BODY_SIZE, BODY_TIMEOUT, STREAM_COMMENT_INTERVAL, ALLOWED_HOSTS, PREPARE_TIMEOUT, PREPARE_MEMORY);
  /** What docs/offload.md lists. */
  public static final List<Setting<?>> OFFLOAD = List.of(OFFLOAD_TARGETS, OFFLOAD_POLICY, OFFLOAD_CONNECT_TIMEOUT, OFFLOAD_HEDGE_DELAY, OFFLOAD_STALL_TIMEOUT,
      OFFLOAD_TOKEN_TIMEOUT, OFFLOAD_PROBE_INTERVAL, OFFLOAD_POWER_BUDGET, OFFLOAD_TRUST, OFFLOAD_CERTIFICATE, OFFLOAD_KEY, OFFLOAD_KEY_FILE, OFFLOAD_SERVE);
  /** What docs/security.md lists. */
  public static final List<Setting<?>> CONNECTIONS = List.of(MAX_CONNECTIONS, MAX_PER_ADDRESS, MAX_REQUESTS_PER_CONNECTION, MAX_REQUESTS, HEAD_TIMEOUT, IDLE_TIMEOUT,
      READ_TIMEOUT, MAX_RESETS, MAX_UNFINISHED, MAX_HEALTH_WATCHES);
  /** All of them. */
  public static final List<Setting<?>> ALL = List.of(GENERAL, OFFLOAD, CONNECTIONS).stream().<Setting<?>>flatMap(List::stream).toList();

  private Settings() {}
}
