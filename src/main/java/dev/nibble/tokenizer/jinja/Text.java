package dev.nibble.tokenizer.jinja;

import java.util.List;

/** A string, and which of its characters are the template's own. Texts are equal if their characters are. */
public final class Text implements Value, Comparable<Text> {
  static final Text EMPTY = own("");

  private final String value;
  private final Origin origin;
  private final boolean markup;
  private int length = -1; // in code points, as Python counts; worked out when it is asked for

  /** @param markup whether it is ready for HTML, as the filters escape and safe make it */
  Text(String value, Origin origin, boolean markup) {
    this.value = value;
    this.origin = origin;
    this.markup = markup;
  }

  /** Text of the template or of the model. */
  public static Text own(String value) {
    return new Text(value, Origin.OWN, false);
  }

  /** Text of somebody else. */
  public static Text foreign(String value) {
    return new Text(value, Origin.FOREIGN, false);
  }

  /** Its characters. */
  public String value() {
    return value;
  }

  /** Whether all these characters (UTF-16) are the template's own. */
  public boolean isOwn(int from, int to) {
    return origin.isOwn(from, to);
  }

  Origin origin() {
    return origin;
  }

  boolean isMarkup() {
    return markup;
  }

  Text asMarkup(boolean wanted) {
    return wanted == markup ? this : new Text(value, origin, wanted);
  }

  boolean isEmpty() {
    return value.isEmpty();
  }

  /** Code points. */
  int length() {
    if (length < 0) {
      length = value.codePointCount(0, value.length());
    }
    return length;
  }

  /** Where the code point with this index begins. */
  int offset(int index) {
    return length() == value.length() ? index : value.offsetByCodePoints(0, index);
  }

  /** The index of the code point that begins here. */
  int index(int offset) {
    return length() == value.length() ? offset : value.codePointCount(0, offset);
  }

  /** By offsets. */
  Text substring(int from, int to) {
    return from == 0 && to == value.length() ? this : new Text(value.substring(from, to), origin.slice(from, to), markup);
  }

  /** A text of the same characters' fate: uniform texts keep their origin whatever becomes of them. */
  Text with(String changed) {
    return new Text(changed, origin, markup);
  }

  @Override
  public String typeName() {
    return markup ? "Markup" : "str";
  }

  @Override
  public boolean isTrue() {
    return !value.isEmpty();
  }

  /** By code points, as Python compares. */
  @Override
  public int compareTo(Text other) {
    int most = Math.min(value.length(), other.value.length());
    for (int i = 0; i < most; i++) {
      char a = value.charAt(i);
      char b = other.value.charAt(i);
      if (a != b) {
        boolean pairs = Character.isSurrogate(a) != Character.isSurrogate(b);
        return pairs ? Character.isSurrogate(a) ? 1 : -1 : Character.compare(a, b);
      }
    }
    return Integer.compare(value.length(), other.value.length());
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof Text text && text.value.equals(value);
  }

  @Override
  public int hashCode() {
    return value.hashCode();
  }

  @Override
  public String toString() {
    return value;
  }

  /** Names, for {@code arguments} of a macro. */
  static TupleValue names(List<String> names) {
    return new TupleValue(names.stream().<Value>map(Text::own).toList());
  }
}
