package dev.nibble.serve;

import io.quarkus.runtime.configuration.MemorySize;
import io.smallrye.config.ConfigMapping;
import io.smallrye.config.WithDefault;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;

/** How Nibble serves: the {@code nibble.*} settings. This page is their reference. */
@ConfigMapping(prefix = "nibble")
public interface ServeConfig {
  /** Path of the model to serve: a GGUF file or a packed one. Unset: the model that is part of the executable. */
  Optional<String> model();

  /** Folder in which the packed form of the model is kept: made when it is first served, mapped from then on. Unset: the model's own file is loaded. */
  Optional<String> packCache();

  /** Name that requests use for the model. Unset: the name the file gives itself. */
  Optional<String> modelName();

  /** Threads that compute. Unset: one for each processor the service may use. */
  OptionalInt threads();

  /** Requests that may wait for their turn; more are refused (RESOURCE_EXHAUSTED, 429) with a time to come back. 1 or more. */
  @WithDefault("64")
  int queueCapacity();

  /** Most tokens of an answer where a request does not say, as far as the model's context leaves room. 1 or more. */
  @WithDefault("512")
  int defaultMaxTokens();

  /**
   * Whether a request whose max_tokens is more than context and memory leave beside its prompt is refused. Otherwise its answer ends where they end, with finish
   * reason {@code length}.
   */
  @WithDefault("false")
  boolean strictMaxTokens();

  /**
   * Whether names of special tokens in a text to continue stand for these tokens: {@code request}, where the request says {@code parse_special};
   * {@code always}, unless it says otherwise; {@code never}. Conversations' messages never form special tokens.
   */
  @WithDefault("request")
  String specialTokens();

  /** How long running answers may take to finish when the service is told to stop; after that they are cancelled. */
  @WithDefault("20s")
  Duration gracePeriod();

  /** What may be spent on requests before they are in line; see docs/observability.md. */
  Prepare prepare();

  /** Reading requests, and turning their prompts into tokens. */
  interface Prepare {
    /** How long that may take for one request, waiting for others' included; longer ones are given up (DEADLINE_EXCEEDED, 504). Above 0. */
    @WithDefault("10s")
    Duration timeout();

    /**
     * Most memory of requests that are not in line yet, such as {@code 32M}; what does not fit is refused (RESOURCE_EXHAUSTED, 429). At least twice
     * {@code nibble.rest.max-body-size}. Unset: an eighth of the heap, or that if it is more.
     */
    Optional<MemorySize> memory();
  }

  /** Who may use the service; see docs/security.md. */
  Auth auth();

  /** API keys. */
  interface Auth {
    /** File of the keys that are let in, one a line. Unset: no key is needed. */
    Optional<String> keysFile();

    /** How often the file is looked at for changes. Above 0. */
    @WithDefault("5s")
    Duration reloadInterval();
  }

  /** When requests should be sent here; see docs/observability.md. */
  Ready ready();

  /** Readiness. */
  interface Ready {
    /**
     * Waiting requests from which on the service is not ready, until three quarters of them are left. Unset: as many as may wait
     * ({@link ServeConfig#queueCapacity}); 0: the waiting line does not matter.
     */
    OptionalInt queueLimit();

    /** After how long without requests a few tokens are computed and compared with those of the first time; 0: never. */
    @WithDefault("30s")
    Duration canaryInterval();

    /** How long those tokens may take; later, the service is not ready. Above 0. */
    @WithDefault("60s")
    Duration canaryTimeout();
  }

  /** When only a restart helps. */
  Live live();

  /** Liveness. */
  interface Live {
    /** How long a running request may go without a step (a forward pass begun or ended); after that the service is not live. 0: for ever. */
    @WithDefault("120s")
    Duration stall();
  }

  /** The KV cache; see docs/kv-cache.md. */
  Kv kv();

  /** How keys and values of past tokens are kept. */
  interface Kv {
    /** Format of keys: {@code 8}, {@code 4} or {@code 2} bits, {@code f16}, or {@code f32} (exact). Unset: 8 bits. */
    Optional<String> keys();

    /** Format of values, as for keys. Unset: 8 bits for models below 2 billion parameters, 4 above. */
    Optional<String> values();

    /** Tokens before the open page of 64 that stay exact; taken up to whole pages. 0 to 65536. */
    @WithDefault("64")
    int residual();

    /** Whether keys and queries are rotated (Hadamard) before quantising, which makes 4-bit keys better; heads' width must be a power of two. */
    @WithDefault("false")
    boolean rotate();

    /** Most memory for keys and values, such as {@code 64M} or {@code 2G}. Unset: half of the heap, which Java takes from the machine's memory. */
    Optional<String> memory();
  }

  /** Computing answers on other devices; see docs/offload.md. */
  Offload offload();

  /** Which accelerators there are, and how to deal with them. */
  interface Offload {
    /** Where accelerators listen: HOST:PORT, several with commas between. A name with several addresses stands for as many accelerators. Unset: none. */
    Optional<List<String>> targets();

    /** Which answers accelerators compute where a request does not say: {@code off}, {@code auto}, {@code prefer} or {@code require}. */
    @WithDefault("auto")
    String policy();

    /** How long an accelerator may take to take a request, or to describe itself. */
    @WithDefault("2s")
    Duration connectTimeout();

    /** After this long without being taken, a request is offered to the next accelerator as well. */
    @WithDefault("150ms")
    Duration hedgeDelay();

    /** Longest silence within an answer. Accelerators tell of progress once a second. */
    @WithDefault("3s")
    Duration stallTimeout();

    /** Longest wait for a token, however much progress is told; waiting for its turn there and the prompt included. */
    @WithDefault("30s")
    Duration tokenTimeout();

    /** Time between two looks at an accelerator. */
    @WithDefault("2s")
    Duration probeInterval();

    /** Watts an accelerator may draw to be given more work by {@code auto} and {@code prefer}. Unset: any. */
    OptionalDouble powerBudget();

    /** Whether this service computes answers for other gateways ({@code nibble.offload.v1.AcceleratorService}). */
    @WithDefault("true")
    boolean serve();

    /** File of the API key, one line, for gateways that ask for one where they compute for others. Read again for each call. */
    Optional<String> keyFile();

    /** Certificates for accelerators. */
    Tls tls();
  }

  /** PEM files, read again when they change. */
  interface Tls {
    /** Certificates of those who sign accelerators' certificates. Unset: plain text. */
    Optional<String> trust();

    /** Our own certificate, for accelerators that ask for one. */
    Optional<String> certificate();

    /** Its private key (PKCS #8). */
    Optional<String> key();
  }
}
