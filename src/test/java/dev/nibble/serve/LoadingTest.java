package dev.nibble.serve;

import static org.assertj.core.api.Assertions.assertThat;

import dev.nibble.engine.Engine;
import dev.nibble.engine.EngineOptions;
import dev.nibble.engine.SequentialEngine;
import dev.nibble.model.kvcache.KvCacheOptions;
import dev.nibble.runtime.ModelOpener;
import dev.nibble.serve.api.EngineLoader;
import dev.nibble.serve.api.ServeConfig;
import io.quarkus.test.common.http.TestHTTPResource;
import io.quarkus.test.junit.QuarkusTest;
import io.quarkus.test.junit.QuarkusTestProfile;
import io.quarkus.test.junit.TestProfile;
import jakarta.enterprise.inject.Alternative;
import jakarta.inject.Inject;
import jakarta.inject.Singleton;
import java.io.IOException;
import java.net.URI;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.Test;

/** A service whose model takes long to load. */
@QuarkusTest
@TestProfile(LoadingTest.Slow.class)
class LoadingTest {
  /** Serves by the loader that waits. */
  public static final class Slow implements QuarkusTestProfile {
    @Override
    public Set<Class<?>> getEnabledAlternatives() {
      return Set.of(WaitingLoader.class);
    }
  }

  /** Loads the embedded model once told to. */
  @Alternative
  @Singleton
  static final class WaitingLoader implements EngineLoader {
    final CountDownLatch gate = new CountDownLatch(1);
    volatile Engine loaded;

    @Override
    public Engine load(ServeConfig config) throws IOException {
      try {
        gate.await();
      } catch (InterruptedException interrupt) {
        throw new IOException("interrupted", interrupt);
      }
      ModelOpener.Opened opened = new ModelOpener(OptionalInt.of(1)).open(Optional.empty(), Optional.empty(), KvCacheOptions.DEFAULT, (bytes, total) -> {});
      loaded = new SequentialEngine(opened.info(), opened.loaded().model(), opened.tokenizer(), EngineOptions.DEFAULT);
      return loaded;
    }
  }

  @TestHTTPResource("/")
  URI base;

  @Inject
  WaitingLoader loader;

  @Test
  void isAliveButNotReadyUntilLoaded() throws Exception {
    Api api = new Api(base);
    assertThat(api.get("/q/health/live").status()).isEqualTo(200);
    assertThat(api.get("/q/health/started").status()).isEqualTo(503);
    Api.Reply unready = api.get("/q/health/ready");
    assertThat(unready.status()).isEqualTo(503);
    assertThat(unready.text()).contains("\"reason\": \"loading\"");
    for (Api.Reply reply : new Api.Reply[] {api.get("/v1/models"), api.post("/v1/completions", "{\"prompt\":\"Once\"}")}) {
      assertThat(reply.status()).isEqualTo(503);
      assertThat(reply.header("Retry-After")).isEqualTo("1");
      assertThat(reply.json().get("error").get("code").textValue()).isEqualTo("model_loading");
    }
    assertThat(api.get("/v2/health/live").text()).isEqualTo("{\"live\":true}");
    Api.Reply notYet = api.get("/v2/health/ready");
    assertThat(notYet.status()).isEqualTo(503);
    assertThat(notYet.text()).isEqualTo("{\"live\":false,\"ready\":false}");
    for (Api.Reply reply : new Api.Reply[] {api.get("/v2/models/nibble-home/ready"), api.post("/v2/models/nibble-home/generate", "{\"text_input\":\"Once\"}")}) {
      assertThat(reply.status()).isEqualTo(503);
      assertThat(reply.header("Retry-After")).isEqualTo("1");
      assertThat(reply.json().get("error").textValue()).contains("being loaded");
    }

    loader.gate.countDown();
    Api.await("the model is loaded", () -> api.get("/q/health/started").status() == 200);
    assertThat(api.get("/q/health/ready").status()).isEqualTo(200);
    assertThat(api.post("/v1/completions", "{\"prompt\":\"Once\",\"max_tokens\":2}").status()).isEqualTo(200);

    loader.loaded.close();
    Api.Reply dead = api.get("/q/health/live");
    assertThat(dead.status()).as("the engine's thread has ended").isEqualTo(503);
    assertThat(api.get("/v2/health/live").status()).isEqualTo(503);
    assertThat(dead.text()).contains("\"nibble-home\": \"ended\"");
  }
}
