package dev.nibble.tokenizer.jinja;

import java.util.Arrays;

/** A template's text with line feeds for ends of lines and without the last of them, and where its lines begin. */
final class Source {
  private final String text;
  private final int[] lines;

  Source(String given) {
    String all = given.indexOf('\r') < 0 ? given : given.replace("\r\n", "\n").replace('\r', '\n');
    text = all.endsWith("\n") ? all.substring(0, all.length() - 1) : all;
    int[] begins = new int[16];
    int count = 1;
    for (int at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) {
      begins = count == begins.length ? Arrays.copyOf(begins, 2 * count) : begins;
      begins[count++] = at + 1;
    }
    lines = Arrays.copyOf(begins, count);
  }

  String text() {
    return text;
  }

  TemplateException at(int position, TemplateException.Kind kind, String message) {
    int found = Arrays.binarySearch(lines, position);
    int line = found >= 0 ? found : -found - 2;
    return new TemplateException(kind, message, line + 1, position - lines[line] + 1);
  }
}
