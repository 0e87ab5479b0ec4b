package dev.nibble.tokenizer.jinja;

import java.math.BigInteger;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Map;

/** Python's operators. */
final class Operators {
  private static final int LONG = 64; // bits of integers whose products take no time

  private Operators() {}

  /** Arithmetic. */
  enum Binary {
    ADD("+"), SUBTRACT("-"), MULTIPLY("*"), DIVIDE("/"), FLOOR_DIVIDE("//"), MODULO("%"), POWER("**");

    private final String sign;

    Binary(String sign) {
      this.sign = sign;
    }
  }

  /** Comparisons. */
  enum Comparison {
    EQUAL("=="), NOT_EQUAL("!="), LESS("<"), LESS_OR_EQUAL("<="), GREATER(">"), GREATER_OR_EQUAL(">="), IN("in"), NOT_IN("not in");

    private final String sign;

    Comparison(String sign) {
      this.sign = sign;
    }
  }

  static boolean compare(Comparison comparison, Value left, Value right, Work work) {
    work.spend(1);
    return switch (comparison) {
      case EQUAL -> equal(left, right, work);
      case NOT_EQUAL -> !equal(left, right, work);
      case LESS, LESS_OR_EQUAL, GREATER, GREATER_OR_EQUAL -> ordered(comparison, left, right, work);
      case IN -> contains(right, left, work);
      case NOT_IN -> !contains(right, left, work);
    };
  }

  @SuppressWarnings("ReferenceEquality") // A view equals itself whatever is in it, as in Python.
  static boolean equal(Value a, Value b, Work work) {
    if (a instanceof Text x && b instanceof Text y) {
      work.spend(Math.min(x.value().length(), y.value().length()));
      return x.equals(y);
    }
    work.spend(Math.min(a.weight(), b.weight()));
    return switch (a) {
      case ListValue x -> b instanceof ListValue y && equal(x.items(), y.items(), work);
      case TupleValue x -> b instanceof TupleValue y && equal(x.items(), y.items(), work);
      case DictValue x -> b instanceof DictValue y && equal(x, y, work);
      case DictView x -> b instanceof DictView y && (x == y || x.part() == y.part() && x.part() != DictView.Part.VALUES && x.size() == y.size() && containsAll(x, y, work));
      default -> a.equals(b);
    };
  }

  /** As elements are compared: a value is the same as itself, even NaN. */
  private static boolean same(Value a, Value b, Work work) {
    return a == b || equal(a, b, work);
  }

  private static boolean equal(List<Value> a, List<Value> b, Work work) {
    if (a.size() != b.size()) {
      return false;
    }
    for (int i = 0; i < a.size(); i++) {
      if (!same(a.get(i), b.get(i), work)) {
        return false;
      }
    }
    return true;
  }

  private static boolean equal(DictValue a, DictValue b, Work work) {
    if (a.entries().size() != b.entries().size()) {
      return false;
    }
    for (Map.Entry<Value, Value> entry : a.entries().entrySet()) {
      Value other = b.entries().get(entry.getKey());
      if (other == null || !same(entry.getValue(), other, work)) {
        return false;
      }
    }
    return true;
  }

  private static boolean containsAll(DictView a, DictView b, Work work) {
    for (Iterator<Value> items = a.iterator(); items.hasNext();) {
      if (!contains(b, items.next(), work)) {
        return false;
      }
    }
    return true;
  }

  static boolean less(Value a, Value b, Work work) {
    return ordered(Comparison.LESS, a, b, work);
  }

  private static boolean ordered(Comparison comparison, Value a, Value b, Work work) {
    requireDefined(a, b);
    work.spend(1);
    if (Numbers.isNumber(a) && Numbers.isNumber(b)) {
      return !Numbers.isNaN(a) && !Numbers.isNaN(b) && holds(comparison, Numbers.compare(a, b));
    }
    if (a instanceof Text x && b instanceof Text y) {
      work.spend(Math.min(x.value().length(), y.value().length()));
      return holds(comparison, x.compareTo(y));
    }
    if (a instanceof ListValue x && b instanceof ListValue y) {
      return ordered(comparison, x.items(), y.items(), work);
    }
    if (a instanceof TupleValue x && b instanceof TupleValue y) {
      return ordered(comparison, x.items(), y.items(), work);
    }
    throw TemplateException.type("'" + comparison.sign + "' not supported between instances of '" + a.typeName() + "' and '" + b.typeName() + "'");
  }

  private static boolean ordered(Comparison comparison, List<Value> a, List<Value> b, Work work) {
    for (int i = 0; i < a.size() && i < b.size(); i++) {
      if (!same(a.get(i), b.get(i), work)) {
        return ordered(comparison, a.get(i), b.get(i), work);
      }
    }
    return holds(comparison, Integer.compare(a.size(), b.size()));
  }

  private static boolean holds(Comparison comparison, int order) {
    return switch (comparison) {
      case LESS -> order < 0;
      case LESS_OR_EQUAL -> order <= 0;
      case GREATER -> order > 0;
      case GREATER_OR_EQUAL -> order >= 0;
      case EQUAL, IN -> order == 0;
      case NOT_EQUAL, NOT_IN -> order != 0;
    };
  }

  static boolean contains(Value container, Value item, Work work) {
    return switch (container) {
      case Text text -> {
        if (!(item instanceof Text part)) {
          throw TemplateException.type("'in <string>' requires string as left operand, not " + item.typeName());
        }
        work.search(text, part);
        yield text.value().contains(part.value());
      }
      case DictValue dict -> dict.entries().containsKey(key(item, work));
      case DictView view when view.part() == DictView.Part.KEYS -> view.dict().entries().containsKey(key(item, work));
      case RangeValue range when Numbers.isWhole(item) -> {
        BigInteger from = Numbers.whole(item).subtract(BigInteger.valueOf(range.start()));
        BigInteger[] steps = from.divideAndRemainder(BigInteger.valueOf(range.step()));
        yield steps[1].signum() == 0 && steps[0].signum() >= 0 && steps[0].compareTo(BigInteger.valueOf(range.size())) < 0;
      }
      default -> {
        if (!Sequences.isIterable(container)) {
          throw TemplateException.type("argument of type '" + container.typeName() + "' is not iterable");
        }
        for (Iterator<Value> items = Sequences.iterator(container); items.hasNext();) {
          work.spend(1);
          if (same(items.next(), item, work)) {
            yield true;
          }
        }
        yield false;
      }
    };
  }

  /** A value as the key of a dict. */
  static Value key(Value value, Work work) {
    work.spend(value.weight() + (value instanceof Text text ? text.value().length() : 0));
    requireHashable(value);
    return value;
  }

  private static void requireHashable(Value value) {
    switch (value) {
      case ListValue list -> throw unhashable(value);
      case DictValue dict -> throw unhashable(value);
      case DictView view when view.part() != DictView.Part.VALUES -> throw unhashable(value);
      case TupleValue tuple -> tuple.items().forEach(Operators::requireHashable);
      default -> { }
    }
  }

  private static TemplateException unhashable(Value value) {
    return TemplateException.type("unhashable type: '" + value.typeName() + "'");
  }

  private static void requireDefined(Value a, Value b) {
    if (a instanceof Undefined undefined) {
      throw undefined.failure();
    }
    if (b instanceof Undefined undefined) {
      throw undefined.failure();
    }
  }

  static Value negate(Value value) {
    return switch (value) {
      case Whole whole -> new Whole(whole.value().negate(), whole.own());
      case Truth truth -> new Whole(truth.number().negate(), true);
      case Real real -> new Real(-real.value(), real.own());
      case Undefined undefined -> throw undefined.failure();
      default -> throw TemplateException.type("bad operand type for unary -: '" + value.typeName() + "'");
    };
  }

  static Value plus(Value value) {
    return switch (value) {
      case Whole whole -> whole;
      case Truth truth -> new Whole(truth.number(), true);
      case Real real -> real;
      case Undefined undefined -> throw undefined.failure();
      default -> throw TemplateException.type("bad operand type for unary +: '" + value.typeName() + "'");
    };
  }

  static Value compute(Binary operator, Value left, Value right, Interpreter interpreter) {
    Work work = interpreter.work();
    work.spend(1);
    if (operator == Binary.MODULO && left instanceof Text format) {
      return PercentFormat.format(format, right, interpreter);
    }
    requireDefined(left, right);
    if (Numbers.isNumber(left) && Numbers.isNumber(right)) {
      return Numbers.isWhole(left) && Numbers.isWhole(right) ? wholes(operator, left, right, work) : reals(operator, left, right);
    }
    if (operator == Binary.ADD) {
      if (left instanceof Text a && right instanceof Text b) {
        return concatenate(a, b, work);
      }
      if (left instanceof ListValue a && right instanceof ListValue b) {
        return new ListValue(joined(a.items(), b.items(), work));
      }
      if (left instanceof TupleValue a && right instanceof TupleValue b) {
        return new TupleValue(joined(a.items(), b.items(), work));
      }
      if (left instanceof Text || left instanceof ListValue || left instanceof TupleValue) {
        String name = left instanceof Text ? "str" : left.typeName();
        throw TemplateException.type("can only concatenate " + name + " (not \"" + right.typeName() + "\") to " + name);
      }
    }
    if (operator == Binary.MULTIPLY) {
      if (Numbers.isWhole(right) && isRepeatable(left)) {
        return repeat(left, times(right), work);
      }
      if (Numbers.isWhole(left) && isRepeatable(right)) {
        return repeat(right, times(left), work);
      }
      if (isRepeatable(left) || isRepeatable(right)) {
        throw TemplateException.type("can't multiply sequence by non-int of type '" + (isRepeatable(left) ? right : left).typeName() + "'");
      }
    }
    throw TemplateException.type(
        "unsupported operand type(s) for " + (operator == Binary.POWER ? "** or pow()" : operator.sign) + ": '" + left.typeName() + "' and '" + right.typeName() + "'");
  }

  private static boolean isRepeatable(Value value) {
    return value instanceof Text || value instanceof ListValue || value instanceof TupleValue;
  }

  /** Texts put together; beside a text that is ready for HTML the other is escaped. */
  static Text concatenate(Text a, Text b, Work work) {
    boolean markup = a.isMarkup() || b.isMarkup();
    return new TextBuilder(work).add(markup ? Markup.escape(a, work) : a).add(markup ? Markup.escape(b, work) : b).text(markup);
  }

  private static List<Value> joined(List<Value> a, List<Value> b, Work work) {
    work.elements((long) a.size() + b.size());
    List<Value> out = new ArrayList<>(a.size() + b.size());
    out.addAll(a);
    out.addAll(b);
    return out;
  }

  private static int times(Value count) {
    if (Numbers.whole(count).bitLength() >= Long.SIZE) {
      throw new TemplateException(TemplateException.Kind.OVERFLOW, "cannot fit 'int' into an index-sized integer");
    }
    return Math.max(0, Numbers.index(count));
  }

  private static Value repeat(Value value, int times, Work work) {
    if (value instanceof Text text) {
      work.text(0, (long) text.value().length() * times);
      if (text.origin().isUniform()) {
        return text.with(text.value().repeat(times));
      }
      TextBuilder out = new TextBuilder(work);
      for (int i = 0; i < times; i++) {
        out.add(text);
      }
      return out.text(text.isMarkup());
    }
    List<Value> items = value instanceof ListValue list ? list.items() : ((TupleValue) value).items();
    work.elements((long) items.size() * times);
    List<Value> out = new ArrayList<>(items.size() * times);
    for (int i = 0; i < times && !items.isEmpty(); i++) {
      out.addAll(items);
    }
    return value instanceof ListValue ? new ListValue(out) : new TupleValue(out);
  }

  private static Value wholes(Binary operator, Value left, Value right, Work work) {
    BigInteger a = Numbers.whole(left);
    BigInteger b = Numbers.whole(right);
    boolean own = Numbers.isOwn(left) && Numbers.isOwn(right);
    long size = 1 + (long) a.bitLength() * b.bitLength() / (LONG * LONG);
    work.spend(size);
    return switch (operator) {
      case ADD -> Numbers.checked(a.add(b), own);
      case SUBTRACT -> Numbers.checked(a.subtract(b), own);
      case MULTIPLY -> Numbers.checked(a.multiply(b), own);
      case DIVIDE -> divide(a, b, own);
      case FLOOR_DIVIDE -> new Whole(floorDivide(a, b, "integer division or modulo by zero")[0], own);
      case MODULO -> new Whole(floorDivide(a, b, "integer modulo by zero")[1], own);
      case POWER -> power(left, a, right, b, own, work);
    };
  }

  private static BigInteger[] floorDivide(BigInteger a, BigInteger b, String zero) {
    if (b.signum() == 0) {
      throw new TemplateException(TemplateException.Kind.ZERO_DIVISION, zero);
    }
    BigInteger[] parts = a.divideAndRemainder(b);
    if (parts[1].signum() != 0 && parts[1].signum() != b.signum()) {
      parts[0] = parts[0].subtract(BigInteger.ONE);
      parts[1] = parts[1].add(b);
    }
    return parts;
  }

  /** Rounded correctly, however large both are. */
  private static Real divide(BigInteger a, BigInteger b, boolean own) {
    if (b.signum() == 0) {
      throw new TemplateException(TemplateException.Kind.ZERO_DIVISION, "division by zero");
    }
    int exact = 53;
    if (a.bitLength() <= exact && b.bitLength() <= exact) {
      return new Real(a.doubleValue() / b.doubleValue(), own);
    }
    // Enough bits to round by; what is left below them only says that there is something.
    int shift = Math.max(0, b.bitLength() - a.bitLength() + 66);
    BigInteger[] parts = a.abs().shiftLeft(shift).divideAndRemainder(b.abs());
    BigInteger quotient = parts[1].signum() == 0 ? parts[0] : parts[0].setBit(0);
    double value = Math.scalb(quotient.doubleValue(), -shift);
    if (Double.isInfinite(value)) {
      throw new TemplateException(TemplateException.Kind.OVERFLOW, "integer division result too large for a float");
    }
    return new Real(a.signum() * b.signum() < 0 ? -value : value, own);
  }

  private static Value power(Value left, BigInteger a, Value right, BigInteger b, boolean own, Work work) {
    if (b.signum() < 0) {
      return reals(Binary.POWER, left, right);
    }
    if (a.abs().compareTo(BigInteger.ONE) <= 0) {
      return new Whole(a.signum() < 0 && !b.testBit(0) ? BigInteger.ONE : b.signum() == 0 ? BigInteger.ONE : a, own);
    }
    long bits = b.bitLength() < 31 ? (long) (a.bitLength() - 1) * b.intValue() : Long.MAX_VALUE;
    if (bits > Work.MAX_BITS) {
      return Numbers.checked(BigInteger.ONE.shiftLeft(Work.MAX_BITS + 1), own);
    }
    work.spend(bits * bits / (LONG * LONG));
    return Numbers.checked(a.pow(b.intValue()), own);
  }

  private static Value reals(Binary operator, Value left, Value right) {
    double a = Numbers.real(left);
    double b = Numbers.real(right);
    boolean own = Numbers.isOwn(left) && Numbers.isOwn(right);
    return switch (operator) {
      case ADD -> new Real(a + b, own);
      case SUBTRACT -> new Real(a - b, own);
      case MULTIPLY -> new Real(a * b, own);
      case DIVIDE -> {
        requireDivisor(b, "float division by zero");
        yield new Real(a / b, own);
      }
      case FLOOR_DIVIDE -> {
        requireDivisor(b, "float floor division by zero");
        yield new Real(floorDivide(a, b), own);
      }
      case MODULO -> {
        requireDivisor(b, "float modulo");
        yield new Real(modulo(a, b), own);
      }
      case POWER -> new Real(power(a, b), own);
    };
  }

  private static void requireDivisor(double divisor, String message) {
    if (divisor == 0) {
      throw new TemplateException(TemplateException.Kind.ZERO_DIVISION, message);
    }
  }

  private static double modulo(double a, double b) {
    double rest = a % b;
    if (rest == 0) {
      return Math.copySign(0.0, b);
    }
    return (rest < 0) == (b < 0) ? rest : rest + b;
  }

  private static double floorDivide(double a, double b) {
    double rest = a % b;
    double quotient = (a - rest) / b;
    if (rest != 0 && (rest < 0) != (b < 0)) {
      quotient -= 1;
    }
    if (quotient == 0) {
      return Math.copySign(0.0, a / b);
    }
    double floor = Math.floor(quotient);
    return quotient - floor > 0.5 ? floor + 1 : floor;
  }

  private static double power(double a, double b) {
    if (a == 0 && b < 0) {
      throw new TemplateException(TemplateException.Kind.ZERO_DIVISION, "0.0 cannot be raised to a negative power");
    }
    if (a < 0 && Double.isFinite(a) && Double.isFinite(b) && b != Math.rint(b)) {
      throw TemplateException.unsupported("a root of a negative number");
    }
    double value = a == 1 || b == 0 || a == -1 && Double.isInfinite(b) ? 1 : Math.pow(a, b);
    if (Double.isInfinite(value) && Double.isFinite(a) && Double.isFinite(b)) {
      throw new TemplateException(TemplateException.Kind.OVERFLOW, "(34, 'Numerical result out of range')");
    }
    return a == 1 && b == 0 ? 1 : value;
  }
}
