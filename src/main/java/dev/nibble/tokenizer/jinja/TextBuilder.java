package dev.nibble.tokenizer.jinja;

import java.util.Arrays;

/** Puts texts together, each character with its origin. */
final class TextBuilder {
  private final Work work;
  private final StringBuilder value = new StringBuilder();
  private int[] changes = new int[4];
  private int count;

  TextBuilder(Work work) {
    this.work = work;
  }

  TextBuilder add(Text text) {
    return add(text, 0, text.value().length());
  }

  TextBuilder add(Text text, int from, int to) {
    work.text(value.length(), to - from);
    for (int at = from; at < to;) {
      int end = text.origin().runEnd(at, to);
      mark(text.origin().isOwn(at), value.length() + at - from);
      at = end;
    }
    value.append(text.value(), from, to);
    return this;
  }

  TextBuilder add(String text, boolean own) {
    work.text(value.length(), text.length());
    if (!text.isEmpty()) {
      mark(own, value.length());
    }
    value.append(text);
    return this;
  }

  TextBuilder add(char c, boolean own) {
    work.text(value.length(), 1);
    mark(own, value.length());
    value.append(c);
    return this;
  }

  private void mark(boolean own, int at) {
    if (((count & 1) == 1) != own) {
      if (count == changes.length) {
        changes = Arrays.copyOf(changes, 2 * count);
      }
      changes[count++] = at;
    }
  }

  int length() {
    return value.length();
  }

  Text text() {
    return text(false);
  }

  Text text(boolean markup) {
    return new Text(value.toString(), Origin.of(changes, count), markup);
  }
}
