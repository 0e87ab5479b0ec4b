package dev.nibble.tokenizer.jinja;

import java.math.BigInteger;
import java.util.Set;

/** Looks into values, as the sandbox lets templates do it. */
final class Attributes {
  /** What every object of Python has, and templates must not reach. */
  private static final Set<String> INTERNAL = Set.of("__class__", "__delattr__", "__dir__", "__doc__", "__eq__", "__format__", "__ge__", "__getattribute__", "__getstate__", "__gt__",
      "__hash__", "__init__", "__init_subclass__", "__le__", "__lt__", "__ne__", "__new__", "__reduce__", "__reduce_ex__", "__repr__", "__setattr__", "__sizeof__", "__str__",
      "__subclasshook__");
  private static final Set<String> INTERNAL_OF_CONTAINERS = Set.of("__len__", "__getitem__", "__contains__", "__iter__", "__add__", "__mul__", "__rmul__");
  private static final Set<String> CHANGING_LISTS = Set.of("append", "clear", "pop", "reverse", "insert", "sort", "extend", "remove");
  private static final Set<String> CHANGING_DICTS = Set.of("clear", "pop", "popitem", "setdefault", "update");

  private Attributes() {}

  /** {@code object.name}: an attribute, else an element. */
  static Value get(Value object, String name, Interpreter interpreter) {
    Value found = attribute(object, name, interpreter);
    if (found == null) {
      found = element(object, Text.own(name), interpreter);
    }
    return found == null ? Undefined.member(object, Text.own(name)) : found;
  }

  /** {@code object[key]}: an element, else an attribute. */
  static Value item(Value object, Value key, Interpreter interpreter) {
    Value found = element(object, key, interpreter);
    if (found == null && key instanceof Text name) {
      found = attribute(object, name.value(), interpreter);
    }
    return found == null ? Undefined.member(object, key) : found;
  }

  /** An element, or null if there is none. */
  private static Value element(Value object, Value key, Interpreter interpreter) {
    return switch (object) {
      case Undefined undefined -> throw undefined.failure();
      case DictValue dict -> {
        try {
          yield dict.entries().get(Operators.key(key, interpreter.work()));
        } catch (TemplateException unhashable) {
          if (unhashable.kind() == TemplateException.Kind.TYPE) {
            yield null;
          }
          throw unhashable;
        }
      }
      case Blocks blocks when key instanceof Text name -> blocks.get(name.value());
      default -> Sequences.isIndexed(object) && Numbers.isWhole(key) ? Sequences.get(object, key) : null;
    };
  }

  /** An attribute, an undefined value if it must not be reached, or null if there is none. */
  static Value attribute(Value object, String name, Interpreter interpreter) {
    if (name.startsWith("__") && isInternal(object, name)) {
      return Undefined.unsafe(object, name);
    }
    return switch (object) {
      case Text text -> TextMethods.has(name) ? method(name, (in, arguments) -> TextMethods.call(name, text, arguments, in)) : null;
      case Whole whole -> number(whole, name);
      case Truth truth -> number(new Whole(truth.number(), true), name);
      case Real real -> number(real, name);
      case ListValue list when CHANGING_LISTS.contains(name) -> Undefined.unsafe(object, name);
      case ListValue list -> CollectionMethods.list(list, name);
      case TupleValue tuple -> CollectionMethods.tuple(tuple, name);
      case DictValue dict when CHANGING_DICTS.contains(name) -> Undefined.unsafe(object, name);
      case DictValue dict -> CollectionMethods.dict(dict, name);
      case RangeValue range -> CollectionMethods.range(range, name);
      case Namespace namespace -> namespace.attributes().get(name);
      case Loop loop -> loop.attribute(name);
      case Callable callable -> callable.attribute(name);
      case Undefined undefined -> {
        if (name.startsWith("__") && name.endsWith("__")) {
          yield null;
        }
        throw undefined.failure();
      }
      case None none -> null;
      case DictView view -> null;
      case Generator generator -> null;
      case Blocks blocks -> null;
    };
  }

  static Function method(String name, Builtin body) {
    return new Function("builtin_function_or_method", name, body);
  }

  private static boolean isInternal(Value object, String name) {
    if (object instanceof Namespace) {
      return name.equals("__class__");
    }
    return INTERNAL.contains(name) || INTERNAL_OF_CONTAINERS.contains(name) && Sequences.length(object) >= 0;
  }

  private static Value number(Value number, String name) {
    boolean whole = number instanceof Whole;
    return switch (name) {
      case "real" -> number;
      case "imag" -> whole ? Whole.own(0) : new Real(0, true);
      case "numerator" -> whole ? number : null;
      case "denominator" -> whole ? Whole.own(1) : null;
      case "conjugate" -> method(name, (in, arguments) -> number);
      case "bit_length" -> whole ? method(name, (in, arguments) -> new Whole(BigInteger.valueOf(Numbers.whole(number).abs().bitLength()), Numbers.isOwn(number))) : null;
      case "bit_count" -> whole ? method(name, (in, arguments) -> new Whole(BigInteger.valueOf(Numbers.whole(number).abs().bitCount()), Numbers.isOwn(number))) : null;
      case "is_integer" -> number instanceof Real real ? method(name, (in, arguments) -> Truth.of(real.value() - Math.rint(real.value()) == 0)) : null;
      default -> null;
    };
  }
}
