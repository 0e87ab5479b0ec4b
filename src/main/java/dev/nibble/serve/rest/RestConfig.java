package dev.nibble.serve.rest;

import io.quarkus.runtime.configuration.MemorySize;
import io.smallrye.config.ConfigMapping;
import io.smallrye.config.WithDefault;

/** How the OpenAI-compatible API serves: the {@code nibble.rest.*} settings. This page is their reference. */
@ConfigMapping(prefix = "nibble.rest")
public interface RestConfig {
  /** Largest request body; larger ones are refused (413). At most {@code quarkus.http.limits.max-body-size} has an effect. */
  @WithDefault("4M")
  MemorySize maxBodySize();
}
