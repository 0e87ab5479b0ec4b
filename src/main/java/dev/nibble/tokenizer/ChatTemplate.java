package dev.nibble.tokenizer;

import dev.nibble.format.Printable;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * A chat template in the part of Jinja that conversations need: {@code for} over messages with {@code loop}, {@code if}, {@code elif},
 * {@code else}, {@code set}, literals, subscripts, {@code + ~ == != and or not in}, {@code is defined}, {@code is none}, the filter {@code trim}, and
 * {@code raise_exception}. Other constructs are refused with their name and line when they are reached. Every character carries whether it
 * came from the template: only such ones can form special tokens.
 *
 * <p>Templates come with models, from strangers: work, nesting and the size of texts are bounded.
 */
final class ChatTemplate {
  /** Most characters of a template: ten times the longest published one. */
  static final int MAX_SOURCE = 1 << 20;

  /** Work is counted in characters looked at, about: some hundred million a second. */
  private static final long LEAST_WORK = 1 << 26;
  private static final long TRIAL_WORK = 1 << 23;
  private static final int WORK_A_CHARACTER = 64; // of the conversation
  private static final int CHECK_EVERY = 1 << 16;
  private static final int COPYING = 4; // a character that is kept costs as much as so many that are looked at
  private static final int LEAST_TEXT = 1 << 20; // characters of a text that a template may make
  private static final int TEXT_A_CHARACTER = 4; // more, for each of the conversation
  private static final int MAX_DEPTH = 400; // of blocks and of the steps of expressions
  private static final int MAX_SHOWN = 80; // characters of a construct in a message
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

  /** A construct that can't be used, or that takes too much; {@link #run} adds where it is. */
  private static final class Unusable extends RuntimeException {
    private static final long serialVersionUID = 1L;

    Unusable(String what) {
      super(what, null, false, false);
    }
  }

  private static Unusable unusable(String what) {
    return new Unusable(what);
  }

  /** A piece of the template for a message. */
  static String shown(String source) {
    return Printable.of(source.strip(), MAX_SHOWN);
  }

  /** What a rendering may still take. */
  private static final class Work {
    private final EncodingBudget budget;
    private final long mostText;
    private long left;
    private long unchecked;
    private int depth;

    Work(EncodingBudget budget, long work, long mostText) {
      this.budget = budget;
      this.left = work;
      this.mostText = mostText;
    }

    void spend(long characters) {
      left -= characters;
      if (left < 0) {
        throw unusable("rendering takes more steps than are allowed");
      }
      unchecked += characters;
      if (unchecked >= CHECK_EVERY) {
        unchecked = 0;
        budget.checkpoint();
      }
    }

    /** Tells of characters about to be added to a text. */
    void add(long before, long length) {
      if (before + length > mostText) {
        throw unusable("it makes a text of more than " + mostText + " characters");
      }
      spend(COPYING * length);
    }

    void enter() {
      if (++depth > MAX_DEPTH) {
        throw unusable("it is nested too deep");
      }
    }

    void leave() {
      depth--;
    }
  }

  private static final class Output {
    private final Work work;
    private final StringBuilder value = new StringBuilder();
    private final BitSet own = new BitSet();

    Output(Work work) {
      this.work = work;
    }

    Output add(Text text) {
      work.add(value.length(), text.value.length());
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

  private record Block(boolean statement, boolean expression, String source, int line) {}

  private final List<Block> blocks = new ArrayList<>();

  ChatTemplate(String source) {
    int at = 0;
    int line = 1;
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
        int start = text.lastIndexOf('\n') + 1;
        if (text.substring(start).isBlank() && (start > 0 || at == 0)) {
          text = text.substring(0, start); // lstrip_blocks
        }
      }
      if (!text.isEmpty()) {
        blocks.add(new Block(false, false, text, line));
      }
      if (open < 0) {
        break;
      }
      line += lines(source, at, open);
      char kind = source.charAt(open + 1);
      String closing = kind == '{' ? "}}" : kind + "}";
      int close = source.indexOf(closing, open + 2);
      String inside = close < 0 ? source.substring(open + 2) : source.substring(open + 2, close);
      strip = inside.endsWith("-");
      inside = inside.substring(inside.startsWith("-") ? 1 : 0, Math.max(inside.startsWith("-") ? 1 : 0, inside.length() - (strip ? 1 : 0))).strip();
      if (kind != '#') {
        blocks.add(new Block(kind == '%', kind == '{', inside, line));
      }
      at = close < 0 ? source.length() : close + 2;
      line += lines(source, open, at);
    }
  }

  private static int lines(String source, int from, int to) {
    int lines = 0;
    for (int i = from; i < to; i++) {
      lines += source.charAt(i) == '\n' ? 1 : 0;
    }
    return lines;
  }

  /**
   * Renders a conversation, with the header of the answer.
   *
   * @throws ChatTemplateException if the template refuses it, can't be used, or takes too much
   */
  Text render(List<ChatMessage> messages, String bos, String eos, EncodingBudget budget) {
    long characters = messages.stream().mapToLong(message -> message.content().length()).sum();
    return render(messages, bos, eos, new Work(budget, LEAST_WORK + WORK_A_CHARACTER * characters, LEAST_TEXT + TEXT_A_CHARACTER * characters));
  }

  /** {@link #render} of a short conversation, to see whether the template can be used, with little patience. */
  Text tryOut(List<ChatMessage> messages, String bos, String eos) {
    return render(messages, bos, eos, new Work(EncodingBudget.unlimited(), TRIAL_WORK, LEAST_TEXT));
  }

  private Text render(List<ChatMessage> messages, String bos, String eos, Work work) {
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
    Output out = new Output(work);
    int end = run(0, names, out, true);
    if (end < blocks.size()) {
      throw placed(blocks.get(end), "unexpected {% " + shown(blocks.get(end).source) + " %}");
    }
    return out.text();
  }

  private static ChatTemplateException placed(Block block, String what) {
    return new ChatTemplateException(ChatTemplateException.Fault.MODEL, "its chat template can't be used: line " + block.line + ": " + what);
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
    out.work.enter();
    while (at < blocks.size()) {
      Block block = blocks.get(at);
      try {
        out.work.spend(1);
        if (block.statement) {
          int next = statement(at, names, out, live);
          if (next < 0) {
            break;
          }
          at = next;
        } else {
          if (live) {
            out.add(block.expression ? text(new Expression(block.source, names, out.work).all()) : Text.own(block.source));
          }
          at++;
        }
      } catch (Unusable e) {
        throw placed(block, e.getMessage());
      }
    }
    out.work.leave();
    return at;
  }

  /** The index after a statement and what belongs to it, or -1 if the statement closes a block or is its alternative. */
  private int statement(int at, Map<String, Object> names, Output out, boolean live) {
    Block block = blocks.get(at);
    String rest = block.source.substring(word(block.source).length()).strip();
    switch (word(block.source)) {
      case "for" -> {
        return loop(at, rest, names, out, live);
      }
      case "if" -> {
        return choice(at, rest, names, out, live);
      }
      case "set" -> {
        int equals = rest.indexOf('=');
        String name = equals < 0 ? "" : rest.substring(0, equals).strip();
        if (live) {
          if (!isName(name)) {
            throw unusable("{% " + shown(block.source) + " %} is not supported");
          }
          names.put(name, new Expression(rest.substring(equals + 1), names, out.work).all());
        }
        return at + 1;
      }
      case "endfor", "endif", "else", "elif" -> {
        return -1;
      }
      default -> {
        if (live) {
          throw unusable("{% " + shown(block.source) + " %} is not supported");
        }
        return at + 1;
      }
    }
  }

  private static boolean isName(String name) {
    return name.matches("[A-Za-z_]\\w*");
  }

  private String end(int at, String expected) {
    if (at >= blocks.size()) {
      throw unusable("{% " + expected + " %} is missing");
    }
    return word(blocks.get(at).source);
  }

  private int choice(int at, String condition, Map<String, Object> names, Output out, boolean live) {
    boolean taken = live && truth(new Expression(condition, names, out.work).all());
    boolean done = taken || !live;
    at = run(at + 1, names, out, taken);
    while (!end(at, "endif").equals("endif")) {
      String word = end(at, "endif");
      boolean now = switch (word) {
        case "else" -> !done;
        case "elif" -> !done && truth(new Expression(blocks.get(at).source.substring(4), names, out.work).all());
        default -> throw unusable("unexpected {% " + shown(word) + " %}");
      };
      done |= now;
      at = run(at + 1, names, out, now);
    }
    return at + 1;
  }

  private int loop(int at, String header, Map<String, Object> names, Output out, boolean live) {
    int in = header.indexOf(" in ");
    String name = in < 0 ? "" : header.substring(0, in).strip();
    if (live && !isName(name)) {
      throw unusable("{% for " + shown(header) + " %} is not supported");
    }
    Object over = live ? new Expression(header.substring(in + 4), names, out.work).all() : List.of();
    if (!(over instanceof List<?> list)) {
      throw unusable("{% for " + shown(header) + " %} goes over something that is no list");
    }
    int close = run(at + 1, names, out, false);
    if (!end(close, "endfor").equals("endfor")) {
      throw unusable("{% " + shown(blocks.get(close).source) + " %} within a for is not supported");
    }
    for (int i = 0; i < list.size(); i++) {
      out.work.spend(names.size());
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
      default -> throw unusable("a list or mapping can't be written");
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

  private static boolean equal(Object a, Object b, Work work) {
    if (a instanceof Text x && b instanceof Text y) {
      work.spend(Math.min(x.value.length(), y.value.length()));
      return x.value.equals(y.value);
    }
    if (a instanceof List || a instanceof Map || b instanceof List || b instanceof Map) {
      throw unusable("comparing lists or mappings is not supported");
    }
    return a.equals(b);
  }

  /** An undefined name, or none. */
  private record Missing(boolean defined) {}

  /** Evaluates an expression while reading it. */
  private static final class Expression {
    private final String source;
    private final Map<String, Object> names;
    private final Work work;
    private int at;

    Expression(String source, Map<String, Object> names, Work work) {
      this.source = source;
      this.names = names;
      this.work = work;
      work.spend(source.length());
    }

    Object all() {
      Object value = or();
      space();
      if (at < source.length()) {
        throw unusable("\"" + shown(source.substring(at)) + "\" in \"" + shown(source) + "\" is not supported");
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
        throw unusable("\"" + symbol + "\" is missing in \"" + shown(source) + "\"");
      }
    }

    private Object or() {
      work.enter();
      Object left = and();
      while (take("or")) {
        Object right = and();
        left = truth(left) ? left : right;
      }
      work.leave();
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
      boolean negated = false;
      while (take("not")) {
        negated = !negated;
      }
      Object value = comparison();
      return negated ? (Object) !truth(value) : value;
    }

    private Object comparison() {
      Object left = sum();
      if (take("==")) {
        return equal(left, sum(), work);
      }
      if (take("!=")) {
        return !equal(left, sum(), work);
      }
      if (take("is")) {
        boolean negated = take("not");
        if (take("defined")) {
          return negated == (left instanceof Missing missing && !missing.defined);
        }
        if (take("none")) {
          return negated != (left instanceof Missing missing && missing.defined);
        }
        throw unusable("the test in \"" + shown(source) + "\" is not supported");
      }
      int before = at;
      boolean negated = take("not");
      if (take("in")) {
        Object right = sum();
        boolean found = switch (right) {
          case Text text -> left instanceof Text part && contains(text.value, part.value);
          case List<?> list -> list.stream().anyMatch(element -> equal(left, element, work));
          case Map<?, ?> map -> left instanceof Text key && map.containsKey(key.value);
          default -> throw unusable("\"in\" in \"" + shown(source) + "\" is not supported");
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

    private boolean contains(String text, String part) {
      work.spend(text.length() + (long) text.length() * part.length() / 16);
      return text.contains(part);
    }

    private Text join(Object left, Object right) {
      return new Output(work).add(text(left)).add(text(right)).text();
    }

    private Text strip(Object value) {
      Text text = text(value);
      work.add(0, text.value.length());
      return text.strip();
    }

    private Object filtered() {
      Object value = postfix();
      while (take("|")) {
        if (!take("trim")) {
          throw unusable("the filter in \"" + shown(source) + "\" is not supported; supported: trim");
        }
        value = strip(value);
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
            value = strip(value);
          } else {
            value = member(value, Text.own(name));
          }
        } else {
          return value;
        }
      }
    }

    private Object member(Object value, Object key) {
      if (value instanceof Map<?, ?> map && key instanceof Text text) {
        Object found = map.get(text.value);
        return found == null ? new Missing(false) : found;
      }
      if (value instanceof List<?> list && key instanceof Long index) {
        long i = index < 0 ? list.size() + index : index;
        return i >= 0 && i < list.size() ? list.get((int) i) : new Missing(false);
      }
      throw unusable("\"" + shown(source) + "\" looks into something that has no parts");
    }

    private String name() {
      space();
      int start = at;
      while (at < source.length() && (Character.isLetterOrDigit(source.charAt(at)) || source.charAt(at) == '_')) {
        at++;
      }
      if (at == start) {
        throw unusable("\"" + shown(source.substring(at)) + "\" in \"" + shown(source) + "\" is not supported");
      }
      return source.substring(start, at);
    }

    private Object primary() {
      work.enter();
      Object value = operand();
      work.leave();
      return value;
    }

    private Object operand() {
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
        throw unusable("\"-\" in \"" + shown(source) + "\" is not supported");
      }
      String name = name();
      if (Character.isDigit(name.charAt(0))) {
        if (!name.matches("\\d{1,9}")) {
          throw unusable("number " + name);
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
          throw new ChatTemplateException(ChatTemplateException.Fault.CONVERSATION, text(reason).value);
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
        throw unusable("a string is not closed in \"" + shown(source) + "\"");
      }
      at++;
      return Text.own(text.toString());
    }
  }
}
