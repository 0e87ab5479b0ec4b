package dev.nibble.tokenizer;

import java.util.ArrayList;
import java.util.BitSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * A chat template in the part of Jinja that conversations need: {@code for} over messages with {@code loop}, {@code if}, {@code elif},
 * {@code else}, {@code set}, literals, subscripts, {@code + ~ == != and or not in}, {@code is defined}, {@code is none}, the filter {@code trim}, and
 * {@code raise_exception}. Other constructs are refused with their name when the template is used. Every character carries whether it
 * came from the template: only such ones can form special tokens.
 */
final class ChatTemplate {
  private static final Set<String> KNOWN_ROLES = Set.of("system", "user", "assistant", "tool");

  /** Text and which of its characters are the template's own. */
  record Text(String value, BitSet own) {
    static Text own(String value) {
      BitSet bits = new BitSet();
      bits.set(0, value.length());
      return new Text(value, bits);
    }

    static Text foreign(String value) {
      return new Text(value, new BitSet());
    }

    /** Whether all these characters are the template's own. */
    boolean trusted(int from, int to) {
      int clear = own.nextClearBit(from);
      return clear >= to;
    }

    Text strip() {
      int from = 0;
      int to = value.length();
      while (from < to && Character.isWhitespace(value.charAt(from))) {
        from++;
      }
      while (to > from && Character.isWhitespace(value.charAt(to - 1))) {
        to--;
      }
      return new Text(value.substring(from, to), own.get(from, to));
    }
  }

  private static final class Output {
    private final EncodingBudget budget;
    private final StringBuilder value = new StringBuilder();
    private final BitSet own = new BitSet();

    Output(EncodingBudget budget) {
      this.budget = budget;
    }

    Output add(Text text) {
      for (int i = text.own.nextSetBit(0); i >= 0; i = text.own.nextSetBit(i + 1)) {
        own.set(value.length() + i);
      }
      value.append(text.value);
      return this;
    }

    Text text() {
      return new Text(value.toString(), (BitSet) own.clone());
    }
  }

  private record Block(boolean statement, boolean expression, String source) {}

  private final List<Block> blocks = new ArrayList<>();

  ChatTemplate(String source) {
    int at = 0;
    boolean strip = false;
    while (at < source.length()) {
      int open = source.indexOf('{', at);
      while (open >= 0 && (open + 1 >= source.length() || "{%#".indexOf(source.charAt(open + 1)) < 0)) {
        open = source.indexOf('{', open + 1);
      }
      String text = source.substring(at, open < 0 ? source.length() : open);
      if (strip) {
        text = text.stripLeading();
      } else if (!blocks.isEmpty() && blocks.getLast().statement && text.startsWith("\n")) {
        text = text.substring(1); // trim_blocks, as chat templates are rendered
      }
      if (open >= 0 && open + 2 < source.length() && source.charAt(open + 2) == '-') {
        text = text.stripTrailing();
      } else if (open >= 0 && source.charAt(open + 1) != '{') {
        int line = text.lastIndexOf('\n') + 1;
        if (text.substring(line).isBlank() && (line > 0 || at == 0)) {
          text = text.substring(0, line); // lstrip_blocks
        }
      }
      if (!text.isEmpty()) {
        blocks.add(new Block(false, false, text));
      }
      if (open < 0) {
        break;
      }
      char kind = source.charAt(open + 1);
      String closing = kind == '{' ? "}}" : kind + "}";
      int close = source.indexOf(closing, open + 2);
      String inside = close < 0 ? source.substring(open + 2) : source.substring(open + 2, close);
      strip = inside.endsWith("-");
      inside = inside.substring(inside.startsWith("-") ? 1 : 0, Math.max(inside.startsWith("-") ? 1 : 0, inside.length() - (strip ? 1 : 0))).strip();
      if (kind != '#') {
        blocks.add(new Block(kind == '%', kind == '{', inside));
      }
      at = close < 0 ? source.length() : close + 2;
    }
  }

  /** Renders a conversation, with the header of the answer. */
  Text render(List<ChatMessage> messages, String bos, String eos, EncodingBudget budget) {
    List<Object> list = new ArrayList<>();
    for (ChatMessage message : messages) {
      list.add(Map.of("role", KNOWN_ROLES.contains(message.role()) ? Text.own(message.role()) : Text.foreign(message.role()), "content",
          Text.foreign(message.content())));
    }
    Map<String, Object> names = new HashMap<>();
    names.put("messages", list);
    names.put("bos_token", Text.own(bos));
    names.put("eos_token", Text.own(eos));
    names.put("add_generation_prompt", true);
    Output out = new Output(budget);
    int end = run(0, names, out, true);
    if (end < blocks.size()) {
      throw refuse("unexpected {% " + blocks.get(end).source + " %}");
    }
    return out.text();
  }

  private static ChatTemplateException refuse(String what) {
    return new ChatTemplateException("the model's chat template can't be used: " + what);
  }

  private static String word(String statement) {
    int end = 0;
    while (end < statement.length() && Character.isLetter(statement.charAt(end))) {
      end++;
    }
    return statement.substring(0, end);
  }

  /** Runs blocks up to a closing or alternative statement, whose index is returned; {@code live} tells whether they count. */
  private int run(int at, Map<String, Object> names, Output out, boolean live) {
    while (at < blocks.size()) {
      out.budget.checkpoint();
      Block block = blocks.get(at);
      if (block.expression) {
        if (live) {
          out.add(text(new Expression(block.source, names).all()));
        }
        at++;
      } else if (!block.statement) {
        if (live) {
          out.add(Text.own(block.source));
        }
        at++;
      } else {
        String rest = block.source.substring(word(block.source).length()).strip();
        switch (word(block.source)) {
          case "for" -> at = loop(at, rest, names, out, live);
          case "if" -> at = choice(at, rest, names, out, live);
          case "set" -> {
            int equals = rest.indexOf('=');
            String name = equals < 0 ? "" : rest.substring(0, equals).strip();
            if (!name.matches("[A-Za-z_]\\w*")) {
              throw refuse("{% " + block.source + " %} is not supported");
            }
            if (live) {
              names.put(name, new Expression(rest.substring(equals + 1), names).all());
            }
            at++;
          }
          case "endfor", "endif", "else", "elif" -> {
            return at;
          }
          default -> throw refuse("{% " + block.source + " %} is not supported");
        }
      }
    }
    return at;
  }

  private String end(int at, String expected) {
    if (at >= blocks.size()) {
      throw refuse("{% " + expected + " %} is missing");
    }
    return word(blocks.get(at).source);
  }

  private int choice(int at, String condition, Map<String, Object> names, Output out, boolean live) {
    boolean taken = live && truth(new Expression(condition, names).all());
    boolean done = taken || !live;
    at = run(at + 1, names, out, taken);
    while (!end(at, "endif").equals("endif")) {
      String word = end(at, "endif");
      boolean now = switch (word) {
        case "else" -> !done;
        case "elif" -> !done && truth(new Expression(blocks.get(at).source.substring(4), names).all());
        default -> throw refuse("unexpected {% " + word + " %}");
      };
      done |= now;
      at = run(at + 1, names, out, now);
    }
    return at + 1;
  }

  private int loop(int at, String header, Map<String, Object> names, Output out, boolean live) {
    int in = header.indexOf(" in ");
    String name = in < 0 ? "" : header.substring(0, in).strip();
    if (!name.matches("[A-Za-z_]\\w*")) {
      throw refuse("{% for " + header + " %} is not supported");
    }
    Object over = live ? new Expression(header.substring(in + 4), names).all() : List.of();
    if (!(over instanceof List<?> list)) {
      throw refuse("{% for " + header + " %} goes over something that is no list");
    }
    int close = run(at + 1, new HashMap<>(names), new Output(out.budget), false);
    if (!end(close, "endfor").equals("endfor")) {
      throw refuse("{% " + blocks.get(close).source + " %} within a for is not supported");
    }
    for (int i = 0; i < list.size(); i++) {
      Map<String, Object> inner = new HashMap<>(names); // what a loop sets ends with its round, as in Jinja
      inner.put(name, list.get(i));
      inner.put("loop", Map.of("index", i + 1L, "index0", (long) i, "first", i == 0, "last", i == list.size() - 1, "length", (long) list.size()));
      run(at + 1, inner, out, true);
    }
    return close + 1;
  }

  private static Text text(Object value) {
    return switch (value) {
      case Text text -> text;
      case Long number -> Text.own(number.toString());
      case Boolean bool -> Text.own(bool ? "True" : "False");
      case Missing missing -> Text.own("");
      default -> throw refuse("a list or mapping can't be written");
    };
  }

  private static boolean truth(Object value) {
    return switch (value) {
      case Text text -> !text.value.isEmpty();
      case Long number -> number != 0;
      case Boolean bool -> bool;
      case List<?> list -> !list.isEmpty();
      case Map<?, ?> map -> !map.isEmpty();
      default -> false;
    };
  }

  private static boolean equal(Object a, Object b) {
    return a instanceof Text x && b instanceof Text y ? x.value.equals(y.value) : a.equals(b);
  }

  /** An undefined name, or none. */
  private record Missing(boolean defined) {}

  /** Evaluates an expression while reading it. */
  private static final class Expression {
    private final String source;
    private final Map<String, Object> names;
    private int at;

    Expression(String source, Map<String, Object> names) {
      this.source = source;
      this.names = names;
    }

    Object all() {
      Object value = or();
      space();
      if (at < source.length()) {
        throw refuse("\"" + source.substring(at) + "\" in \"" + source.strip() + "\" is not supported");
      }
      return value;
    }

    private void space() {
      while (at < source.length() && Character.isWhitespace(source.charAt(at))) {
        at++;
      }
    }

    private boolean take(String symbol) {
      space();
      boolean letters = Character.isLetter(symbol.charAt(0));
      int end = at + symbol.length();
      if (!source.startsWith(symbol, at) || letters && end < source.length() && (Character.isLetterOrDigit(source.charAt(end)) || source.charAt(end) == '_')) {
        return false;
      }
      at = end;
      return true;
    }

    private void need(String symbol) {
      if (!take(symbol)) {
        throw refuse("\"" + symbol + "\" is missing in \"" + source.strip() + "\"");
      }
    }

    private Object or() {
      Object left = and();
      while (take("or")) {
        Object right = and();
        left = truth(left) ? left : right;
      }
      return left;
    }

    private Object and() {
      Object left = not();
      while (take("and")) {
        Object right = not();
        left = truth(left) ? right : left;
      }
      return left;
    }

    private Object not() {
      return take("not") ? (Object) !truth(not()) : comparison();
    }

    private Object comparison() {
      Object left = sum();
      if (take("==")) {
        return equal(left, sum());
      }
      if (take("!=")) {
        return !equal(left, sum());
      }
      if (take("is")) {
        boolean negated = take("not");
        if (take("defined")) {
          return negated == (left instanceof Missing missing && !missing.defined);
        }
        if (take("none")) {
          return negated != (left instanceof Missing missing && missing.defined);
        }
        throw refuse("the test in \"" + source.strip() + "\" is not supported");
      }
      int before = at;
      boolean negated = take("not");
      if (take("in")) {
        Object right = sum();
        boolean found = switch (right) {
          case Text text -> left instanceof Text part && text.value.contains(part.value);
          case List<?> list -> list.stream().anyMatch(element -> equal(left, element));
          case Map<?, ?> map -> left instanceof Text key && map.containsKey(key.value);
          default -> throw refuse("\"in\" in \"" + source.strip() + "\" is not supported");
        };
        return negated != found;
      }
      at = before;
      return left;
    }

    private Object sum() {
      Object left = filtered();
      while (true) {
        if (take("+")) {
          Object right = filtered();
          left = left instanceof Long a && right instanceof Long b ? (Object) (a + b) : join(left, right);
        } else if (take("~")) {
          left = join(left, filtered());
        } else {
          return left;
        }
      }
    }

    private static Text join(Object left, Object right) {
      return new Output(EncodingBudget.unlimited()).add(text(left)).add(text(right)).text();
    }

    private Object filtered() {
      Object value = postfix();
      while (take("|")) {
        if (!take("trim")) {
          throw refuse("the filter in \"" + source.strip() + "\" is not supported; supported: trim");
        }
        value = text(value).strip();
      }
      return value;
    }

    private Object postfix() {
      Object value = primary();
      while (true) {
        if (take("[")) {
          Object key = or();
          need("]");
          value = member(value, key);
        } else if (take(".")) {
          String name = name();
          if ((name.equals("strip") || name.equals("trim")) && take("(")) {
            need(")");
            value = text(value).strip();
          } else {
            value = member(value, Text.own(name));
          }
        } else {
          return value;
        }
      }
    }

    private static Object member(Object value, Object key) {
      if (value instanceof Map<?, ?> map && key instanceof Text text) {
        Object found = map.get(text.value);
        return found == null ? new Missing(false) : found;
      }
      if (value instanceof List<?> list && key instanceof Long index) {
        long i = index < 0 ? list.size() + index : index;
        return i >= 0 && i < list.size() ? list.get((int) i) : new Missing(false);
      }
      throw refuse("a subscript of something that has none");
    }

    private String name() {
      space();
      int start = at;
      while (at < source.length() && (Character.isLetterOrDigit(source.charAt(at)) || source.charAt(at) == '_')) {
        at++;
      }
      if (at == start) {
        throw refuse("\"" + source.substring(at) + "\" in \"" + source.strip() + "\" is not supported");
      }
      return source.substring(start, at);
    }

    private Object primary() {
      space();
      char c = at < source.length() ? source.charAt(at) : 0;
      if (c == '\'' || c == '"') {
        return literal(c);
      }
      if (take("(")) {
        Object value = or();
        need(")");
        return value;
      }
      if (take("[")) {
        List<Object> list = new ArrayList<>();
        while (!take("]")) {
          list.add(or());
          if (!take(",")) {
            need("]");
            break;
          }
        }
        return list;
      }
      if (take("-")) {
        if (primary() instanceof Long number) {
          return -number;
        }
        throw refuse("\"-\" in \"" + source.strip() + "\" is not supported");
      }
      String name = name();
      if (Character.isDigit(name.charAt(0))) {
        if (!name.matches("\\d{1,9}")) {
          throw refuse("number " + name);
        }
        return Long.valueOf(name);
      }
      return switch (name) {
        case "true", "True" -> true;
        case "false", "False" -> false;
        case "none", "None" -> new Missing(true);
        case "raise_exception" -> {
          need("(");
          Object reason = or();
          need(")");
          throw new ChatTemplateException(text(reason).value);
        }
        default -> names.getOrDefault(name, new Missing(false));
      };
    }

    private Text literal(char quote) {
      StringBuilder text = new StringBuilder();
      for (at++; at < source.length() && source.charAt(at) != quote; at++) {
        char c = source.charAt(at);
        if (c == '\\' && at + 1 < source.length()) {
          char escaped = source.charAt(++at);
          c = switch (escaped) {
            case 'n' -> '\n';
            case 't' -> '\t';
            case 'r' -> '\r';
            default -> escaped;
          };
        }
        text.append(c);
      }
      if (at >= source.length()) {
        throw refuse("a string is not closed in \"" + source.strip() + "\"");
      }
      at++;
      return Text.own(text.toString());
    }
  }
}
