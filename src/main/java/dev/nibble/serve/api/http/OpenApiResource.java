package dev.nibble.serve.api.http;

import io.smallrye.common.annotation.NonBlocking;
import io.vertx.ext.web.RoutingContext;
import jakarta.inject.Singleton;
import jakarta.ws.rs.GET;
import jakarta.ws.rs.Path;
import jakarta.ws.rs.container.AsyncResponse;
import jakarta.ws.rs.container.Suspended;
import jakarta.ws.rs.core.Context;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;

/**
 * The OpenAPI document of the REST APIs, which is made of the resources' annotations when the program is built and tested, and is {@code docs/openapi.json}. The
 * framework's own way to serve it makes it again at each start, for which it needs its readers and writers of JSON and YAML in the program.
 */
@Path(Paths.OPENAPI)
@Singleton
@NonBlocking
public final class OpenApiResource {
  private static final String DOCUMENT = "/openapi.json";

  @GET
  public void document(@Context RoutingContext routing, @Suspended AsyncResponse response) {
    Exchange.answer(routing, response, ApiError::toJson, exchange -> exchange.sendNow(read()));
  }

  private static String read() {
    try (InputStream document = OpenApiResource.class.getResourceAsStream(DOCUMENT)) {
      if (document == null) {
        throw new FileNotFoundException(DOCUMENT + " is not in the program");
      }
      return new String(document.readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException failure) {
      throw new UncheckedIOException(failure);
    }
  }
}
