package dev.nibble.tokenizer.jinja;

import java.time.LocalDateTime;
import java.util.Map;
import java.util.function.Supplier;

/**
 * A chat template, parsed, as Hugging Face's transformers render it: Jinja as of jinja2 3.1 in its immutable sandbox, with {@code trim_blocks},
 * {@code lstrip_blocks}, {@code break} and {@code continue}, {@code raise_exception}, {@code strftime_now}, and a {@code tojson} that escapes nothing for HTML.
 * It loads nothing, changes none of its variables, and sees the time only. Immutable; one may be rendered by many threads.
 */
public final class Template {
  private final Source source;
  private final Node.Body body;
  private final Map<String, Node.Block> blocks;

  /**
   * Parses a template.
   *
   * @throws TemplateException with line and column, if it is no template, or nested too deep
   */
  public Template(String text) {
    source = new Source(text);
    try {
      Parser parser = new Parser(source);
      body = parser.parse();
      blocks = parser.blocks();
    } catch (Misplaced e) {
      throw source.at(e.position(), e.kind(), e.getMessage());
    }
  }

  /**
   * Renders it.
   *
   * @param variables by name; {@link Value#foreign} and {@link Text} make values
   * @param clock the local time, for {@code strftime_now}
   * @throws TemplateException with line and column, if it fails, refuses its variables, or takes more than is allowed
   */
  public Text render(Map<String, Value> variables, Supplier<LocalDateTime> clock, Limits limits) {
    Interpreter interpreter = new Interpreter(blocks, variables, clock, new Work(limits));
    try {
      return interpreter.render(body);
    } catch (TemplateException e) {
      throw source.at(interpreter.position(), e.kind(), e.getMessage());
    }
  }
}
