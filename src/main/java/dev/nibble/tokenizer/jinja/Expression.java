package dev.nibble.tokenizer.jinja;

import java.util.List;
import java.util.Optional;

/** What has a value. Positions are offsets in the template, where the operation itself stands. */
sealed interface Expression {
  /** How deep expressions may be that count as constant. */
  int MAX_CONSTANT = 50;

  int position();

  record Literal(int position, Value value) implements Expression {}

  record Name(int position, String name) implements Expression {}

  record ListLiteral(int position, List<Expression> items) implements Expression {}

  record TupleLiteral(int position, List<Expression> items) implements Expression {}

  record DictLiteral(int position, List<Entry> entries) implements Expression {}

  record Entry(Expression key, Expression value) {}

  record Conditional(int position, Expression test, Expression then, Optional<Expression> otherwise) implements Expression {}

  record Or(int position, Expression left, Expression right) implements Expression {}

  record And(int position, Expression left, Expression right) implements Expression {}

  record Not(int position, Expression operand) implements Expression {}

  /** A chain of comparisons, all of which must hold. */
  record Comparison(int position, Expression first, List<Operand> operands) implements Expression {}

  record Operand(int position, Operators.Comparison comparison, Expression expression) {}

  record Arithmetic(int position, Operators.Binary operator, Expression left, Expression right) implements Expression {}

  record Concatenation(int position, List<Expression> parts) implements Expression {}

  record Negative(int position, Expression operand) implements Expression {}

  record Positive(int position, Expression operand) implements Expression {}

  /** {@code object.name}. */
  record Attribute(int position, Expression object, String name) implements Expression {}

  /** {@code object[key]}. */
  record Item(int position, Expression object, Expression key) implements Expression {}

  /** {@code object[start:stop:step]}. */
  record Slice(int position, Expression object, Optional<Expression> start, Optional<Expression> stop, Optional<Expression> step) implements Expression {}

  record Call(int position, Expression callee, CallArguments arguments) implements Expression {}

  /** @param filter empty for a name that there is no filter of, which fails when it is reached */
  record Filter(int position, Expression operand, String name, Optional<Builtin> filter, CallArguments arguments) implements Expression {}

  /** @param test empty for a name that there is no test of, which fails when it is reached */
  record Test(int position, Expression operand, String name, Optional<Builtin> test, CallArguments arguments) implements Expression {}

  /** What the body of a filter block or set block wrote. */
  record Captured(int position) implements Expression {}

  /**
   * Arguments of a call.
   *
   * @param spread after {@code *} @param spreadNamed after {@code **}
   */
  record CallArguments(List<Expression> positional, List<Named> named, Optional<Expression> spread, Optional<Expression> spreadNamed) {
    static final CallArguments NONE = new CallArguments(List.of(), List.of(), Optional.empty(), Optional.empty());
  }

  record Named(String name, Expression value) {}

  /** Whether it needs no variables, so that jinja2 works it out when it compiles, by rules that are a little milder. */
  static boolean isConstant(Expression expression) {
    return isConstant(expression, MAX_CONSTANT);
  }

  private static boolean isConstant(Expression expression, int depth) {
    return depth > 0 && switch (expression) {
      case Literal literal -> true;
      case Name name -> false;
      case Call call -> false;
      case Captured captured -> false;
      case ListLiteral list -> list.items.stream().allMatch(item -> isConstant(item, depth - 1));
      case TupleLiteral tuple -> tuple.items.stream().allMatch(item -> isConstant(item, depth - 1));
      case DictLiteral dict -> dict.entries.stream().allMatch(entry -> isConstant(entry.key, depth - 1) && isConstant(entry.value, depth - 1));
      case Conditional conditional -> isConstant(conditional.test, depth - 1) && isConstant(conditional.then, depth - 1) && isConstant(conditional.otherwise, depth - 1);
      case Or or -> isConstant(or.left, depth - 1) && isConstant(or.right, depth - 1);
      case And and -> isConstant(and.left, depth - 1) && isConstant(and.right, depth - 1);
      case Not not -> isConstant(not.operand, depth - 1);
      case Comparison comparison -> isConstant(comparison.first, depth - 1) && comparison.operands.stream().allMatch(operand -> isConstant(operand.expression, depth - 1));
      case Arithmetic arithmetic -> isConstant(arithmetic.left, depth - 1) && isConstant(arithmetic.right, depth - 1);
      case Concatenation concatenation -> concatenation.parts.stream().allMatch(item -> isConstant(item, depth - 1));
      case Negative negative -> isConstant(negative.operand, depth - 1);
      case Positive positive -> isConstant(positive.operand, depth - 1);
      case Attribute attribute -> isConstant(attribute.object, depth - 1);
      case Item item -> isConstant(item.object, depth - 1) && isConstant(item.key, depth - 1);
      case Slice slice -> isConstant(slice.object, depth - 1) && isConstant(slice.start, depth - 1) && isConstant(slice.stop, depth - 1) && isConstant(slice.step, depth - 1);
      case Filter filter -> isConstant(filter.operand, depth - 1) && isConstant(filter.arguments, depth - 1);
      case Test test -> isConstant(test.operand, depth - 1) && isConstant(test.arguments, depth - 1);
    };
  }

  private static boolean isConstant(Optional<Expression> expression, int depth) {
    return expression.isEmpty() || isConstant(expression.get(), depth);
  }

  private static boolean isConstant(CallArguments arguments, int depth) {
    return arguments.positional.stream().allMatch(item -> isConstant(item, depth - 1)) && arguments.named.stream().allMatch(named -> isConstant(named.value, depth - 1))
        && isConstant(arguments.spread, depth - 1) && isConstant(arguments.spreadNamed, depth - 1);
  }
}
