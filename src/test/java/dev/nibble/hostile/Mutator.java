package dev.nibble.hostile;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.nibble.format.gguf.GgufFile;
import dev.nibble.format.gguf.GgufTensor;
import dev.nibble.format.gguf.GgufType;
import dev.nibble.format.gguf.GgufValue;
import dev.nibble.format.gguf.GgufWriter;
import dev.nibble.hostile.GgufFields.Field;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.Channels;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.zip.CRC32C;

/**
 * Changes model files: their fields by what these are, values of their metadata and JSON, scales of their blocks, and bytes without regard of what they are. Each
 * mutation is told by the seed's number, so that it can be made again.
 */
final class Mutator {
  private static final long[] NUMBERS = {0, 1, 2, 3, 4, 7, 8, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 255, 256, 257, 300, 301, 512, 1024, 4096, 65535, 65536, 1 << 18,
      (1 << 18) + 1, 1 << 20, 1 << 24, (1 << 24) + 1, Integer.MAX_VALUE - 31, Integer.MAX_VALUE, 1L << 31, (1L << 32) - 1, 1L << 32, 1L << 40, 1L << 62, Long.MAX_VALUE - 7,
      Long.MAX_VALUE, Long.MIN_VALUE, -1, -2, -32, -256};
  private static final double[] REALS = {0, -0.0, 1, -1, 0.5, 2, 1e-5, 1e-6, 1e-20, 1e-30, 1e-38, 1e-45, 1e-300, 1e3, 1e6, 1e20, 3e38, 1e300, Double.NaN, Double.POSITIVE_INFINITY,
      Double.NEGATIVE_INFINITY, Float.MAX_VALUE, Float.MIN_VALUE, 1.0 / 64, 1.0 / 65};
  private static final short[] HALVES = {0x7C00, (short) 0xFC00, 0x7E00, (short) 0xFE00, 0x7BFF, (short) 0xFBFF, 1, (short) 0x8000, 0x7F80, (short) 0xFF80, 0x7FC0, (short) 0xFFFF, 0};
  private static final List<String> TEXTS = List.of("", " ", "\0", "\u001b[2J\r\nforged", "\u202e", "llama", "gpt2", "bert", "gemma3", "qwen2", "default", "none", "linear", "longrope",
      "yarn", "<0x0>", "<0xGG>", "<0x41>", "<s>", "\u2581", "a".repeat(70_000), "\ud83d\ude00", "{{", "{% if %}", "{{ messages[10**9] }}", "{% for i in range(1000000000) %}x{% endfor %}",
      "{{ 'a' * 1000000000 }}", "{{ 9 ** 9 ** 9 }}", "{{ ".repeat(5_000), "(".repeat(5_000), "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "{% if true %}".repeat(2_000),
      "{{ raise_exception('no') }}", "{{ [messages] * 100000000 }}", "{% set a = ['x'] %}{% for i in range(100) %}{% set a = a + a %}{% endfor %}{{ a }}");
  private static final List<String> KEYS = List.of("attention.sliding_window", "attention.sliding_window_pattern", "attention.scale", "attn_logit_softcapping", "final_logit_softcapping",
      "rope.scaling.type", "rope.scaling.factor", "rope.scale_linear", "rope.scaling.attn_factor", "rope.scaling.original_context_length", "rope.freq_base_swa", "rope.freq_base",
      "attention.key_length", "attention.value_length", "rope.dimension_count", "vocab_size");
  private static final List<String> TOKENIZER_KEYS = List.of("model", "pre", "bos_token_id", "eos_token_id", "eot_token_id", "eom_token_id", "unknown_token_id", "add_bos_token", "add_eos_token",
      "add_space_prefix", "token_type", "scores", "merges", "tokens");
  private static final int HEADER_BYTES = 88; // of a pack, before its table of sections
  private static final int ENTRY_BYTES = 56; // of a section, without its name

  private final List<Seed> seeds;
  private final List<String> architectures;

  Mutator(List<Seed> seeds, List<String> architectures) {
    this.seeds = seeds;
    this.architectures = architectures;
  }

  /** What came of a mutation. @param how for people */
  record Mutation(Seed seed, Map<String, byte[]> files, String how) {}

  /** The mutation of a number. */
  Mutation mutate(long number) throws IOException {
    SplittableRandom random = new SplittableRandom(number);
    Seed seed = seeds.get((int) Math.floorMod(number, (long) seeds.size()));
    return new Run(random, seed).run();
  }

  /** One mutation on its way. */
  private final class Run {
    private final SplittableRandom random;
    private final Seed seed;
    private final Map<String, byte[]> files;
    private final StringBuilder how;

    Run(SplittableRandom random, Seed seed) {
      this.random = random;
      this.seed = seed;
      files = new LinkedHashMap<>(seed.files());
      how = new StringBuilder(seed.name());
    }

    Mutation run() throws IOException {
      switch (seed.kind()) {
        case GGUF -> file("m.gguf");
        case SPLIT -> split();
        case PACK -> files.put("m.nib", pack(files.get("m.nib")));
        case FOLDER -> folder();
      }
      return new Mutation(seed, files, how.toString());
    }

    private void say(String what) {
      how.append(", ").append(what);
    }

    private <T> T any(List<T> of) {
      return of.get(random.nextInt(of.size()));
    }

    private long number(long near) {
      return switch (random.nextInt(4)) {
        case 0 -> near + random.nextInt(-2, 3);
        case 1 -> random.nextBoolean() ? near * 2 : near / 2;
        case 2 -> random.nextInt(100) < 50 ? random.nextLong() : random.nextInt(1000);
        default -> NUMBERS[random.nextInt(NUMBERS.length)];
      };
    }

    private double real() {
      return random.nextInt(4) == 0 ? random.nextDouble() * Math.pow(10, random.nextInt(-30, 30)) : REALS[random.nextInt(REALS.length)];
    }

    private void split() throws IOException {
      List<String> names = List.copyOf(files.keySet());
      String name = any(names);
      switch (random.nextInt(8)) {
        case 0 -> {
          say("without " + name);
          files.remove(name);
        }
        case 1 -> {
          String other = any(names);
          say(name + " is " + other);
          files.put(name, seed.files().get(other));
        }
        case 2 -> {
          Seed another = any(seeds.stream().filter(candidate -> candidate.kind() == Seed.Kind.SPLIT || candidate.kind() == Seed.Kind.GGUF).toList());
          String other = any(List.copyOf(another.files().keySet()));
          say(name + " is " + other + " of " + another.name());
          files.put(name, another.files().get(other));
        }
        default -> file(name);
      }
    }

    /** Changes a GGUF file. */
    private void file(String name) throws IOException {
      for (int n = random.nextInt(10) < 7 ? 1 : random.nextInt(2, 4); n > 0; n--) {
        byte[] bytes = files.get(name);
        boolean whole = isGood(bytes);
        files.put(name, switch (random.nextInt(10)) {
          case 0, 1, 2 -> whole ? metadata(bytes) : blind(bytes);
          case 3, 4, 5, 6 -> whole ? field(bytes, GgufFields.of(bytes, 0, bytes.length)) : blind(bytes);
          case 7, 8 -> whole ? random.nextInt(8) == 0 ? aligned(bytes) : data(bytes) : blind(bytes);
          default -> blind(bytes);
        });
      }
    }

    /** The same with {@code general.alignment}, its data where that says. */
    private byte[] aligned(byte[] given) {
      List<Field> fields = GgufFields.of(given, 0, given.length);
      int first = fields.stream().filter(field -> field.kind() == GgufFields.Kind.METADATA_COUNT).findFirst().orElseThrow().at() + Long.BYTES;
      Field data = fields.getLast();
      int end = fields.get(fields.size() - 2).at() + fields.get(fields.size() - 2).length();
      if (data.kind() != GgufFields.Kind.DATA) {
        return blind(given);
      }
      long alignment = random.nextBoolean() ? 1L << random.nextInt(24) : NUMBERS[random.nextInt(NUMBERS.length)];
      int type = random.nextInt(4) == 0 ? random.nextInt(13) : 4;
      say("alignment " + alignment + " of type " + type);
      byte[] key = "general.alignment".getBytes(StandardCharsets.US_ASCII);
      int length = end + Long.BYTES + key.length + 2 * Integer.BYTES;
      int step = (int) Math.clamp(alignment, 1, 1 << 20);
      int from = Math.ceilDiv(length, step) * step;
      ByteBuffer out = ByteBuffer.allocate(from + data.length()).order(ByteOrder.LITTLE_ENDIAN).put(given, 0, first).putLong(key.length).put(key).putInt(type).putInt((int) alignment)
          .put(given, first, end - first);
      out.put(from, given, data.at(), data.length());
      out.putLong(first - Long.BYTES, out.getLong(first - Long.BYTES) + 1);
      return out.array();
    }

    private boolean isGood(byte[] bytes) {
      return seeds.stream().anyMatch(candidate -> candidate.files().containsValue(bytes));
    }

    private byte[] field(byte[] bytes, List<Field> fields) {
      // Texts of vocabularies are most fields: kinds are drawn first.
      GgufFields.Kind kind = any(Arrays.asList(GgufFields.Kind.values()));
      List<Field> ofKind = fields.stream().filter(field -> field.kind() == kind && field.length() > 0).toList();
      return ofKind.isEmpty() ? blind(bytes) : field(bytes, any(ofKind), ofKind);
    }

    private byte[] field(byte[] given, Field field, List<Field> alike) {
      byte[] bytes = given.clone();
      ByteBuffer out = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
      say(field.kind() + " at " + field.at());
      switch (field.kind()) {
        case MAGIC, TEXT, DATA -> {
          for (int n = random.nextInt(1, 4); n > 0; n--) {
            bytes[field.at() + random.nextInt(field.length())] = (byte) random.nextInt();
          }
        }
        case FLOAT -> {
          double value = real();
          say("is " + value);
          if (field.length() == Float.BYTES) {
            out.putFloat(field.at(), (float) value);
          } else {
            out.putDouble(field.at(), value);
          }
        }
        case VERSION, TENSOR_COUNT, METADATA_COUNT, TEXT_LENGTH, TYPE, NUMBER, ELEMENT_TYPE, ELEMENT_COUNT, DIMENSION_COUNT, DIMENSION, FORMAT, OFFSET -> {
          boolean borrowed = random.nextInt(4) == 0;
          long value = borrowed ? get(out, any(alike)) : field.kind() == GgufFields.Kind.FORMAT || field.kind() == GgufFields.Kind.TYPE ? random.nextInt(45)
              : number(get(out, field));
          say("is " + value);
          put(out, field, value);
        }
      }
      return bytes;
    }

    private static long get(ByteBuffer in, Field field) {
      return switch (field.length()) {
        case 1 -> in.get(field.at());
        case 2 -> in.getShort(field.at());
        case 4 -> in.getInt(field.at());
        default -> in.getLong(field.at());
      };
    }

    private static void put(ByteBuffer out, Field field, long value) {
      switch (field.length()) {
        case 1 -> out.put(field.at(), (byte) value);
        case 2 -> out.putShort(field.at(), (short) value);
        case 4 -> out.putInt(field.at(), (int) value);
        default -> out.putLong(field.at(), value);
      }
    }

    /** Scales and weights of a tensor. */
    private byte[] data(byte[] given) throws IOException {
      byte[] bytes = given.clone();
      GgufFile file = read(given);
      GgufTensor tensor = any(List.copyOf(file.tensors()));
      say("weights of " + tensor.name() + " in " + tensor.type());
      damage(bytes, (int) file.place(tensor).offset(), (int) tensor.bytes(), tensor.type().blockBytes());
      return bytes;
    }

    private void damage(byte[] bytes, int from, int length, int block) {
      ByteBuffer out = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
      int kind = random.nextInt(6);
      say("damage " + kind);
      switch (kind) {
        case 0, 1 -> { // any two bytes of a block: its scale, often
          int within = Math.max(0, random.nextInt(Math.max(1, block / 2)) * 2);
          int at = from + random.nextInt(Math.max(1, length / block)) * block + within;
          if (at + 2 <= from + length) {
            out.putShort(at, HALVES[random.nextInt(HALVES.length)]);
          }
        }
        case 2 -> {
          int at = from + random.nextInt(Math.max(1, length / Float.BYTES)) * Float.BYTES;
          if (at + 4 <= from + length) {
            out.putFloat(at, (float) real());
          }
        }
        case 3 -> Arrays.fill(bytes, from, from + length, (byte) any(List.of(0, 0xFF, 0x7B, 0x7F, 0x3C, 1)).intValue());
        case 4 -> {
          byte[] noise = new byte[length];
          random.nextBytes(noise);
          System.arraycopy(noise, 0, bytes, from, length);
        }
        default -> {
          short scale = HALVES[random.nextInt(HALVES.length)];
          for (int at = from; at + block <= from + length; at += block) {
            out.putShort(at, scale);
          }
        }
      }
    }

    /** Truncates, flips, fills, moves, repeats, splices. */
    private byte[] blind(byte[] given) {
      if (given.length == 0) {
        return new byte[random.nextInt(64)];
      }
      int at = random.nextInt(3) == 0 ? random.nextInt(given.length) : random.nextInt(Math.min(given.length, 2048));
      int kind = random.nextInt(8);
      say("blind " + kind + " at " + at);
      return switch (kind) {
        case 0 -> Arrays.copyOf(given, at);
        case 1 -> {
          byte[] bytes = given.clone();
          for (int n = random.nextInt(1, 9); n > 0; n--) {
            bytes[Math.min(bytes.length - 1, at + random.nextInt(64))] ^= (byte) (1 << random.nextInt(8));
          }
          yield bytes;
        }
        case 2 -> {
          byte[] bytes = given.clone();
          Arrays.fill(bytes, at, Math.min(bytes.length, at + random.nextInt(1, 17)), (byte) (random.nextBoolean() ? 0xFF : 0));
          yield bytes;
        }
        case 3 -> { // takes some away
          int count = Math.min(given.length - at, random.nextInt(1, 65));
          byte[] bytes = new byte[given.length - count];
          System.arraycopy(given, 0, bytes, 0, at);
          System.arraycopy(given, at + count, bytes, at, bytes.length - at);
          yield bytes;
        }
        case 4 -> { // repeats some
          int count = Math.min(given.length - at, random.nextInt(1, 65));
          byte[] bytes = new byte[given.length + count];
          System.arraycopy(given, 0, bytes, 0, at + count);
          System.arraycopy(given, at, bytes, at + count, given.length - at);
          yield bytes;
        }
        case 5 -> { // another file's end
          Seed another = any(seeds);
          byte[] other = any(List.copyOf(another.files().values()));
          int from = Math.min(other.length, at);
          byte[] bytes = Arrays.copyOf(given, at + other.length - from);
          System.arraycopy(other, from, bytes, at, other.length - from);
          yield bytes;
        }
        case 6 -> Arrays.copyOf(given, given.length + random.nextInt(1, 5000));
        default -> {
          byte[] bytes = given.clone();
          int count = Math.min(bytes.length - at, random.nextInt(1, 257));
          byte[] noise = new byte[count];
          random.nextBytes(noise);
          System.arraycopy(noise, 0, bytes, at, count);
          yield bytes;
        }
      };
    }

    private static GgufFile read(byte[] bytes) throws IOException {
      // A shard is read as the file that it would be by itself.
      byte[] alone = bytes.clone();
      byte[] count = "split.count".getBytes(StandardCharsets.US_ASCII);
      for (int i = 0; i < Math.min(alone.length, 65536) - count.length; i++) {
        if (Arrays.equals(alone, i, i + count.length, count, 0, count.length)) {
          alone[i] = 'x';
        }
      }
      return GgufFile.of(MemorySegment.ofArray(alone), "seed");
    }

    /** Another value, or none, for a key; written as a good file. */
    private byte[] metadata(byte[] given) throws IOException {
      GgufFile file = read(given);
      Map<String, GgufValue> values = new LinkedHashMap<>();
      file.metadata().keys().forEach(key -> values.put(key.replace("xplit.", "split."), file.metadata().find(key).orElseThrow()));
      String architecture = file.metadata().find("general.architecture").map(value -> ((GgufValue.Text) value).value()).orElse("llama");
      List<GgufTensor> tensors = new ArrayList<>(file.tensors());
      long[] shape = null;
      int changed = -1;
      switch (random.nextInt(12)) {
        case 0 -> {
          String key = any(List.copyOf(values.keySet()));
          say("without " + key);
          values.remove(key);
        }
        case 1 -> {
          String other = any(architectures);
          say("as " + other);
          for (String key : List.copyOf(values.keySet())) {
            if (key.startsWith(architecture + ".")) {
              values.put(other + key.substring(architecture.length()), values.remove(key));
            }
          }
          values.put("general.architecture", GgufValue.text(other));
        }
        case 2, 3 -> put(values, architecture + "." + any(KEYS));
        case 4 -> put(values, "tokenizer." + (random.nextInt(6) == 0 ? "chat_template" : "ggml." + any(TOKENIZER_KEYS)));
        case 5 -> {
          if (!tensors.isEmpty()) {
            say("without " + tensors.remove(random.nextInt(tensors.size())).name());
          }
        }
        case 6 -> {
          if (!tensors.isEmpty()) {
            changed = random.nextInt(tensors.size());
            GgufTensor tensor = tensors.get(changed);
            shape = tensor.shape().reversed().stream().mapToLong(Long::longValue).toArray();
            if (shape[0] % tensor.type().blockSize() != 0 || random.nextBoolean()) {
              shape = new long[] {tensor.type().blockSize(), tensor.elements() / tensor.type().blockSize()};
            }
            say(tensor.name() + " as " + Arrays.toString(shape));
          }
        }
        default -> {
          String key = any(List.copyOf(values.keySet()));
          values.put(key, other(key, values.get(key)));
        }
      }
      GgufWriter writer = new GgufWriter();
      values.forEach((key, value) -> {
        if (!key.equals("general.alignment")) {
          writer.metadata(key, value);
        }
      });
      for (int i = 0; i < tensors.size(); i++) {
        GgufTensor tensor = tensors.get(i);
        long[] own = i == changed ? shape : tensor.shape().stream().mapToLong(Long::longValue).toArray();
        writer.tensor(tensor.name(), own, tensor.type(), channel -> channel.write(ByteBuffer.wrap(given, (int) tensor.offset(), (int) tensor.bytes())));
      }
      ByteArrayOutputStream out = new ByteArrayOutputStream();
      writer.write(Channels.newChannel(out));
      return out.toByteArray();
    }

    private void put(Map<String, GgufValue> values, String key) {
      GgufValue value = values.containsKey(key) && random.nextInt(4) != 0 ? other(key, values.get(key)) : arbitrary();
      say(key + " = " + shown(value));
      values.put(key, value);
    }

    private static String shown(GgufValue value) {
      String text = String.valueOf(value);
      return text.length() > 60 ? text.substring(0, 60) + "…" : text;
    }

    private GgufValue arbitrary() {
      return switch (random.nextInt(7)) {
        case 0 -> GgufValue.text(any(TEXTS));
        case 1 -> GgufValue.bool(random.nextBoolean());
        case 2 -> new GgufValue.Real(random.nextBoolean() ? GgufType.FLOAT32 : GgufType.FLOAT64, real());
        case 3 -> GgufValue.bools(new boolean[random.nextInt(5)]);
        case 4 -> GgufValue.int32s(random.ints(random.nextInt(310), -2, 300).toArray());
        default -> new GgufValue.Whole(any(List.of(GgufType.UINT32, GgufType.INT32, GgufType.INT64, GgufType.UINT8)), NUMBERS[random.nextInt(NUMBERS.length)]);
      };
    }

    private GgufValue other(String key, GgufValue value) {
      if (random.nextInt(10) == 0) {
        return arbitrary();
      }
      GgufValue other = switch (value) {
        case GgufValue.Whole whole -> new GgufValue.Whole(random.nextBoolean() ? whole.type() : GgufType.INT64, number(whole.value()));
        case GgufValue.Real real -> new GgufValue.Real(random.nextBoolean() ? real.type() : GgufType.FLOAT64, real());
        case GgufValue.Bool bool -> GgufValue.bool(!bool.value());
        case GgufValue.Text text -> GgufValue.text(any(TEXTS));
        case GgufValue.LongText text -> GgufValue.text("");
        case GgufValue.Texts texts -> GgufValue.texts(texts(new ArrayList<>(texts.values())));
        case GgufValue.Wholes wholes -> {
          long[] values = Arrays.copyOf(wholes.values(), length(wholes.size()));
          for (int n = random.nextInt(1, 4); n > 0 && values.length > 0; n--) {
            values[random.nextInt(values.length)] = number(values[0]);
          }
          yield new GgufValue.Wholes(random.nextBoolean() ? wholes.elementType() : GgufType.INT64, values);
        }
        case GgufValue.Reals reals -> {
          double[] values = Arrays.copyOf(reals.values(), length(reals.size()));
          for (int n = random.nextInt(1, 4); n > 0 && values.length > 0; n--) {
            values[random.nextInt(values.length)] = real();
          }
          yield new GgufValue.Reals(reals.elementType(), values);
        }
        case GgufValue.Bools bools -> GgufValue.bools(Arrays.copyOf(bools.values(), length(bools.size())));
        case GgufValue.Arrays arrays -> new GgufValue.Arrays(List.of(arrays));
      };
      say(key + " → " + shown(other));
      return other;
    }

    private int length(int of) {
      return random.nextInt(3) == 0 ? Math.clamp(number(of), 0, 1000) : of;
    }

    private List<String> texts(List<String> texts) {
      for (int n = random.nextInt(1, 5); n > 0 && !texts.isEmpty(); n--) {
        int at = random.nextInt(texts.size());
        switch (random.nextInt(6)) {
          case 0 -> texts.set(at, any(TEXTS));
          case 1 -> texts.set(at, texts.get(random.nextInt(texts.size())));
          case 2 -> texts.remove(at);
          case 3 -> texts.add(at, any(TEXTS));
          case 4 -> texts.set(at, texts.get(at) + " " + texts.get(at));
          default -> texts.subList(at, texts.size()).clear();
        }
      }
      return texts;
    }

    /** Changes a pack; most times its header's checksum is made to fit, as one who forges would. */
    private byte[] pack(byte[] given) {
      byte[] bytes = given.clone();
      ByteBuffer out = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
      int length = out.getInt(16);
      switch (random.nextInt(8)) {
        case 0, 1, 2 -> {
          List<Field> numbers = packFields(out);
          Field field = any(numbers);
          long value = random.nextInt(3) == 0 ? get(out, any(numbers)) : number(get(out, field));
          say("header at " + field.at() + " is " + value);
          put(out, field, value);
        }
        case 3, 4 -> {
          int metadata = (int) out.getLong(HEADER_BYTES + 32);
          int size = (int) out.getLong(HEADER_BYTES + 40);
          bytes = field(bytes, GgufFields.of(bytes, metadata, size));
        }
        case 5, 6 -> {
          List<Integer> entries = entries(out);
          int entry = any(entries);
          say("section at " + entry);
          damage(bytes, (int) out.getLong(entry + 32), (int) out.getLong(entry + 40), 64);
        }
        default -> bytes = blind(bytes);
      }
      if (random.nextInt(5) != 0 && bytes.length >= length) {
        CRC32C checksum = new CRC32C();
        checksum.update(bytes, 0, length - 4);
        ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).putInt(length - 4, (int) checksum.getValue());
        say("forged");
      }
      return bytes;
    }

    private static List<Integer> entries(ByteBuffer in) {
      List<Integer> entries = new ArrayList<>();
      int at = HEADER_BYTES;
      for (int i = 0; i < in.getInt(20); i++) {
        entries.add(at);
        at += ENTRY_BYTES + in.getInt(at + 52);
      }
      return entries;
    }

    private static List<Field> packFields(ByteBuffer in) {
      List<Field> fields = new ArrayList<>(List.of(new Field(GgufFields.Kind.NUMBER, 8, 4), new Field(GgufFields.Kind.NUMBER, 16, 4), new Field(GgufFields.Kind.NUMBER, 20, 4),
          new Field(GgufFields.Kind.NUMBER, 24, 8), new Field(GgufFields.Kind.NUMBER, 32, 8), new Field(GgufFields.Kind.NUMBER, 48, 4)));
      for (int entry : entries(in)) {
        for (int at : new int[] {0, 4, 8, 12, 52}) {
          fields.add(new Field(GgufFields.Kind.NUMBER, entry + at, 4));
        }
        for (int at : new int[] {16, 24, 32, 40}) {
          fields.add(new Field(GgufFields.Kind.NUMBER, entry + at, 8));
        }
      }
      return fields;
    }

    private void folder() throws IOException {
      String name = any(List.of("model.safetensors", "model.safetensors", "model.safetensors", "config.json", "config.json", "tokenizer.json", "tokenizer.json", "tokenizer_config.json"));
      byte[] given = files.get(name);
      say(name);
      if (random.nextInt(12) == 0) {
        say("gone");
        files.remove(name);
        return;
      }
      if (random.nextInt(4) == 0) {
        files.put(name, blind(given));
        return;
      }
      if (!name.equals("model.safetensors")) {
        files.put(name, json(given, 0, given.length));
        return;
      }
      int length = (int) ByteBuffer.wrap(given).order(ByteOrder.LITTLE_ENDIAN).getLong(0);
      byte[] bytes = given.clone();
      switch (random.nextInt(6)) {
        case 0 -> {
          long value = number(length);
          say("length is " + value);
          ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).putLong(0, value);
        }
        case 1, 2 -> {
          int from = Long.BYTES + length;
          damage(bytes, from, bytes.length - from, random.nextBoolean() ? 2 : 4);
        }
        default -> {
          byte[] header = json(given, Long.BYTES, length);
          bytes = ByteBuffer.allocate(Long.BYTES + header.length + given.length - Long.BYTES - length).order(ByteOrder.LITTLE_ENDIAN).putLong(header.length).put(header)
              .put(given, Long.BYTES + length, given.length - Long.BYTES - length).array();
        }
      }
      files.put(name, bytes);
    }

    /** Another value somewhere in a JSON text. */
    private byte[] json(byte[] given, int from, int length) throws IOException {
      JsonNode root = new ObjectMapper().readTree(given, from, length);
      for (int n = random.nextInt(1, 3); n > 0; n--) {
        change(root);
      }
      return write(root);
    }

    private static byte[] write(JsonNode node) throws JsonProcessingException {
      return new ObjectMapper().writeValueAsBytes(node);
    }

    private void change(JsonNode node) {
      if (node instanceof ObjectNode object && !object.isEmpty()) {
        String name = any(object.properties().stream().map(Map.Entry::getKey).toList());
        JsonNode value = object.get(name);
        if (value.isContainerNode() && !value.isEmpty() && random.nextInt(5) != 0) {
          say(name);
          change(value);
        } else if (random.nextInt(4) == 0) {
          say("without " + name);
          object.remove(name);
        } else {
          JsonNode other = otherJson(value);
          say(name + " = " + (other.toString().length() > 60 ? "…" : other));
          object.set(name, other);
        }
      } else if (node instanceof ArrayNode array && !array.isEmpty()) {
        int at = random.nextInt(array.size());
        if (array.get(at).isContainerNode() && random.nextInt(5) != 0) {
          change(array.get(at));
        } else if (random.nextInt(4) == 0) {
          say("without element " + at);
          array.remove(at);
        } else {
          JsonNode other = otherJson(array.get(at));
          say("element " + at + " = " + (other.toString().length() > 60 ? "…" : other));
          array.set(at, other);
        }
      }
    }

    private JsonNode otherJson(JsonNode value) {
      JsonNodeFactory json = JsonNodeFactory.instance;
      return switch (random.nextInt(9)) {
        case 0 -> json.nullNode();
        case 1 -> json.textNode(any(TEXTS));
        case 2 -> json.booleanNode(random.nextBoolean());
        case 3 -> json.numberNode(real());
        case 4 -> {
          JsonNode deep = json.arrayNode();
          for (int i = random.nextInt(900); i > 0; i--) {
            deep = random.nextBoolean() ? json.arrayNode().add(deep) : json.objectNode().set("a", deep);
          }
          yield deep;
        }
        case 5 -> json.textNode(any(List.of("F16", "BF16", "F64", "I8", "U8", "F8_E4M3", "MistralForCausalLM", "Qwen2ForCausalLM", "Gemma3ForCausalLM", "Phi3ForCausalLM", "yarn", "linear",
            "longrope", "dynamic", "Sequence", "Split", "Digits", "Unigram", "WordPiece", "NFC", "NFKC")));
        default -> json.numberNode(number(value.asLong()));
      };
    }
  }
}
