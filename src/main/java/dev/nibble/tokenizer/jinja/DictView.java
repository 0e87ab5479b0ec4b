package dev.nibble.tokenizer.jinja;

import java.util.Iterator;
import java.util.Map;

/** Keys, values or items of a dict. */
record DictView(DictValue dict, Part part) implements Value {
  enum Part {
    KEYS("dict_keys"), VALUES("dict_values"), ITEMS("dict_items");

    private final String typeName;

    Part(String typeName) {
      this.typeName = typeName;
    }
  }

  int size() {
    return dict.entries().size();
  }

  Iterator<Value> iterator() {
    return switch (part) {
      case KEYS -> dict.entries().keySet().iterator();
      case VALUES -> dict.entries().values().iterator();
      case ITEMS -> {
        Iterator<Map.Entry<Value, Value>> entries = dict.entries().entrySet().iterator();
        yield new Iterator<>() {
          @Override
          public boolean hasNext() {
            return entries.hasNext();
          }

          @Override
          public Value next() {
            Map.Entry<Value, Value> entry = entries.next();
            return TupleValue.of(entry.getKey(), entry.getValue());
          }
        };
      }
    };
  }

  @Override
  public String typeName() {
    return part.typeName;
  }

  @Override
  public boolean isTrue() {
    return size() > 0;
  }

  @Override
  public long weight() {
    return dict.weight();
  }

  @Override
  public int depth() {
    return dict.depth() + 1;
  }
}
