package dev.nibble.format.gguf;

import java.util.List;

/** A metadata value. Arrays of numbers are kept compactly: vocabularies hold some hundred thousand. Arrays given to or got from values are not copied. */
public sealed interface GgufValue {
  /** The type number that stands before the value in a file. */
  GgufType type();

  /** A whole number; UINT64 above 2^63 - 1 appears negative. */
  record Whole(GgufType type, long value) implements GgufValue {}

  /** FLOAT32 or FLOAT64. */
  record Real(GgufType type, double value) implements GgufValue {}

  record Bool(boolean value) implements GgufValue {
    @Override
    public GgufType type() {
      return GgufType.BOOL;
    }
  }

  record Text(String value) implements GgufValue {
    @Override
    public GgufType type() {
      return GgufType.STRING;
    }
  }

  /**
   * A text too long to be kept.
   *
   * @param beginning its first characters
   * @param bytes its length in the file
   */
  record LongText(String beginning, long bytes) implements GgufValue {
    @Override
    public GgufType type() {
      return GgufType.STRING;
    }
  }

  /** An array. */
  sealed interface Array extends GgufValue {
    GgufType elementType();

    int size();

    @Override
    default GgufType type() {
      return GgufType.ARRAY;
    }
  }

  record Wholes(GgufType elementType, long[] values) implements Array {
    @Override
    public int size() {
      return values.length;
    }
  }

  record Reals(GgufType elementType, double[] values) implements Array {
    @Override
    public int size() {
      return values.length;
    }
  }

  record Bools(boolean[] values) implements Array {
    @Override
    public GgufType elementType() {
      return GgufType.BOOL;
    }

    @Override
    public int size() {
      return values.length;
    }
  }

  record Texts(List<String> values) implements Array {
    public Texts {
      values = List.copyOf(values);
    }

    @Override
    public GgufType elementType() {
      return GgufType.STRING;
    }

    @Override
    public int size() {
      return values.size();
    }
  }

  /** An array of arrays. */
  record Arrays(List<Array> values) implements Array {
    public Arrays {
      values = List.copyOf(values);
    }

    @Override
    public GgufType elementType() {
      return GgufType.ARRAY;
    }

    @Override
    public int size() {
      return values.size();
    }
  }

  static GgufValue uint32(int value) {
    return new Whole(GgufType.UINT32, Integer.toUnsignedLong(value));
  }

  static GgufValue float32(float value) {
    return new Real(GgufType.FLOAT32, value);
  }

  static GgufValue bool(boolean value) {
    return new Bool(value);
  }

  static GgufValue bools(boolean[] values) {
    return new Bools(values);
  }

  static GgufValue text(String value) {
    return new Text(value);
  }

  static GgufValue texts(List<String> values) {
    return new Texts(values);
  }

  /** An array of INT32. */
  static GgufValue int32s(int[] values) {
    long[] wide = new long[values.length];
    for (int i = 0; i < values.length; i++) {
      wide[i] = values[i];
    }
    return new Wholes(GgufType.INT32, wide);
  }

  /** An array of FLOAT32. */
  static GgufValue float32s(float[] values) {
    double[] wide = new double[values.length];
    for (int i = 0; i < values.length; i++) {
      wide[i] = values[i];
    }
    return new Reals(GgufType.FLOAT32, wide);
  }
}
