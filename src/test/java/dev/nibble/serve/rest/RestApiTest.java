package dev.nibble.serve.rest;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.nibble.serve.Api;
import dev.nibble.serve.Http2Wire;
import dev.nibble.serve.api.request.ForeignFields;
import io.quarkus.test.common.http.TestHTTPResource;
import io.quarkus.test.junit.QuarkusTest;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpRequest.BodyPublishers;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** The OpenAI-compatible API over real connections; the embedded model answers. */
@QuarkusTest
class RestApiTest {
  private static final String CHAT = "/v1/chat/completions";
  private static final String TEXT = "/v1/completions";
  private static final String DIM = "{\"device\":\"light\",\"room\":\"kitchen\",\"action\":\"dim\",\"value\":30}";
  private static final String DIM_MESSAGES = "\"messages\":[{\"role\":\"user\",\"content\":\"dim the kitchen light to 30 percent\"}]";
  private static final String DIM_REQUEST = "{\"model\":\"nibble-home\",\"temperature\":0," + DIM_MESSAGES + "}";

  @TestHTTPResource("/")
  URI base;

  private Api api;

  /** Whichever test is the first one has its model: bare connections do not ask again while it is loaded. */
  @BeforeEach
  void connect() throws Exception {
    api = new Api(base);
    Api.await("the model is loaded", () -> api.get("/v1/models").text().contains("nibble-home"));
  }

  private JsonNode ok(String path, String body) throws IOException, InterruptedException {
    Api.Reply reply = api.post(path, body);
    assertThat(reply.status()).as(reply.text()).isEqualTo(200);
    assertThat(reply.header("Content-Type")).isEqualTo("application/json");
    return reply.json();
  }

  private static String chat(String fields) {
    return "{\"model\":\"nibble-home\",\"temperature\":0," + fields + "," + DIM_MESSAGES + "}";
  }

  private static String text(String fields) {
    return "{\"model\":\"nibble-home\",\"temperature\":0,\"prompt\":\"Once upon a time\"," + fields + "}";
  }

  // ---- the document of the API

  @Test
  void theDocumentIsTheOneThatIsCheckedIn() throws Exception {
    Api.Reply reply = api.get("/q/openapi");
    assertThat(reply.status()).isEqualTo(200);
    assertThat(reply.header("Content-Type")).isEqualTo("application/json");
    assertThat(reply.text()).isEqualTo(Files.readString(Path.of("docs/openapi.json")));
    assertError(api.send(api.request("/q/openapi").DELETE().build()), 405, "method_not_allowed", null, "allowed: GET, HEAD");
  }

  // ---- models

  @Test
  void listsTheModel() throws Exception {
    Api.Reply reply = api.get("/v1/models");
    assertThat(reply.status()).isEqualTo(200);
    JsonNode list = reply.json();
    assertThat(list.get("object").textValue()).isEqualTo("list");
    assertThat(list.get("data")).hasSize(1);
    JsonNode model = list.get("data").get(0);
    assertThat(model.get("id").textValue()).isEqualTo("nibble-home");
    assertThat(model.get("object").textValue()).isEqualTo("model");
    assertThat(model.get("created").isIntegralNumber()).isTrue();
    assertThat(model.get("owned_by").textValue()).isEqualTo("nibble");
    assertThat(model.get("context_length").intValue()).isEqualTo(1024);
    assertThat(model.get("max_model_len").intValue()).isEqualTo(1024);
    assertThat(api.get("/v1/models/nibble-home").json()).isEqualTo(model);
    assertThat(api.get("/v1/models/nibble%2Dhome").json()).isEqualTo(model);
  }

  @Test
  void answersHead() throws Exception {
    Api.Reply reply = api.send(api.request("/v1/models").HEAD().build());
    assertThat(reply.status()).isEqualTo(200);
    assertThat(reply.text()).isEmpty();
  }

  // ---- answers

  @Test
  void answersAConversation() throws Exception {
    Api.Reply reply = api.post(CHAT, DIM_REQUEST);
    assertThat(reply.header("X-Request-Id")).startsWith("req_");
    JsonNode answer = reply.json();
    assertThat(answer.get("id").textValue()).startsWith("chatcmpl-");
    assertThat(answer.get("object").textValue()).isEqualTo("chat.completion");
    assertThat(answer.get("model").textValue()).isEqualTo("nibble-home");
    assertThat(answer.get("created").longValue()).isBetween(System.currentTimeMillis() / 1000 - 600, System.currentTimeMillis() / 1000 + 1);
    assertThat(answer.get("choices")).hasSize(1);
    JsonNode choice = answer.get("choices").get(0);
    assertThat(choice.get("index").intValue()).isZero();
    assertThat(choice.get("message").get("role").textValue()).isEqualTo("assistant");
    assertThat(choice.get("message").get("content").textValue()).isEqualTo(DIM);
    assertThat(choice.get("message").get("refusal").isNull()).isTrue();
    assertThat(choice.get("logprobs").isNull()).isTrue();
    assertThat(choice.get("finish_reason").textValue()).isEqualTo("stop");
    JsonNode usage = answer.get("usage");
    assertThat(usage.get("prompt_tokens").intValue()).isEqualTo(15);
    assertThat(usage.get("completion_tokens").intValue()).isEqualTo(18);
    assertThat(usage.get("total_tokens").intValue()).isEqualTo(33);
    for (String time : List.of("queue_ms", "prefill_ms", "decode_ms")) {
      assertThat(answer.get("timings").get(time).doubleValue()).as(time).isBetween(0.0, 60_000.0);
    }
  }

  @Test
  void streamsAConversation() throws Exception {
    Api.Reply reply = api.post(CHAT, chat("\"stream\":true,\"stream_options\":{\"include_usage\":true}"));
    assertThat(reply.status()).isEqualTo(200);
    assertThat(reply.header("Content-Type")).isEqualTo("text/event-stream; charset=utf-8");
    List<String> events = reply.events();
    assertThat(events.getLast()).isEqualTo("[DONE]");
    List<JsonNode> chunks = events.subList(0, events.size() - 1).stream().map(Api::parse).toList();

    JsonNode first = chunks.getFirst();
    assertThat(first.get("choices").get(0).get("delta")).isEqualTo(Api.parse("{\"role\":\"assistant\",\"content\":\"\"}"));
    assertThat(chunks).allSatisfy(chunk -> {
      assertThat(chunk.get("object").textValue()).isEqualTo("chat.completion.chunk");
      assertThat(chunk.get("id")).isEqualTo(first.get("id"));
    });
    StringBuilder content = new StringBuilder();
    for (JsonNode chunk : chunks.subList(1, chunks.size() - 2)) {
      content.append(chunk.get("choices").get(0).get("delta").get("content").textValue());
      assertThat(chunk.get("choices").get(0).get("finish_reason").isNull()).isTrue();
      assertThat(chunk.get("usage").isNull()).isTrue();
    }
    assertThat(content).hasToString(DIM);
    assertThat(chunks.size()).as("pieces").isGreaterThan(15);
    JsonNode last = chunks.get(chunks.size() - 2);
    assertThat(last.get("choices").get(0).get("delta")).isEmpty();
    assertThat(last.get("choices").get(0).get("finish_reason").textValue()).isEqualTo("stop");
    JsonNode usage = chunks.getLast();
    assertThat(usage.get("choices")).isEmpty();
    assertThat(usage.get("usage").get("total_tokens").intValue()).isEqualTo(33);
  }

  @Test
  void streamsWithoutUsageUnlessAsked() throws Exception {
    List<String> events = api.post(CHAT, chat("\"stream\":true")).events();
    assertThat(events.subList(0, events.size() - 1)).noneMatch(event -> event.contains("\"usage\""));
    assertThat(Api.parse(events.get(events.size() - 2)).get("choices").get(0).get("finish_reason").textValue()).isEqualTo("stop");
  }

  @Test
  void continuesText() throws Exception {
    JsonNode answer = ok(TEXT, text("\"max_tokens\":24"));
    assertThat(answer.get("id").textValue()).startsWith("cmpl-");
    assertThat(answer.get("object").textValue()).isEqualTo("text_completion");
    JsonNode choice = answer.get("choices").get(0);
    assertThat(choice.get("finish_reason").textValue()).isEqualTo("length");
    assertThat(answer.get("usage").get("completion_tokens").intValue()).isEqualTo(24);
    String whole = choice.get("text").textValue();
    assertThat(whole).startsWith(", there was a little");

    List<String> events = api.post(TEXT, text("\"max_tokens\":24,\"stream\":true")).events();
    StringBuilder streamed = new StringBuilder();
    for (String event : events.subList(0, events.size() - 1)) {
      JsonNode chunk = Api.parse(event);
      assertThat(chunk.get("object").textValue()).isEqualTo("text_completion");
      streamed.append(chunk.get("choices").get(0).get("text").textValue());
    }
    assertThat(streamed).hasToString(whole);
    assertThat(Api.parse(events.get(events.size() - 2)).get("choices").get(0).get("finish_reason").textValue()).isEqualTo("length");

    assertThat(ok(TEXT, text("\"max_tokens\":24,\"echo\":true")).get("choices").get(0).get("text").textValue()).isEqualTo("Once upon a time" + whole);
    List<String> echoed = api.post(TEXT, text("\"max_tokens\":24,\"echo\":true,\"stream\":true")).events();
    assertThat(Api.parse(echoed.getFirst()).get("choices").get(0).get("text").textValue()).isEqualTo("Once upon a time");
    String inArray = "{\"temperature\":0,\"max_tokens\":24,\"prompt\":[\"Once upon a time\"]}";
    assertThat(ok(TEXT, inArray).get("choices").get(0).get("text").textValue()).isEqualTo(whole);
  }

  @Test
  void continuesTokenIds() throws Exception {
    // 2043 is the embedded model's <|bos|>.
    JsonNode answer = ok(TEXT, "{\"prompt\":[2043,300,301],\"max_tokens\":4,\"temperature\":0}");
    assertThat(answer.get("usage").get("prompt_tokens").intValue()).isEqualTo(3);
    assertThat(ok(TEXT, "{\"prompt\":[[2043,300,301]],\"max_tokens\":4,\"temperature\":0}").get("choices")).isEqualTo(answer.get("choices"));
  }

  @Test
  void limitsTheAnswersLength() throws Exception {
    assertThat(ok(CHAT, chat("\"max_tokens\":3")).get("usage").get("completion_tokens").intValue()).isEqualTo(3);
    JsonNode answer = ok(CHAT, chat("\"max_completion_tokens\":4,\"max_tokens\":3"));
    assertThat(answer.get("usage").get("completion_tokens").intValue()).as("the newer field counts").isEqualTo(4);
    assertThat(answer.get("choices").get(0).get("finish_reason").textValue()).isEqualTo("length");
    assertThat(ok(CHAT, chat("\"max_tokens\":60,\"ignore_eos\":true")).get("usage").get("completion_tokens").intValue()).isEqualTo(60);
  }

  @Test
  void stopsAtStopStrings() throws Exception {
    JsonNode choice = ok(CHAT, chat("\"stop\":[\"\\\"action\"]")).get("choices").get(0);
    assertThat(choice.get("message").get("content").textValue()).isEqualTo("{\"device\":\"light\",\"room\":\"kitchen\",");
    assertThat(choice.get("finish_reason").textValue()).isEqualTo("stop");
    assertThat(ok(CHAT, chat("\"stop\":\"kitch\"")).get("choices").get(0).get("message").get("content").textValue())
        .isEqualTo("{\"device\":\"light\",\"room\":\"");
  }

  @Test
  void drawsTheSameForTheSameSeed() throws Exception {
    String body = "{\"prompt\":\"One day\",\"max_tokens\":40,\"temperature\":1.2,\"top_k\":200,\"top_p\":0.98,\"min_p\":0.001,\"seed\":%d}";
    String first = ok(TEXT, body.formatted(7)).get("choices").get(0).get("text").textValue();
    assertThat(ok(TEXT, body.formatted(7)).get("choices").get(0).get("text").textValue()).isEqualTo(first);
    assertThat(ok(TEXT, body.formatted(8)).get("choices").get(0).get("text").textValue()).isNotEqualTo(first);
  }

  @Test
  void appliesSamplingFields() throws Exception {
    String free = ok(TEXT, text("\"max_tokens\":40")).get("choices").get(0).get("text").textValue();
    for (String field : List.of("\"repetition_penalty\":5", "\"presence_penalty\":2", "\"frequency_penalty\":2")) {
      assertThat(ok(TEXT, text("\"max_tokens\":40," + field)).get("choices").get(0).get("text").textValue()).as(field).isNotEqualTo(free);
    }
    // 2044 is <|end|>: favoured so much, it ends the answer at once.
    JsonNode ended = ok(TEXT, text("\"max_tokens\":40,\"logit_bias\":{\"2044\":100}"));
    assertThat(ended.get("usage").get("completion_tokens").intValue()).isZero();
    assertThat(ended.get("choices").get(0).get("finish_reason").textValue()).isEqualTo("stop");
  }

  @Test
  void takesPartsNullsAndWhatHasNoMeaning() throws Exception {
    String parts = "\"messages\":[{\"role\":\"user\",\"name\":\"joe\",\"content\":[{\"type\":\"text\",\"text\":\"dim the kitchen \"},"
        + "{\"type\":\"text\",\"text\":\"light to 30 percent\"}]}]";
    Api.Reply reply = api.post(CHAT, "{\"temperature\":0,\"stop\":null,\"seed\":null,\"user\":\"joe\",\"n\":1,\"tools\":[],\"response_format\":{\"type\":\"text\"},"
        + "\"frobnicate\":1," + parts + "}");
    assertThat(reply.json().get("choices").get(0).get("message").get("content").textValue()).isEqualTo(DIM);
    assertThat(reply.header("Nibble-Ignored-Fields")).isEqualTo("messages[0].name, frobnicate");
  }

  // ---- what other servers take

  /** A prompt as programs write it that fill in the chat template themselves. */
  private static final String RAW = "<|user|>\\ndim the kitchen light to 30 percent<|end|>\\n<|assistant|>\\n";

  private static String raw(String prompt, String fields) {
    return "{\"temperature\":0,\"max_tokens\":64,\"prompt\":\"" + prompt + "\"" + fields + "}";
  }

  @Test
  void parsesSpecialTokensInTextWhereAsked() throws Exception {
    for (String body : List.of(
        raw(RAW, ",\"parse_special\":true"),
        raw("<|bos|>" + RAW, ",\"parse_special\":true"),
        raw("<|bos|>" + RAW, ",\"parse_special\":true,\"add_special_tokens\":false"))) {
      JsonNode answer = ok(TEXT, body);
      assertThat(answer.get("choices").get(0).get("text").textValue()).as(body).isEqualTo(DIM);
      assertThat(answer.get("choices").get(0).get("finish_reason").textValue()).isEqualTo("stop");
      assertThat(answer.get("usage").get("prompt_tokens").intValue()).as("as the chat template makes them, and BOS but once").isEqualTo(15);
    }
    assertThat(ok(TEXT, raw(RAW, ",\"parse_special\":true,\"add_special_tokens\":false")).get("usage").get("prompt_tokens").intValue()).isEqualTo(14);
    for (String fields : List.of("", ",\"parse_special\":false", ",\"parse_special\":null")) {
      assertThat(ok(TEXT, raw(RAW, fields)).get("usage").get("prompt_tokens").intValue()).as("mere text").isGreaterThan(25);
    }
    String echoed = ok(TEXT, raw(RAW, ",\"parse_special\":true,\"echo\":true")).get("choices").get(0).get("text").textValue();
    assertThat(echoed).isEqualTo(RAW.replace("\\n", "\n") + DIM);
    List<String> events = api.post(TEXT, raw(RAW, ",\"parse_special\":true,\"echo\":true,\"stream\":true")).events();
    StringBuilder streamed = new StringBuilder();
    events.subList(0, events.size() - 1).forEach(event -> streamed.append(Api.parse(event).get("choices").get(0).get("text").textValue()));
    assertThat(streamed).hasToString(echoed);
    JsonNode generated = ok("/v2/models/nibble-home/generate", "{\"temperature\":0,\"max_tokens\":64,\"text_input\":\"" + RAW + "\",\"parameters\":{\"parse_special\":true}}");
    assertThat(generated.get("text_output").textValue()).isEqualTo(DIM);
  }

  /** Values that ask for something, whatever the field. */
  @Test
  void refusesByNameWhatWouldChangeAnswers() throws Exception {
    String infer = "{\"inputs\":[{\"name\":\"prompt\",\"shape\":[1],\"datatype\":\"BYTES\",\"data\":[\"Once\"]}],\"parameters\":{\"max_tokens\":1,%s}}";
    for (String name : ForeignFields.refusedNames()) {
      String field = "\"" + name + "\":{\"type\":\"object\"}";
      assertError(api.post(CHAT, chat(field)), 400, null, name, name + " is not supported");
      assertError(api.post(TEXT, text(field)), 400, null, name, name + " is not supported");
      for (String body : List.of("/generate|{\"text_input\":\"Once\",\"max_tokens\":1," + field + "}", "/infer|" + infer.formatted(field))) {
        Api.Reply reply = api.post("/v2/models/nibble-home" + body.substring(0, body.indexOf('|')), body.substring(body.indexOf('|') + 1));
        assertThat(reply.status()).as(body).isEqualTo(400);
        assertThat(reply.json().get("error").textValue()).startsWith(name + " is not supported");
      }
    }
    for (String field : List.of("\"guided_json\":{\"type\":\"object\"}", "\"guided_regex\":\"[0-9]+\"", "\"guided_choice\":[\"yes\",\"no\"]",
        "\"guided_grammar\":\"root ::= x\"", "\"structured_outputs\":{\"json\":{}}", "\"grammar\":\"root ::= x\"", "\"json_schema\":{\"type\":\"object\"}",
        "\"format\":\"json\"", "\"regex\":\"a*\"", "\"min_tokens\":5", "\"stop_token_ids\":[1]", "\"skip_special_tokens\":false", "\"mirostat\":2",
        "\"typical_p\":0.9", "\"do_sample\":false", "\"n_predict\":5", "\"truncate_prompt_tokens\":5")) {
      String name = field.substring(1, field.indexOf('"', 1));
      assertError(api.post(CHAT, chat(field)), 400, null, name, name + " is not supported");
      assertError(api.post(TEXT, text(field + ",\"stream\":true")), 400, null, name, name + " is not supported");
    }
    for (String format : List.of("{\"type\":\"json_object\"}", "{\"type\":\"json_schema\",\"json_schema\":{}}", "{\"type\":\"structural_tag\"}", "{}")) {
      assertError(api.post(TEXT, text("\"response_format\":" + format)), 400, null, "response_format", "only supported as");
    }
  }

  @Test
  void takesFieldsThatAskForNothing() throws Exception {
    String nulls = String.join(",", ForeignFields.refusedNames().stream().map(name -> "\"" + name + "\":null").toList());
    String labels = String.join(",", ForeignFields.disregardedNames().stream().map(name -> "\"" + name + "\":\"x\"").toList());
    // What vLLM's, llama.cpp's and TGI's own clients send where nobody chose.
    String defaults = "\"use_beam_search\":false,\"stop_token_ids\":[],\"min_tokens\":0,\"skip_special_tokens\":true,\"length_penalty\":1.0,\"bad_words\":[],"
        + "\"include_stop_str_in_output\":false,\"typical_p\":1,\"mirostat\":0,\"repeat_penalty\":1,\"dry_multiplier\":0.0,\"top_n_sigma\":-1,\"grammar\":\"\","
        + "\"do_sample\":true,\"return_full_text\":false,\"watermark\":false,\"tools\":[],\"functions\":[],\"tool_choice\":\"none\",\"modalities\":[\"text\"],"
        + "\"logit_bias\":{},\"n\":1.0,\"stop\":[],\"suffix\":\"\",\"presence_penalty\":0,\"frequency_penalty\":0.0,\"seed\":-1,\"stream\":null,"
        + "\"stream_options\":null,\"max_tokens\":null,\"response_format\":null,\"echo\":false";
    for (String fields : List.of(nulls, labels, defaults)) {
      Api.Reply reply = api.post(CHAT, chat(fields));
      assertThat(reply.status()).as(reply.text()).isEqualTo(200);
      assertThat(reply.json().get("choices").get(0).get("message").get("content").textValue()).isEqualTo(DIM);
      assertThat(reply.header("Nibble-Ignored-Fields")).isEmpty();
    }
    Api.Reply hints = api.post(CHAT, chat("\"priority\":3,\"reasoning_effort\":\"low\",\"logprobs\":false,\"top_logprobs\":0"));
    assertThat(hints.status()).isEqualTo(200);
    assertThat(hints.header("Nibble-Ignored-Fields")).isEqualTo("priority, reasoning_effort");
  }

  @Test
  void takesValuesAsOtherServersDo() throws Exception {
    assertThat(ok(CHAT, chat("\"max_tokens\":5.0,\"top_k\":-1,\"seed\":7.0")).get("usage").get("completion_tokens").intValue()).isEqualTo(5);
    assertThat(ok(CHAT, chat("\"max_tokens\":-1")).get("choices").get(0).get("finish_reason").textValue()).isEqualTo("stop");
    assertThat(ok(TEXT, text("\"max_tokens\":3,\"logprobs\":false")).get("choices").get(0).get("logprobs").isNull()).isTrue();
    assertThat(ok(TEXT, text("\"max_tokens\":3,\"logprobs\":true")).get("choices").get(0).get("logprobs").get("top_logprobs").get(0)).hasSize(1);
    String first = "{\"temperature\":0,\"messages\":[{\"role\":\"user\",\"content\":\"turn on the kitchen light\"},";
    String second = "{\"role\":\"user\",\"content\":\"dim the kitchen light to 30 percent\"}]}";
    JsonNode empty = ok(CHAT, first + "{\"role\":\"assistant\",\"content\":\"\"}," + second);
    assertThat(ok(CHAT, first + "{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[]}," + second).get("choices")).isEqualTo(empty.get("choices"));
    assertThat(ok(CHAT, first + "{\"role\":\"assistant\",\"refusal\":null}," + second).get("choices")).isEqualTo(empty.get("choices"));
    for (String seed : List.of("-1", "null")) {
      String drawn = "{\"prompt\":\"One day\",\"max_tokens\":40,\"temperature\":1.5,\"seed\":" + seed + "}";
      assertThat(ok(TEXT, drawn).get("choices")).as("drawn anew").isNotEqualTo(ok(TEXT, drawn).get("choices"));
    }
    JsonNode latest = ok(CHAT, DIM_REQUEST.replace("nibble-home", "nibble-home:latest"));
    assertThat(latest.get("choices").get(0).get("message").get("content").textValue()).isEqualTo(DIM);
    assertThat(latest.get("model").textValue()).isEqualTo("nibble-home");
    assertThat(api.get("/v1/models/nibble-home:latest").json().get("id").textValue()).isEqualTo("nibble-home");
    assertError(api.post(CHAT, DIM_REQUEST.replace("nibble-home", "nibble-home:7b")), 404, "model_not_found", "model", "nibble-home:7b");
  }

  @Test
  void endsAnswersWhereTheContextEnds() throws Exception {
    for (String most : List.of("4096", "1024", "2147483647", "-1")) {
      JsonNode answer = ok(CHAT, chat("\"ignore_eos\":true,\"max_tokens\":" + most));
      assertThat(answer.get("usage").get("total_tokens").intValue()).as(most).isEqualTo(1024);
      assertThat(answer.get("choices").get(0).get("finish_reason").textValue()).isEqualTo("length");
    }
    List<String> events = api.post(TEXT, text("\"ignore_eos\":true,\"max_tokens\":4096,\"stream\":true")).events();
    assertThat(Api.parse(events.get(events.size() - 2)).get("choices").get(0).get("finish_reason").textValue()).isEqualTo("length");
    JsonNode generated = ok("/v2/models/nibble-home/generate", "{\"text_input\":\"Once\",\"parameters\":{\"max_tokens\":5000,\"ignore_eos\":true}}");
    assertThat(generated.get("prompt_tokens").intValue() + generated.get("completion_tokens").intValue()).isEqualTo(1024);
    assertThat(generated.get("finish_reason").textValue()).isEqualTo("length");
  }

  @Test
  void theDocumentationNamesEveryForeignField() throws Exception {
    String page = Files.readString(Path.of("docs/rest.md"));
    assertThat(Stream.concat(ForeignFields.refusedNames().stream(), ForeignFields.disregardedNames().stream())).allSatisfy(name -> assertThat(page).contains("`" + name + "`"));
  }

  // ---- log-probabilities

  @Test
  void measuresAConversationsTokens() throws Exception {
    JsonNode answer = ok(CHAT, chat("\"logprobs\":true,\"top_logprobs\":3"));
    JsonNode measured = answer.get("choices").get(0).get("logprobs").get("content");
    assertThat(measured).hasSize(18);
    assertThat(answer.get("choices").get(0).get("logprobs").get("refusal").isNull()).isTrue();
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    for (JsonNode token : measured) {
      token.get("bytes").forEach(value -> bytes.write(value.intValue()));
      assertThat(token.get("logprob").doubleValue()).isBetween(-20.0, 0.0);
      JsonNode alternatives = token.get("top_logprobs");
      assertThat(alternatives).hasSize(3);
      assertThat(alternatives.get(0).get("token")).as("greedy takes the likeliest").isEqualTo(token.get("token"));
      assertThat(alternatives.get(0).get("logprob")).isEqualTo(token.get("logprob"));
      assertThat(alternatives.get(1).get("logprob").doubleValue()).isGreaterThanOrEqualTo(alternatives.get(2).get("logprob").doubleValue());
      assertThat(alternatives.get(1).get("bytes").isArray()).isTrue();
    }
    assertThat(bytes.toString(StandardCharsets.UTF_8)).isEqualTo(DIM);

    List<String> events = api.post(CHAT, chat("\"logprobs\":true,\"top_logprobs\":3,\"stream\":true")).events();
    List<JsonNode> streamed = events.subList(0, events.size() - 1).stream()
        .map(event -> Api.parse(event).get("choices").get(0).get("logprobs")).filter(node -> !node.isNull())
        .flatMap(node -> Stream.of(node.get("content")).flatMap(content -> content.valueStream())).toList();
    assertThat(streamed).containsExactlyElementsOf(measured);
    assertThat(ok(CHAT, chat("\"logprobs\":true")).get("choices").get(0).get("logprobs").get("content").get(0).get("top_logprobs")).isEmpty();
  }

  @Test
  void measuresTextsTokens() throws Exception {
    JsonNode choice = ok(TEXT, text("\"max_tokens\":8,\"logprobs\":2")).get("choices").get(0);
    JsonNode measured = choice.get("logprobs");
    String text = choice.get("text").textValue();
    StringBuilder joined = new StringBuilder();
    for (int i = 0; i < 8; i++) {
      assertThat(measured.get("text_offset").get(i).intValue()).isEqualTo(joined.length());
      String token = measured.get("tokens").get(i).textValue();
      joined.append(token);
      assertThat(measured.get("token_logprobs").get(i).doubleValue()).isLessThanOrEqualTo(0);
      assertThat(measured.get("top_logprobs").get(i)).hasSize(2);
      assertThat(measured.get("top_logprobs").get(i).get(token)).isEqualTo(measured.get("token_logprobs").get(i));
    }
    assertThat(joined).hasToString(text);
  }

  // ---- refusals

  static Stream<Arguments> unusableBodies() {
    String long3000 = "word ".repeat(3000);
    return Stream.of(
        Arguments.of(CHAT, "", null, null, "The body is empty"),
        Arguments.of(CHAT, "{\"model\":", null, null, "not well-formed JSON"),
        Arguments.of(CHAT, "{\"model\":\"a\",\"model\":\"b\"}", null, null, "not well-formed JSON"),
        Arguments.of(CHAT, "[1]", null, null, "The body is an array"),
        Arguments.of(CHAT, "{\"messages\":" + "[".repeat(3000), null, null, "than any request needs"),
        Arguments.of(CHAT, "[".repeat(3000), null, null, "The body is an array; a JSON object is needed."),
        Arguments.of(CHAT, "{}", null, "messages", "messages is missing"),
        Arguments.of(CHAT, "{\"messages\":[]}", null, "messages", "empty"),
        Arguments.of(CHAT, "{\"messages\":\"hi\"}", null, "messages", "must be an array"),
        Arguments.of(CHAT, "{\"messages\":[{\"role\":\"wizard\",\"content\":\"hi\"}]}", null, "messages[0].role", "wizard"),
        Arguments.of(CHAT, "{\"messages\":[{\"role\":\"user\"}]}", null, "messages[0].content", "no content"),
        Arguments.of(CHAT, "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\"}]}]}", null, "messages[0].content[0].type", "image_url"),
        Arguments.of(CHAT, chat("\"n\":2"), null, "n", "allowed: 1"),
        Arguments.of(CHAT, chat("\"top_p\":2"), null, "top_p", "0 to 1"),
        Arguments.of(CHAT, chat("\"max_tokens\":0"), null, "max_tokens", "1 or more"),
        Arguments.of(CHAT, chat("\"max_completion_tokens\":-2"), null, "max_completion_tokens", "1 or more"),
        Arguments.of(CHAT, chat("\"max_tokens\":1.5"), null, "max_tokens", "must be an integer"),
        Arguments.of(CHAT, chat("\"seed\":1e400"), null, "seed", "must be an integer"),
        Arguments.of(CHAT, chat("\"stream\":\"yes\""), null, "stream", "true or false"),
        Arguments.of(CHAT, chat("\"stream_options\":{\"include_usage\":true}"), null, "stream_options", "stream is true"),
        Arguments.of(CHAT, chat("\"top_logprobs\":2"), null, "top_logprobs", "needs logprobs"),
        Arguments.of(CHAT, chat("\"logprobs\":true,\"top_logprobs\":21"), null, "top_logprobs", "0 to 20"),
        Arguments.of(CHAT, chat("\"stop\":[\"\"]"), null, "stop", "allowed: 1 to 256"),
        Arguments.of(CHAT, chat("\"logit_bias\":{\"999999\":1}"), null, "logit_bias[999999]", "vocabulary"),
        Arguments.of(CHAT, chat("\"tools\":[{\"type\":\"function\"}]"), null, "tools", "not supported"),
        Arguments.of(CHAT, chat("\"response_format\":{\"type\":\"json_object\"}"), null, "response_format", "only supported as"),
        Arguments.of(CHAT, "{\"messages\":[{\"role\":\"user\",\"content\":\"" + long3000 + "\"}]}", "context_length_exceeded", "messages", "1024 tokens"),
        Arguments.of(CHAT, chat("\"temperature\":\"0.7\"").replace("\"temperature\":0,", ""), null, "temperature", "must be a number"),
        Arguments.of(CHAT, chat("\"top_k\":-2"), null, "top_k", "0"),
        Arguments.of(CHAT, chat("\"logprobs\":1"), null, "logprobs", "true or false"),
        Arguments.of(CHAT, chat("\"parse_special\":true"), null, "parse_special", "with messages"),
        Arguments.of(CHAT, chat("\"add_special_tokens\":true"), null, "add_special_tokens", "with messages"),
        Arguments.of(CHAT, chat("\"echo\":true"), null, "echo", "with messages"),
        Arguments.of(CHAT, chat("\"tool_choice\":\"required\""), null, "tool_choice", "not supported"),
        Arguments.of(CHAT, "{\"messages\":[{\"role\":\"user\",\"content\":null}]}", null, "messages[0].content", "no content"),
        Arguments.of(TEXT, text("\"stop\":\"\""), null, "stop", "allowed: 1 to 256"),
        Arguments.of(TEXT, text("\"parse_special\":1"), null, "parse_special", "true or false"),
        Arguments.of(TEXT, "{}", null, "prompt", "prompt is missing"),
        Arguments.of(TEXT, "{\"prompt\":[\"a\",\"b\"]}", null, "prompt", "one prompt"),
        Arguments.of(TEXT, "{\"prompt\":[1,99999]}", null, "prompt[1]", "vocabulary"),
        Arguments.of(TEXT, "{\"prompt\":\"" + long3000 + "\"}", "context_length_exceeded", "prompt", "1024 tokens"),
        Arguments.of(TEXT, "{\"prompt\":\"" + long3000 + "\",\"stream\":true}", "context_length_exceeded", "prompt", "1024 tokens"),
        Arguments.of(TEXT, text("\"suffix\":\"end\""), null, "suffix", "not supported"),
        Arguments.of(TEXT, text("\"best_of\":3"), null, "best_of", "allowed: 1"),
        Arguments.of(TEXT, text("\"echo\":true,\"logprobs\":1"), null, "echo", "not supported together"));
  }

  @ParameterizedTest
  @MethodSource("unusableBodies")
  void refusesUnusableBodies(String path, String body, String code, String parameter, String words) throws Exception {
    assertError(api.post(path, body), 400, code, parameter, words);
  }

  private static void assertError(Api.Reply reply, int status, String code, String parameter, String words) {
    assertThat(reply.status()).as(reply.text()).isEqualTo(status);
    assertThat(reply.header("Content-Type")).isEqualTo("application/json");
    JsonNode error = reply.json().get("error");
    assertThat(error.get("type").textValue()).isEqualTo("invalid_request_error");
    assertThat(error.get("code").textValue()).isEqualTo(code);
    assertThat(error.get("param").textValue()).isEqualTo(parameter);
    assertThat(error.get("message").textValue()).contains(words);
    assertThat(reply.text()).doesNotContain("Exception", "\\tat ", "jackson", "java.");
  }

  @Test
  void refusesUnknownModelsAndPlaces() throws Exception {
    assertError(api.get("/v1/models/gpt-4"), 404, "model_not_found", "model", "\"gpt-4\"");
    assertError(api.post(CHAT, "{\"model\":\"gpt-4\"," + DIM_MESSAGES + "}"), 404, "model_not_found", "model", "served: \"nibble-home\"");
    assertError(api.get("/v1/embeddings"), 404, "unknown_url", null, "/v1/embeddings");
    assertError(api.get("/v1/models/%C3%28"), 404, "model_not_found", "model", "No model");
    try (Api.Wire wire = api.connect()) {
      wire.write("GET /v1/models/%zz HTTP/1.1\r\nHost: test\r\n\r\n");
      assertThat(wire.readResponse()).startsWith("HTTP/1.1 400").contains("\"code\":\"malformed_request\"");
    }
  }

  @Test
  void everythingUnknownIsRefusedInOneForm() throws Exception {
    for (String path : List.of("/", "/v1", "/v1/", "/index.html", "/v1/chat", "/v2x", "/api/generate", "/q", "/q/", "/q/nothing", "/q/health/nothing", "/favicon.ico", "/%22%3Cb%3E")) {
      for (String method : List.of("GET", "POST", "DELETE", "OPTIONS")) {
        Api.Reply reply = api.send(api.request(path).header("Accept", "text/html").method(method, BodyPublishers.noBody()).build());
        assertError(reply, 404, "unknown_url", null, "There is no ");
        assertThat(reply.header("X-Request-Id")).startsWith("req_");
      }
    }
    for (String path : List.of("/v2/nothing", "/v2/models/nibble-home/nothing")) {
      assertThat(api.get(path).json().get("error").isTextual()).as(path).isTrue();
    }
    for (String path : List.of("/q/health", "/q/metrics")) {
      Api.Reply reply = api.send(api.request(path).method("PATCH", BodyPublishers.noBody()).build());
      assertThat(reply.status()).as(path).isIn(200, 404, 405);
      if (reply.status() != 200) {
        assertThat(reply.json().get("error").get("type").textValue()).as(path).isEqualTo("invalid_request_error");
      }
    }
  }

  @Test
  void placesAreFoundBySlashesAndWithoutTheirPrefix() throws Exception {
    for (String path : List.of("/v1/models/", "/models", "/models/", "/v1//models")) {
      assertThat(api.get(path).json()).as(path).isEqualTo(api.get("/v1/models").json());
    }
    for (String path : List.of("/models/nibble-home", "/v1/models/nibble-home/", "/models/nibble-home/")) {
      assertThat(api.get(path).json()).as(path).isEqualTo(api.get("/v1/models/nibble-home").json());
    }
    for (String path : List.of("/v1/chat/completions/", "/chat/completions", "/chat/completions//")) {
      assertThat(ok(path, DIM_REQUEST).get("choices").get(0).get("message").get("content").textValue()).as(path).isEqualTo(DIM);
    }
    for (String path : List.of("/v1/completions/", "/completions", "/completions/")) {
      assertThat(ok(path, text("\"max_tokens\":4")).get("object").textValue()).as(path).isEqualTo("text_completion");
    }
    assertThat(api.get("/completions").header("Allow")).isEqualTo("POST");
  }

  @Test
  void answersWhatLoadBalancersAndGeneratorsAsk() throws Exception {
    for (String path : List.of("/health", "/ping", "/health/", "/ping/")) {
      Api.Reply reply = api.get(path);
      assertThat(reply.status()).as(path).isEqualTo(200);
      assertThat(reply.text()).isEmpty();
      assertThat(api.send(api.request(path).POST(BodyPublishers.noBody()).build()).status()).isEqualTo(200);
      assertThat(api.send(api.request(path).HEAD().build()).status()).isEqualTo(200);
      assertError(api.send(api.request(path).DELETE().build()), 405, "method_not_allowed", null, "DELETE");
    }
    assertThat(api.get("/version").json().get("version").textValue()).isEqualTo("0.1.0");
    for (String path : List.of("/metrics", "/metrics/")) {
      Api.Reply metrics = api.get(path);
      assertThat(metrics.status()).isEqualTo(200);
      assertThat(metrics.header("Content-Type")).startsWith(api.get("/q/metrics").header("Content-Type").split(";")[0]);
      assertThat(metrics.text()).contains("nibble_model_info{").contains("uri=\"/v1/models\"").doesNotContain("uri=\"/models", "uri=\"/completions", "index.html", "favicon");
      assertThat(api.send(api.request(path).header("Accept", "text/html").build()).status()).isEqualTo(200);
    }
  }

  @Test
  void tokenizesAsVllmsServer() throws Exception {
    JsonNode prompt = ok("/tokenize", "{\"model\":\"nibble-home\",\"prompt\":\"Once upon a time\"}");
    assertThat(prompt.get("tokens").get(0).intValue()).as("BOS").isEqualTo(2043);
    assertThat(prompt.get("count").intValue()).isEqualTo(prompt.get("tokens").size());
    assertThat(prompt.get("max_model_len").intValue()).isEqualTo(1024);
    assertThat(prompt.get("token_strs").isNull()).isTrue();
    assertThat(ok(TEXT, text("\"max_tokens\":1")).get("usage").get("prompt_tokens").intValue()).isEqualTo(prompt.get("count").intValue());
    JsonNode bare = ok("/tokenize/", "{\"prompt\":\"Once upon a time\",\"add_special_tokens\":false,\"return_token_strs\":true}");
    assertThat(bare.get("count").intValue()).isEqualTo(prompt.get("count").intValue() - 1);
    assertThat(String.join("", bare.get("token_strs").valueStream().map(JsonNode::textValue).toList())).isEqualTo("Once upon a time");
    JsonNode chat = ok("/tokenize", "{" + DIM_MESSAGES + ",\"add_generation_prompt\":true,\"add_special_tokens\":false}");
    assertThat(chat.get("count").intValue()).isEqualTo(15);

    String raw = "<|bos|>" + RAW;
    JsonNode special = ok("/tokenize", "{\"prompt\":\"" + raw + "\"}");
    assertThat(special.get("tokens")).as("names stand for tokens, and BOS is there once").isEqualTo(chat.get("tokens"));
    assertThat(ok("/tokenize", "{\"prompt\":\"" + raw + "\",\"parse_special\":false}").get("count").intValue()).isGreaterThan(25);
    assertThat(ok("/detokenize", "{\"tokens\":" + special.get("tokens") + "}").get("prompt").textValue()).isEqualTo(raw.replace("\\n", "\n"));
    JsonNode byIds = ok(TEXT, "{\"temperature\":0,\"max_tokens\":64,\"prompt\":" + special.get("tokens") + "}");
    assertThat(byIds.get("choices").get(0).get("text").textValue()).isEqualTo(DIM);
    JsonNode info = api.get("/tokenizer_info").json();
    assertThat(info.get("bos_token").textValue()).isEqualTo("<|bos|>");
    assertThat(info.get("eos_token").textValue()).isEqualTo("<|end|>");
    assertThat(info.get("chat_template").textValue()).contains("<|assistant|>");

    assertError(api.post("/tokenize", "{}"), 400, null, "prompt", "prompt or messages");
    assertError(api.post("/tokenize", "{\"prompt\":\"x\",\"model\":\"gpt-4\"}"), 404, "model_not_found", "model", "gpt-4");
    assertError(api.post("/tokenize", "{" + DIM_MESSAGES + ",\"chat_template\":\"x\"}"), 400, null, "chat_template", "not supported");
    assertError(api.post("/detokenize", "{\"tokens\":[1,99999]}"), 400, null, "tokens[1]", "vocabulary");
    assertError(api.post("/detokenize", "{\"tokens\":7}"), 400, null, "tokens", "must be an array");
    assertError(api.get("/tokenize"), 405, "method_not_allowed", null, "GET");
  }

  @Test
  void refusesOtherMethods() throws Exception {
    Api.Reply get = api.get(CHAT);
    assertError(get, 405, "method_not_allowed", null, "GET is not allowed");
    assertThat(get.header("Allow")).isEqualTo("POST");
    Api.Reply delete = api.send(api.request("/v1/models/nibble-home").DELETE().build());
    assertError(delete, 405, "method_not_allowed", null, "DELETE is not allowed");
    assertThat(delete.header("Allow")).isEqualTo("GET, HEAD");
    assertError(api.send(api.request(TEXT).PUT(BodyPublishers.ofString("{}")).build()), 405, "method_not_allowed", null, "PUT");
  }

  @Test
  void refusesOtherMediaTypes() throws Exception {
    assertError(api.send(api.request(CHAT).POST(BodyPublishers.ofString(DIM_REQUEST)).build()), 415, "unsupported_media_type", null, "missing");
    for (String type : List.of("text/plain", "application/json; charset=latin1")) {
      assertError(
          api.send(api.request(CHAT).header("Content-Type", type).POST(BodyPublishers.ofString(DIM_REQUEST)).build()), 415, "unsupported_media_type", null, type);
    }
    assertError(
        api.send(api.request(CHAT).header("Content-Type", "application/json").header("Content-Encoding", "br").POST(BodyPublishers.ofString("x")).build()),
        415, "unsupported_media_type", null, "\"br\"");
    assertThat(api.send(api.request(CHAT).header("Content-Type", "Application/JSON; charset=\"UTF-8\"").POST(BodyPublishers.ofString(DIM_REQUEST)).build())
        .status()).isEqualTo(200);
  }

  private static byte[] gzip(byte[] bytes) throws IOException {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    try (GZIPOutputStream compressed = new GZIPOutputStream(out)) {
      compressed.write(bytes);
    }
    return out.toByteArray();
  }

  private Api.Reply postCompressed(byte[] body) throws Exception {
    return api.send(api.request(CHAT).header("Content-Type", "application/json").header("Content-Encoding", "gzip").POST(BodyPublishers.ofByteArray(body)).build());
  }

  @Test
  void takesCompressedBodies() throws Exception {
    Api.Reply reply = postCompressed(gzip(DIM_REQUEST.getBytes(StandardCharsets.UTF_8)));
    assertThat(reply.status()).as(reply.text()).isEqualTo(200);
    assertThat(reply.json().get("choices")).isEqualTo(api.post(CHAT, DIM_REQUEST).json().get("choices"));
  }

  @Test
  void refusesBombsAndBrokenCompression() throws Exception {
    byte[] bomb = gzip((DIM_REQUEST + " ".repeat(64_000_000)).getBytes(StandardCharsets.UTF_8));
    assertThat(bomb.length).isLessThan(100_000);
    assertError(postCompressed(bomb), 413, "body_too_large", null, "once decompressed");
    byte[] whole = gzip(DIM_REQUEST.getBytes(StandardCharsets.UTF_8));
    assertError(postCompressed(Arrays.copyOf(whole, whole.length - 12)), 400, null, null, "compressed as Content-Encoding says");
    assertError(postCompressed(DIM_REQUEST.getBytes(StandardCharsets.UTF_8)), 400, null, null, "compressed as Content-Encoding says");
  }

  @Test
  void bodiesAreUtf8() throws Exception {
    byte[] marked = ("\uFEFF" + DIM_REQUEST).getBytes(StandardCharsets.UTF_8);
    assertThat(postBytes(marked).status()).as("a byte order mark is passed over").isEqualTo(200);
    assertError(postBytes(DIM_REQUEST.getBytes(StandardCharsets.UTF_16)), 400, null, null, "in UTF-8");
    assertError(postBytes(DIM_REQUEST.getBytes(StandardCharsets.UTF_16LE)), 400, null, null, "well-formed JSON");
    byte[] overlong = DIM_REQUEST.replace("kitchen", "kit\u0001\u0001en").getBytes(StandardCharsets.UTF_8);
    for (int i = 0; i < overlong.length; i++) {
      if (overlong[i] == 1) {
        overlong[i] = (byte) 0xC0;
        overlong[i + 1] = (byte) 0xAF;
        break;
      }
    }
    assertError(postBytes(overlong), 400, null, null, "in UTF-8");
  }

  private Api.Reply postBytes(byte[] body) throws Exception {
    return api.send(api.request(CHAT).header("Content-Type", "application/json").POST(BodyPublishers.ofByteArray(body)).build());
  }

  @Test
  void aTextThatCannotFitEndsItsReading() throws Exception {
    String letters = "a".repeat(4_000_000);
    for (String body : List.of("{\"prompt\":\"" + letters + "\"}", "{\"prompt\":\"" + letters, "{\"prompt\":[\"" + letters + "\"]}")) {
      assertError(api.post(TEXT, body), 400, "context_length_exceeded", "prompt", "maximum context length is 1024 tokens");
    }
    assertError(api.post(CHAT, "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"" + letters + "\"}]}]}"), 400, "context_length_exceeded", "messages",
        "maximum context length is 1024 tokens");
    assertError(api.post(TEXT, "{\"prompt\":\"a\",\"model\":\"" + letters + "\"}"), 400, null, "model", "model has a text of more than");
    assertThat(api.post(TEXT, "{\"prompt\":\"a\",\"max_tokens\":1,\"user\":\"" + letters + "\"}").status()).as("disregarded, and not read").isEqualTo(200);
    assertError(api.post(TEXT, "{\"prompt\":[" + "{},".repeat(1_000_000) + "{}]}"), 400, null, null, "than any request needs");
  }

  @Test
  void refusesLargeBodies() throws Exception {
    String large = "{\"prompt\":\"" + "x".repeat(5_000_000) + "\"}";
    assertError(api.post(TEXT, large), 413, "body_too_large", null, "4194304 bytes");
    var chunked = BodyPublishers.fromPublisher(BodyPublishers.ofString(large));
    assertError(api.send(api.request(TEXT).header("Content-Type", "application/json").POST(chunked).build()), 413, "body_too_large", null, "4194304 bytes");
    try (Api.Wire wire = api.connect()) {
      wire.write("POST /v1/completions HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: 5000000\r\n\r\n");
      assertThat(wire.readResponse()).as("refused before it is sent").startsWith("HTTP/1.1 413").containsIgnoringCase("Connection: close");
      assertThat(wire.readThrough("\n")).isEmpty();
    }
  }

  @Test
  void keepsConnectionsAfterRefusals() throws Exception {
    try (Api.Wire wire = api.connect()) {
      wire.post(CHAT, "{");
      assertThat(wire.readResponse()).startsWith("HTTP/1.1 400");
      wire.write("POST /v1/completions HTTP/1.1\r\nHost: test\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello");
      assertThat(wire.readResponse()).startsWith("HTTP/1.1 415");
      wire.write("GET /v1/nothing HTTP/1.1\r\nHost: test\r\n\r\n");
      assertThat(wire.readResponse()).startsWith("HTTP/1.1 404");
      wire.write("PUT /v1/completions HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\n\r\nhello");
      assertThat(wire.readResponse()).startsWith("HTTP/1.1 405");
      wire.post(CHAT, DIM_REQUEST);
      assertThat(wire.readResponse()).startsWith("HTTP/1.1 200").contains("\\\"kitchen\\\"");
      wire.post(CHAT, chat("\"stream\":true"));
      assertThat(wire.readThrough("0\r\n\r\n")).startsWith("HTTP/1.1 200").contains("data: [DONE]");
      wire.write("POST /v1/completions HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
      assertThat(wire.readThrough("\r\n\r\n")).startsWith("HTTP/1.1 100");
      wire.write("{}");
      assertThat(wire.readResponse()).startsWith("HTTP/1.1 400");
    }
  }

  // ---- clients that leave, and slow ones

  private static final int LONG_TOKENS = 900;
  private static final String LONG = chat("\"ignore_eos\":true,\"logprobs\":true,\"top_logprobs\":20,\"max_tokens\":" + LONG_TOKENS);
  private static final String LONG_STREAM = chat("\"ignore_eos\":true,\"logprobs\":true,\"top_logprobs\":20,\"stream\":true,\"max_tokens\":" + LONG_TOKENS);

  @Test
  void stopsWhenAStreamsReaderLeaves() throws Exception {
    double before = api.forwardPasses();
    double cancelled = api.metric("nibble_requests_total", "outcome=\"cancelled\"");
    try (Api.Wire wire = api.connect()) {
      wire.post(CHAT, LONG_STREAM);
      wire.readThrough("\"delta\":{\"content\":");
    }
    assertStopped(before, cancelled);
  }

  @Test
  void stopsWhenAWholeAnswersReaderLeaves() throws Exception {
    double before = api.forwardPasses();
    double cancelled = api.metric("nibble_requests_total", "outcome=\"cancelled\"");
    try (Api.Wire wire = api.connect()) {
      wire.post(CHAT, LONG);
      Api.await("the answer is under way", () -> api.forwardPasses() > before);
    }
    assertStopped(before, cancelled);
  }

  @Test
  void stopsWhenAnHttp2ReaderLeaves() throws Exception {
    double before = api.forwardPasses();
    double cancelled = api.metric("nibble_requests_total", "outcome=\"cancelled\"");
    try (Http2Wire wire = new Http2Wire(new InetSocketAddress(base.getHost(), base.getPort()))) {
      byte[] heads = Http2Wire.heads(List.of(":method", "POST", ":scheme", "http", ":path", CHAT, ":authority", "test", "content-type", "application/json"));
      wire.write(Http2Wire.frame(Http2Wire.HEADERS, Http2Wire.END_HEADERS, 1, heads));
      wire.write(Http2Wire.frame(Http2Wire.DATA, Http2Wire.END_STREAM, 1, LONG_STREAM.getBytes(StandardCharsets.UTF_8)));
      var frame = wire.read();
      while (frame.orElseThrow().type() != Http2Wire.DATA || frame.get().payload().length == 0 || frame.get().payload()[0] != 'd') {
        frame = wire.read(); // settings, heads, comments of a stream that waits
      }
      assertThat(new String(frame.get().payload(), StandardCharsets.UTF_8)).startsWith("data: {");
      wire.write(Http2Wire.frame(Http2Wire.RST_STREAM, 0, 1, new byte[] {0, 0, 0, 8})); // CANCEL
      assertStopped(before, cancelled);
    }
  }

  private void assertStopped(double before, double cancelled) throws Exception {
    Api.await("the answer is cancelled", () -> api.metric("nibble_requests_total", "outcome=\"cancelled\"") > cancelled);
    double after = api.forwardPasses();
    assertThat(after - before).as("forward passes").isBetween(1.0, LONG_TOKENS - 1.0);
    // The next answer of one token is one pass more, and nothing else is.
    assertThat(api.post("/v1/completions", "{\"prompt\":\"Once\",\"max_tokens\":1}").status()).isEqualTo(200);
    assertThat(api.forwardPasses()).as("forward passes later").isEqualTo(after + 1);
    assertThat(api.metric("nibble_requests_running", "")).isZero();
  }

  @Test
  void aSlowReaderHoldsUpNobodyAndGetsEverything() throws Exception {
    try (Api.Wire slow = api.connectWithSmallBuffer()) {
      slow.post(CHAT, LONG_STREAM);
      slow.readThrough("\"delta\":{\"content\":");
      // Answered after the long answer, which is computed whether it is read or not.
      assertThat(ok(CHAT, DIM_REQUEST).get("choices").get(0).get("message").get("content").textValue()).isEqualTo(DIM);
      String rest = slow.readThrough("0\r\n\r\n");
      assertThat(Pattern.compile("\"delta\":\\{\"content\":").matcher(rest).results().count()).isEqualTo(LONG_TOKENS - 1);
      assertThat(rest).contains("\"finish_reason\":\"length\"").contains("data: [DONE]");
    }
  }

  // ---- documentation

  @Test
  void theDocumentationsExamplesWork() throws Exception {
    Path page = Path.of("docs/rest.md");
    List<String> examples = Pattern.compile("```sh\n(curl .*?)```", Pattern.DOTALL).matcher(Files.readString(page)).results().map(match -> match.group(1)).toList();
    assertThat(examples.size()).isGreaterThan(3);
    Assumptions.assumeTrue(Stream.of(System.getenv("PATH").split(":")).anyMatch(folder -> Files.isExecutable(Path.of(folder, "curl"))),
        "skipped: curl is not installed");
    for (String example : examples) {
      String here = example.replace("http://localhost:8080", base.toString().replaceAll("/$", ""));
      assertThat(here).isNotEqualTo(example);
      Process process = new ProcessBuilder("bash", "-c", here).redirectErrorStream(true).start();
      String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
      assertThat(process.waitFor(Api.PATIENCE.toSeconds(), TimeUnit.SECONDS)).isTrue();
      assertThat(process.exitValue()).as(example + output).isZero();
      assertThat(output).as(example).doesNotContain("\"error\"").containsAnyOf("\"object\":\"list\"", "\"object\":\"model\"", "[DONE]", "\"choices\"", "\"tokens\":[2043,2045,", "\"prompt\":\"<|bos|><|user|>\"",
          "\"version\"");
    }
  }
}
