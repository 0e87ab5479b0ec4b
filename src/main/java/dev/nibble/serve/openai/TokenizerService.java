package dev.nibble.serve.openai;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.nibble.engine.Engine;
import dev.nibble.engine.EngineException;
import dev.nibble.serve.api.CallTracker;
import dev.nibble.serve.api.PromptBuilder;
import dev.nibble.serve.api.ServedModels;
import dev.nibble.serve.api.http.ApiError;
import dev.nibble.serve.api.http.Body;
import dev.nibble.serve.api.http.BodyJson;
import dev.nibble.serve.api.http.Exchange;
import dev.nibble.serve.api.http.RefusedException;
import dev.nibble.serve.api.request.Fields;
import dev.nibble.serve.api.request.ForeignFields;
import dev.nibble.serve.api.request.Json;
import dev.nibble.serve.api.request.Prompt;
import dev.nibble.serve.api.request.RequestParser;
import dev.nibble.tokenizer.EncodingBudget;
import dev.nibble.tokenizer.Tokenizer;
import jakarta.inject.Inject;
import jakarta.inject.Singleton;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import org.jboss.logging.Logger;

/** Text to ids and back, in the form of vLLM's server; where prompts are prepared, as it takes time by its length. */
@Singleton
final class TokenizerService {
  private static final Logger LOG = Logger.getLogger(TokenizerService.class);
  /** Texts need not fit in a context: programs ask how much of one does. */
  private static final BodyJson JSON = BodyJson.of(0, Long.MAX_VALUE);

  /** What is done with a body, within a budget of time. */
  @FunctionalInterface
  private interface Work {
    ObjectNode of(ObjectNode body, EncodingBudget budget);
  }

  private final ServedModels models;
  private final CallTracker calls;

  @Inject
  TokenizerService(ServedModels models, CallTracker calls) {
    this.models = models;
    this.calls = calls;
  }

  /** Answers {@code /tokenize}; on the request's event loop. */
  void tokenize(Body body, Exchange exchange) {
    answer(body, exchange, this::ids);
  }

  /** Answers {@code /detokenize}; on the request's event loop. */
  void detokenize(Body body, Exchange exchange) {
    answer(body, exchange, this::text);
  }

  private void answer(Body body, Exchange exchange, Work work) {
    CallTracker.Call call = calls.begin();
    Thread.ofVirtual().name("nibble-rest-" + exchange.requestId()).start(() -> {
      try (call; body) {
        Optional<String> answer = Optional.empty();
        Optional<ApiError> refusal = Optional.empty();
        try {
          EncodingBudget budget = body.place().budget(Integer.MAX_VALUE);
          String text = body.place().prepare(body.work(), () -> Json.write(work.of(JSON.read(body, budget), budget)));
          body.place().answer(text.length());
          answer = Optional.of(text);
        } catch (EngineException failure) {
          refusal = Optional.of(ApiError.of(failure, Map.of()));
        } catch (RefusedException failure) {
          refusal = Optional.of(failure.error());
        } catch (RuntimeException | Error defect) {
          LOG.errorf(defect, "Request %s failed.", exchange.requestId());
          refusal = Optional.of(ApiError.internal(exchange.requestId()));
        }
        if (answer.isPresent()) {
          exchange.sendJson(answer.get());
        } else {
          body.close();
          exchange.send(refusal.orElseThrow());
        }
      } catch (InterruptedException interrupt) {
        Thread.currentThread().interrupt();
      }
    });
  }

  /** Names of special tokens stand for these unless {@code parse_special} is false: ids are told, and nothing is done with them. */
  private ObjectNode ids(ObjectNode body, EncodingBudget budget) {
    Fields fields = Fields.ofBody(body);
    Engine engine = models.require(fields.string("model").orElse(""));
    Tokenizer tokenizer = engine.tokenizer();
    boolean pieces = fields.flag("return_token_strs");
    int[] ids;
    if (fields.any("messages").isPresent()) {
      RequestParser.refuseInMessages(fields);
      ForeignFields.take(fields);
      ids = PromptBuilder.chat(engine, RequestParser.messages(fields, new ArrayList<>()), budget);
    } else {
      ForeignFields.take(fields);
      String text = fields.string("prompt").orElseThrow(() -> EngineException.invalid("prompt", "prompt or messages is needed."));
      ids = PromptBuilder.text(tokenizer, text, fields.optionalFlag("add_special_tokens").orElse(true), fields.optionalFlag("parse_special").orElse(true), budget);
    }
    ObjectNode response = JsonNodeFactory.instance.objectNode().put("count", ids.length).put("max_model_len", engine.model().contextLength());
    ArrayNode tokens = response.putArray("tokens");
    for (int id : ids) {
      tokens.add(id);
    }
    if (pieces) {
      ArrayNode texts = response.putArray("token_strs");
      for (int id : ids) {
        texts.add(name(tokenizer, id));
      }
    } else {
      response.putNull("token_strs");
    }
    return response;
  }

  private ObjectNode text(ObjectNode body, EncodingBudget budget) {
    Fields fields = Fields.ofBody(body);
    Tokenizer tokenizer = models.require(fields.string("model").orElse("")).tokenizer();
    JsonNode tokens = fields.any("tokens").orElseThrow(() -> EngineException.invalid("tokens", "tokens is missing; an array of token ids is needed."));
    if (!tokens.isArray()) {
      throw Fields.wrongType("tokens", tokens, "an array of token ids");
    }
    int[] ids = RequestParser.ids(tokens, "tokens");
    Prompt.requireInside(ids, tokenizer, "tokens");
    return JsonNodeFactory.instance.objectNode().put("prompt", tokenizer.decode(ids, true));
  }

  /** What {@code /tokenizer_info} tells of the default model: names of special tokens, and the chat template. */
  ObjectNode info() {
    Engine engine = models.require("");
    Tokenizer tokenizer = engine.tokenizer();
    return JsonNodeFactory.instance.objectNode()
        .put("tokenizer_class", "Nibble")
        .put("model_max_length", engine.model().contextLength())
        .put("bos_token", name(tokenizer, tokenizer.bos()))
        .put("eos_token", name(tokenizer, tokenizer.eos()))
        .put("chat_template", tokenizer.chatTemplate().orElse(null));
  }

  private static String name(Tokenizer tokenizer, OptionalInt id) {
    return id.isPresent() ? name(tokenizer, id.getAsInt()) : null;
  }

  private static String name(Tokenizer tokenizer, int id) {
    return new String(tokenizer.bytes(id, true), StandardCharsets.UTF_8);
  }
}
