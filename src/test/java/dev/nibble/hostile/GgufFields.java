package dev.nibble.hostile;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;

/** Where the fields of a good GGUF file are, by a reader of its own: what a mutation changes. */
final class GgufFields {
  /** What a field is. */
  enum Kind {
    MAGIC, VERSION, TENSOR_COUNT, METADATA_COUNT, TEXT_LENGTH, TEXT, TYPE, NUMBER, FLOAT, ELEMENT_TYPE, ELEMENT_COUNT, DIMENSION_COUNT, DIMENSION, FORMAT, OFFSET, DATA
  }

  /** Bytes {@code at … at + length - 1}. */
  record Field(Kind kind, int at, int length) {}

  private static final int ALIGNMENT = 32;

  private final ByteBuffer in;
  private final List<Field> fields = new ArrayList<>();

  private GgufFields(byte[] bytes, int from, int length) {
    in = ByteBuffer.wrap(bytes, from, length).order(ByteOrder.LITTLE_ENDIAN);
  }

  /** All fields of a file that is a part of an array. */
  static List<Field> of(byte[] bytes, int from, int length) {
    GgufFields reader = new GgufFields(bytes, from, length);
    reader.read(from, from + length);
    return reader.fields;
  }

  private Field add(Kind kind, int length) {
    Field field = new Field(kind, in.position(), length);
    fields.add(field);
    in.position(in.position() + length);
    return field;
  }

  private void read(int from, int end) {
    add(Kind.MAGIC, 4);
    add(Kind.VERSION, 4);
    long tensors = in.getLong(add(Kind.TENSOR_COUNT, 8).at);
    long entries = in.getLong(add(Kind.METADATA_COUNT, 8).at);
    for (long i = 0; i < entries; i++) {
      text();
      value(in.getInt(add(Kind.TYPE, 4).at));
    }
    for (long i = 0; i < tensors; i++) {
      text();
      int dimensions = in.getInt(add(Kind.DIMENSION_COUNT, 4).at);
      for (int dimension = 0; dimension < dimensions; dimension++) {
        add(Kind.DIMENSION, 8);
      }
      add(Kind.FORMAT, 4);
      add(Kind.OFFSET, 8);
    }
    int data = from + Math.ceilDiv(in.position() - from, ALIGNMENT) * ALIGNMENT;
    if (data < end) {
      fields.add(new Field(Kind.DATA, data, end - data));
    }
  }

  private void text() {
    long length = in.getLong(add(Kind.TEXT_LENGTH, 8).at);
    add(Kind.TEXT, (int) length);
  }

  private void value(int type) {
    switch (type) {
      case 0, 1, 7 -> add(Kind.NUMBER, 1);
      case 2, 3 -> add(Kind.NUMBER, 2);
      case 4, 5 -> add(Kind.NUMBER, 4);
      case 6 -> add(Kind.FLOAT, 4);
      case 8 -> text();
      case 9 -> {
        int element = in.getInt(add(Kind.ELEMENT_TYPE, 4).at);
        long count = in.getLong(add(Kind.ELEMENT_COUNT, 8).at);
        for (long i = 0; i < count; i++) {
          value(element);
        }
      }
      case 10, 11 -> add(Kind.NUMBER, 8);
      case 12 -> add(Kind.FLOAT, 8);
      default -> throw new IllegalArgumentException("type " + type);
    }
  }
}
