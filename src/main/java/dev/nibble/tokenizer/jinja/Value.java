package dev.nibble.tokenizer.jinja;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** A value as templates see it: the part of Python's data that chat templates use. Values do not change, but for namespaces and what iterates. */
public sealed interface Value
    permits Text, Whole, Real, Truth, None, Undefined, ListValue, TupleValue, DictValue, DictView, RangeValue, Generator, Namespace, Loop, Callable, Blocks {
  /** Python's name of its type. */
  String typeName();

  /** Whether it counts as true. */
  boolean isTrue();

  /** How many values it holds in all, itself among them, each as often as it is reached. */
  default long weight() {
    return 1;
  }

  /** How deep lists and dicts in it are nested. */
  default int depth() {
    return 0;
  }

  /**
   * What a caller has: null, strings, booleans, numbers, lists, maps in their order, or values. Texts and numbers are foreign.
   *
   * @throws IllegalArgumentException for anything else, or nested deeper than {@value Work#MAX_NESTING}
   */
  static Value foreign(Object given) {
    return foreign(given, 0);
  }

  private static Value foreign(Object given, int depth) {
    if (depth > Work.MAX_NESTING) {
      throw new IllegalArgumentException("values are nested deeper than " + Work.MAX_NESTING);
    }
    return switch (given) {
      case null -> None.NONE;
      case Value value -> value;
      case String text -> Text.foreign(text);
      case Boolean truth -> Truth.of(truth);
      case BigInteger number -> new Whole(number, false);
      case Double number -> new Real(number, false);
      case Float number -> new Real(number, false);
      case BigDecimal number -> new Real(number.doubleValue(), false);
      case Number number -> new Whole(BigInteger.valueOf(number.longValue()), false);
      case List<?> list -> {
        List<Value> items = new ArrayList<>(list.size());
        for (Object item : list) {
          items.add(foreign(item, depth + 1));
        }
        yield new ListValue(items);
      }
      case Map<?, ?> map -> {
        Map<Value, Value> entries = LinkedHashMap.newLinkedHashMap(map.size());
        map.forEach((key, value) -> entries.put(foreign(key, depth + 1), foreign(value, depth + 1)));
        yield new DictValue(entries);
      }
      default -> throw new IllegalArgumentException("templates have no values of " + given.getClass());
    };
  }
}
