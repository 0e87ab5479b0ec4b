package dev.nibble.tokenizer.jinja;

import java.time.LocalDateTime;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Supplier;

/** One rendering of a template. */
final class Interpreter {
  /** How a part of a template ends. */
  private enum Signal {
    NEXT, BREAK, CONTINUE
  }

  private static final int STEP = 8; // a node or expression costs as much as so many characters looked at

  private final Map<String, Node.Block> blocks;
  private final Map<String, Value> variables;
  private final Map<String, Value> exported = new HashMap<>(); // set at the top, for blocks
  private final Supplier<LocalDateTime> clock;
  private final Work work;
  private Optional<Frame> scoped = Optional.empty(); // whose variables a scoped block sees
  private boolean escaping;
  private boolean folding; // whether slices are as mild as in what jinja2 works out when it compiles
  private Value captured = Text.EMPTY;
  private int position;

  Interpreter(Map<String, Node.Block> blocks, Map<String, Value> variables, Supplier<LocalDateTime> clock, Work work) {
    this.blocks = blocks;
    this.variables = variables;
    this.clock = clock;
    this.work = work;
  }

  Text render(Node.Body template) {
    TextBuilder out = new TextBuilder(work);
    run(template.nodes(), Frame.enter(null, template.scope(), this), out);
    return out.text();
  }

  Work work() {
    return work;
  }

  LocalDateTime now() {
    return clock.get();
  }

  /** Whether what is written is escaped for HTML. */
  boolean escapes() {
    return escaping;
  }

  /** Where in the template it is. */
  int position() {
    return position;
  }

  /** What a name that no body has for its own is, or null. */
  Value given(String name) {
    if (scoped.isPresent()) {
      Frame frame = scoped.get();
      scoped = Optional.empty();
      Value found = frame.find(name, this);
      scoped = Optional.of(frame);
      return found;
    }
    Value found = exported.get(name);
    if (found == null) {
      found = name.equals("self") ? new Blocks(this) : variables.get(name);
    }
    return found != null ? found : Globals.find(name);
  }

  // Nodes

  private Signal run(List<Node> nodes, Frame frame, TextBuilder out) {
    work.enter();
    for (Node node : nodes) {
      work.spend(STEP);
      Signal signal = run(node, frame, out);
      if (signal != Signal.NEXT) {
        work.leave();
        return signal;
      }
    }
    work.leave();
    return Signal.NEXT;
  }

  private Signal run(Node.Body body, Frame around, TextBuilder out) {
    return run(body.nodes(), Frame.enter(around, body.scope(), this), out);
  }

  private Signal run(Node node, Frame frame, TextBuilder out) {
    position = node.position();
    return switch (node) {
      case Node.Data data -> {
        out.add(data.text());
        yield Signal.NEXT;
      }
      case Node.Print print -> {
        folding = print.constant();
        Value value = evaluate(print.expression(), frame);
        folding = false;
        write(value, out);
        yield Signal.NEXT;
      }
      case Node.If choice -> choose(choice, frame, out);
      case Node.For loop -> loop(loop, frame, out);
      case Node.Set set -> {
        requireNamespaces(set.target(), frame);
        assign(set.target(), evaluate(set.value(), frame), frame);
        yield Signal.NEXT;
      }
      case Node.SetBlock set -> {
        TextBuilder inner = new TextBuilder(work);
        Signal signal = run(set.body(), frame, inner);
        if (signal == Signal.NEXT) {
          assign(set.target(), filtered(set.value(), inner, frame), frame);
        }
        yield signal;
      }
      case Node.With with -> {
        Frame inner = Frame.enter(frame, with.body().scope(), this);
        for (int i = 0; i < with.targets().size(); i++) {
          assign(with.targets().get(i), evaluate(with.values().get(i), frame), inner);
        }
        yield run(with.body().nodes(), inner, out);
      }
      case Node.Macro macro -> {
        store(macro.name(), new Macro(macro.name(), macro.callee(), frame), frame);
        yield Signal.NEXT;
      }
      case Node.CallBlock block -> {
        Value caller = new Macro(null, block.callee(), frame);
        Value callee = evaluate(block.call().callee(), frame);
        Arguments arguments = arguments(block.call().arguments(), frame);
        if (arguments.named().containsKey("caller")) {
          throw TemplateException.type("got multiple values for keyword argument 'caller'");
        }
        Map<String, Value> named = new LinkedHashMap<>(arguments.named());
        named.put("caller", caller);
        position = block.call().position();
        writeText(call(callee, new Arguments(arguments.positional(), named)), out);
        yield Signal.NEXT;
      }
      case Node.FilterBlock block -> {
        TextBuilder inner = new TextBuilder(work);
        Signal signal = run(block.body(), frame, inner);
        if (signal == Signal.NEXT) {
          writeText(filtered(block.value(), inner, frame), out);
        }
        yield signal;
      }
      case Node.Block block -> {
        write(block, frame, out);
        yield Signal.NEXT;
      }
      case Node.AutoEscape escape -> {
        boolean before = escaping;
        escaping = evaluate(escape.on(), frame).isTrue();
        Signal signal = run(escape.body(), frame, out);
        escaping = before;
        yield signal;
      }
      case Node.Generation generation -> {
        writeText(new Macro(null, generation.callee(), frame).call(this, Arguments.NONE), out);
        yield Signal.NEXT;
      }
      case Node.Break stop -> Signal.BREAK;
      case Node.Continue next -> Signal.CONTINUE;
      case Node.Load load -> {
        evaluate(load.template(), frame);
        throw TemplateException.type("no loader for this environment specified");
      }
    };
  }

  private void write(Value value, TextBuilder out) {
    out.add(escaping ? Markup.escape(value, work) : Printer.str(value, work));
  }

  /** What a block made: texts only, and as they are. */
  private static void writeText(Value value, TextBuilder out) {
    if (!(value instanceof Text text)) {
      throw TemplateException.type("sequence item 0: expected str instance, " + value.typeName() + " found");
    }
    out.add(text);
  }

  private Value filtered(Expression filters, TextBuilder body, Frame frame) {
    captured = body.text(escaping);
    return evaluate(filters, frame);
  }

  private Signal choose(Node.If choice, Frame frame, TextBuilder out) {
    for (Node.Branch branch : choice.branches()) {
      if (evaluate(branch.test(), frame).isTrue()) {
        return run(branch.nodes(), frame, out);
      }
    }
    return run(choice.otherwise(), frame, out);
  }

  private Signal loop(Node.For loop, Frame frame, TextBuilder out) {
    Value over = evaluate(loop.iterable(), frame);
    position = loop.position();
    if (!loop.recursive()) {
      return loop(loop, over, 0, Optional.empty(), frame, out);
    }
    out.add(recurse(loop, over, 0, frame));
    return Signal.NEXT;
  }

  private Text recurse(Node.For loop, Value over, int depth, Frame frame) {
    TextBuilder inner = new TextBuilder(work);
    loop(loop, over, depth, Optional.of((values, deeper) -> recurse(loop, values, deeper, frame)), frame, inner);
    return inner.text(escaping);
  }

  private Signal loop(Node.For node, Value over, int depth, Optional<Loop.Recursion> recursion, Frame frame, TextBuilder out) {
    Optional<Iterator<Value>> filtered = node.condition().map(condition -> filtered(node.target(), condition, Sequences.iterator(over), frame));
    Loop loop = new Loop(over, filtered, recursion, depth, work);
    boolean none = true;
    while (loop.hasNext()) {
      Frame inner = Frame.enter(frame, node.body().scope(), this);
      Value item = loop.next();
      work.spend(STEP);
      assign(node.target(), item, inner);
      inner.set("loop", loop);
      Signal signal = run(node.body().nodes(), inner, out);
      if (signal == Signal.BREAK) {
        break;
      }
      none &= signal == Signal.CONTINUE; // for jinja2, a round that was left early is none
    }
    return none && node.otherwise().isPresent() ? run(node.otherwise().get(), frame, out) : Signal.NEXT;
  }

  /** Those that meet a loop's condition, as they are unpacked. */
  private Iterator<Value> filtered(Target target, Node.Condition condition, Iterator<Value> source, Frame frame) {
    Frame inner = Frame.enter(frame, condition.scope(), this);
    return new Stepped(source, item -> {
      assign(target, item, inner);
      return evaluate(condition.test(), inner).isTrue() ? value(target, inner) : null;
    }, work, STEP);
  }

  private Value value(Target target, Frame frame) {
    return switch (target) {
      case Target.Variable variable -> frame.find(variable.name(), this);
      case Target.Member member -> throw new IllegalStateException("loops have no attributes for targets");
      case Target.Several several -> {
        List<Value> values = new ArrayList<>();
        several.targets().forEach(each -> values.add(value(each, frame)));
        yield new TupleValue(values);
      }
    };
  }

  private void requireNamespaces(Target target, Frame frame) {
    switch (target) {
      case Target.Variable variable -> { }
      case Target.Member member -> namespace(member, frame);
      case Target.Several several -> several.targets().forEach(each -> requireNamespaces(each, frame));
    }
  }

  private Namespace namespace(Target.Member member, Frame frame) {
    if (frame.find(member.namespace(), this) instanceof Namespace namespace) {
      return namespace;
    }
    position = member.position();
    throw new TemplateException(TemplateException.Kind.RUNTIME, "cannot assign attribute on non-namespace object");
  }

  private void assign(Target target, Value value, Frame frame) {
    switch (target) {
      case Target.Variable variable -> store(variable.name(), value, frame);
      case Target.Member member -> namespace(member, frame).set(member.name(), value);
      case Target.Several several -> {
        List<Value> values = Sequences.unpack(value, several.targets().size(), work);
        for (int i = 0; i < values.size(); i++) {
          assign(several.targets().get(i), values.get(i), frame);
        }
      }
    }
  }

  private void store(String name, Value value, Frame frame) {
    frame.set(name, value);
    if (frame.isTop()) {
      exported.put(name, value);
    }
  }

  /** Runs a macro's body. */
  Value run(Node.Callee callee, List<Value> given, Frame frame) {
    List<String> parameters = callee.parameters();
    for (int i = 0; i < parameters.size(); i++) {
      Value value = given.get(i);
      if (value == null) {
        int fallback = i - parameters.size() + callee.defaults().size();
        value = fallback < 0 ? Undefined.because("parameter " + Printer.quoted(parameters.get(i)) + " was not provided") : evaluate(callee.defaults().get(fallback), frame);
      }
      frame.set(parameters.get(i), value);
    }
    TextBuilder out = new TextBuilder(work);
    run(callee.body().nodes(), frame, out);
    return out.text(escaping);
  }

  /** A block to call, or null if there is none of that name. */
  Value block(String name) {
    Node.Block block = blocks.get(name);
    return block == null ? null : new Function("BlockReference", name, (in, arguments) -> {
      arguments.only("BlockReference", 0, 0);
      TextBuilder out = new TextBuilder(work);
      write(block, Optional.empty(), out);
      return out.text(escaping);
    });
  }

  private void write(Node.Block block, Frame frame, TextBuilder out) {
    if (block.required()) {
      throw new TemplateException(TemplateException.Kind.RUNTIME, "Required block " + Printer.quoted(block.name()) + " not found");
    }
    write(block, block.scoped() ? Optional.of(frame) : Optional.empty(), out);
  }

  /** Runs a block; what it sets is its own. */
  private void write(Node.Block block, Optional<Frame> around, TextBuilder out) {
    Optional<Frame> before = scoped;
    Map<String, Value> exportedBefore = new HashMap<>(exported);
    scoped = around;
    run(block.body().nodes(), Frame.enter(null, block.body().scope(), this), out);
    scoped = before;
    exported.clear();
    exported.putAll(exportedBefore);
  }

  // Expressions

  private Value evaluate(Expression expression, Frame frame) {
    work.enter();
    work.spend(STEP);
    Value value = switch (expression) {
      case Expression.Literal literal -> literal.value();
      case Expression.Name name -> {
        Value found = frame.find(name.name(), this);
        yield found != null ? found : Undefined.name(name.name());
      }
      case Expression.ListLiteral list -> new ListValue(all(list.items(), frame));
      case Expression.TupleLiteral tuple -> new TupleValue(all(tuple.items(), frame));
      case Expression.DictLiteral dict -> dict(dict, frame);
      case Expression.Conditional conditional -> {
        if (evaluate(conditional.test(), frame).isTrue()) {
          yield evaluate(conditional.then(), frame);
        }
        yield conditional.otherwise().isPresent() ? evaluate(conditional.otherwise().get(), frame)
            : Undefined.because("the inline if-expression evaluated to false and no else section was defined.");
      }
      case Expression.Or or -> {
        Value left = evaluate(or.left(), frame);
        yield left.isTrue() ? left : evaluate(or.right(), frame);
      }
      case Expression.And and -> {
        Value left = evaluate(and.left(), frame);
        yield left.isTrue() ? evaluate(and.right(), frame) : left;
      }
      case Expression.Not not -> Truth.of(!evaluate(not.operand(), frame).isTrue());
      case Expression.Comparison comparison -> compare(comparison, frame);
      case Expression.Arithmetic arithmetic -> {
        Value left = evaluate(arithmetic.left(), frame);
        Value right = evaluate(arithmetic.right(), frame);
        position = arithmetic.position();
        yield Operators.compute(arithmetic.operator(), left, right, this);
      }
      case Expression.Concatenation concatenation -> concatenate(concatenation, frame);
      case Expression.Negative negative -> {
        Value operand = evaluate(negative.operand(), frame);
        position = negative.position();
        yield Operators.negate(operand);
      }
      case Expression.Positive positive -> {
        Value operand = evaluate(positive.operand(), frame);
        position = positive.position();
        yield Operators.plus(operand);
      }
      case Expression.Attribute attribute -> {
        Value object = evaluate(attribute.object(), frame);
        position = attribute.position();
        yield Attributes.get(object, attribute.name(), this);
      }
      case Expression.Item item -> {
        Value object = evaluate(item.object(), frame);
        Value key = evaluate(item.key(), frame);
        position = item.position();
        yield Attributes.item(object, key, this);
      }
      case Expression.Slice slice -> slice(slice, frame);
      case Expression.Call call -> {
        Value callee = evaluate(call.callee(), frame);
        Arguments arguments = arguments(call.arguments(), frame);
        position = call.position();
        yield call(callee, arguments);
      }
      case Expression.Filter filter -> {
        Value operand = evaluate(filter.operand(), frame);
        Arguments arguments = arguments(filter.arguments(), frame).withFirst(operand);
        position = filter.position();
        yield filter.filter().orElseThrow(() -> new TemplateException(TemplateException.Kind.RUNTIME, "No filter named " + Printer.quoted(filter.name()) + " found."))
            .call(this, arguments);
      }
      case Expression.Test test -> {
        Value operand = evaluate(test.operand(), frame);
        Arguments arguments = arguments(test.arguments(), frame).withFirst(operand);
        position = test.position();
        yield test.test().orElseThrow(() -> new TemplateException(TemplateException.Kind.RUNTIME, "No test named " + Printer.quoted(test.name()) + " found."))
            .call(this, arguments);
      }
      case Expression.Captured body -> captured;
    };
    work.leave();
    return value;
  }

  private List<Value> all(List<Expression> expressions, Frame frame) {
    work.elements(expressions.size());
    List<Value> values = new ArrayList<>(expressions.size());
    for (Expression expression : expressions) {
      values.add(evaluate(expression, frame));
    }
    return values;
  }

  private Value dict(Expression.DictLiteral literal, Frame frame) {
    work.elements(literal.entries().size());
    List<Value> parts = new ArrayList<>(2 * literal.entries().size());
    for (Expression.Entry entry : literal.entries()) {
      parts.add(evaluate(entry.key(), frame));
      parts.add(evaluate(entry.value(), frame));
    }
    position = literal.position();
    Map<Value, Value> entries = LinkedHashMap.newLinkedHashMap(literal.entries().size());
    for (int i = 0; i < parts.size(); i += 2) {
      entries.put(Operators.key(parts.get(i), work), parts.get(i + 1));
    }
    return new DictValue(entries);
  }

  private Value compare(Expression.Comparison comparison, Frame frame) {
    Value left = evaluate(comparison.first(), frame);
    for (Expression.Operand operand : comparison.operands()) {
      Value right = evaluate(operand.expression(), frame);
      position = operand.position();
      if (!Operators.compare(operand.comparison(), left, right, work)) {
        return Truth.FALSE;
      }
      left = right;
    }
    return Truth.TRUE;
  }

  private Value concatenate(Expression.Concatenation concatenation, Frame frame) {
    List<Value> parts = all(concatenation.parts(), frame);
    position = concatenation.position();
    boolean markup = escaping && parts.stream().anyMatch(part -> part instanceof Text text && text.isMarkup());
    TextBuilder out = new TextBuilder(work);
    for (Value part : parts) {
      out.add(markup ? Markup.escape(part, work) : Printer.str(part, work));
    }
    return out.text(markup);
  }

  private Value slice(Expression.Slice slice, Frame frame) {
    Value object = evaluate(slice.object(), frame);
    Value start = bound(slice.start(), frame);
    Value stop = bound(slice.stop(), frame);
    Value step = bound(slice.step(), frame);
    position = slice.position();
    if (folding && !(object instanceof Undefined) && !Sequences.isIndexed(object)) {
      return Undefined.because(object.typeName() + " object has no such element");
    }
    return Sequences.slice(object, start, stop, step, work);
  }

  private Value bound(Optional<Expression> expression, Frame frame) {
    return expression.isEmpty() ? None.NONE : evaluate(expression.get(), frame);
  }

  private Arguments arguments(Expression.CallArguments given, Frame frame) {
    if (given.equals(Expression.CallArguments.NONE)) {
      return Arguments.NONE;
    }
    List<Value> positional = all(given.positional(), frame);
    Map<String, Value> named = given.named().isEmpty() && given.spreadNamed().isEmpty() ? Map.of() : new LinkedHashMap<>();
    for (Expression.Named each : given.named()) {
      named.put(each.name(), evaluate(each.value(), frame));
    }
    if (given.spread().isPresent()) {
      Value spread = evaluate(given.spread().get(), frame);
      if (!Sequences.isIterable(spread)) {
        throw TemplateException.type("Value after * must be an iterable, not " + spread.typeName());
      }
      positional.addAll(Sequences.list(spread, work));
    }
    if (given.spreadNamed().isPresent()) {
      if (!(evaluate(given.spreadNamed().get(), frame) instanceof DictValue dict)) {
        throw TemplateException.type("argument after ** must be a mapping");
      }
      dict.entries().forEach((key, value) -> {
        if (!(key instanceof Text name)) {
          throw TemplateException.type("keywords must be strings");
        }
        if (named.put(name.value(), value) != null) {
          throw TemplateException.type("got multiple values for keyword argument " + Printer.quoted(name.value()));
        }
      });
    }
    return new Arguments(positional, named);
  }

  Value call(Value callee, Arguments arguments) {
    return switch (callee) {
      case Callable callable -> callable.call(this, arguments);
      case Loop loop -> loop.call(arguments);
      case Undefined undefined -> throw undefined.failure();
      default -> throw TemplateException.type("'" + callee.typeName() + "' object is not callable");
    };
  }
}
