package dev.nibble.tokenizer.jinja;

/**
 * What a rendering may take. Nesting, the size of integers and the length of ranges have limits of their own.
 *
 * @param steps work in characters looked at, about: some hundred million a second
 * @param characters most of a text that the template makes, its output among them
 * @param checkpoint called every few ten thousand steps; may throw to end the rendering
 */
public record Limits(long steps, long characters, Runnable checkpoint) {}
