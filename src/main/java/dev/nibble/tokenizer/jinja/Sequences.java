package dev.nibble.tokenizer.jinja;

import java.math.BigInteger;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Iterator;
import java.util.List;

/** Goes over values, counts them, and cuts slices out of them, as Python does. */
final class Sequences {
  private Sequences() {}

  static boolean isIterable(Value value) {
    return switch (value) {
      case Text text -> true;
      case Undefined undefined -> true;
      case ListValue list -> true;
      case TupleValue tuple -> true;
      case DictValue dict -> true;
      case DictView view -> true;
      case RangeValue range -> true;
      case Generator generator -> true;
      case Loop loop -> true;
      case Blocks blocks -> true;
      case Whole whole -> false;
      case Real real -> false;
      case Truth truth -> false;
      case None none -> false;
      case Namespace namespace -> false;
      case Callable callable -> false;
    };
  }

  static Iterator<Value> iterator(Value value) {
    return switch (value) {
      case Text text -> letters(text);
      case Undefined undefined -> Collections.emptyIterator();
      case ListValue list -> list.items().iterator();
      case TupleValue tuple -> tuple.items().iterator();
      case DictValue dict -> dict.entries().keySet().iterator();
      case DictView view -> view.iterator();
      case RangeValue range -> range.iterator();
      case Generator generator -> generator.iterator();
      case Loop loop -> loop.rest();
      case Whole whole -> throw notIterable(value);
      case Real real -> throw notIterable(value);
      case Truth truth -> throw notIterable(value);
      case None none -> throw notIterable(value);
      case Namespace namespace -> throw notIterable(value);
      case Callable callable -> throw notIterable(value);
      case Blocks blocks -> throw new TemplateException(TemplateException.Kind.KEY, "0"); // they have names, not numbers
    };
  }

  private static TemplateException notIterable(Value value) {
    return TemplateException.type("'" + value.typeName() + "' object is not iterable");
  }

  private static Iterator<Value> letters(Text text) {
    return new Iterator<>() {
      private int at;

      @Override
      public boolean hasNext() {
        return at < text.value().length();
      }

      @Override
      public Value next() {
        int from = at;
        at += Character.charCount(text.value().codePointAt(at));
        return text.substring(from, at).asMarkup(false);
      }
    };
  }

  /** All that a value gives. */
  static List<Value> list(Value value, Work work) {
    if (value instanceof ListValue list) {
      work.elements(list.items().size());
      return list.items();
    }
    List<Value> out = new ArrayList<>();
    for (Iterator<Value> items = iterator(value); items.hasNext();) {
      work.elements(1);
      out.add(items.next());
    }
    return out;
  }

  /** Python's {@code len}, or -1 if the value has none. */
  static int length(Value value) {
    return switch (value) {
      case Text text -> text.length();
      case Undefined undefined -> 0;
      case ListValue list -> list.items().size();
      case TupleValue tuple -> tuple.items().size();
      case DictValue dict -> dict.entries().size();
      case DictView view -> view.size();
      case RangeValue range -> range.size();
      case Loop loop -> loop.length();
      case Whole whole -> -1;
      case Real real -> -1;
      case Truth truth -> -1;
      case None none -> -1;
      case Generator generator -> -1;
      case Namespace namespace -> -1;
      case Callable callable -> -1;
      case Blocks blocks -> -1;
    };
  }

  /** The element with this index, or null if there is none. */
  static Value get(Value sequence, Value index) {
    int length = length(sequence);
    int at = Numbers.index(index);
    at = at < 0 ? at + length : at;
    if (at < 0 || at >= length) {
      return null;
    }
    return switch (sequence) {
      case Text text -> {
        int offset = text.offset(at);
        yield text.substring(offset, offset + Character.charCount(text.value().codePointAt(offset)));
      }
      case ListValue list -> list.items().get(at);
      case TupleValue tuple -> tuple.items().get(at);
      case RangeValue range -> range.get(at);
      default -> null;
    };
  }

  static boolean isIndexed(Value value) {
    return value instanceof Text || value instanceof ListValue || value instanceof TupleValue || value instanceof RangeValue;
  }

  /** A slice; bounds that are absent are None. */
  static Value slice(Value value, Value start, Value stop, Value step, Work work) {
    if (value instanceof Undefined undefined) {
      throw undefined.failure();
    }
    if (!isIndexed(value)) {
      throw TemplateException.type(value instanceof DictValue ? "unhashable type: 'slice'" : "'" + value.typeName() + "' object is not subscriptable");
    }
    int by = step == None.NONE ? 1 : bound(step);
    if (by == 0) {
      throw TemplateException.value("slice step cannot be zero");
    }
    int length = length(value);
    int from = start == None.NONE ? (by > 0 ? 0 : length - 1) : clamp(bound(start), length, by);
    int to = stop == None.NONE ? (by > 0 ? length : -1) : clamp(bound(stop), length, by);
    int count = by > 0 ? (to <= from ? 0 : (int) ((to - from - 1L) / by + 1)) : to >= from ? 0 : (int) ((from - to - 1L) / -(long) by + 1);
    return switch (value) {
      case Text text -> slice(text, from, by, count, work);
      case ListValue list -> new ListValue(slice(list.items(), from, by, count, work));
      case TupleValue tuple -> new TupleValue(slice(tuple.items(), from, by, count, work));
      case RangeValue range -> {
        long wider = range.step() * Math.clamp(by, -RangeValue.MAX_SIZE, RangeValue.MAX_SIZE);
        yield new RangeValue(range.start() + from * range.step(), range.start() + to * range.step(), wider);
      }
      default -> throw new IllegalStateException(value.typeName());
    };
  }

  private static int bound(Value value) {
    if (!Numbers.isWhole(value)) {
      throw TemplateException.type("slice indices must be integers or None or have an __index__ method");
    }
    return Numbers.index(value);
  }

  private static int clamp(int index, int length, int step) {
    int at = index < 0 ? index + length : index;
    return at < 0 ? (step < 0 ? -1 : 0) : at >= length ? (step < 0 ? length - 1 : length) : at;
  }

  private static Text slice(Text text, int from, int step, int count, Work work) {
    if (count == 0) {
      return text.substring(0, 0);
    }
    if (step == 1) {
      int begin = text.offset(from);
      int end = text.length() == text.value().length() ? from + count : text.value().offsetByCodePoints(begin, count);
      work.text(0, end - begin);
      return text.substring(begin, end);
    }
    int[] letters = text.value().codePoints().toArray();
    int[] offsets = new int[letters.length + 1];
    for (int i = 0; i < letters.length; i++) {
      offsets[i + 1] = offsets[i] + Character.charCount(letters[i]);
    }
    work.spend(letters.length);
    TextBuilder out = new TextBuilder(work);
    for (int i = 0; i < count; i++) {
      int at = from + i * step;
      out.add(text, offsets[at], offsets[at + 1]);
    }
    return out.text(text.isMarkup());
  }

  private static List<Value> slice(List<Value> items, int from, int step, int count, Work work) {
    work.elements(count);
    List<Value> out = new ArrayList<>(count);
    for (int i = 0; i < count; i++) {
      out.add(items.get(from + i * step));
    }
    return out;
  }

  /** As many values as there are names for them. */
  static List<Value> unpack(Value value, int count, Work work) {
    if (!isIterable(value)) {
      throw TemplateException.type("cannot unpack non-iterable " + value.typeName() + " object");
    }
    List<Value> out = new ArrayList<>(count);
    Iterator<Value> items = iterator(value);
    while (items.hasNext()) {
      work.spend(1);
      Value item = items.next();
      if (out.size() == count) {
        throw TemplateException.value("too many values to unpack (expected " + count + ")");
      }
      out.add(item);
    }
    if (out.size() < count) {
      throw TemplateException.value("not enough values to unpack (expected " + count + ", got " + out.size() + ")");
    }
    return out;
  }

  /** {@code range} with Python's arguments, and the sandbox' limit. */
  static RangeValue range(List<Value> arguments) {
    if (arguments.isEmpty() || arguments.size() > 3) {
      throw TemplateException.type("range expected " + (arguments.isEmpty() ? "at least 1 argument, got 0" : "at most 3 arguments, got " + arguments.size()));
    }
    BigInteger start = arguments.size() == 1 ? BigInteger.ZERO : rangeBound(arguments.get(0));
    BigInteger stop = rangeBound(arguments.get(arguments.size() == 1 ? 0 : 1));
    BigInteger step = arguments.size() == 3 ? rangeBound(arguments.get(2)) : BigInteger.ONE;
    if (step.signum() == 0) {
      throw TemplateException.value("range() arg 3 must not be zero");
    }
    BigInteger count = stop.subtract(start).add(step).subtract(BigInteger.valueOf(step.signum())).divide(step);
    if (count.compareTo(BigInteger.valueOf(RangeValue.MAX_SIZE)) > 0 || start.bitLength() > 40 || stop.bitLength() > 40 || step.bitLength() > 40) {
      throw new TemplateException(TemplateException.Kind.OVERFLOW, "Range too big. The sandbox blocks ranges larger than MAX_RANGE (" + RangeValue.MAX_SIZE + ").");
    }
    return new RangeValue(start.longValue(), stop.longValue(), step.longValue());
  }

  private static BigInteger rangeBound(Value value) {
    if (value instanceof Undefined undefined) {
      throw TemplateException.type("'" + undefined.typeName() + "' object cannot be interpreted as an integer");
    }
    return Numbers.whole(value);
  }
}
