package dev.nibble.tokenizer.jinja;

import java.util.List;
import java.util.Optional;

/** A part of a template that writes something, or does. Positions are offsets in the template. */
sealed interface Node {
  int position();

  /** Nodes that have a scope of their own. */
  record Body(List<Node> nodes, Scope scope) {}

  /** Text as it stands. */
  record Data(int position, Text text) implements Node {}

  /** @param constant whether the expression needs no variables */
  record Print(int position, Expression expression, boolean constant) implements Node {}

  record If(int position, List<Branch> branches, List<Node> otherwise) implements Node {}

  record Branch(Expression test, List<Node> nodes) {}

  /** @param condition which values to go over; of all if empty */
  record For(int position, Target target, Expression iterable, Optional<Condition> condition, boolean recursive, Body body, Optional<Body> otherwise) implements Node {}

  record Condition(Expression test, Scope scope) {}

  record Set(int position, Target target, Expression value) implements Node {}

  /** @param value {@link Expression.Captured}, through filters if there are any */
  record SetBlock(int position, Target target, Expression value, Body body) implements Node {}

  record With(int position, List<Target> targets, List<Expression> values, Body body) implements Node {}

  record Macro(int position, String name, Callee callee) implements Node {}

  /** {@code call}: the body is what the macro that is called gets as its caller. */
  record CallBlock(int position, Callee callee, Expression.Call call) implements Node {}

  /**
   * A body with parameters.
   *
   * @param defaults of the last parameters
   */
  record Callee(List<String> parameters, List<Expression> defaults, boolean usesCaller, boolean usesNamed, boolean usesPositional, Body body) {}

  /** @param value {@link Expression.Captured} through filters */
  record FilterBlock(int position, Expression value, Body body) implements Node {}

  record Block(int position, String name, boolean scoped, boolean required, Body body) implements Node {}

  record AutoEscape(int position, Expression on, Body body) implements Node {}

  /** What the assistant says: marked for training, which is nothing to whoever renders. */
  record Generation(int position, Callee callee) implements Node {}

  record Break(int position) implements Node {}

  record Continue(int position) implements Node {}

  /** {@code include}, {@code import}, {@code from} or {@code extends}: chat templates stand alone. */
  record Load(int position, Expression template) implements Node {}
}
