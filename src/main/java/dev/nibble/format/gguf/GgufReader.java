package dev.nibble.format.gguf;

import dev.nibble.tensor.TensorFormat;
import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Reads a header from its first byte on, through a window on the heap: segment accesses are slow in a native image. Nothing is allocated, or
 * skipped, before the bytes that it needs are known to be there, and what is kept is bounded, as a sparse file has room for any count.
 */
final class GgufReader {
  private static final int MAGIC = 0x46554747; // "GGUF", little-endian
  private static final int DEFAULT_ALIGNMENT = 32; // GGUF specification
  private static final int LONGEST_KEY = 65535; // GGUF specification
  private static final int LONGEST_TENSOR_NAME = 64; // GGUF specification
  private static final int MOST_DIMENSIONS = 4; // GGUF specification
  private static final int DEEPEST_ARRAY = 4; // no known file nests at all; bounds the recursion
  private static final int LEAST_TENSOR_ENTRY = 8 + 4 + 8 + 4 + 8;
  private static final int LEAST_METADATA_ENTRY = 8 + 4 + 1;
  private static final int MAX_TENSORS = 1 << 20; // the largest models of experts have some ten thousand
  private static final int MAX_METADATA = 1 << 16;
  /** A longer text is told of, not kept: whole tokenizers stored as one text are shorter. */
  static final int MAX_TEXT = 1 << 24;
  private static final int BEGINNING_BYTES = 256; // kept of a longer text
  private static final int MAX_ELEMENT = 1 << 20; // bytes of a text in an array: a token, or a merge
  /** Memory that all metadata may take; a vocabulary of a quarter of a million tokens takes a tenth. */
  private static final long MAX_KEPT = 1 << 29;
  private static final int OBJECT_BYTES = 64; // about what an element that is no number takes, besides its characters
  private static final String REMEDY = " (it was cut short, or is damaged: get it again)";
  private static final int WINDOW_BYTES = 1 << 16;

  private final FileBytes bytes;
  private final String file;
  private final ByteBuffer in = ByteBuffer.allocate(WINDOW_BYTES).order(ByteOrder.LITTLE_ENDIAN).limit(0);
  private long windowFrom;
  private long kept;

  GgufReader(FileBytes bytes, String file) {
    this.bytes = bytes;
    this.file = file;
  }

  /** What a header says. */
  record Header(int version, int alignment, GgufMetadata metadata, Map<String, GgufTensor> tensors, long metadataEnd) {}

  Header read() throws IOException {
    try {
      return header();
    } catch (EOFException shorter) {
      throw invalid(shorter.getMessage(), position());
    }
  }

  private Header header() throws IOException {
    need(4, "magic number");
    if (in.getInt() != MAGIC) {
      throw invalid("the file does not begin with \"GGUF\"", 0);
    }
    need(4, "version");
    int version = in.getInt();
    if (version != 2 && version != 3) {
      boolean swapped = Integer.reverseBytes(version) == 2 || Integer.reverseBytes(version) == 3;
      throw invalid(swapped ? "a big-endian file; only little-endian ones can be read" : "version " + Integer.toUnsignedString(version)
          + "; versions 2 and 3 can be read", 4);
    }
    int tensorCount = count("tensor count", LEAST_TENSOR_ENTRY, MAX_TENSORS);
    int metadataCount = count("metadata count", LEAST_METADATA_ENTRY, MAX_METADATA);
    Map<String, GgufValue> values = new LinkedHashMap<>();
    int alignment = DEFAULT_ALIGNMENT;
    for (int i = 0; i < metadataCount; i++) {
      long start = position();
      String key = string("metadata key", LONGEST_KEY);
      if (key.isEmpty()) {
        throw invalid("metadata key is empty", start);
      }
      long at = position();
      GgufValue value = value(type("type of metadata " + key), key);
      if (values.put(key, value) != null) {
        throw invalid("metadata " + key + " occurs twice", start);
      }
      if (key.equals("general.alignment")) {
        alignment = alignment(value, at);
      }
    }
    long metadataEnd = position();
    return new Header(version, alignment, new GgufMetadata(file, values), tensors(tensorCount, alignment), metadataEnd);
  }

  private int alignment(GgufValue value, long at) throws InvalidGgufException {
    // A power of two is more than the specification asks (a multiple of 8), and what every writer uses.
    if (!(value instanceof GgufValue.Whole whole) || whole.value() < 1 || whole.value() > 1 << 20 || Long.bitCount(whole.value()) != 1) {
      throw invalid("general.alignment is not a power of two from 1 to 2^20", at);
    }
    return (int) whole.value();
  }

  private record Entry(String name, List<Long> shape, TensorFormat type, long bytes, long relative, long at) {}

  private Map<String, GgufTensor> tensors(int count, int alignment) throws IOException {
    List<Entry> entries = new ArrayList<>(count);
    Map<String, Long> names = new HashMap<>();
    for (int i = 0; i < count; i++) {
      long start = position();
      Entry entry = entry(alignment);
      if (names.put(entry.name, start) != null) {
        throw invalid("tensor " + entry.name + " occurs twice", start);
      }
      entries.add(entry);
    }
    long base = Math.ceilDiv(position(), alignment) * alignment;
    Map<String, GgufTensor> tensors = new LinkedHashMap<>();
    for (Entry entry : entries) {
      // Written so that nothing can overflow: base is a place in the file or just behind it, and the rest is subtracted from the file's size.
      long room = bytes.size() - base;
      if (entry.relative < 0 || entry.relative > room || entry.bytes > room - entry.relative) {
        throw invalid("the data of tensor " + entry.name + " (" + entry.bytes + " bytes from " + Long.toUnsignedString(entry.relative)
            + " on) ends beyond the file's " + bytes.size() + " bytes" + REMEDY, entry.at);
      }
      tensors.put(entry.name, new GgufTensor(entry.name, entry.shape, entry.type, base + entry.relative, entry.bytes));
    }
    refuseOverlaps(entries);
    return tensors;
  }

  private void refuseOverlaps(List<Entry> entries) throws InvalidGgufException {
    List<Entry> sorted = new ArrayList<>(entries);
    sorted.sort((a, b) -> Long.compare(a.relative, b.relative));
    for (int i = 1; i < sorted.size(); i++) {
      Entry before = sorted.get(i - 1);
      if (before.relative + before.bytes > sorted.get(i).relative) {
        throw invalid("the data of tensor " + sorted.get(i).name + " overlaps that of " + before.name, sorted.get(i).at);
      }
    }
  }

  private Entry entry(int alignment) throws IOException {
    long start = position();
    String name = string("tensor name", LONGEST_TENSOR_NAME);
    if (name.isEmpty()) {
      throw invalid("tensor name is empty", start);
    }
    long at = position();
    need(4, "dimension count of tensor " + name);
    int dimensions = in.getInt();
    if (dimensions < 1 || dimensions > MOST_DIMENSIONS) {
      throw invalid("tensor " + name + " has " + Integer.toUnsignedString(dimensions) + " dimensions; allowed: 1 to " + MOST_DIMENSIONS, at);
    }
    need(8 * dimensions, "dimensions of tensor " + name);
    List<Long> shape = new ArrayList<>(dimensions);
    long elements = 1;
    for (int i = 0; i < dimensions; i++) {
      at = position();
      long dimension = in.getLong();
      if (dimension <= 0 || elements > Long.MAX_VALUE / dimension) {
        throw invalid("dimension " + Long.toUnsignedString(dimension) + " of tensor " + name + " is zero or too large", at);
      }
      elements *= dimension;
      shape.add(dimension);
    }
    at = position();
    need(4, "type of tensor " + name);
    int number = in.getInt();
    long typeAt = at;
    TensorFormat type = TensorFormat.ofGgufNumber(number)
        .orElseThrow(() -> invalid("tensor " + name + " has unknown type " + Integer.toUnsignedString(number), typeAt));
    if (shape.getFirst() % type.blockSize() != 0) {
      throw invalid("rows of " + shape.getFirst() + " weights of tensor " + name + " are not whole " + type + " blocks of " + type.blockSize(), at);
    }
    if (elements / type.blockSize() > Long.MAX_VALUE / type.blockBytes()) {
      throw invalid("tensor " + name + " is too large", start);
    }
    at = position();
    need(8, "offset of tensor " + name);
    long relative = in.getLong();
    if (relative % alignment != 0) {
      throw invalid("offset " + Long.toUnsignedString(relative) + " of tensor " + name + " is not a multiple of the alignment " + alignment, at);
    }
    return new Entry(name, shape, type, elements / type.blockSize() * type.blockBytes(), relative, at);
  }

  private GgufType type(String what) throws IOException {
    long at = position();
    need(4, what);
    int number = in.getInt();
    return GgufType.of(number).orElseThrow(() -> invalid(what + " is " + Integer.toUnsignedString(number) + ", which is unknown", at));
  }

  private GgufValue value(GgufType type, String key) throws IOException {
    need(type.leastBytes(), "value of metadata " + key);
    return switch (type) {
      case UINT8, INT8, UINT16, INT16, UINT32, INT32, UINT64, INT64 -> new GgufValue.Whole(type, whole(type));
      case FLOAT32, FLOAT64 -> new GgufValue.Real(type, real(type));
      case BOOL -> new GgufValue.Bool(bool(key));
      case STRING -> text("metadata " + key);
      case ARRAY -> array(key, 1);
    };
  }

  private GgufValue.Array array(String key, int depth) throws IOException {
    long start = position();
    GgufType type = type("element type of metadata " + key);
    int memory = switch (type) {
      case STRING, ARRAY -> OBJECT_BYTES;
      case UINT8, INT8, UINT16, INT16, UINT32, INT32, UINT64, INT64, FLOAT32, FLOAT64, BOOL -> Long.BYTES;
    };
    int size = count("element count of metadata " + key, type.leastBytes(), Integer.MAX_VALUE);
    keep((long) size * memory, start);
    return switch (type) {
      case UINT8, INT8, UINT16, INT16, UINT32, INT32, UINT64, INT64 -> {
        long[] values = new long[size];
        for (int i = 0; i < size; i++) {
          values[i] = whole(type);
        }
        yield new GgufValue.Wholes(type, values);
      }
      case FLOAT32, FLOAT64 -> {
        double[] values = new double[size];
        for (int i = 0; i < size; i++) {
          values[i] = real(type);
        }
        yield new GgufValue.Reals(type, values);
      }
      case BOOL -> {
        boolean[] values = new boolean[size];
        for (int i = 0; i < size; i++) {
          values[i] = bool(key);
        }
        yield new GgufValue.Bools(values);
      }
      case STRING -> {
        List<String> values = new ArrayList<>(size);
        String what = "an element of metadata " + key;
        for (int i = 0; i < size; i++) {
          values.add(string(what, MAX_ELEMENT));
        }
        yield new GgufValue.Texts(values);
      }
      case ARRAY -> {
        if (depth == DEEPEST_ARRAY) {
          throw invalid("metadata " + key + " nests arrays more than " + DEEPEST_ARRAY + " deep", start);
        }
        List<GgufValue.Array> values = new ArrayList<>(size);
        for (int i = 0; i < size; i++) {
          values.add(array(key, depth + 1));
        }
        yield new GgufValue.Arrays(values);
      }
    };
  }

  private long whole(GgufType type) throws IOException {
    fill(type.leastBytes());
    return switch (type) {
      case UINT8 -> Byte.toUnsignedLong(in.get());
      case INT8 -> in.get();
      case UINT16 -> Short.toUnsignedLong(in.getShort());
      case INT16 -> in.getShort();
      case UINT32 -> Integer.toUnsignedLong(in.getInt());
      case INT32 -> in.getInt();
      case UINT64, INT64 -> in.getLong();
      case FLOAT32, FLOAT64, BOOL, STRING, ARRAY -> throw new IllegalArgumentException(type.toString());
    };
  }

  private double real(GgufType type) throws IOException {
    fill(type.leastBytes());
    return type == GgufType.FLOAT32 ? in.getFloat() : in.getDouble();
  }

  private boolean bool(String key) throws IOException {
    long at = position();
    fill(1);
    byte value = in.get();
    if (value != 0 && value != 1) {
      throw invalid("truth value of metadata " + key + " is " + Byte.toUnsignedInt(value) + ", neither 0 nor 1", at);
    }
    return value == 1;
  }

  private GgufValue text(String what) throws IOException {
    long length = length(what);
    if (length > MAX_TEXT) {
      byte[] beginning = new byte[BEGINNING_BYTES];
      bytes.read(position(), beginning, 0, beginning.length);
      seek(position() + length);
      return new GgufValue.LongText(new String(beginning, StandardCharsets.UTF_8), length);
    }
    return new GgufValue.Text(characters((int) length, what));
  }

  private String string(String what, int longest) throws IOException {
    long at = position();
    long length = length(what);
    if (length > longest) {
      throw invalid(what + " is " + length + " bytes long; allowed: " + longest, at);
    }
    return characters((int) length, what);
  }

  /** Of a text, whose bytes are there. */
  private long length(String what) throws IOException {
    long at = position();
    need(8, "length of " + what);
    long length = in.getLong();
    if (length < 0 || length > remaining()) {
      throw invalid(what + " is " + Long.toUnsignedString(length) + " bytes long, more than the file has room for" + REMEDY, at);
    }
    return length;
  }

  private String characters(int length, String what) throws IOException {
    long at = position();
    keep(length, at);
    byte[] from = in.array();
    int first = 0;
    if (length > WINDOW_BYTES) {
      from = new byte[length];
      bytes.read(at, from, 0, length);
      seek(at + length);
    } else {
      fill(length);
      first = in.position();
      in.position(first + length);
    }
    String text = new String(from, first, length, StandardCharsets.UTF_8);
    if (text.indexOf('\uFFFD') >= 0) {
      try {
        StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(from, first, length));
      } catch (CharacterCodingException e) {
        throw invalid(what + " is not UTF-8", at);
      }
    }
    return text;
  }

  /** A 64-bit count of things that take at least so many bytes each. */
  private int count(String what, int leastBytes, int most) throws IOException {
    long at = position();
    need(8, what);
    long count = in.getLong();
    if (count < 0 || count > remaining() / leastBytes) {
      throw invalid(what + " is " + Long.toUnsignedString(count) + ", more than the file has room for" + REMEDY, at);
    }
    if (count > most) {
      throw invalid(what + " is " + count + "; allowed: " + most, at);
    }
    return (int) count;
  }

  private void keep(long memory, long at) throws InvalidGgufException {
    kept += memory;
    if (kept > MAX_KEPT) {
      throw invalid("the metadata take more memory than the " + (MAX_KEPT >> 20) + " MiB that are allowed", at);
    }
  }

  private long position() {
    return windowFrom + in.position();
  }

  private long remaining() {
    return bytes.size() - position();
  }

  /** Goes on from elsewhere; nothing is read yet. */
  private void seek(long position) {
    windowFrom = position;
    in.position(0).limit(0);
  }

  /** Has so many bytes, {@link #WINDOW_BYTES} at most, in the window; they are known to be in the file. */
  private void fill(int count) throws IOException {
    if (in.remaining() < count) {
      seek(position());
      int length = (int) Math.min(WINDOW_BYTES, remaining());
      bytes.read(windowFrom, in.array(), 0, length);
      in.limit(length);
    }
  }

  private void need(int count, String what) throws IOException {
    if (count > remaining()) {
      throw invalid("the file ends within the " + what + REMEDY, position());
    }
    fill(count);
  }

  private InvalidGgufException invalid(String what, long at) {
    return new InvalidGgufException(what, at, file);
  }
}
