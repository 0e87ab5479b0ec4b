package dev.nibble.serve.openai;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.nibble.engine.Engine;
import dev.nibble.engine.EngineError;
import dev.nibble.engine.EngineException;
import dev.nibble.engine.ModelInfo;
import dev.nibble.serve.api.ServedModels;
import dev.nibble.serve.api.http.AnswerService;
import dev.nibble.serve.api.http.ApiError;
import dev.nibble.serve.api.http.BodyReader;
import dev.nibble.serve.api.http.Endpoint;
import dev.nibble.serve.api.http.Exchange;
import dev.nibble.serve.api.http.Paths;
import dev.nibble.serve.health.LivenessCheck;
import io.smallrye.common.annotation.NonBlocking;
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
import java.util.Map;
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
 * The OpenAI-compatible API: {@code /v1/models}, {@code /v1/chat/completions} and {@code /v1/completions}, also without {@code /v1}, and the places that clients of
 * vLLM's server ask for beside them.
 *
 * <p>Methods run on the event loop and hand the exchange to those who write it; {@link Exchange#answer} says why. Streams are not the framework's either: its server-sent
 * events send their head with the first of them, it decides by the method and not by the body whether there are events, and it ends a stream that failed without a word.
 */
@Path("/")
@APIResponse(responseCode = "default", ref = "Error")
@Singleton
@NonBlocking
public final class OpenAiResource {
  private final ServedModels models;
  private final LivenessCheck liveness;
  private final AnswerService answers;
  private final TokenizerService tokenizer;
  private final BodyReader bodies;
  private final String version;
  private final Endpoint chat;
  private final Endpoint text;

  @Inject
  OpenAiResource(
      ServedModels models, @Liveness LivenessCheck liveness, AnswerService answers, TokenizerService tokenizer, BodyReader bodies,
      @ConfigProperty(name = "quarkus.application.version") String version) {
    this.models = models;
    this.liveness = liveness;
    this.answers = answers;
    this.tokenizer = tokenizer;
    this.bodies = bodies;
    this.version = version;
    String fingerprint = "fp_nibble_" + version;
    chat = new OpenAiEndpoint(OpenAiEndpoint.Kind.CHAT, fingerprint);
    text = new OpenAiEndpoint(OpenAiEndpoint.Kind.TEXT, fingerprint);
  }

  // ---- OpenAI's places

  @GET
  @Path(Paths.MODELS)
  @Tag(ref = "OpenAI")
  @Operation(operationId = "listModels", summary = "The models served.")
  @APIResponse(responseCode = "200", description = "The models.", content = @Content(mediaType = Exchange.JSON, schema = @Schema(ref = "ModelList")))
  public void models(@Context RoutingContext routing, @Suspended AsyncResponse response) {
    answer(routing, response, exchange -> exchange.sendNow(list()));
  }

  @GET
  @Path(Paths.MODELS + "/{id:.+}")
  @Tag(ref = "OpenAI")
  @Operation(operationId = "getModel", summary = "A model.")
  @APIResponse(responseCode = "200", description = "The model.", content = @Content(mediaType = Exchange.JSON, schema = @Schema(ref = "Model")))
  public void model(@Context RoutingContext routing, @Suspended AsyncResponse response, @PathParam("id") @Encoded String id) {
    answer(routing, response, exchange -> exchange.sendNow(describe(models.require(Paths.decode(Paths.bare(id))).model())));
  }

  @POST
  @Path(Paths.CHAT)
  @Tag(ref = "OpenAI")
  @Operation(operationId = "createChatCompletion", summary = "An answer to a conversation, whole or as a stream of server-sent events.")
  @RequestBody(required = true, content = @Content(mediaType = Exchange.JSON, schema = @Schema(ref = "ChatCompletionRequest"), examples = {
      @ExampleObject(name = "whole", value = """
          {"model": "nibble-home", "temperature": 0, "messages": [{"role": "user", "content": "dim the kitchen light to 30 percent"}]}"""),
      @ExampleObject(name = "stream", value = """
          {"stream": true, "stream_options": {"include_usage": true}, "temperature": 0, "messages": [{"role": "user", "content": "dim the kitchen light to 30 percent"}]}""")}))
  @APIResponse(responseCode = "200", description = "The answer; where stream is true, its events, at the end of which comes the text [DONE].", content = {
      @Content(mediaType = Exchange.JSON, schema = @Schema(ref = "ChatCompletion")),
      @Content(mediaType = Exchange.EVENTS, schema = @Schema(type = SchemaType.STRING), extensions = @Extension(name = "x-event-schema", value = "ChatCompletionChunk"))})
  public void chat(@Context RoutingContext routing, @Suspended AsyncResponse response) {
    answer(routing, response, exchange -> receive(exchange, chat));
  }

  @POST
  @Path(Paths.TEXT)
  @Tag(ref = "OpenAI")
  @Operation(operationId = "createCompletion", summary = "A continuation of text or of token ids, whole or as a stream of server-sent events.")
  @RequestBody(required = true, content = @Content(mediaType = Exchange.JSON, schema = @Schema(ref = "CompletionRequest"), examples = {
      @ExampleObject(name = "whole", value = """
          {"prompt": "Once upon a time", "max_tokens": 40, "temperature": 0.8, "min_p": 0.05, "seed": 7}"""),
      @ExampleObject(name = "stream", value = """
          {"prompt": "Once upon a time", "max_tokens": 8, "stream": true}""")}))
  @APIResponse(responseCode = "200", description = "The continuation; where stream is true, its events, at the end of which comes the text [DONE].", content = {
      @Content(mediaType = Exchange.JSON, schema = @Schema(ref = "Completion")),
      @Content(mediaType = Exchange.EVENTS, schema = @Schema(type = SchemaType.STRING), extensions = @Extension(name = "x-event-schema", value = "Completion"))})
  public void text(@Context RoutingContext routing, @Suspended AsyncResponse response) {
    answer(routing, response, exchange -> receive(exchange, text));
  }

  // ---- the same without /v1, for clients whose base URL lacks it

  @GET
  @Path("/models")
  @Operation(hidden = true)
  public void bareModels(@Context RoutingContext routing, @Suspended AsyncResponse response) {
    models(routing, response);
  }

  @GET
  @Path("/models/{id:.+}")
  @Operation(hidden = true)
  public void bareModel(@Context RoutingContext routing, @Suspended AsyncResponse response, @PathParam("id") @Encoded String id) {
    model(routing, response, id);
  }

  @POST
  @Path("/chat/completions")
  @Operation(hidden = true)
  public void bareChat(@Context RoutingContext routing, @Suspended AsyncResponse response) {
    chat(routing, response);
  }

  @POST
  @Path("/completions")
  @Operation(hidden = true)
  public void bareText(@Context RoutingContext routing, @Suspended AsyncResponse response) {
    text(routing, response);
  }

  // ---- vLLM's places

  @POST
  @Path(Paths.TOKENIZE)
  @Tag(ref = "vLLM")
  @Operation(operationId = "tokenize", summary = "Token ids of a text, or of a conversation as the chat template writes it.")
  @RequestBody(required = true, content = @Content(mediaType = Exchange.JSON, schema = @Schema(ref = "TokenizeRequest"), examples = {
      @ExampleObject(name = "text", value = """
          {"prompt": "<|user|>\\nhello<|end|>"}"""),
      @ExampleObject(name = "conversation", value = """
          {"return_token_strs": true, "messages": [{"role": "user", "content": "dim the kitchen light to 30 percent"}]}""")}))
  @APIResponse(responseCode = "200", description = "The ids.", content = @Content(mediaType = Exchange.JSON, schema = @Schema(ref = "TokenizeResponse")))
  public void tokenize(@Context RoutingContext routing, @Suspended AsyncResponse response) {
    answer(routing, response, exchange -> bodies.receive(exchange, true, body -> tokenizer.tokenize(body, exchange)));
  }

  @POST
  @Path(Paths.DETOKENIZE)
  @Tag(ref = "vLLM")
  @Operation(operationId = "detokenize", summary = "The text of token ids, special tokens by their names.")
  @RequestBody(required = true, content = @Content(mediaType = Exchange.JSON, schema = @Schema(ref = "DetokenizeRequest"), examples = {
      @ExampleObject(name = "ids", value = """
          {"tokens": [2043, 2045]}""")}))
  @APIResponse(responseCode = "200", description = "The text.", content = @Content(mediaType = Exchange.JSON, schema = @Schema(ref = "DetokenizeResponse")))
  public void detokenize(@Context RoutingContext routing, @Suspended AsyncResponse response) {
    answer(routing, response, exchange -> bodies.receive(exchange, true, body -> tokenizer.detokenize(body, exchange)));
  }

  @GET
  @Path(Paths.TOKENIZER_INFO)
  @Tag(ref = "vLLM")
  @Operation(operationId = "getTokenizerInfo", summary = "Names of special tokens, and the chat template.")
  @APIResponse(responseCode = "200", description = "Those of the first model served.", content = @Content(mediaType = Exchange.JSON, schema = @Schema(ref = "TokenizerInfo")))
  public void tokenizerInfo(@Context RoutingContext routing, @Suspended AsyncResponse response) {
    answer(routing, response, exchange -> exchange.sendNow(tokenizer.info()));
  }

  @GET
  @Path(Paths.VERSION)
  @Tag(ref = "vLLM")
  @Operation(operationId = "getVersion", summary = "Nibble's version.")
  @APIResponse(responseCode = "200", description = "The version.", content = @Content(mediaType = Exchange.JSON, schema = @Schema(ref = "Version")))
  public void version(@Context RoutingContext routing, @Suspended AsyncResponse response) {
    answer(routing, response, exchange -> exchange.sendNow(JsonNodeFactory.instance.objectNode().put("version", version)));
  }

  @GET
  @Path("/health")
  @Tag(ref = "vLLM")
  @Operation(operationId = "getHealth", summary = "Whether the model is there and its engine lives.")
  @APIResponse(responseCode = "200", description = "It is, without a body.")
  @SecurityRequirements({})
  public void health(@Context RoutingContext routing, @Suspended AsyncResponse response) {
    answer(routing, response, this::probe);
  }

  @POST
  @Path("/health")
  @Tag(ref = "vLLM")
  @Operation(operationId = "postHealth", summary = "Whether the model is there and its engine lives.")
  @APIResponse(responseCode = "200", description = "It is, without a body.")
  @SecurityRequirements({})
  public void postedHealth(@Context RoutingContext routing, @Suspended AsyncResponse response) {
    health(routing, response);
  }

  @GET
  @Path("/ping")
  @Tag(ref = "vLLM")
  @Operation(operationId = "getPing", summary = "Whether the model is there and its engine lives.")
  @APIResponse(responseCode = "200", description = "It is, without a body.")
  @SecurityRequirements({})
  public void ping(@Context RoutingContext routing, @Suspended AsyncResponse response) {
    health(routing, response);
  }

  @POST
  @Path("/ping")
  @Tag(ref = "vLLM")
  @Operation(operationId = "postPing", summary = "Whether the model is there and its engine lives.")
  @APIResponse(responseCode = "200", description = "It is, without a body.")
  @SecurityRequirements({})
  public void postedPing(@Context RoutingContext routing, @Suspended AsyncResponse response) {
    health(routing, response);
  }

  // ---- answers

  private static void answer(RoutingContext routing, AsyncResponse response, Consumer<Exchange> work) {
    Exchange.answer(routing, response, ApiError::toJson, work);
  }

  private void receive(Exchange exchange, Endpoint endpoint) {
    bodies.receive(exchange, true, body -> answers.answer(endpoint, body, exchange));
  }

  /**
   * As vLLM's server answers probes, with nothing: whether the model is there and its engine lives. A full queue does not count, unlike for {@code /q/health/ready}:
   * who restarts a service for a probe like this one would lose what it computes.
   */
  private void probe(Exchange exchange) {
    models.require("");
    if (models.stopping()) {
      throw new EngineException(EngineError.SHUTTING_DOWN, "The service is stopping and takes no new requests.", Map.of());
    }
    if (liveness.call().getStatus() == HealthCheckResponse.Status.UP) {
      exchange.sendNothing();
    } else {
      exchange.sendNow(ApiError.of(new EngineException(EngineError.INTERNAL, "The engine makes no step any more.", Map.of()), Map.of()));
    }
  }

  private ObjectNode list() {
    // Says that loading is not over, rather than that there are none.
    models.require("");
    ObjectNode body = JsonNodeFactory.instance.objectNode().put("object", "list");
    ArrayNode data = body.putArray("data");
    for (Engine engine : models.all()) {
      data.add(describe(engine.model()));
    }
    return body;
  }

  /** The context's length has a name of ours, which other servers have as well, and vLLM's. */
  private static ObjectNode describe(ModelInfo model) {
    return JsonNodeFactory.instance.objectNode()
        .put("id", model.name())
        .put("object", "model")
        .put("created", model.createdEpochSeconds())
        .put("owned_by", "nibble")
        .put("context_length", model.contextLength())
        .put("max_model_len", model.contextLength());
  }
}
