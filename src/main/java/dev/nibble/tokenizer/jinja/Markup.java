package dev.nibble.tokenizer.jinja;

/** Text ready for HTML, as the filter {@code escape} makes it. */
final class Markup {
  private Markup() {}

  /** A value's text, escaped unless it is ready already. */
  static Text escape(Value value, Work work) {
    Text text = Printer.str(value, work);
    if (text.isMarkup()) {
      return text;
    }
    TextBuilder out = new TextBuilder(work);
    int plain = 0;
    for (int i = 0; i < text.value().length(); i++) {
      String entity = switch (text.value().charAt(i)) {
        case '&' -> "&amp;";
        case '<' -> "&lt;";
        case '>' -> "&gt;";
        case '\'' -> "&#39;";
        case '"' -> "&#34;";
        default -> null;
      };
      if (entity != null) {
        out.add(text, plain, i).add(entity, false);
        plain = i + 1;
      }
    }
    return out.add(text, plain, text.value().length()).text(true);
  }

  /** Without tags and comments, white space as single spaces, and the commonest entities as characters. */
  static Text stripTags(Text text, Work work) {
    String value = text.value();
    TextBuilder kept = new TextBuilder(work);
    int at = 0;
    while (true) {
      int start = value.indexOf('<', at);
      if (start < 0) {
        break;
      }
      boolean comment = value.startsWith("<!--", start);
      int end = value.indexOf(comment ? "-->" : ">", comment ? start + 4 : start);
      if (end < 0) {
        break;
      }
      kept.add(text, at, start);
      at = end + (comment ? 3 : 1);
    }
    kept.add(text, at, value.length());
    TextBuilder out = new TextBuilder(work);
    boolean first = true;
    for (Text word : TextMethods.words(kept.text(), -1, work)) {
      out.add(first ? "" : " ", false);
      first = false;
      unescape(word, out);
    }
    return out.text();
  }

  private static void unescape(Text text, TextBuilder out) {
    String value = text.value();
    for (int i = 0; i < value.length();) {
      int end = value.charAt(i) == '&' ? value.indexOf(';', i) : -1;
      String letter = end < 0 || end - i > 10 ? null : switch (value.substring(i + 1, end)) {
        case "amp" -> "&";
        case "lt" -> "<";
        case "gt" -> ">";
        case "quot", "#34" -> "\"";
        case "apos", "#39" -> "'";
        case "nbsp" -> "\u00a0";
        default -> null;
      };
      if (letter == null) {
        out.add(text, i, i + 1);
        i++;
      } else {
        out.add(letter, false);
        i = end + 1;
      }
    }
  }
}
