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
import org.eclipse.microprofile.openapi.annotations.Operation;
import org.eclipse.microprofile.openapi.annotations.enums.SchemaType;
import org.eclipse.microprofile.openapi.annotations.extensions.Extension;
import org.eclipse.microprofile.openapi.annotations.media.Content;
import org.eclipse.microprofile.openapi.annotations.media.ExampleObject;
import org.eclipse.microprofile.openapi.annotations.media.Schema;
import org.eclipse.microprofile.openapi.annotations.parameters.RequestBody;
import org.eclipse.microprofile.openapi.annotations.responses.APIResponse;
import org.eclipse.microprofile.openapi.annotations.security.SecurityRequirements;
import org.eclipse.microprofile.openapi.annotations.tags.Tag;

/**
 * The Open Inference Protocol (KServe's V2) with its generate extension, below {@code /v2}; as Nibble answers text, tensors hold text. Errors are
 * the protocol's {@code {"error":"…"}}.
 */
@Path("/v2")
@Tag(ref = "Open Inference Protocol")
@APIResponse(responseCode = "default", ref = "InferenceError")
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
  @Operation(operationId = "getServerMetadata", summary = "The server's name, version and extensions.")
  @APIResponse(responseCode = "200", description = "The metadata.", content = @Content(mediaType = Exchange.JSON, schema = @Schema(ref = "ServerMetadata")))
  public void server(@Context RoutingContext routing, @Suspended AsyncResponse response) {
    answer(routing, response, exchange -> exchange.sendNow(server()));
  }

  @GET
  @Path("/health/live")
  @Operation(operationId = "getServerLive", summary = "Whether the service lives, as /q/health/live says.")
  @APIResponse(responseCode = "200", description = "It does.", content = @Content(mediaType = Exchange.JSON, schema = @Schema(ref = "Live")))
  @APIResponse(responseCode = "503", description = "It does not.", content = @Content(mediaType = Exchange.JSON, schema = @Schema(ref = "Live")))
  @SecurityRequirements({})
  public void live(@Context RoutingContext routing, @Suspended AsyncResponse response) {
    answer(routing, response, exchange -> live(exchange, liveness.call().getStatus() == HealthCheckResponse.Status.UP));
  }

  @GET
  @Path("/health/ready")
  @Operation(operationId = "getServerReady", summary = "Whether the service takes requests, as /q/health/ready says.")
  @APIResponse(responseCode = "200", description = "It does.", content = @Content(mediaType = Exchange.JSON, schema = @Schema(ref = "Ready")))
  @APIResponse(responseCode = "503", description = "It does not.", content = @Content(mediaType = Exchange.JSON, schema = @Schema(ref = "Ready")))
  @SecurityRequirements({})
  public void ready(@Context RoutingContext routing, @Suspended AsyncResponse response) {
    answer(routing, response, exchange -> ready(exchange, judge.judge().ready()));
  }

  @POST
  @Path("/repository/index")
  @Operation(operationId = "getRepositoryIndex", summary = "The models that there are, or that are ready.")
  @RequestBody(required = false, content = @Content(mediaType = Exchange.JSON, schema = @Schema(ref = "RepositoryIndexRequest"), examples = {
      @ExampleObject(name = "ready", value = """
          {"ready": true}""")}))
  @APIResponse(responseCode = "200", description = "The models.", content = @Content(mediaType = Exchange.JSON, schema = @Schema(ref = "RepositoryIndex")))
  public void index(@Context RoutingContext routing, @Suspended AsyncResponse response) {
    answer(routing, response, exchange -> index(exchange));
  }

  @GET
  @Path("/models/stats")
  @Operation(operationId = "getStatistics", summary = "What became of all models' requests.")
  @APIResponse(responseCode = "200", description = "The statistics.", content = @Content(mediaType = Exchange.JSON, schema = @Schema(ref = "ModelStatistics")))
  public void stats(@Context RoutingContext routing, @Suspended AsyncResponse response) {
    answer(routing, response, exchange -> exchange.sendNow(OpenInferenceTexts.statistics(models.all(), statistics)));
  }

  // ---- a model

  @GET
  @Path("/models/{name}")
  @Operation(operationId = "getModelMetadata", summary = "The tensors that a model takes and gives.")
  @APIResponse(responseCode = "200", description = "The metadata.", content = @Content(mediaType = Exchange.JSON, schema = @Schema(ref = "ModelMetadata")))
  public void metadata(@Context RoutingContext routing, @Suspended AsyncResponse response, @PathParam("name") @Encoded String name) {
    answer(routing, response, exchange -> exchange.sendNow(OpenInferenceTexts.metadata(require(name))));
  }

  @GET
  @Path("/models/{name}/ready")
  @Operation(operationId = "getModelReady", summary = "Whether a model takes requests.")
  @APIResponse(responseCode = "200", description = "It does.", content = @Content(mediaType = Exchange.JSON, schema = @Schema(ref = "ModelReady")))
  @APIResponse(responseCode = "503", description = "It does not; while the model is loaded, an error says so.", content = @Content(mediaType = Exchange.JSON,
      schema = @Schema(ref = "ModelReadyOrError")))
  @SecurityRequirements({})
  public void modelReady(@Context RoutingContext routing, @Suspended AsyncResponse response, @PathParam("name") @Encoded String name) {
    answer(routing, response, exchange -> ready(exchange, require(name).model().name()));
  }

  @GET
  @Path("/models/{name}/config")
  @Operation(operationId = "getModelConfig", summary = "A model's configuration, with Triton's names.")
  @APIResponse(responseCode = "200", description = "The configuration.", content = @Content(mediaType = Exchange.JSON, schema = @Schema(ref = "ModelConfig")))
  public void config(@Context RoutingContext routing, @Suspended AsyncResponse response, @PathParam("name") @Encoded String name) {
    answer(routing, response, exchange -> exchange.sendNow(OpenInferenceTexts.config(require(name))));
  }

  @GET
  @Path("/models/{name}/stats")
  @Operation(operationId = "getModelStatistics", summary = "What became of a model's requests.")
  @APIResponse(responseCode = "200", description = "The statistics.", content = @Content(mediaType = Exchange.JSON, schema = @Schema(ref = "ModelStatistics")))
  public void modelStats(@Context RoutingContext routing, @Suspended AsyncResponse response, @PathParam("name") @Encoded String name) {
    answer(routing, response, exchange -> exchange.sendNow(OpenInferenceTexts.statistics(List.of(require(name)), statistics)));
  }

  @POST
  @Path("/models/{name}/infer")
  @Operation(operationId = "infer", summary = "Tensors for tensors: text, and how to answer it.")
  @RequestBody(required = true, content = @Content(mediaType = Exchange.JSON, schema = @Schema(ref = "InferenceRequest"), examples = {
      @ExampleObject(name = "prompt", value = """
          {"inputs": [{"name": "prompt", "datatype": "BYTES", "shape": [1], "data": ["Once upon a time"]}], "parameters": {"max_tokens": 40, "temperature": 0}}""")}))
  @APIResponse(responseCode = "200", description = "The outputs; those wanted as bytes follow the JSON text, and the header Inference-Header-Content-Length says where.", content =
      @Content(mediaType = Exchange.JSON, schema = @Schema(ref = "InferenceResponse")))
  public void infer(@Context RoutingContext routing, @Suspended AsyncResponse response, @PathParam("name") @Encoded String name) {
    answer(routing, response, exchange -> receive(exchange, new InferEndpoint(Paths.decode(name), jsonBytes(exchange.request()))));
  }

  @POST
  @Path("/models/{name}/generate")
  @Operation(operationId = "generate", summary = "Text for text.")
  @RequestBody(required = true, content = @Content(mediaType = Exchange.JSON, schema = @Schema(ref = "GenerateRequest"), examples = {
      @ExampleObject(name = "text", value = """
          {"text_input": "Once upon a time", "parameters": {"max_tokens": 40, "temperature": 0.8, "seed": 7}}""")}))
  @APIResponse(responseCode = "200", description = "The continuation.", content = @Content(mediaType = Exchange.JSON, schema = @Schema(ref = "GenerateResponse")))
  public void generate(@Context RoutingContext routing, @Suspended AsyncResponse response, @PathParam("name") @Encoded String name) {
    answer(routing, response, exchange -> receive(exchange, new GenerateEndpoint(Paths.decode(name), false)));
  }

  @POST
  @Path("/models/{name}/generate_stream")
  @Operation(operationId = "generateStream", summary = "Text piece by piece.")
  @RequestBody(required = true, content = @Content(mediaType = Exchange.JSON, schema = @Schema(ref = "GenerateRequest"), examples = {
      @ExampleObject(name = "text", value = """
          {"text_input": "Once upon a time", "parameters": {"max_tokens": 8, "temperature": 0}}""")}))
  @APIResponse(responseCode = "200", description = "Server-sent events, one GenerateResponse each; a body that is an InferenceError ends a stream that failed.", content =
      @Content(mediaType = Exchange.EVENTS, schema = @Schema(type = SchemaType.STRING), extensions = @Extension(name = "x-event-schema", value = "GenerateResponse")))
  public void generateStream(@Context RoutingContext routing, @Suspended AsyncResponse response, @PathParam("name") @Encoded String name) {
    answer(routing, response, exchange -> receive(exchange, new GenerateEndpoint(Paths.decode(name), true)));
  }

  // ---- the same of a version, of which each model has one

  @GET
  @Path("/models/{name}/versions/{version}")
  @Operation(hidden = true)
  public void versionMetadata(@Context RoutingContext routing, @Suspended AsyncResponse response, @PathParam("name") @Encoded String name, @PathParam("version") @Encoded String version) {
    ofVersion(routing, response, name, version, () -> metadata(routing, response, name));
  }

  @GET
  @Path("/models/{name}/versions/{version}/{place}")
  @Operation(hidden = true)
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
  @Operation(hidden = true)
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
