package dev.nibble.serve.api.http;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.nibble.serve.oip.OpenInferenceResource;
import dev.nibble.serve.openai.OpenAiResource;
import io.smallrye.openapi.api.SmallRyeOpenAPI;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.jboss.jandex.Index;
import org.junit.jupiter.api.Test;

/** The document of the REST APIs is made of the resources' annotations and {@code src/main/openapi}, and is what {@code docs/openapi.json} holds. */
final class OpenApiDocumentTest {
  private static final Path CHECKED_IN = Path.of("docs/openapi.json");
  private static final Path MADE = Path.of("target/openapi.json");
  private static final ObjectMapper MAPPER = new ObjectMapper();
  /** What stands for names in paths. */
  private static final String NAME = "nibble-home";

  private static String made() throws IOException {
    return SmallRyeOpenAPI.builder()
        .withIndex(Index.of(OpenAiResource.class, OpenInferenceResource.class))
        .withCustomStaticFile(OpenApiDocumentTest::schemas)
        .enableStandardStaticFiles(false)
        .enableModelReader(false)
        .enableStandardFilter(false)
        .build().toJSON() + "\n";
  }

  private static InputStream schemas() {
    try {
      return Files.newInputStream(Path.of("src/main/openapi/openapi.yaml"));
    } catch (IOException failure) {
      throw new UncheckedIOException(failure);
    }
  }

  @Test
  void theDocumentIsWhatTheResourcesSay() throws IOException {
    String made = made();
    Files.createDirectories(MADE.getParent());
    Files.writeString(MADE, made);
    assertThat(made).as("%s is out of date: what the resources say now is in %s, copy it there and look at the difference", CHECKED_IN, MADE)
        .isEqualTo(Files.exists(CHECKED_IN) ? Files.readString(CHECKED_IN) : "");
  }

  /** Refusals come from {@link Paths}, answers from the resources. */
  @Test
  void placesAndMethodsAreThoseThatRequestsAreCheckedBy() throws IOException {
    Map<String, Set<String>> told = new TreeMap<>();
    JsonNode paths = MAPPER.readTree(made()).get("paths");
    paths.properties().forEach(place -> {
      Set<String> methods = new TreeSet<>();
      place.getValue().fieldNames().forEachRemaining(method -> methods.add(method.toUpperCase(Locale.ROOT)));
      if (methods.contains("GET")) {
        methods.add("HEAD"); // which the framework makes of it
      }
      told.put(place.getKey(), methods);
    });
    assertThat(told).isNotEmpty();
    told.forEach((path, methods) -> {
      Set<String> allowed = new TreeSet<>();
      Paths.methods(path.replaceAll("\\{\\w+}", NAME)).orElseThrow(() -> new AssertionError(path + " is refused")).forEach(method -> allowed.add(method.name()));
      assertThat(allowed).as(path).isEqualTo(methods);
    });
  }
}
