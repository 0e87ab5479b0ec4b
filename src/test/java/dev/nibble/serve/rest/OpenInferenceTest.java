package dev.nibble.serve.rest;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.TextNode;
import dev.nibble.serve.Api;
import dev.nibble.serve.api.request.TensorBytes;
import io.quarkus.test.common.http.TestHTTPResource;
import io.quarkus.test.junit.QuarkusTest;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpHeaders;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import java.util.zip.DeflaterOutputStream;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** The Open Inference Protocol over real connections; the embedded model answers. */
@QuarkusTest
class OpenInferenceTest {
  private static final String MODEL = "/v2/models/nibble-home";
  private static final String INFER = MODEL + "/infer";
  private static final String GENERATE = MODEL + "/generate";
  private static final String STREAM = MODEL + "/generate_stream";
  private static final String DIM = "{\"device\":\"light\",\"room\":\"kitchen\",\"action\":\"dim\",\"value\":30}";
  private static final String MESSAGES = "[{\"role\":\"user\",\"content\":\"dim the kitchen light to 30 percent\"}]";

  @TestHTTPResource("/")
  URI base;

  private final HttpClient client = HttpClient.newHttpClient();
  private Api api;

  @BeforeEach
  void connect() throws Exception {
    api = new Api(base);
    Api.await("the model is loaded", () -> api.get("/q/health/started").status() == 200);
  }

  private JsonNode ok(String path, String body) throws IOException, InterruptedException {
    Api.Reply reply = api.post(path, body);
    assertThat(reply.status()).as(reply.text()).isEqualTo(200);
    assertThat(reply.header("Content-Type")).isEqualTo("application/json");
    assertThat(reply.header("X-Request-Id")).startsWith("req_");
    return reply.json();
  }

  /** What the other API answers to the same. */
  private String openAi(String fields) throws IOException, InterruptedException {
    return ok("/v1/completions", "{\"prompt\":\"Once upon a time\"," + fields + "}").get("choices").get(0).get("text").textValue();
  }

  private static String tensor(String name, String datatype, String data) {
    return "{\"name\":\"" + name + "\",\"shape\":[1],\"datatype\":\"" + datatype + "\",\"data\":[" + data + "]}";
  }

  private static String prompt(String more) {
    return "{\"inputs\":[" + tensor("prompt", "BYTES", "\"Once upon a time\"") + more + "}";
  }

  private static JsonNode output(JsonNode response, String name) {
    for (JsonNode output : response.get("outputs")) {
      if (output.get("name").textValue().equals(name)) {
        assertThat(output.get("shape")).isEqualTo(Api.parse("[1]"));
        assertThat(output.get("data")).hasSize(1);
        return output.get("data").get(0);
      }
    }
    throw new AssertionError("no output " + name + " in " + response);
  }

  // ---- health and metadata

  @Test
  void tellsWhatServes() throws Exception {
    for (String path : List.of("/v2", "/v2/")) {
      JsonNode server = api.get(path).json();
      assertThat(server.get("name").textValue()).isEqualTo("nibble");
      assertThat(server.get("version").textValue()).isEqualTo("0.1.0");
      assertThat(server.get("extensions")).isEqualTo(Api.parse("[\"generate\",\"parameters\",\"binary_tensor_data\",\"model_configuration\",\"statistics\"]"));
    }
    assertThat(api.get("/v2/health/live").text()).isEqualTo("{\"live\":true}");
    assertThat(api.get("/v2/health/ready").text()).isEqualTo("{\"live\":true,\"ready\":true}");
    for (String path : List.of(MODEL + "/ready", MODEL + "/versions/1/ready", "/v2/models/nibble%2Dhome/ready")) {
      assertThat(api.get(path).text()).isEqualTo("{\"name\":\"nibble-home\",\"ready\":true}");
    }
    assertThat(api.send(api.request("/v2/health/ready").HEAD().build()).status()).isEqualTo(200);
  }

  @Test
  void tellsTheModelsTensors() throws Exception {
    JsonNode model = api.get(MODEL).json();
    assertThat(model.get("name").textValue()).isEqualTo("nibble-home");
    assertThat(model.get("versions")).isEqualTo(Api.parse("[\"1\"]"));
    assertThat(model.get("platform").textValue()).isEqualTo("nibble_gguf");
    assertThat(model.get("inputs").get(0)).isEqualTo(Api.parse("{\"name\":\"prompt\",\"datatype\":\"BYTES\",\"shape\":[1]}"));
    assertThat(model.get("inputs")).contains(Api.parse("{\"name\":\"stop\",\"datatype\":\"BYTES\",\"shape\":[-1]}"));
    assertThat(model.get("outputs").get(0)).isEqualTo(Api.parse("{\"name\":\"text\",\"datatype\":\"BYTES\",\"shape\":[1]}"));
    assertThat(api.get(MODEL + "/versions/1").json()).isEqualTo(model);
  }

  // ---- infer

  @Test
  void infersTextFromText() throws Exception {
    String body = "{\"id\":\"42\",\"inputs\":[" + tensor("prompt", "BYTES", "\"Once upon a time\"") + "," + tensor("max_tokens", "INT32", "24") + ","
        + tensor("temperature", "FP32", "0.8") + "," + tensor("seed", "INT64", "7") + "]}";
    JsonNode response = ok(INFER, body);
    assertThat(response.get("model_name").textValue()).isEqualTo("nibble-home");
    assertThat(response.get("model_version").textValue()).isEqualTo("1");
    assertThat(response.get("id").textValue()).isEqualTo("42");
    assertThat(response.get("outputs")).hasSize(4);
    assertThat(output(response, "text").textValue()).isEqualTo(openAi("\"max_tokens\":24,\"temperature\":0.8,\"seed\":7")).isNotEmpty();
    assertThat(output(response, "finish_reason").textValue()).isEqualTo("length");
    assertThat(output(response, "completion_tokens").intValue()).isEqualTo(24);
    assertThat(output(response, "prompt_tokens").intValue()).isPositive();

    // The same, told by parameters, nested, and with a version.
    String told = "{\"inputs\":[{\"name\":\"prompt\",\"shape\":[1,1],\"datatype\":\"BYTES\",\"data\":[[\"Once upon a time\"]]}],"
        + "\"parameters\":{\"max_tokens\":24,\"temperature\":0.8,\"seed\":7},\"outputs\":[{\"name\":\"finish_reason\"},{\"name\":\"text\"}]}";
    JsonNode again = ok(MODEL + "/versions/1/infer", told);
    assertThat(again.has("id")).isFalse();
    assertThat(again.get("outputs")).hasSize(2);
    assertThat(again.get("outputs").get(0).get("name").textValue()).isEqualTo("finish_reason");
    assertThat(output(again, "text")).isEqualTo(output(response, "text"));
  }

  @Test
  void infersAnswersToMessages() throws Exception {
    String messages = tensor("messages", "BYTES", TextNode.valueOf(MESSAGES).toString());
    JsonNode response = ok(INFER, "{\"inputs\":[" + messages + "],\"parameters\":{\"temperature\":0}}");
    assertThat(output(response, "text").textValue()).isEqualTo(DIM);
    assertThat(output(response, "finish_reason").textValue()).isEqualTo("stop");
    assertThat(output(response, "prompt_tokens").intValue()).isEqualTo(15);
    assertThat(output(response, "completion_tokens").intValue()).isEqualTo(18);
  }

  @Test
  void stopsAtStopStrings() throws Exception {
    String whole = openAi("\"max_tokens\":40,\"temperature\":0");
    String stop = whole.substring(whole.length() / 2, whole.length() / 2 + 3);
    String body = prompt(",{\"name\":\"stop\",\"shape\":[2],\"datatype\":\"BYTES\",\"data\":[\"never to be seen\",\"" + stop + "\"]}],"
        + "\"parameters\":{\"max_tokens\":40,\"temperature\":0}");
    assertThat(output(ok(INFER, body), "text").textValue()).isEqualTo(whole.substring(0, whole.indexOf(stop)));
  }

  // ---- tensors as bytes

  private record Binary(int status, HttpHeaders headers, byte[] body) {
    int jsonBytes() {
      return Integer.parseInt(headers.firstValue("Inference-Header-Content-Length").orElseThrow());
    }

    JsonNode json() {
      return Api.parse(new String(body, 0, jsonBytes(), StandardCharsets.UTF_8));
    }

    ByteBuffer rest() {
      return ByteBuffer.wrap(body, jsonBytes(), body.length - jsonBytes()).order(ByteOrder.LITTLE_ENDIAN);
    }
  }

  /** Sends JSON text and bytes after it, as Triton's clients do by default. */
  private Binary binary(String json, String jsonBytes, byte[]... tensors) throws IOException, InterruptedException {
    ByteArrayOutputStream body = new ByteArrayOutputStream();
    body.writeBytes(json.getBytes(StandardCharsets.UTF_8));
    for (byte[] tensor : tensors) {
      body.writeBytes(tensor);
    }
    HttpRequest request = api.request(INFER).header("Inference-Header-Content-Length", jsonBytes).header("Content-Type", "application/octet-stream")
        .POST(BodyPublishers.ofByteArray(body.toByteArray())).build();
    HttpResponse<byte[]> response = client.send(request, HttpResponse.BodyHandlers.ofByteArray());
    return new Binary(response.statusCode(), response.headers(), response.body());
  }

  private static byte[] bytes(String text) {
    return TensorBytes.of(text);
  }

  private static String announced(String name, String datatype, int size) {
    return "{\"name\":\"" + name + "\",\"shape\":[1],\"datatype\":\"" + datatype + "\",\"parameters\":{\"binary_data_size\":" + size + "}}";
  }

  private static byte[] number(int size, Consumer<ByteBuffer> put) {
    ByteBuffer buffer = ByteBuffer.allocate(size).order(ByteOrder.LITTLE_ENDIAN);
    put.accept(buffer);
    return buffer.array();
  }

  @Test
  void takesAndGivesBytesAfterTheJson() throws Exception {
    byte[] prompt = bytes("Once upon a time");
    // Bytes, and JSON between them; seven datatypes.
    String json = "{\"id\":\"42\",\"inputs\":[" + announced("prompt", "BYTES", prompt.length) + "," + announced("max_tokens", "INT64", 8) + ","
        + tensor("seed", "INT64", "7") + "," + announced("temperature", "FP64", 8) + "," + announced("top_k", "UINT8", 1) + "," + announced("top_p", "FP16", 2) + ","
        + announced("ignore_eos", "BOOL", 1) + "],\"parameters\":{\"binary_data_output\":true}}";
    Binary reply = binary(json, Integer.toString(json.length()), prompt, number(8, buffer -> buffer.putLong(24)), number(8, buffer -> buffer.putDouble(0.5)),
        new byte[] {40}, number(2, buffer -> buffer.putShort(Float.floatToFloat16(0.5f))), new byte[] {1});
    assertThat(reply.status()).isEqualTo(200);
    assertThat(reply.headers().firstValue("Content-Type")).contains("application/octet-stream");
    String text = openAi("\"max_tokens\":24,\"temperature\":0.5,\"seed\":7,\"top_k\":40,\"top_p\":0.5,\"ignore_eos\":true");
    JsonNode outputs = reply.json().get("outputs");
    assertThat(reply.json().get("id").textValue()).isEqualTo("42");
    ByteBuffer rest = reply.rest();
    for (JsonNode output : outputs) {
      assertThat(output.has("data")).isFalse();
      byte[] element = new byte[output.get("parameters").get("binary_data_size").intValue()];
      rest.get(element);
      switch (output.get("name").textValue()) {
        case "text" -> assertThat(element).isEqualTo(bytes(text));
        case "finish_reason" -> assertThat(element).isEqualTo(bytes("length"));
        case "completion_tokens" -> assertThat(element).isEqualTo(number(4, buffer -> buffer.putInt(24)));
        default -> assertThat(element).hasSize(4);
      }
    }
    assertThat(outputs).hasSize(4);
    assertThat(rest.hasRemaining()).isFalse();

    // Some as bytes, some as JSON, whatever the request's own form; and none as bytes, without the header.
    String mixed = prompt("],\"parameters\":{\"max_tokens\":4,\"seed\":7,\"binary_data_output\":true},"
        + "\"outputs\":[{\"name\":\"finish_reason\",\"parameters\":{\"binary_data\":false}},{\"name\":\"text\"}]");
    reply = binary(mixed, Integer.toString(mixed.length()));
    assertThat(reply.json().get("outputs").get(0).get("data").get(0).textValue()).isEqualTo("length");
    assertThat(reply.rest().getInt()).isEqualTo(reply.body().length - reply.jsonBytes() - 4);
    String plain = "{\"inputs\":[" + announced("prompt", "BYTES", prompt.length) + "],\"parameters\":{\"max_tokens\":4}}";
    reply = binary(plain, Integer.toString(plain.length()), prompt);
    assertThat(reply.headers().firstValue("Inference-Header-Content-Length")).isEmpty();
    assertThat(output(Api.parse(new String(reply.body(), StandardCharsets.UTF_8)), "finish_reason").textValue()).isEqualTo("length");
  }

  @Test
  void takesCompressedBytes() throws Exception {
    byte[] prompt = bytes("Once upon a time");
    String json = "{\"inputs\":[" + announced("prompt", "BYTES", prompt.length) + "],\"parameters\":{\"max_tokens\":12,\"temperature\":0}}";
    String expected = openAi("\"max_tokens\":12,\"temperature\":0");
    for (String encoding : List.of("gzip", "deflate")) {
      ByteArrayOutputStream body = new ByteArrayOutputStream();
      try (OutputStream out = encoding.equals("gzip") ? new GZIPOutputStream(body) : new DeflaterOutputStream(body)) {
        out.write(json.getBytes(StandardCharsets.UTF_8));
        out.write(prompt);
      }
      HttpRequest.Builder request = api.request(INFER).header("Inference-Header-Content-Length", Integer.toString(json.length())).header("Content-Encoding", encoding);
      Api.Reply reply = api.send(request.POST(BodyPublishers.ofByteArray(body.toByteArray())).build());
      assertThat(reply.status()).as(reply.text()).isEqualTo(200);
      assertThat(output(reply.json(), "text").textValue()).isEqualTo(expected);
      byte[] broken = body.toByteArray();
      broken[0] = 1;
      assertError(api.send(request.POST(BodyPublishers.ofByteArray(broken)).build()), 400, "compressed as Content-Encoding says");
    }
    assertError(api.send(api.request(INFER).header("Content-Encoding", "br").POST(BodyPublishers.ofString(json)).build()), 415, "gzip or deflate");
  }

  @Test
  void refusesBytesThatAreNotWhatTheJsonSays() throws Exception {
    byte[] prompt = bytes("Once");
    String one = "{\"inputs\":[" + announced("prompt", "BYTES", prompt.length) + "],\"parameters\":{\"max_tokens\":1}}";
    assertRefused(binary(one, "many", prompt), "Inference-Header-Content-Length must be");
    assertRefused(binary(one, "-1", prompt), "Inference-Header-Content-Length must be");
    assertRefused(binary(one, "9999", prompt), "is 9999, but the body has " + (one.length() + prompt.length) + " bytes");
    assertRefused(binary(one, Integer.toString(one.length() - 3), prompt), "not well-formed JSON");
    assertRefused(binary(one, Integer.toString(one.length()), new byte[3]), "is 8, but 3 bytes are left in the body for the tensor prompt");
    assertRefused(binary(one, Integer.toString(one.length()), prompt, new byte[5]), "ends with 5 bytes that no tensor announces");
    assertRefused(binary(one, Integer.toString(one.length()), new byte[] {5, 0, 0, 0, 'a', 'b', 'c', 'd'}), "the tensor prompt end in the middle of an element");
    assertRefused(binary(one, Integer.toString(one.length()), new byte[] {4, 0, 0, 0, 'a', 'b', 'c', -1}), "the tensor prompt are not UTF-8");
    assertRefused(binary(one, Integer.toString(one.length()), new byte[8]), "The data of prompt has 2 elements, its shape 1");
    String negative = one.replace(":8}", ":-8}");
    assertRefused(binary(negative, Integer.toString(negative.length()), prompt), "is -8, but 8 bytes are left in the body for the tensor prompt");
    String short4 = "{\"inputs\":[" + announced("prompt", "BYTES", 8) + "," + announced("max_tokens", "INT32", 3) + "]}";
    assertRefused(binary(short4, Integer.toString(short4.length()), prompt, new byte[3]), "the tensor max_tokens end in the middle of an element");
    String twice = one.replace("\"parameters\":{\"binary", "\"data\":[\"Once\"],\"parameters\":{\"binary");
    assertRefused(binary(twice, Integer.toString(twice.length()), prompt), "prompt has its elements twice");
  }

  private static void assertRefused(Binary reply, String words) {
    String text = new String(reply.body(), StandardCharsets.UTF_8);
    assertThat(reply.status()).as(text).isEqualTo(400);
    assertThat(Api.parse(text).get("error").textValue()).contains(words);
  }

  // ---- Triton's extensions

  @Test
  void tellsConfigurationStatisticsAndModels() throws Exception {
    JsonNode config = api.get(MODEL + "/config").json();
    assertThat(config.get("name").textValue()).isEqualTo("nibble-home");
    assertThat(config.get("max_batch_size").intValue()).isZero();
    assertThat(config.get("input").get(0)).isEqualTo(Api.parse("{\"name\":\"prompt\",\"data_type\":\"TYPE_STRING\",\"dims\":[1],\"optional\":true}"));
    assertThat(config.get("output").get(2)).isEqualTo(Api.parse("{\"name\":\"prompt_tokens\",\"data_type\":\"TYPE_INT32\",\"dims\":[1]}"));
    assertThat(config.get("parameters").get("context_length").get("string_value").textValue()).isEqualTo("1024");
    assertThat(api.get(MODEL + "/versions/1/config").json()).isEqualTo(config);

    for (String body : List.of("", "{}", "{\"ready\":true}")) {
      assertThat(api.post("/v2/repository/index", body).json()).isEqualTo(Api.parse("[{\"name\":\"nibble-home\",\"version\":\"1\",\"state\":\"READY\",\"reason\":\"\"}]"));
    }
    assertError(api.post("/v2/repository/index", "[]"), 400, "a JSON object is needed");
    String text = "\"" + "long ".repeat(100_000) + "\"";
    assertError(api.post("/v2/repository/index", text), 400, "The body is a string; a JSON object is needed.");
    assertError(api.post("/v2/repository/index", "[" + text + "]"), 400, "The body is an array; a JSON object is needed.");
    assertError(api.get("/v2/repository/index"), 405, "GET is not allowed");

    JsonNode before = statistics(MODEL + "/stats");
    ok(INFER, prompt("],\"parameters\":{\"max_tokens\":8,\"seed\":1}"));
    JsonNode after = statistics("/v2/models/stats");
    assertThat(after.get("inference_count").longValue() - before.get("inference_count").longValue()).isEqualTo(1);
    assertThat(after.get("execution_count")).isEqualTo(after.get("inference_count"));
    assertThat(after.get("last_inference").longValue()).as("milliseconds since 1970").isGreaterThan(1_700_000_000_000L);
    assertThat(more(before, after, "success", "count")).isEqualTo(1);
    assertThat(more(before, after, "fail", "count")).isZero();
    assertThat(more(before, after, "queue", "count")).isEqualTo(1);
    assertThat(more(before, after, "compute_infer", "ns")).isPositive();
    assertThat(more(before, after, "success", "ns")).isEqualTo(more(before, after, "queue", "ns") + more(before, after, "compute_infer", "ns"));
    assertError(api.get("/v2/models/gpt-4/stats"), 404, "\"gpt-4\"");
  }

  private JsonNode statistics(String path) throws Exception {
    JsonNode models = api.get(path).json().get("model_stats");
    assertThat(models).hasSize(1);
    assertThat(models.get(0).get("name").textValue()).isEqualTo("nibble-home");
    return models.get(0);
  }

  private static long more(JsonNode before, JsonNode after, String name, String what) {
    return after.get("inference_stats").get(name).get(what).longValue() - before.get("inference_stats").get(name).get(what).longValue();
  }

  // ---- generate

  @Test
  void generatesText() throws Exception {
    JsonNode answer = ok(GENERATE, "{\"text_input\":\"Once upon a time\",\"parameters\":{\"max_tokens\":24,\"temperature\":0,\"stream\":false}}");
    assertThat(answer.get("model_name").textValue()).isEqualTo("nibble-home");
    assertThat(answer.get("model_version").textValue()).isEqualTo("1");
    assertThat(answer.get("text_output").textValue()).isEqualTo(openAi("\"max_tokens\":24,\"temperature\":0"));
    assertThat(answer.get("finish_reason").textValue()).isEqualTo("length");
    assertThat(answer.get("completion_tokens").intValue()).isEqualTo(24);
    assertThat(answer.get("timings").get("decode_ms").doubleValue()).isPositive();
    assertThat(ok(GENERATE, "{\"messages\":" + MESSAGES + ",\"temperature\":0}").get("text_output").textValue()).isEqualTo(DIM);
  }

  @Test
  void streamsText() throws Exception {
    String body = "{\"text_input\":\"Once upon a time\",\"parameters\":{\"max_tokens\":24,\"temperature\":0,\"stream\":true}}";
    Api.Reply reply = api.post(STREAM, body);
    assertThat(reply.status()).as(reply.text()).isEqualTo(200);
    assertThat(reply.header("Content-Type")).isEqualTo("text/event-stream; charset=utf-8");
    List<JsonNode> events = reply.events().stream().map(Api::parse).toList();
    StringBuilder text = new StringBuilder();
    for (JsonNode event : events) {
      assertThat(event.get("model_name").textValue()).isEqualTo("nibble-home");
      assertThat(event.get("done").booleanValue()).isEqualTo(event == events.getLast());
      text.append(event.get("text_output").textValue());
    }
    assertThat(events.size()).isGreaterThan(15);
    assertThat(text).hasToString(openAi("\"max_tokens\":24,\"temperature\":0"));
    assertThat(events.getLast().get("completion_tokens").intValue()).isEqualTo(24);
    assertThat(events.getLast().get("finish_reason").textValue()).isEqualTo("length");
  }

  @Test
  void namesWhatItIgnores() throws Exception {
    Api.Reply reply = api.post(GENERATE, "{\"text_input\":\"Once\",\"max_tokens\":2,\"model\":\"other\",\"parameters\":{\"beams\":1}}");
    assertThat(reply.status()).isEqualTo(200);
    assertThat(reply.header("Nibble-Ignored-Fields").split(", ")).containsExactlyInAnyOrder("model", "beams");
    reply = api.post(INFER, prompt("],\"parameters\":{\"max_tokens\":2},\"priority\":1"));
    assertThat(reply.header("Nibble-Ignored-Fields")).isEqualTo("priority");
  }

  // ---- refusals

  static Stream<Arguments> unusableBodies() {
    String text = "\"text_input\":\"Once\"";
    return Stream.of(
        Arguments.of(GENERATE, "", "empty"),
        Arguments.of(GENERATE, "{", "not well-formed"),
        Arguments.of(GENERATE, "{}", "text_input or messages is needed"),
        Arguments.of(GENERATE, "{\"text_input\":1}", "must be a string"),
        Arguments.of(GENERATE, "{" + text + ",\"messages\":" + MESSAGES + "}", "not both"),
        Arguments.of(GENERATE, "{" + text + ",\"parameters\":[]}", "parameters must be an object"),
        Arguments.of(GENERATE, "{" + text + ",\"parameters\":{\"temperature\":3}}", "0 to 2"),
        Arguments.of(GENERATE, "{" + text + ",\"parameters\":{\"max_tokens\":\"9\"}}", "must be an integer"),
        Arguments.of(GENERATE, "{" + text + ",\"seed\":1,\"parameters\":{\"seed\":1}}", "given twice"),
        Arguments.of(GENERATE, "{" + text + ",\"parameters\":{\"stream\":true}}", "generate_stream"),
        Arguments.of(GENERATE, "{" + text + ",\"logprobs\":2}", "not supported here"),
        Arguments.of(GENERATE, "{" + text + ",\"best_of\":2}", "allowed: 1"),
        Arguments.of(STREAM, "{" + text + ",\"parameters\":{\"max_tokens\":0}}", "1 or more"),
        Arguments.of(STREAM, "{\"text_input\":\"" + "word ".repeat(3000) + "\"}", "1024 tokens"),
        Arguments.of(INFER, "{}", "inputs is missing"),
        Arguments.of(INFER, "{\"inputs\":{}}", "inputs must be an array"),
        Arguments.of(INFER, "{\"inputs\":[]}", "A tensor prompt or messages is needed"),
        Arguments.of(INFER, "{\"id\":7,\"inputs\":[]}", "id must be a string"),
        Arguments.of(INFER, "{\"inputs\":[{\"shape\":[1],\"datatype\":\"BYTES\",\"data\":[\"x\"]}]}", "inputs[0].name is missing"),
        Arguments.of(INFER, "{\"inputs\":[" + tensor("image", "BYTES", "\"x\"") + "]}", "allowed: prompt, messages"),
        Arguments.of(INFER, "{\"inputs\":[" + tensor("prompt", "FP32", "1") + "]}", "wanted: BYTES"),
        Arguments.of(INFER, "{\"inputs\":[" + tensor("prompt", "BYTES", "1") + "]}", "is an integer"),
        Arguments.of(INFER, "{\"inputs\":[" + tensor("prompt", "BYTES", "\"a\",\"b\"") + "]}", "has 2 elements, its shape 1"),
        Arguments.of(INFER, "{\"inputs\":[{\"name\":\"prompt\",\"shape\":[2],\"datatype\":\"BYTES\",\"data\":[\"a\",\"b\"]}]}", "a request for each prompt"),
        Arguments.of(INFER, "{\"inputs\":[{\"name\":\"prompt\",\"shape\":[-1],\"datatype\":\"BYTES\",\"data\":[\"a\"]}]}", "0 or more"),
        Arguments.of(INFER, "{\"inputs\":[{\"name\":\"prompt\",\"shape\":[1],\"datatype\":\"BYTES\"}]}", "data is missing"),
        Arguments.of(INFER, "{\"inputs\":[{\"name\":\"prompt\",\"shape\":[1],\"datatype\":\"BYTES\",\"parameters\":{\"binary_data_size\":5}}]}", "Inference-Header-Content-Length"),
        Arguments.of(INFER, "{\"inputs\":[{\"name\":\"prompt\",\"shape\":[1],\"datatype\":\"BYTES\",\"parameters\":{\"shared_memory_region\":\"r\"}}]}", "shared_memory_region is not supported"),
        Arguments.of(INFER, prompt("],\"parameters\":{\"binary_data_output\":1}"), "must be true or false"),
        Arguments.of(INFER, prompt("],\"outputs\":[{\"name\":\"text\",\"parameters\":{\"binary_data\":1}}]"), "must be true or false"),
        Arguments.of(INFER, prompt("],\"outputs\":[{\"name\":\"text\",\"parameters\":{\"classification\":3}}]"), "classification is not supported"),
        Arguments.of(INFER, prompt("],\"outputs\":[{\"name\":\"logits\"}]"), "there are: text"),
        Arguments.of(INFER, prompt("],\"outputs\":{}"), "outputs must be an array"),
        Arguments.of(INFER, prompt("," + tensor("max_tokens", "INT32", "1") + "],\"parameters\":{\"max_tokens\":1}"), "given twice"),
        Arguments.of(INFER, prompt("," + tensor("max_tokens", "INT32", "1.5") + "]"), "a fractional number"),
        Arguments.of(INFER, prompt("," + tensor("temperature", "FP32", "3") + "]"), "0 to 2"),
        Arguments.of(INFER, "{\"inputs\":[" + tensor("messages", "BYTES", "\"[{\"") + "]}", "messages is not well-formed"),
        Arguments.of(INFER, "{\"inputs\":[" + tensor("messages", "BYTES", "\"[]\"") + "]}", "empty"));
  }

  @ParameterizedTest
  @MethodSource("unusableBodies")
  void refusesUnusableBodies(String path, String body, String words) throws Exception {
    assertError(api.post(path, body), 400, words);
  }

  private static void assertError(Api.Reply reply, int status, String words) {
    assertThat(reply.status()).as(reply.text()).isEqualTo(status);
    assertThat(reply.header("Content-Type")).isEqualTo("application/json");
    assertThat(reply.json()).hasSize(1);
    assertThat(reply.json().get("error").textValue()).contains(words);
    assertThat(reply.text()).doesNotContain("Exception", "jackson", "java.");
  }

  @Test
  void refusesUnknownPlacesModelsAndMethods() throws Exception {
    assertError(api.get("/v2/models/gpt-4"), 404, "served: \"nibble-home\"");
    assertError(api.get("/v2/models/gpt-4/ready"), 404, "\"gpt-4\"");
    assertError(api.post("/v2/models/gpt-4/infer", prompt("]")), 404, "\"gpt-4\"");
    assertError(api.get(MODEL + "/versions/2"), 404, "version \"2\"");
    assertError(api.post(MODEL + "/versions/2/generate", "{\"text_input\":\"x\"}"), 404, "version \"2\"");
    for (String path : List.of("/v2/models", "/v2/repository", MODEL + "/explain")) {
      assertError(api.get(path), 404, path);
    }
    Api.Reply get = api.get(INFER);
    assertError(get, 405, "GET is not allowed");
    assertThat(get.header("Allow")).isEqualTo("POST");
    Api.Reply post = api.post("/v2/health/ready", "{}");
    assertError(post, 405, "POST is not allowed");
    assertThat(post.header("Allow")).isEqualTo("GET, HEAD");
  }

  @Test
  void refusesOtherMediaAndLargeBodies() throws Exception {
    String body = "{\"text_input\":\"Once\",\"max_tokens\":2}";
    assertThat(api.send(api.request(GENERATE).POST(BodyPublishers.ofString(body)).build()).status()).as("clients of the protocol do so").isEqualTo(200);
    assertError(api.send(api.request(GENERATE).header("Content-Type", "application/octet-stream").POST(BodyPublishers.ofString(body)).build()), 415, "octet-stream");
    assertError(api.post(GENERATE, "{\"text_input\":\"" + "x".repeat(5_000_000) + "\"}"), 413, "4194304 bytes");
    try (Api.Wire wire = api.connect()) {
      wire.post(GENERATE, "{");
      assertThat(wire.readResponse()).startsWith("HTTP/1.1 400");
      wire.post(GENERATE, body);
      assertThat(wire.readResponse()).as("the connection stays").startsWith("HTTP/1.1 200");
    }
  }

  // ---- clients that leave

  private static final int LONG_TOKENS = 900;

  @Test
  void stopsWhenReadersLeave() throws Exception {
    String parameters = "\"parameters\":{\"temperature\":0,\"ignore_eos\":true,\"max_tokens\":" + LONG_TOKENS + "}";
    stops(STREAM, "{\"text_input\":\"Once upon a time\"," + parameters + "}", true);
    stops(GENERATE, "{\"text_input\":\"Once upon a time\"," + parameters + "}", false);
    stops(INFER, prompt("]," + parameters), false);
  }

  private void stops(String path, String body, boolean streams) throws Exception {
    double before = api.forwardPasses();
    double cancelled = api.metric("nibble_requests_total", "outcome=\"cancelled\"");
    try (Api.Wire wire = api.connect()) {
      wire.post(path, body);
      if (streams) {
        assertThat(wire.readThrough("\"done\":false}")).contains("text_output");
      } else {
        Api.await("the answer is under way", () -> api.forwardPasses() > before);
      }
      if (streams) {
        assertThat(api.metric("nibble_kv_cache_usage_ratio", "")).as("while it runs").isBetween(1e-6, 1.0);
      }
    }
    Api.await("the answer is cancelled", () -> api.metric("nibble_requests_total", "outcome=\"cancelled\"") > cancelled);
    assertThat(api.forwardPasses() - before).as("forward passes").isBetween(1.0, LONG_TOKENS - 1.0);
    Api.await("nothing runs", () -> api.metric("nibble_requests_running", "") == 0);
    assertThat(api.metric("nibble_kv_cache_usage_ratio", "")).isZero();
  }

  // ---- documentation

  @Test
  void theDocumentationsExamplesWork() throws Exception {
    List<String> examples = Pattern.compile("```sh\n(curl .*?)```", Pattern.DOTALL).matcher(Files.readString(Path.of("docs/open-inference.md"))).results().map(match -> match.group(1)).toList();
    assertThat(examples.size()).isGreaterThan(4);
    Assumptions.assumeTrue(Stream.of(System.getenv("PATH").split(":")).anyMatch(folder -> Files.isExecutable(Path.of(folder, "curl"))),
        "skipped: curl is not installed");
    for (String example : examples) {
      String here = example.replace("http://localhost:8080", base.toString().replaceAll("/$", ""));
      assertThat(here).isNotEqualTo(example);
      Process process = new ProcessBuilder("bash", "-c", here).redirectErrorStream(true).start();
      String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
      assertThat(process.waitFor(Api.PATIENCE.toSeconds(), TimeUnit.SECONDS)).isTrue();
      assertThat(output).as(example).doesNotContain("\"error\"").contains("nibble");
    }
  }
}
