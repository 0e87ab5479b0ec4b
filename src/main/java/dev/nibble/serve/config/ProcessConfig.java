package dev.nibble.serve.config;

import io.quarkus.runtime.configuration.QuarkusConfigBuilderCustomizer;
import io.smallrye.config.PropertiesLocationConfigSourceFactory;
import io.smallrye.config.SmallRyeConfigBuilder;
import org.eclipse.microprofile.config.Config;

/**
 * The configuration as this process was given it: properties, environment, {@code .env}, {@code config/application.properties}, files of
 * {@code quarkus.config.locations}, in the framework's order. Before a native executable's framework has started, the framework's own configuration
 * holds what was there when the executable was built.
 */
public final class ProcessConfig {
  private ProcessConfig() {}

  /** Reads all sources anew. @throws IllegalArgumentException if one of them can't be read */
  public static Config read() {
    try {
      return new SmallRyeConfigBuilder()
          .forClassLoader(Thread.currentThread().getContextClassLoader())
          .withCustomizers(new QuarkusConfigBuilderCustomizer())
          .addDefaultInterceptors()
          .addDefaultSources()
          .withSources(new PropertiesLocationConfigSourceFactory())
          .build();
    } catch (RuntimeException unreadable) {
      throw new IllegalArgumentException("the configuration can't be read: " + unreadable.getMessage(), unreadable);
    }
  }
}
