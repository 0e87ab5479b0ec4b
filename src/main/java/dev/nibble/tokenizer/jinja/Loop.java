package dev.nibble.tokenizer.jinja;

import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Optional;

/** {@code loop}: where a loop is. */
final class Loop implements Value {
  private final Optional<Recursion> recursion;
  private final int depth;
  private final Work work;
  private Iterator<Value> source;
  private int length; // -1 while it is not known
  private int index0 = -1;
  private Value before; // null where there is none, here and below
  private Value current;
  private Value after;
  private Value changed;

  /** Runs the loop again over other values. */
  @FunctionalInterface
  interface Recursion {
    Value run(Value values, int depth);
  }

  /** @param over what the loop goes over @param filtered what is left of it by the loop's condition, if it has one */
  Loop(Value over, Optional<Iterator<Value>> filtered, Optional<Recursion> recursion, int depth, Work work) {
    this.recursion = recursion;
    this.depth = depth;
    this.work = work;
    source = filtered.orElseGet(() -> Sequences.iterator(over));
    length = filtered.isPresent() ? -1 : Sequences.length(over);
  }

  boolean hasNext() {
    return after != null || source.hasNext();
  }

  Value next() {
    Value next = after != null ? after : source.next();
    after = null;
    index0++;
    before = current;
    current = next;
    return next;
  }

  /** What is left of it, each with the loop: whoever goes over it goes on with it. */
  Iterator<Value> rest() {
    return new Iterator<>() {
      @Override
      public boolean hasNext() {
        return Loop.this.hasNext();
      }

      @Override
      public Value next() {
        return TupleValue.of(Loop.this.next(), Loop.this);
      }
    };
  }

  private Value peek() {
    if (after == null && source.hasNext()) {
      after = source.next();
    }
    return after;
  }

  int index() {
    return index0 + 1;
  }

  int length() {
    if (length < 0) {
      List<Value> rest = new ArrayList<>();
      while (source.hasNext()) {
        work.elements(1);
        rest.add(source.next());
      }
      source = rest.iterator();
      length = rest.size() + index() + (after != null ? 1 : 0);
    }
    return length;
  }

  /** An attribute, or null if it has none of that name. */
  Value attribute(String name) {
    return switch (name) {
      case "index" -> Whole.own(index());
      case "index0" -> Whole.own(index0);
      case "revindex" -> Whole.own(length() - index0);
      case "revindex0" -> Whole.own(length() - index());
      case "first" -> Truth.of(index0 == 0);
      case "last" -> Truth.of(peek() == null);
      case "length" -> Whole.own(length());
      case "depth" -> Whole.own(depth + 1L);
      case "depth0" -> Whole.own(depth);
      case "previtem" -> before == null ? Undefined.because("there is no previous item") : before;
      case "nextitem" -> peek() == null ? Undefined.because("there is no next item") : peek();
      case "cycle" -> Attributes.method(name, (in, arguments) -> {
        List<Value> values = arguments.only("cycle", 0, Integer.MAX_VALUE);
        if (values.isEmpty()) {
          throw TemplateException.type("no items for cycling given");
        }
        return values.get(index0 % values.size());
      });
      case "changed" -> Attributes.method(name, (in, arguments) -> {
        Value now = new TupleValue(arguments.only("changed", 0, Integer.MAX_VALUE));
        boolean same = changed != null && Operators.equal(changed, now, work);
        changed = now;
        return Truth.of(!same);
      });
      default -> null;
    };
  }

  Value call(Arguments arguments) {
    Value values = Signature.of("__call__", 1, "iterable").bind(arguments)[0];
    return recursion.orElseThrow(() -> TemplateException.type("The loop must have the 'recursive' marker to be called recursively.")).run(values, depth + 1);
  }

  @Override
  public String typeName() {
    return "LoopContext";
  }

  @Override
  public boolean isTrue() {
    return length() > 0;
  }
}
