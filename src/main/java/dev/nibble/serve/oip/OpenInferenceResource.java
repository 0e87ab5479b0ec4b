package dev.nibble.serve.oip;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.nibble.engine.Engine;
import dev.nibble.engine.EngineException;
import dev.nibble.serve.api.RequestStatistics;
import dev.nibble.serve.api.ServedModels;
import dev.nibble.serve.api.http.AnswerService;
import dev.nibble.serve.api.http.ApiError;
import dev.nibble.serve.api.http.BodyReader;
import dev.nibble.serve.api.http.Endpoint;
import dev.nibble.serve.api.http.Exchange;
import dev.nibble.serve.api.http.Paths;
import dev.nibble.serve.api.request.Fields;
import dev.nibble.serve.api.request.OpenInference;
import dev.nibble.serve.api.request.RawInputs;
import dev.nibble.serve.health.LivenessCheck;
import dev.nibble.serve.health.ReadinessJudge;
import io.smallrye.common.annotation.NonBlocking;
import io.vertx.core.http.HttpServerRequest;
import io.vertx.ext.web.RoutingContext;
import jakarta.inject.Inject;
import jakarta.inject.Singleton;
import jakarta.ws.rs.Encoded;
import jakarta.ws.rs.GET;
import jakarta.ws.rs.POST;
import jakarta.ws.rs.Path;
import jakarta.ws.rs.PathParam;
import jakarta.ws.rs.container.AsyncResponse;
import jakarta.ws.rs.container.Suspended;
import jakarta.ws.rs.core.Context;
import java.util.List;
import java.util.OptionalInt;
import java.util.function.Consumer;
import org.eclipse.microprofile.config.inject.ConfigProperty;
import org.eclipse.microprofile.health.HealthCheckResponse;
import org.eclipse.microprofile.health.Liveness;

/**
 * The Open Inference Protocol (KServe's V2) with its generate extension, below {@code /v2}; as Nibble answers text, tensors hold text. Errors are
 * the protocol's {@code {"error":"…"}}.
 */
@Path("/v2")
@Singleton
@NonBlocking
public final class OpenInferenceResource {
  private final ServedModels models;
  private final LivenessCheck liveness;
  private final ReadinessJudge judge;
  private final AnswerService answers;
  private final BodyReader bodies;
  private final RequestStatistics statistics;
  private final String version;

  @Inject
  OpenInferenceResource(
      ServedModels models, @Liveness LivenessCheck liveness, ReadinessJudge judge, AnswerService answers, BodyReader bodies, RequestStatistics statistics,
      @ConfigProperty(name = "quarkus.application.version") String version) {
    this.models = models;
    this.liveness = liveness;
    this.judge = judge;
    this.answers = answers;
    this.bodies = bodies;
    this.statistics = statistics;
    this.version = version;
  }

  // ---- the server

  @GET
  public void server(@Context RoutingContext routing, @Suspended AsyncResponse response) {
    answer(routing, response, exchange -> exchange.sendNow(server()));
  }

  @GET
  @Path("/health/live")
  public void live(@Context RoutingContext routing, @Suspended AsyncResponse response) {
    answer(routing, response, exchange -> live(exchange, liveness.call().getStatus() == HealthCheckResponse.Status.UP));
  }

  @GET
  @Path("/health/ready")
  public void ready(@Context RoutingContext routing, @Suspended AsyncResponse response) {
    answer(routing, response, exchange -> ready(exchange, judge.judge().ready()));
  }

  @POST
  @Path("/repository/index")
  public void index(@Context RoutingContext routing, @Suspended AsyncResponse response) {
    answer(routing, response, exchange -> index(exchange));
  }

  @GET
  @Path("/models/stats")
  public void stats(@Context RoutingContext routing, @Suspended AsyncResponse response) {
    answer(routing, response, exchange -> exchange.sendNow(OpenInferenceTexts.statistics(models.all(), statistics)));
  }

  // ---- a model

  @GET
  @Path("/models/{name}")
  public void metadata(@Context RoutingContext routing, @Suspended AsyncResponse response, @PathParam("name") @Encoded String name) {
    answer(routing, response, exchange -> exchange.sendNow(OpenInferenceTexts.metadata(require(name))));
  }

  @GET
  @Path("/models/{name}/ready")
  public void modelReady(@Context RoutingContext routing, @Suspended AsyncResponse response, @PathParam("name") @Encoded String name) {
    answer(routing, response, exchange -> ready(exchange, require(name).model().name()));
  }

  @GET
  @Path("/models/{name}/config")
  public void config(@Context RoutingContext routing, @Suspended AsyncResponse response, @PathParam("name") @Encoded String name) {
    answer(routing, response, exchange -> exchange.sendNow(OpenInferenceTexts.config(require(name))));
  }

  @GET
  @Path("/models/{name}/stats")
  public void modelStats(@Context RoutingContext routing, @Suspended AsyncResponse response, @PathParam("name") @Encoded String name) {
    answer(routing, response, exchange -> exchange.sendNow(OpenInferenceTexts.statistics(List.of(require(name)), statistics)));
  }

  @POST
  @Path("/models/{name}/infer")
  public void infer(@Context RoutingContext routing, @Suspended AsyncResponse response, @PathParam("name") @Encoded String name) {
    answer(routing, response, exchange -> receive(exchange, new InferEndpoint(Paths.decode(name), jsonBytes(exchange.request()))));
  }

  @POST
  @Path("/models/{name}/generate")
  public void generate(@Context RoutingContext routing, @Suspended AsyncResponse response, @PathParam("name") @Encoded String name) {
    answer(routing, response, exchange -> receive(exchange, new GenerateEndpoint(Paths.decode(name), false)));
  }

  @POST
  @Path("/models/{name}/generate_stream")
  public void generateStream(@Context RoutingContext routing, @Suspended AsyncResponse response, @PathParam("name") @Encoded String name) {
    answer(routing, response, exchange -> receive(exchange, new GenerateEndpoint(Paths.decode(name), true)));
  }

  // ---- the same of a version, of which each model has one

  @GET
  @Path("/models/{name}/versions/{version}")
  public void versionMetadata(@Context RoutingContext routing, @Suspended AsyncResponse response, @PathParam("name") @Encoded String name, @PathParam("version") @Encoded String version) {
    ofVersion(routing, response, name, version, () -> metadata(routing, response, name));
  }

  @GET
  @Path("/models/{name}/versions/{version}/{place}")
  public void readVersion(
      @Context RoutingContext routing, @Suspended AsyncResponse response, @PathParam("name") @Encoded String name, @PathParam("version") @Encoded String version,
      @PathParam("place") String place) {
    ofVersion(routing, response, name, version, () -> {
      switch (place) {
        case "ready" -> modelReady(routing, response, name);
        case "config" -> config(routing, response, name);
        default -> modelStats(routing, response, name);
      }
    });
  }

  @POST
  @Path("/models/{name}/versions/{version}/{place}")
  public void askVersion(
      @Context RoutingContext routing, @Suspended AsyncResponse response, @PathParam("name") @Encoded String name, @PathParam("version") @Encoded String version,
      @PathParam("place") String place) {
    ofVersion(routing, response, name, version, () -> {
      switch (place) {
        case "infer" -> infer(routing, response, name);
        case "generate" -> generate(routing, response, name);
        default -> generateStream(routing, response, name);
      }
    });
  }

  private static void ofVersion(RoutingContext routing, AsyncResponse response, String name, String version, Runnable answer) {
    if (version.equals(OpenInference.VERSION)) {
      answer.run();
    } else {
      answer(routing, response, exchange -> OpenInference.requireVersion(Paths.decode(name), version));
    }
  }

  // ---- answers

  private static void answer(RoutingContext routing, AsyncResponse response, Consumer<Exchange> work) {
    Exchange.answer(routing, response, ApiError::toPlainJson, work);
  }

  private Engine require(String name) {
    return models.require(Paths.decode(name));
  }

  private void receive(Exchange exchange, Endpoint endpoint) {
    // The protocol's clients do not all say what they send.
    bodies.receive(exchange, false, endpoint instanceof InferEndpoint, body -> answers.answer(endpoint, body, exchange));
  }

  /** How many bytes of a body are JSON text; empty if all are. @throws EngineException INVALID_REQUEST if that is not told by an integer */
  private static OptionalInt jsonBytes(HttpServerRequest request) {
    String told = request.getHeader(RawInputs.Binary.HEADER);
    if (told == null) {
      return OptionalInt.empty();
    }
    try {
      int size = Integer.parseInt(told.strip());
      if (size >= 0) {
        return OptionalInt.of(size);
      }
    } catch (NumberFormatException other) {
      // told below
    }
    throw EngineException.invalid(RawInputs.Binary.HEADER, "The header " + RawInputs.Binary.HEADER + " must be how many bytes of the body are JSON text.");
  }

  /** Lists the models, or those that are ready; Triton's clients ask by POST, mostly without a body. */
  private void index(Exchange exchange) {
    HttpServerRequest request = exchange.request();
    String length = request.getHeader("Content-Length");
    if (request.getHeader("Transfer-Encoding") == null && (length == null || length.strip().equals("0"))) {
      exchange.sendNow(index(false));
    } else {
      bodies.receive(exchange, false, body -> answers.describe(body, exchange, told -> index(Fields.ofBody(told).flag("ready"))));
    }
  }

  private ArrayNode index(boolean readyOnly) {
    return OpenInferenceTexts.index(models.all(), judge.judge(), readyOnly);
  }

  // ---- metadata

  private ObjectNode server() {
    ObjectNode body = JsonNodeFactory.instance.objectNode().put("name", "nibble").put("version", version);
    ArrayNode extensions = body.putArray("extensions").add("generate");
    OpenInference.EXTENSIONS.forEach(extensions::add);
    return body;
  }

  private static void live(Exchange exchange, boolean live) {
    exchange.sendNow(live ? 200 : 503, JsonNodeFactory.instance.objectNode().put("live", live));
  }

  /** The specification calls this field {@code live} too, its implementations {@code ready}. */
  private static void ready(Exchange exchange, boolean ready) {
    exchange.sendNow(ready ? 200 : 503, JsonNodeFactory.instance.objectNode().put("live", ready).put("ready", ready));
  }

  private void ready(Exchange exchange, String model) {
    boolean ready = judge.judge().ready();
    exchange.sendNow(ready ? 200 : 503, JsonNodeFactory.instance.objectNode().put("name", model).put("ready", ready));
  }
}
