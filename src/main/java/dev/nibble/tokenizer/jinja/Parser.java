package dev.nibble.tokenizer.jinja;

import java.math.BigInteger;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** Makes a tree of a template by jinja2's grammar, and finds out which variables are whose. */
final class Parser {
  /** How deep statements and expressions may be nested in one another: more than jinja2 can take. */
  private static final int MAX_NESTING = 200;
  private static final int MAX_SHOWN = 40;
  private static final int MAX_DIGITS = 4300; // of an integer, as in Python
  private static final Set<String> SPECIAL = Set.of("caller", "kwargs", "varargs");

  private final List<Token> tokens;
  private final Map<String, Node.Block> blocks = new LinkedHashMap<>();
  private final Deque<String> tags = new ArrayDeque<>(); // of the statements that are open
  private final Deque<List<String>> ends = new ArrayDeque<>(); // what ends them
  private final List<MacroNames> macros = new ArrayList<>(); // that are open
  private final List<Misplaced> unknown = new ArrayList<>(); // filters and tests that there are not
  private Misplaced later; // what counts if nothing else is wrong
  private Scope scope = new Scope(null);
  private int at;
  private int nesting;
  private int loops; // that are open
  private boolean breakable; // whether a loop can be left here
  private boolean conditional; // whether unknown filters and tests fail only when they are reached

  /** Which of the special names a macro's body reads before it sets them. */
  private static final class MacroNames {
    private final Set<String> watched = new HashSet<>(SPECIAL);
    private final Set<String> used = new HashSet<>();
  }

  Parser(Source source) {
    tokens = Lexer.tokens(source.text());
  }

  Map<String, Node.Block> blocks() {
    return blocks;
  }

  /** @throws Misplaced if it is no template */
  Node.Body parse() {
    Scope top = scope;
    List<Node> nodes = statements(List.of());
    if (!unknown.isEmpty()) {
      throw unknown.getFirst();
    }
    if (later != null) {
      throw later;
    }
    return new Node.Body(nodes, top);
  }

  // Tokens

  private Token current() {
    return tokens.get(at);
  }

  private Token look() {
    return tokens.get(Math.min(at + 1, tokens.size() - 1));
  }

  private Token next() {
    Token token = current();
    if (token.kind() != Token.Kind.END) {
      at++;
    }
    return token;
  }

  private boolean takeName(String name) {
    if (current().isName(name)) {
      at++;
      return true;
    }
    return false;
  }

  private boolean takeOperator(String operator) {
    if (current().isOperator(operator)) {
      at++;
      return true;
    }
    return false;
  }

  private static String shown(Token token) {
    String text = token.shown();
    return Printer.quoted(text.length() <= MAX_SHOWN ? text : text.substring(0, MAX_SHOWN) + "…");
  }

  private Misplaced expected(String what) {
    return current().kind() == Token.Kind.END ? Misplaced.syntax("unexpected end of template, expected " + Printer.quoted(what) + ".", current().position())
        : Misplaced.syntax("expected token " + Printer.quoted(what) + ", got " + shown(current()), current().position());
  }

  private Token expect(Token.Kind kind) {
    if (current().kind() != kind) {
      throw expected(kind.shown());
    }
    return next();
  }

  private Token expectOperator(String operator) {
    if (!current().isOperator(operator)) {
      throw expected(operator);
    }
    return next();
  }

  private void enter() {
    if (++nesting > MAX_NESTING) {
      throw new Misplaced(TemplateException.Kind.LIMIT, "it is nested too deep", current().position());
    }
  }

  private void leave() {
    nesting--;
  }

  // Statements

  /** Up to a statement that begins with one of these names, whose name is then the current token. */
  private List<Node> statements(List<String> until) {
    enter();
    if (!until.isEmpty()) {
      ends.push(until);
    }
    List<Node> nodes = new ArrayList<>();
    boolean ended = false;
    while (!ended && current().kind() != Token.Kind.END) {
      Token token = next();
      switch (token.kind()) {
        case DATA -> nodes.add(new Node.Data(token.position(), Text.own(token.text())));
        case PRINT_BEGIN -> {
          Expression expression = tuple(true, false);
          nodes.add(new Node.Print(token.position(), expression, Expression.isConstant(expression)));
          expect(Token.Kind.PRINT_END);
        }
        case STATEMENT_BEGIN -> {
          if (current().kind() == Token.Kind.NAME && until.contains(current().text())) {
            ended = true;
          } else {
            nodes.addAll(statement(token.position()));
            expect(Token.Kind.STATEMENT_END);
          }
        }
        default -> throw new IllegalStateException(token.toString());
      }
    }
    if (!until.isEmpty()) {
      if (!ended) {
        throw unknownTag(null, current().position());
      }
      ends.pop();
    }
    leave();
    return List.copyOf(nodes);
  }

  /** A statement's body. */
  private List<Node> body(String... until) {
    takeOperator(":");
    expect(Token.Kind.STATEMENT_END);
    return statements(List.of(until));
  }

  private List<Node> bodyAndEnd(String end) {
    List<Node> nodes = body(end);
    next();
    return nodes;
  }

  private Misplaced unknownTag(String name, int position) {
    StringBuilder message = new StringBuilder(name == null ? "Unexpected end of template." : "Encountered unknown tag " + Printer.quoted(name) + ".");
    if (!ends.isEmpty()) {
      String looking = String.join(" or ", ends.peek().stream().map(Printer::quoted).toList());
      boolean elsewhere = name != null && ends.stream().anyMatch(each -> each.contains(name));
      message.append(elsewhere ? " You probably made a nesting mistake. Jinja is expecting this tag, but currently looking for " + looking + "."
          : " Jinja was looking for the following tags: " + looking + ".");
    }
    if (!tags.isEmpty()) {
      message.append(" The innermost block that needs to be closed is ").append(Printer.quoted(tags.peek())).append('.');
    }
    return Misplaced.syntax(message.toString(), position);
  }

  private List<Node> statement(int position) {
    Token name = current();
    if (name.kind() != Token.Kind.NAME) {
      throw Misplaced.syntax("tag name expected", name.position());
    }
    tags.push(name.text());
    List<Node> nodes = switch (name.text()) {
      case "for" -> List.of(loop(position));
      case "if" -> List.of(choice(position));
      case "set" -> List.of(set(position));
      case "with" -> List.of(with(position));
      case "macro" -> List.of(macro(position));
      case "call" -> List.of(callBlock(position));
      case "filter" -> List.of(filterBlock(position));
      case "block" -> List.of(block(position));
      case "print" -> print(position);
      case "autoescape" -> List.of(autoEscape(position));
      case "generation" -> List.of(generation(position));
      case "break", "continue" -> List.of(leaveLoop(position));
      case "include", "extends", "import", "from" -> List.of(load(position));
      default -> {
        tags.pop();
        throw unknownTag(name.text(), name.position());
      }
    };
    tags.pop();
    return nodes;
  }

  private <T> T within(Scope inner, java.util.function.Supplier<T> parse) {
    Scope outer = scope;
    boolean outerConditional = conditional;
    scope = inner;
    conditional = false;
    T parsed = parse.get();
    scope = outer;
    conditional = outerConditional;
    return parsed;
  }

  private Node.Body scopedBody(Scope inner, String end) {
    return within(inner, () -> new Node.Body(bodyAndEnd(end), inner));
  }

  private Node loop(int position) {
    next();
    loops++;
    Target target = target(false);
    if (!takeName("in")) {
      throw expected("in");
    }
    Expression iterable = tuple(false, false);
    Optional<Node.Condition> condition = Optional.empty();
    if (takeName("if")) {
      Scope inner = new Scope(scope);
      parameters(target, inner);
      condition = Optional.of(within(inner, () -> new Node.Condition(expression(), inner)));
    }
    boolean recursive = takeName("recursive");
    Scope inner = new Scope(scope);
    parameters(target, inner);
    inner.parameter("loop");
    refuseLoopVariable(target);
    boolean outerBreakable = breakable;
    breakable = true;
    Node.Body body = within(inner, () -> new Node.Body(body("endfor", "else"), inner));
    breakable = outerBreakable && !recursive;
    Optional<Node.Body> otherwise = next().text().equals("endfor") ? Optional.empty() : Optional.of(scopedBody(new Scope(scope), "endfor"));
    breakable = outerBreakable;
    loops--;
    return new Node.For(position, target, iterable, condition, recursive, body, otherwise);
  }

  private void refuseLoopVariable(Target target) {
    switch (target) {
      case Target.Variable variable -> {
        if (variable.name().equals("loop")) {
          unknown.add(new Misplaced(TemplateException.Kind.ASSERTION, "Can't assign to special loop variable in for-loop target", current().position()));
        }
      }
      case Target.Member member -> { }
      case Target.Several several -> several.targets().forEach(this::refuseLoopVariable);
    }
  }

  private Node choice(int position) {
    boolean outerConditional = conditional;
    conditional = true;
    List<Node.Branch> branches = new ArrayList<>();
    List<Node> otherwise = List.of();
    while (true) {
      next();
      Expression test = tuple(false, false);
      branches.add(new Node.Branch(test, branch("elif", "else", "endif")));
      if (current().isName("elif")) {
        continue;
      }
      if (next().isName("else")) {
        otherwise = branch("endif");
        next();
      }
      break;
    }
    conditional = outerConditional;
    return new Node.If(position, branches, otherwise);
  }

  private List<Node> branch(String... until) {
    scope.enterBranch();
    List<Node> nodes = body(until);
    scope.leaveBranch();
    return nodes;
  }

  private Node set(int position) {
    next();
    Target target = target(true);
    if (takeOperator("=")) {
      Expression value = tuple(true, false);
      store(target);
      return new Node.Set(position, target, value);
    }
    store(target);
    Scope inner = new Scope(scope);
    boolean outerConditional = conditional;
    conditional = false;
    Expression value = filters(new Expression.Captured(current().position()));
    conditional = outerConditional;
    return new Node.SetBlock(position, target, value, scopedBody(inner, "endset"));
  }

  private Node with(int position) {
    next();
    Scope inner = new Scope(scope);
    List<Target> targets = new ArrayList<>();
    List<Expression> values = new ArrayList<>();
    while (current().kind() != Token.Kind.STATEMENT_END) {
      if (!targets.isEmpty()) {
        expectOperator(",");
      }
      Target target = target(false);
      parameters(target, inner);
      targets.add(target);
      expectOperator("=");
      values.add(expression());
    }
    return new Node.With(position, targets, values, scopedBody(inner, "endwith"));
  }

  private Node macro(int position) {
    next();
    String name = expect(Token.Kind.NAME).text();
    storeName(name);
    Scope inner = new Scope(scope);
    return new Node.Macro(position, name, within(inner, () -> callee(inner, signature(inner), position, "endmacro")));
  }

  private Node callBlock(int position) {
    next();
    Scope inner = new Scope(scope);
    Signature signature = current().isOperator("(") ? within(inner, () -> signature(inner)) : new Signature(List.of(), List.of());
    Token first = current();
    if (!(expression() instanceof Expression.Call call)) {
      throw Misplaced.syntax("expected call", first.position());
    }
    return new Node.CallBlock(position, within(inner, () -> callee(inner, signature, position, "endcall")), call);
  }

  private record Signature(List<String> parameters, List<Expression> defaults) {}

  private Signature signature(Scope inner) {
    List<String> parameters = new ArrayList<>();
    List<Expression> defaults = new ArrayList<>();
    expectOperator("(");
    while (!current().isOperator(")")) {
      if (!parameters.isEmpty()) {
        expectOperator(",");
      }
      Token name = expect(Token.Kind.NAME);
      if (parameters.contains(name.text())) {
        fail(TemplateException.Kind.PYTHON_SYNTAX, "duplicate argument " + Printer.quoted(name.text()) + " in function definition", name.position());
      }
      inner.parameter(name.text());
      forget(name.text());
      parameters.add(name.text());
      if (takeOperator("=")) {
        defaults.add(expression());
      } else if (!defaults.isEmpty()) {
        throw Misplaced.syntax("non-default argument follows default argument", current().position());
      }
    }
    next();
    return new Signature(parameters, defaults);
  }

  private Node.Callee callee(Scope inner, Signature signature, int position, String end) {
    boolean outerBreakable = breakable;
    breakable = false;
    MacroNames names = new MacroNames();
    macros.add(names);
    List<Node> nodes = bodyAndEnd(end);
    macros.removeLast();
    breakable = outerBreakable;
    List<String> parameters = signature.parameters();
    boolean caller = names.used.contains("caller");
    if (caller && parameters.contains("caller") && parameters.indexOf("caller") < parameters.size() - signature.defaults().size()) {
      unknown.add(new Misplaced(TemplateException.Kind.ASSERTION,
          "When defining macros or call blocks the special \"caller\" argument must be omitted or be given a default.", position));
    }
    boolean named = names.used.contains("kwargs") && !parameters.contains("kwargs");
    boolean positional = names.used.contains("varargs") && !parameters.contains("varargs");
    if (caller) {
      inner.parameter("caller");
    }
    if (named) {
      inner.parameter("kwargs");
    }
    if (positional) {
      inner.parameter("varargs");
    }
    return new Node.Callee(parameters, signature.defaults(), caller, named, positional, new Node.Body(nodes, inner));
  }

  private Node filterBlock(int position) {
    next();
    boolean outerConditional = conditional;
    conditional = false;
    Expression value = filters(filter(new Expression.Captured(position)));
    conditional = outerConditional;
    return new Node.FilterBlock(position, value, scopedBody(new Scope(scope), "endfilter"));
  }

  private Node block(int position) {
    next();
    String name = expect(Token.Kind.NAME).text();
    boolean scoped = takeName("scoped");
    boolean required = takeName("required");
    if (current().isOperator("-")) {
      throw Misplaced.syntax("Block names in Jinja have to be valid Python identifiers and may not contain hyphens, use an underscore instead.", current().position());
    }
    Scope inner = new Scope(null);
    boolean outerBreakable = breakable;
    breakable = false;
    List<MacroNames> outerMacros = List.copyOf(macros);
    macros.clear();
    Node.Body body = scopedBody(inner, "endblock");
    macros.addAll(outerMacros);
    breakable = outerBreakable;
    if (required && !body.nodes().stream().allMatch(node -> node instanceof Node.Data data && Characters.strip(data.text().value()).isEmpty())) {
      throw Misplaced.syntax("Required blocks can only contain comments or whitespace", position);
    }
    takeName(name);
    Node.Block block = new Node.Block(position, name, scoped, required, body);
    if (blocks.putIfAbsent(name, block) != null) {
      unknown.add(new Misplaced(TemplateException.Kind.ASSERTION, "block " + Printer.quoted(name) + " defined twice", position));
    }
    return block;
  }

  private List<Node> print(int position) {
    next();
    List<Node> nodes = new ArrayList<>();
    while (current().kind() != Token.Kind.STATEMENT_END) {
      if (!nodes.isEmpty()) {
        expectOperator(",");
      }
      Expression expression = expression();
      nodes.add(new Node.Print(position, expression, Expression.isConstant(expression)));
    }
    return nodes;
  }

  private Node autoEscape(int position) {
    next();
    Scope inner = new Scope(scope);
    Expression on = within(inner, this::expression);
    return new Node.AutoEscape(position, on, scopedBody(inner, "endautoescape"));
  }

  private Node generation(int position) {
    next();
    Scope inner = new Scope(scope);
    return new Node.Generation(position, within(inner, () -> callee(inner, new Signature(List.of(), List.of()), position, "endgeneration")));
  }

  private Node leaveLoop(int position) {
    String name = next().text();
    if (!breakable) {
      fail(TemplateException.Kind.PYTHON_SYNTAX, name.equals("break") ? "'break' outside loop" : "'continue' not properly in loop", position);
    }
    return name.equals("break") ? new Node.Break(position) : new Node.Continue(position);
  }

  private Node load(int position) {
    String tag = next().text();
    Expression template = expression();
    switch (tag) {
      case "include" -> {
        if (current().isName("ignore") && look().isName("missing")) {
          at += 2;
        }
        context();
      }
      case "import" -> {
        if (!takeName("as")) {
          throw expected("as");
        }
        storeName(expect(Token.Kind.NAME).text());
        context();
      }
      case "from" -> {
        if (!takeName("import")) {
          throw expected("import");
        }
        do {
          if (context()) {
            break;
          }
          String name = expect(Token.Kind.NAME).text();
          storeName(takeName("as") ? expect(Token.Kind.NAME).text() : name);
        } while (!context() && takeOperator(","));
      }
      default -> { }
    }
    return new Node.Load(position, template);
  }

  private boolean context() {
    if ((current().isName("with") || current().isName("without")) && look().isName("context")) {
      at += 2;
      return true;
    }
    return false;
  }

  private void fail(TemplateException.Kind kind, String message, int position) {
    if (later == null) {
      later = new Misplaced(kind, message, position);
    }
  }

  // Names

  private void loadName(String name) {
    scope.load(name);
    if (SPECIAL.contains(name)) {
      for (MacroNames names : macros) {
        if (names.watched.contains(name)) {
          names.used.add(name);
        }
      }
    }
  }

  private void forget(String name) {
    for (MacroNames names : macros) {
      names.watched.remove(name);
    }
  }

  private void storeName(String name) {
    scope.store(name);
    forget(name);
  }

  private void store(Target target) {
    switch (target) {
      case Target.Variable variable -> {
        if (loops > 0) {
          refuseLoopVariable(target);
        }
        storeName(variable.name());
      }
      case Target.Member member -> loadName(member.namespace());
      case Target.Several several -> several.targets().forEach(this::store);
    }
  }

  private void parameters(Target target, Scope inner) {
    switch (target) {
      case Target.Variable variable -> {
        inner.parameter(variable.name());
        forget(variable.name());
      }
      case Target.Member member -> { }
      case Target.Several several -> several.targets().forEach(each -> parameters(each, inner));
    }
  }

  private Target target(boolean members) {
    Token first = current();
    List<Target> targets = new ArrayList<>();
    boolean several = false;
    while (true) {
      if (!targets.isEmpty()) {
        expectOperator(",");
      }
      if (isTupleEnd()) {
        break;
      }
      targets.add(singleTarget(members));
      if (!current().isOperator(",")) {
        break;
      }
      several = true;
    }
    if (targets.isEmpty()) {
      throw Misplaced.syntax("Expected an expression, got " + shown(current()), current().position());
    }
    return several ? new Target.Several(first.position(), targets) : targets.getFirst();
  }

  private Target singleTarget(boolean members) {
    Token token = current();
    boolean constant = token.kind() == Token.Kind.NAME && Set.of("true", "false", "True", "False", "none", "None").contains(token.text());
    if (token.kind() == Token.Kind.NAME && !constant) {
      next();
      if (members && takeOperator(".")) {
        return new Target.Member(token.position(), token.text(), expect(Token.Kind.NAME).text());
      }
      return new Target.Variable(token.text());
    }
    if (token.isOperator("(")) {
      enter();
      next();
      if (current().isOperator(")")) {
        throw Misplaced.syntax("can't assign to 'tuple'", token.position());
      }
      Target inner = target(false);
      expectOperator(")");
      leave();
      return inner;
    }
    Scope outer = scope;
    scope = new Scope(outer); // names in what can't be a target are nobody's
    primary();
    scope = outer;
    String what = token.isOperator("[") ? "list" : token.isOperator("{") ? "dict" : "const";
    throw Misplaced.syntax("can't assign to '" + what + "'", token.position());
  }

  private boolean isTupleEnd() {
    return current().kind() == Token.Kind.PRINT_END || current().kind() == Token.Kind.STATEMENT_END || current().isOperator(")");
  }

  // Expressions

  /** One expression, or several with commas as a tuple. */
  private Expression tuple(boolean conditionals, boolean parentheses) {
    Token first = current();
    List<Expression> items = new ArrayList<>();
    boolean several = false;
    while (true) {
      if (!items.isEmpty()) {
        expectOperator(",");
      }
      if (isTupleEnd()) {
        break;
      }
      items.add(conditionals ? expression() : or());
      if (!current().isOperator(",")) {
        break;
      }
      several = true;
    }
    if (!several && !items.isEmpty()) {
      return items.getFirst();
    }
    if (!several && !parentheses) {
      throw Misplaced.syntax("Expected an expression, got " + shown(current()), current().position());
    }
    return new Expression.TupleLiteral(first.position(), items);
  }

  private Expression expression() {
    enter();
    int known = unknown.size();
    Expression then = or();
    int chain = 0;
    while (current().isName("if")) {
      Token token = next();
      Expression test = or();
      Optional<Expression> otherwise = takeName("else") ? Optional.of(expression()) : Optional.empty();
      then = new Expression.Conditional(token.position(), test, then, otherwise);
      unknown.subList(known, unknown.size()).removeIf(each -> each.kind() == TemplateException.Kind.ASSERTION); // they fail when they are reached
      limit(++chain);
    }
    leave();
    return then;
  }

  /** Chains are deep from left to right. */
  private void limit(int chain) {
    if (chain > Work.MAX_DEPTH) {
      throw new Misplaced(TemplateException.Kind.LIMIT, "it is nested too deep", current().position());
    }
  }

  private Expression or() {
    Expression left = and();
    for (int chain = 0; current().isName("or"); limit(++chain)) {
      Token token = next();
      left = new Expression.Or(token.position(), left, and());
    }
    return left;
  }

  private Expression and() {
    Expression left = not();
    for (int chain = 0; current().isName("and"); limit(++chain)) {
      Token token = next();
      left = new Expression.And(token.position(), left, not());
    }
    return left;
  }

  private Expression not() {
    if (!current().isName("not")) {
      return comparison();
    }
    enter();
    Token token = next();
    Expression operand = not();
    leave();
    return new Expression.Not(token.position(), operand);
  }

  private Expression comparison() {
    Expression first = sum();
    List<Expression.Operand> operands = new ArrayList<>();
    while (true) {
      Token token = current();
      Operators.Comparison comparison = comparison(token);
      if (comparison == null) {
        break;
      }
      at += comparison == Operators.Comparison.NOT_IN ? 2 : 1;
      operands.add(new Expression.Operand(token.position(), comparison, sum()));
    }
    return operands.isEmpty() ? first : new Expression.Comparison(operands.getFirst().position(), first, operands);
  }

  private Operators.Comparison comparison(Token token) {
    if (token.isName("in")) {
      return Operators.Comparison.IN;
    }
    if (token.isName("not") && look().isName("in")) {
      return Operators.Comparison.NOT_IN;
    }
    return token.kind() != Token.Kind.OPERATOR ? null : switch (token.text()) {
      case "==" -> Operators.Comparison.EQUAL;
      case "!=" -> Operators.Comparison.NOT_EQUAL;
      case "<" -> Operators.Comparison.LESS;
      case "<=" -> Operators.Comparison.LESS_OR_EQUAL;
      case ">" -> Operators.Comparison.GREATER;
      case ">=" -> Operators.Comparison.GREATER_OR_EQUAL;
      default -> null;
    };
  }

  private Expression sum() {
    Expression left = concatenation();
    for (int chain = 0; current().isOperator("+") || current().isOperator("-"); limit(++chain)) {
      Token token = next();
      left = new Expression.Arithmetic(token.position(), token.text().equals("+") ? Operators.Binary.ADD : Operators.Binary.SUBTRACT, left, concatenation());
    }
    return left;
  }

  private Expression concatenation() {
    List<Expression> parts = new ArrayList<>();
    parts.add(product());
    int position = current().position();
    while (takeOperator("~")) {
      parts.add(product());
    }
    return parts.size() == 1 ? parts.getFirst() : new Expression.Concatenation(position, parts);
  }

  private Expression product() {
    Expression left = power();
    for (int chain = 0;; limit(++chain)) {
      Token token = current();
      Operators.Binary operator = token.kind() != Token.Kind.OPERATOR ? null : switch (token.text()) {
        case "*" -> Operators.Binary.MULTIPLY;
        case "/" -> Operators.Binary.DIVIDE;
        case "//" -> Operators.Binary.FLOOR_DIVIDE;
        case "%" -> Operators.Binary.MODULO;
        default -> null;
      };
      if (operator == null) {
        return left;
      }
      next();
      left = new Expression.Arithmetic(token.position(), operator, left, power());
    }
  }

  /** From left to right, and signs bind more tightly: both as in jinja2, not as in Python. */
  private Expression power() {
    Expression left = unary(true);
    for (int chain = 0; current().isOperator("**"); limit(++chain)) {
      Token token = next();
      left = new Expression.Arithmetic(token.position(), Operators.Binary.POWER, left, unary(true));
    }
    return left;
  }

  private Expression unary(boolean withFilters) {
    Token token = current();
    Expression expression;
    if (token.isOperator("-") || token.isOperator("+")) {
      enter();
      next();
      Expression operand = unary(false);
      expression = token.text().equals("-") ? new Expression.Negative(token.position(), operand) : new Expression.Positive(token.position(), operand);
      leave();
    } else {
      expression = primary();
    }
    expression = postfix(expression);
    return withFilters ? filtersAndTests(expression) : expression;
  }

  private Expression primary() {
    Token token = current();
    return switch (token.kind()) {
      case NAME -> {
        next();
        yield switch (token.text()) {
          case "true", "True" -> new Expression.Literal(token.position(), Truth.TRUE);
          case "false", "False" -> new Expression.Literal(token.position(), Truth.FALSE);
          case "none", "None" -> new Expression.Literal(token.position(), None.NONE);
          default -> {
            loadName(token.text());
            yield new Expression.Name(token.position(), token.text());
          }
        };
      }
      case STRING -> {
        StringBuilder text = new StringBuilder(next().text());
        while (current().kind() == Token.Kind.STRING) {
          text.append(next().text());
        }
        yield new Expression.Literal(token.position(), Text.own(text.toString()));
      }
      case INTEGER -> new Expression.Literal(token.position(), new Whole(integer(next()), true));
      case FLOAT -> new Expression.Literal(token.position(), new Real(Double.parseDouble(next().text()), true));
      case OPERATOR -> switch (token.text()) {
        case "(" -> {
          next();
          enter();
          Expression inner = tuple(true, true);
          expectOperator(")");
          leave();
          yield inner;
        }
        case "[" -> list();
        case "{" -> dict();
        default -> throw Misplaced.syntax("unexpected " + shown(token), token.position());
      };
      case DATA, PRINT_BEGIN, PRINT_END, STATEMENT_BEGIN, STATEMENT_END, END -> throw Misplaced.syntax("unexpected " + shown(token), token.position());
    };
  }

  private BigInteger integer(Token token) {
    String text = token.text().toLowerCase(java.util.Locale.ROOT);
    int radix = text.startsWith("0x") ? 16 : text.startsWith("0o") ? 8 : text.startsWith("0b") ? 2 : 10;
    String digits = radix == 10 ? text : text.substring(2);
    if (digits.length() > MAX_DIGITS) {
      throw Misplaced.syntax("an integer of more than " + MAX_DIGITS + " digits", token.position());
    }
    return new BigInteger(digits, radix);
  }

  private Expression list() {
    enter();
    Token token = next();
    List<Expression> items = new ArrayList<>();
    while (!current().isOperator("]")) {
      if (!items.isEmpty()) {
        expectOperator(",");
        if (current().isOperator("]")) {
          break;
        }
      }
      items.add(expression());
    }
    next();
    leave();
    return new Expression.ListLiteral(token.position(), items);
  }

  private Expression dict() {
    enter();
    Token token = next();
    List<Expression.Entry> entries = new ArrayList<>();
    while (!current().isOperator("}")) {
      if (!entries.isEmpty()) {
        expectOperator(",");
        if (current().isOperator("}")) {
          break;
        }
      }
      Expression key = expression();
      expectOperator(":");
      entries.add(new Expression.Entry(key, expression()));
    }
    next();
    leave();
    return new Expression.DictLiteral(token.position(), entries);
  }

  private Expression postfix(Expression expression) {
    for (int chain = 0;; limit(++chain)) {
      if (current().isOperator(".") || current().isOperator("[")) {
        expression = subscript(expression);
      } else if (current().isOperator("(")) {
        expression = new Expression.Call(current().position(), expression, arguments());
      } else {
        return expression;
      }
    }
  }

  private Expression filtersAndTests(Expression expression) {
    for (int chain = 0;; limit(++chain)) {
      if (takeOperator("|")) {
        expression = filter(expression);
      } else if (current().isName("is")) {
        expression = test(expression);
      } else if (current().isOperator("(")) {
        expression = new Expression.Call(current().position(), expression, arguments());
      } else {
        return expression;
      }
    }
  }

  private Expression subscript(Expression object) {
    Token token = next();
    if (token.text().equals(".")) {
      Token name = current();
      if (name.kind() == Token.Kind.NAME) {
        next();
        return new Expression.Attribute(token.position(), object, name.text());
      }
      if (name.kind() != Token.Kind.INTEGER) {
        throw Misplaced.syntax("expected name or number", name.position());
      }
      next();
      return new Expression.Item(token.position(), object, new Expression.Literal(name.position(), new Whole(integer(name), true)));
    }
    enter();
    List<Expression> keys = new ArrayList<>();
    boolean slices = false;
    while (!current().isOperator("]")) {
      if (!keys.isEmpty()) {
        expectOperator(",");
      }
      Expression key = key(token, object);
      slices |= key instanceof Expression.Slice slice && slice.object() == object;
      keys.add(key);
    }
    next();
    leave();
    if (keys.size() == 1) {
      return slices ? keys.getFirst() : new Expression.Item(token.position(), object, keys.getFirst());
    }
    if (slices) {
      fail(TemplateException.Kind.PYTHON_SYNTAX, "invalid syntax: a slice among several keys", token.position());
    }
    return new Expression.Item(token.position(), object, new Expression.TupleLiteral(token.position(), keys));
  }

  /** A key, or a slice of the object. */
  private Expression key(Token bracket, Expression object) {
    Optional<Expression> start = Optional.empty();
    if (!takeOperator(":")) {
      Expression key = expression();
      if (!takeOperator(":")) {
        return key;
      }
      start = Optional.of(key);
    }
    Optional<Expression> stop = isKeyEnd() || current().isOperator(":") ? Optional.empty() : Optional.of(expression());
    Optional<Expression> step = takeOperator(":") && !isKeyEnd() ? Optional.of(expression()) : Optional.empty();
    return new Expression.Slice(bracket.position(), object, start, stop, step);
  }

  private boolean isKeyEnd() {
    return current().isOperator("]") || current().isOperator(",");
  }

  private Expression.CallArguments arguments() {
    enter();
    Token open = expectOperator("(");
    List<Expression> positional = new ArrayList<>();
    List<Expression.Named> named = new ArrayList<>();
    Optional<Expression> spread = Optional.empty();
    Optional<Expression> spreadNamed = Optional.empty();
    boolean first = true;
    while (!current().isOperator(")")) {
      if (!first) {
        expectOperator(",");
        if (current().isOperator(")")) {
          break;
        }
      }
      first = false;
      boolean valid = spreadNamed.isEmpty();
      if (takeOperator("*")) {
        valid &= spread.isEmpty();
        spread = Optional.of(expression());
      } else if (takeOperator("**")) {
        spreadNamed = Optional.of(expression());
      } else if (current().kind() == Token.Kind.NAME && look().isOperator("=")) {
        Token name = next();
        next();
        if (named.stream().anyMatch(each -> each.name().equals(name.text()))) {
          fail(TemplateException.Kind.PYTHON_SYNTAX, "keyword argument repeated: " + name.text(), name.position());
        }
        named.add(new Expression.Named(name.text(), expression()));
      } else {
        valid &= spread.isEmpty() && named.isEmpty();
        positional.add(expression());
      }
      if (!valid) {
        throw Misplaced.syntax("invalid syntax for function call expression", open.position());
      }
    }
    expectOperator(")");
    leave();
    return new Expression.CallArguments(positional, named, spread, spreadNamed);
  }

  private Expression filters(Expression expression) {
    for (int chain = 0; takeOperator("|"); limit(++chain)) {
      expression = filter(expression);
    }
    return expression;
  }

  private String dottedName() {
    StringBuilder name = new StringBuilder(expect(Token.Kind.NAME).text());
    while (takeOperator(".")) {
      name.append('.').append(expect(Token.Kind.NAME).text());
    }
    return name.toString();
  }

  private Expression filter(Expression operand) {
    Token token = current();
    String name = dottedName();
    Expression.CallArguments arguments = current().isOperator("(") ? arguments() : Expression.CallArguments.NONE;
    Optional<Builtin> found = Optional.ofNullable(Filters.find(name));
    requireKnown(found, "filter", name, token);
    return new Expression.Filter(token.position(), operand, name, found, arguments);
  }

  private void requireKnown(Optional<Builtin> found, String what, String name, Token token) {
    if (found.isEmpty() && !conditional) {
      unknown.add(new Misplaced(TemplateException.Kind.ASSERTION, "No " + what + " named " + Printer.quoted(name) + ".", token.position()));
    }
  }

  private Expression test(Expression operand) {
    Token is = next();
    boolean negated = takeName("not");
    Token token = current();
    String name = dottedName();
    Expression.CallArguments arguments = Expression.CallArguments.NONE;
    Token next = current();
    if (next.isOperator("(")) {
      arguments = arguments();
    } else if (beginsArgument(next)) {
      if (next.isName("is")) {
        throw Misplaced.syntax("You cannot chain multiple tests with is", next.position());
      }
      enter();
      arguments = new Expression.CallArguments(List.of(postfix(primary())), List.of(), Optional.empty(), Optional.empty());
      leave();
    }
    Optional<Builtin> found = Optional.ofNullable(Tests.find(name));
    requireKnown(found, "test", name, token);
    Expression test = new Expression.Test(token.position(), operand, name, found, arguments);
    return negated ? new Expression.Not(is.position(), test) : test;
  }

  private static boolean beginsArgument(Token token) {
    return switch (token.kind()) {
      case NAME -> !token.isName("else") && !token.isName("or") && !token.isName("and");
      case STRING, INTEGER, FLOAT -> true;
      case OPERATOR -> token.isOperator("[") || token.isOperator("{");
      case DATA, PRINT_BEGIN, PRINT_END, STATEMENT_BEGIN, STATEMENT_END, END -> false;
    };
  }
}
