package dev.nibble.tokenizer.jinja;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Methods of lists, tuples, dicts and ranges that change nothing; null where there is none of a name. */
final class CollectionMethods {
  private CollectionMethods() {}

  static Value list(ListValue list, String name) {
    return switch (name) {
      case "copy" -> Attributes.method(name, (in, arguments) -> {
        arguments.only("list.copy", 0, 0);
        return list;
      });
      default -> sequence(list, name);
    };
  }

  static Value tuple(TupleValue tuple, String name) {
    return switch (name) {
      case "grouper" -> tuple.isGroup() ? tuple.items().get(0) : null;
      case "list" -> tuple.isGroup() ? tuple.items().get(1) : null;
      default -> sequence(tuple, name);
    };
  }

  static Value range(RangeValue range, String name) {
    return switch (name) {
      case "start" -> Whole.own(range.start());
      case "stop" -> Whole.own(range.stop());
      case "step" -> Whole.own(range.step());
      default -> sequence(range, name);
    };
  }

  private static Value sequence(Value sequence, String name) {
    return switch (name) {
      case "index" -> Attributes.method(name, (in, arguments) -> {
        List<Value> given = arguments.only(sequence.typeName() + ".index", 1, 3);
        List<Value> items = Sequences.list(sequence, in.work());
        int from = given.size() > 1 ? at(given.get(1), items.size()) : 0;
        int to = given.size() > 2 ? at(given.get(2), items.size()) : items.size();
        for (int i = from; i < to; i++) {
          if (items.get(i) == given.get(0) || Operators.equal(items.get(i), given.get(0), in.work())) {
            return Whole.own(i);
          }
        }
        String type = sequence.typeName();
        throw TemplateException.value(sequence instanceof ListValue ? Printer.brief(given.get(0)) + " is not in list" : type + ".index(x): x not in " + type);
      });
      case "count" -> Attributes.method(name, (in, arguments) -> {
        Value wanted = arguments.only(sequence.typeName() + ".count", 1, 1).getFirst();
        return Whole.own(Sequences.list(sequence, in.work()).stream().filter(item -> item == wanted || Operators.equal(item, wanted, in.work())).count());
      });
      default -> null;
    };
  }

  private static int at(Value index, int size) {
    int at = Numbers.index(index);
    return Math.clamp(at < 0 ? (long) at + size : at, 0, size);
  }

  static Value dict(DictValue dict, String name) {
    return switch (name) {
      case "keys" -> view(dict, name, DictView.Part.KEYS);
      case "values" -> view(dict, name, DictView.Part.VALUES);
      case "items" -> view(dict, name, DictView.Part.ITEMS);
      case "get" -> Attributes.method(name, (in, arguments) -> {
        List<Value> given = arguments.only("dict.get", 1, 2);
        Value found = dict.entries().get(Operators.key(given.get(0), in.work()));
        return found != null ? found : given.size() > 1 ? given.get(1) : None.NONE;
      });
      case "copy" -> Attributes.method(name, (in, arguments) -> {
        arguments.only("dict.copy", 0, 0);
        return dict;
      });
      case "fromkeys" -> Attributes.method(name, CollectionMethods::fromKeys);
      default -> null;
    };
  }

  private static Value view(DictValue dict, String name, DictView.Part part) {
    return Attributes.method(name, (in, arguments) -> {
      arguments.only("dict." + name, 0, 0);
      return new DictView(dict, part);
    });
  }

  static Value fromKeys(Interpreter interpreter, Arguments arguments) {
    List<Value> given = arguments.only("dict.fromkeys", 1, 2);
    Map<Value, Value> entries = new LinkedHashMap<>();
    for (Value key : Sequences.list(given.get(0), interpreter.work())) {
      entries.putIfAbsent(Operators.key(key, interpreter.work()), given.size() > 1 ? given.get(1) : None.NONE);
    }
    return new DictValue(entries);
  }

  /** Python's {@code dict(…)}. */
  static Map<Value, Value> entries(Arguments arguments, Work work) {
    if (arguments.positional().size() > 1) {
      throw TemplateException.type("dict expected at most 1 argument, got " + arguments.positional().size());
    }
    Map<Value, Value> entries = new LinkedHashMap<>();
    if (!arguments.positional().isEmpty()) {
      Value from = arguments.positional().getFirst();
      if (from instanceof Undefined undefined) {
        throw undefined.failure();
      }
      if (from instanceof DictValue dict) {
        work.elements(dict.entries().size());
        entries.putAll(dict.entries());
      } else {
        for (Value pair : Sequences.list(from, work)) {
          if (!Sequences.isIterable(pair)) {
            throw TemplateException.type("cannot convert dictionary update sequence element #" + entries.size() + " to a sequence");
          }
          List<Value> parts = Sequences.list(pair, work);
          if (parts.size() != 2) {
            throw TemplateException.value("dictionary update sequence element #" + entries.size() + " has length " + parts.size() + "; 2 is required");
          }
          entries.put(Operators.key(parts.get(0), work), parts.get(1));
        }
      }
    }
    arguments.named().forEach((name, value) -> entries.put(Text.own(name), value));
    work.elements(entries.size());
    return entries;
  }

}
