package dev.nibble.tokenizer.jinja;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * The names of a template, macro, loop or other body with variables of its own, as jinja2 finds them out before anything runs: a name that is set anywhere
 * in a body is the body's throughout, and begins with what the name is outside. Made while the template is parsed, and not changed afterwards.
 */
final class Scope {
  private final Scope parent; // null at the top and in blocks
  private final Map<String, Integer> slots = new HashMap<>();
  private final List<Variable> variables = new ArrayList<>();
  private final Set<String> known = new HashSet<>(); // all that are read or set here
  private int branches; // of conditions that the parser is in

  /**
   * A name of its own.
   *
   * @param parameter whether it is given its value
   * @param resolves whether it is read first, or set on a condition, so that it begins with what the caller of the template gave by this name
   */
  private record Variable(String name, boolean parameter, boolean resolves) {}

  Scope(Scope parent) {
    this.parent = parent;
  }

  void enterBranch() {
    branches++;
  }

  void leaveBranch() {
    branches--;
  }

  void load(String name) {
    known.add(name);
  }

  void store(String name) {
    if (!slots.containsKey(name)) {
      add(name, false, branches > 0 || known.contains(name));
    }
  }

  void parameter(String name) {
    if (!slots.containsKey(name)) {
      add(name, true, false);
    } else {
      variables.set(slots.get(name), new Variable(name, true, false));
    }
  }

  private void add(String name, boolean parameter, boolean resolves) {
    known.add(name);
    slots.put(name, variables.size());
    variables.add(new Variable(name, parameter, resolves));
  }

  int size() {
    return variables.size();
  }

  /** The place of a name of its own, or -1. */
  int slot(String name) {
    Integer slot = slots.get(name);
    return slot == null ? -1 : slot;
  }

  String name(int slot) {
    return variables.get(slot).name;
  }

  /** Whether a variable begins with what its name is outside. */
  boolean inherits(int slot) {
    Variable variable = variables.get(slot);
    return !variable.parameter && (variable.resolves || isKnownOutside(variable.name));
  }

  private boolean isKnownOutside(String name) {
    for (Scope scope = parent; scope != null; scope = scope.parent) {
      if (scope.known.contains(name)) {
        return true;
      }
    }
    return false;
  }
}
