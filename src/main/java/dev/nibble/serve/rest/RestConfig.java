package dev.nibble.serve.rest;

import io.quarkus.runtime.configuration.MemorySize;
import io.smallrye.config.ConfigMapping;
import io.smallrye.config.WithDefault;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

/** How the REST APIs serve: the {@code nibble.rest.*} settings. This page is their reference. */
@ConfigMapping(prefix = "nibble.rest")
public interface RestConfig {
  /** Largest request body; larger ones are refused (413). At most {@code quarkus.http.limits.max-body-size} has an effect. */
  @WithDefault("4M")
  MemorySize maxBodySize();

  /** How long a body may take to come, and a second more for each 64 KiB of it; slower ones are refused (408). Above 0. */
  @WithDefault("10s")
  Duration bodyTimeout();

  /** After how long without a word a stream gets a comment, so that proxies do not cut it; 0: never. */
  @WithDefault("10s")
  Duration streamCommentInterval();

  /**
   * Names that the service may be called by (header Host), besides addresses, names without dots, and names that are only known at a site or in a cluster
   * ({@code localhost}, {@code *.local}, {@code *.svc} …): {@code gateway.example.com}, {@code *.example.com}, several with commas between, or {@code *} for
   * any. Requests by another name are refused (421): web pages can be made to send them. Unset: no others.
   */
  Optional<List<String>> allowedHosts();
}
