package dev.nibble.tokenizer.jinja;

import java.util.Collection;

/** What a rendering has taken of its {@link Limits}. */
final class Work {
  /** How deep lists, tuples and dicts may be nested. */
  static final int MAX_NESTING = 200;
  /** How deep blocks, steps of expressions, macros and recursive loops may be nested: what fits into a stack of 512 KiB, whichever of Java's compilers made the code. */
  static final int MAX_DEPTH = 200;
  /** Most bits of an integer: more than Python writes out. */
  static final int MAX_BITS = 1 << 17;

  private static final int CHECK_EVERY = 1 << 16;
  private static final int COPYING = 4; // a character that is kept costs as much as so many that are looked at
  private static final int ELEMENT = 16; // likewise an element of a list
  private static final long HEAVIEST = 1L << 40;

  private final Limits limits;
  private long left;
  private long unchecked;
  private int depth;

  Work(Limits limits) {
    this.limits = limits;
    left = limits.steps();
  }

  /** Characters or values looked at. */
  void spend(long steps) {
    left -= steps;
    if (left < 0) {
      throw TemplateException.limit("rendering takes more steps than are allowed");
    }
    unchecked += steps;
    if (unchecked >= CHECK_EVERY) {
      unchecked = 0;
      limits.checkpoint().run();
    }
  }

  /** Characters about to be added to a text. */
  void text(long before, long added) {
    if (added > limits.characters() - before) {
      throw TemplateException.limit("it makes a text of more than " + limits.characters() + " characters");
    }
    spend(COPYING * added);
  }

  /** Elements about to be added to lists or dicts. */
  void elements(long added) {
    spend(ELEMENT * Math.min(added, HEAVIEST));
  }

  /** A search for a part in a text. */
  void search(Text text, Text part) {
    spend(text.value().length() + (long) text.value().length() * part.value().length() / 16);
  }

  void enter() {
    if (++depth > MAX_DEPTH) {
      throw tooDeep();
    }
  }

  void leave() {
    depth--;
  }

  static TemplateException tooDeep() {
    return TemplateException.limit("it is nested too deep");
  }

  static long weight(Collection<Value> values) {
    long sum = 1;
    for (Value value : values) {
      sum = Math.min(HEAVIEST, sum + value.weight());
    }
    return sum;
  }

  static int depth(Collection<Value> values) {
    int most = 0;
    for (Value value : values) {
      most = Math.max(most, value.depth());
    }
    if (most >= MAX_NESTING) {
      throw tooDeep();
    }
    return most + 1;
  }
}
