package dev.nibble.serve.api.request;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.nibble.engine.EngineException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Set;

/**
 * The fields of a JSON object, taken one by one with the type they must have. Null counts as absent, as clients send it for what
 * was not set. All methods throw {@link EngineException} INVALID_REQUEST, whose field is the path of the one that is wrong.
 */
public final class Fields {
  private final ObjectNode object;
  private final String path; // "" for the body itself, otherwise with a dot at its end
  private final Set<String> taken = new HashSet<>();

  private Fields(ObjectNode object, String path) {
    this.object = object;
    this.path = path;
  }

  public static Fields ofBody(ObjectNode body) {
    return new Fields(body, "");
  }

  /** The fields of a value at {@code path}, which must be an object. */
  public static Fields of(JsonNode value, String path) {
    if (value instanceof ObjectNode object) {
      return new Fields(object, path + ".");
    }
    throw wrongType(path, value, "an object");
  }

  /** The full path of a field. */
  public String pathOf(String name) {
    return path + name;
  }

  /** A field of any type; empty if absent or null. */
  public Optional<JsonNode> any(String name) {
    taken.add(name);
    return Optional.ofNullable(object.get(name)).filter(value -> !value.isNull());
  }

  /** A string, if it is there. */
  public Optional<String> string(String name) {
    return any(name).map(value -> string(value, pathOf(name)));
  }

  /** A value at {@code path}, which must be a string. */
  public static String string(JsonNode value, String path) {
    if (!value.isTextual()) {
      throw wrongType(path, value, "a string");
    }
    return value.textValue();
  }

  /** A boolean; absent and null are false. */
  public boolean flag(String name) {
    return optionalFlag(name).orElse(false);
  }

  /** A boolean, if it is there. */
  public Optional<Boolean> optionalFlag(String name) {
    return any(name).map(value -> {
      if (!value.isBoolean()) {
        throw wrongType(pathOf(name), value, "true or false");
      }
      return value.booleanValue();
    });
  }

  /** An integer of 32 bits, if it is there. */
  public OptionalInt integer(String name) {
    Optional<JsonNode> value = any(name);
    return value.isEmpty() ? OptionalInt.empty() : OptionalInt.of(integer(value.get(), pathOf(name)));
  }

  /** A value at {@code path}, which must be an integer of 32 bits. */
  public static int integer(JsonNode value, String path) {
    long number = longInteger(value, path, 32);
    if (number != (int) number) {
      throw outside(path, 32);
    }
    return (int) number;
  }

  /** An integer of any size, which is taken for the nearest that 32 bits can hold: for what means the same from some number on. */
  public OptionalInt clampedInteger(String name) {
    Optional<JsonNode> value = any(name);
    if (value.isEmpty()) {
      return OptionalInt.empty();
    }
    if (!isWhole(value.get())) {
      throw wrongType(pathOf(name), value.get(), "an integer");
    }
    return OptionalInt.of((int) Math.clamp(value.get().doubleValue(), Integer.MIN_VALUE, Integer.MAX_VALUE));
  }

  /** An integer of 64 bits, if it is there. */
  public OptionalLong longInteger(String name) {
    Optional<JsonNode> value = any(name);
    return value.isEmpty() ? OptionalLong.empty() : OptionalLong.of(longInteger(value.get(), pathOf(name), 64));
  }

  private static long longInteger(JsonNode value, String path, int bits) {
    if (!isWhole(value)) {
      throw wrongType(path, value, "an integer");
    }
    if (value.isIntegralNumber() ? !value.canConvertToLong() : Math.abs(value.doubleValue()) >= 0x1p63) {
      throw outside(path, bits);
    }
    return value.longValue();
  }

  /** 64.0 is an integer too: languages that have but one kind of number write it so. */
  private static boolean isWhole(JsonNode value) {
    return value.isIntegralNumber() || value.isNumber() && Math.rint(value.doubleValue()) == value.doubleValue() && !Double.isInfinite(value.doubleValue());
  }

  private static EngineException outside(String path, int bits) {
    return EngineException.invalid(path, path + " is too large or too small for an integer of " + bits + " bits.");
  }

  /** A number, or what stands for an absent one. */
  public float number(String name, float absent) {
    OptionalDouble value = any(name).map(node -> OptionalDouble.of(number(node, pathOf(name)))).orElse(OptionalDouble.empty());
    return value.isEmpty() ? absent : (float) value.getAsDouble();
  }

  /** A value at {@code path}, which must be a number. */
  public static double number(JsonNode value, String path) {
    if (!value.isNumber()) {
      throw wrongType(path, value, "a number");
    }
    return value.doubleValue();
  }

  /** Fields to disregard silently. */
  public void disregard(Set<String> names) {
    taken.addAll(names);
  }

  /** Names of fields that nobody took, with their paths, in the body's order. */
  public List<String> untaken() {
    List<String> names = new ArrayList<>();
    object.fieldNames().forEachRemaining(name -> {
      if (!taken.contains(name)) {
        names.add(pathOf(name));
      }
    });
    return names;
  }

  /** The refusal of a value of another type than wanted, with its article, as in "an array". */
  public static EngineException wrongType(String path, JsonNode value, String wanted) {
    return EngineException.invalid(path, path + " must be " + wanted + ", but is " + describe(value) + ".");
  }

  /** What kind of value this is, with its article. */
  public static String describe(JsonNode value) {
    return switch (value.getNodeType()) {
      case ARRAY -> "an array";
      case BOOLEAN -> "a boolean";
      case NULL -> "null";
      case NUMBER -> value.isIntegralNumber() ? "an integer" : "a fractional number";
      case OBJECT, POJO -> "an object";
      case STRING, BINARY -> "a string";
      case MISSING -> "nothing";
    };
  }
}
