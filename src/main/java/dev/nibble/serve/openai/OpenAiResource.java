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

/**
 * The OpenAI-compatible API: {@code /v1/models}, {@code /v1/chat/completions} and {@code /v1/completions}, also without {@code /v1}, and the places that clients of
 * vLLM's server ask for beside them.
 *
 * <p>Methods run on the event loop and hand the exchange to those who write it; {@link Exchange#answer} says why. Streams are not the framework's either: its server-sent
 * events send their head with the first of them, it decides by the method and not by the body whether there are events, and it ends a stream that failed without a word.
 */
@Path("/")
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
  public void models(@Context RoutingContext routing, @Suspended AsyncResponse response) {
    answer(routing, response, exchange -> exchange.sendNow(list()));
  }

  @GET
  @Path(Paths.MODELS + "/{id:.+}")
  public void model(@Context RoutingContext routing, @Suspended AsyncResponse response, @PathParam("id") @Encoded String id) {
    answer(routing, response, exchange -> exchange.sendNow(describe(models.require(Paths.decode(Paths.bare(id))).model())));
  }

  @POST
  @Path(Paths.CHAT)
  public void chat(@Context RoutingContext routing, @Suspended AsyncResponse response) {
    answer(routing, response, exchange -> receive(exchange, chat));
  }

  @POST
  @Path(Paths.TEXT)
  public void text(@Context RoutingContext routing, @Suspended AsyncResponse response) {
    answer(routing, response, exchange -> receive(exchange, text));
  }

  // ---- the same without /v1, for clients whose base URL lacks it

  @GET
  @Path("/models")
  public void bareModels(@Context RoutingContext routing, @Suspended AsyncResponse response) {
    models(routing, response);
  }

  @GET
  @Path("/models/{id:.+}")
  public void bareModel(@Context RoutingContext routing, @Suspended AsyncResponse response, @PathParam("id") @Encoded String id) {
    model(routing, response, id);
  }

  @POST
  @Path("/chat/completions")
  public void bareChat(@Context RoutingContext routing, @Suspended AsyncResponse response) {
    chat(routing, response);
  }

  @POST
  @Path("/completions")
  public void bareText(@Context RoutingContext routing, @Suspended AsyncResponse response) {
    text(routing, response);
  }

  // ---- vLLM's places

  @POST
  @Path(Paths.TOKENIZE)
  public void tokenize(@Context RoutingContext routing, @Suspended AsyncResponse response) {
    answer(routing, response, exchange -> bodies.receive(exchange, true, body -> tokenizer.tokenize(body, exchange)));
  }

  @POST
  @Path(Paths.DETOKENIZE)
  public void detokenize(@Context RoutingContext routing, @Suspended AsyncResponse response) {
    answer(routing, response, exchange -> bodies.receive(exchange, true, body -> tokenizer.detokenize(body, exchange)));
  }

  @GET
  @Path(Paths.TOKENIZER_INFO)
  public void tokenizerInfo(@Context RoutingContext routing, @Suspended AsyncResponse response) {
    answer(routing, response, exchange -> exchange.sendNow(tokenizer.info()));
  }

  @GET
  @Path(Paths.VERSION)
  public void version(@Context RoutingContext routing, @Suspended AsyncResponse response) {
    answer(routing, response, exchange -> exchange.sendNow(JsonNodeFactory.instance.objectNode().put("version", version)));
  }

  @GET
  @Path("/health")
  public void health(@Context RoutingContext routing, @Suspended AsyncResponse response) {
    answer(routing, response, this::probe);
  }

  @POST
  @Path("/health")
  public void postedHealth(@Context RoutingContext routing, @Suspended AsyncResponse response) {
    health(routing, response);
  }

  @GET
  @Path("/ping")
  public void ping(@Context RoutingContext routing, @Suspended AsyncResponse response) {
    health(routing, response);
  }

  @POST
  @Path("/ping")
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
