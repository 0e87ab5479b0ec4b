package dev.nibble.tokenizer.jinja;

import java.util.List;

/** What a value is given to. */
sealed interface Target {
  record Variable(String name) implements Target {}

  /** An attribute of a namespace. */
  record Member(int position, String namespace, String name) implements Target {}

  record Several(int position, List<Target> targets) implements Target {}
}
