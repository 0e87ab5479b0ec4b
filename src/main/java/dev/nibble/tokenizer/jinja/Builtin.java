package dev.nibble.tokenizer.jinja;

/** What a function, filter or test does; a filter's or test's value is its first argument. */
@FunctionalInterface
interface Builtin {
  Value call(Interpreter interpreter, Arguments arguments);
}
