package dev.nibble.format.gguf;

import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Reads a header from its first byte on. Nothing is allocated, or skipped, before the bytes that it needs are known to be there. A
 * buffer rather than the segment is read: segment accesses are slow in a native image.
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

  private final MemorySegment segment;
  private final String file;
  private final ByteBuffer in;
  private final Optional<FileChannel> channel;

  GgufReader(MemorySegment segment, String file, Optional<FileChannel> channel) {
    this.segment = segment;
    this.file = file;
    this.channel = channel;
    in = segment.asSlice(0, Math.min(segment.byteSize(), Integer.MAX_VALUE)).asByteBuffer().order(ByteOrder.LITTLE_ENDIAN);
  }

  GgufFile read() throws InvalidGgufException {
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
    int tensorCount = count("tensor count", LEAST_TENSOR_ENTRY);
    int metadataCount = count("metadata count", LEAST_METADATA_ENTRY);
    Map<String, GgufValue> values = new LinkedHashMap<>();
    int alignment = DEFAULT_ALIGNMENT;
    for (int i = 0; i < metadataCount; i++) {
      int start = in.position();
      String key = string("metadata key", LONGEST_KEY);
      if (key.isEmpty()) {
        throw invalid("metadata key is empty", start);
      }
      int at = in.position();
      GgufValue value = value(type("type of metadata " + key), key);
      if (values.put(key, value) != null) {
        throw invalid("metadata " + key + " occurs twice", start);
      }
      if (key.equals("general.alignment")) {
        alignment = alignment(value, at);
      }
    }
    int headerBytes = in.position();
    return new GgufFile(file, version, alignment, segment, new GgufMetadata(file, values), tensors(tensorCount, alignment), headerBytes, channel);
  }

  private int alignment(GgufValue value, int at) throws InvalidGgufException {
    // A power of two is more than the specification asks (a multiple of 8), and what every writer uses.
    if (!(value instanceof GgufValue.Whole whole) || whole.value() < 1 || whole.value() > 1 << 20 || Long.bitCount(whole.value()) != 1) {
      throw invalid("general.alignment is not a power of two from 1 to 2^20", at);
    }
    return (int) whole.value();
  }

  private record Entry(String name, List<Long> shape, GgufTensorType type, long bytes, long relative, int at) {}

  private Map<String, GgufTensor> tensors(int count, int alignment) throws InvalidGgufException {
    List<Entry> entries = new ArrayList<>(count);
    Map<String, Integer> names = new HashMap<>();
    for (int i = 0; i < count; i++) {
      int start = in.position();
      Entry entry = entry(alignment);
      if (names.put(entry.name, start) != null) {
        throw invalid("tensor " + entry.name + " occurs twice", start);
      }
      entries.add(entry);
    }
    long base = Math.ceilDiv((long) in.position(), alignment) * alignment;
    Map<String, GgufTensor> tensors = new LinkedHashMap<>();
    for (Entry entry : entries) {
      // Written so that nothing can overflow: base is small, and the rest is subtracted from the file's size.
      long room = segment.byteSize() - base;
      if (entry.relative < 0 || entry.relative > room || entry.bytes > room - entry.relative) {
        throw invalid("the data of tensor " + entry.name + " (" + entry.bytes + " bytes from " + Long.toUnsignedString(entry.relative)
            + " on) ends beyond the file's " + segment.byteSize() + " bytes", entry.at);
      }
      long offset = base + entry.relative;
      tensors.put(entry.name, new GgufTensor(entry.name, entry.shape, entry.type, offset, segment.asSlice(offset, entry.bytes)));
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

  private Entry entry(int alignment) throws InvalidGgufException {
    int start = in.position();
    String name = string("tensor name", LONGEST_TENSOR_NAME);
    if (name.isEmpty()) {
      throw invalid("tensor name is empty", start);
    }
    int at = in.position();
    need(4, "dimension count of tensor " + name);
    int dimensions = in.getInt();
    if (dimensions < 1 || dimensions > MOST_DIMENSIONS) {
      throw invalid("tensor " + name + " has " + Integer.toUnsignedString(dimensions) + " dimensions; allowed: 1 to " + MOST_DIMENSIONS, at);
    }
    need(8L * dimensions, "dimensions of tensor " + name);
    List<Long> shape = new ArrayList<>(dimensions);
    long elements = 1;
    for (int i = 0; i < dimensions; i++) {
      at = in.position();
      long dimension = in.getLong();
      if (dimension <= 0 || elements > Long.MAX_VALUE / dimension) {
        throw invalid("dimension " + Long.toUnsignedString(dimension) + " of tensor " + name + " is zero or too large", at);
      }
      elements *= dimension;
      shape.add(dimension);
    }
    at = in.position();
    need(4, "type of tensor " + name);
    int number = in.getInt();
    int typeAt = at;
    GgufTensorType type = GgufTensorType.of(number)
        .orElseThrow(() -> invalid("tensor " + name + " has unknown type " + Integer.toUnsignedString(number), typeAt));
    if (shape.getFirst() % type.blockSize() != 0) {
      throw invalid("rows of " + shape.getFirst() + " weights of tensor " + name + " are not whole " + type + " blocks of " + type.blockSize(), at);
    }
    if (elements / type.blockSize() > Long.MAX_VALUE / type.blockBytes()) {
      throw invalid("tensor " + name + " is too large", start);
    }
    at = in.position();
    need(8, "offset of tensor " + name);
    long relative = in.getLong();
    if (relative % alignment != 0) {
      throw invalid("offset " + Long.toUnsignedString(relative) + " of tensor " + name + " is not a multiple of the alignment " + alignment, at);
    }
    return new Entry(name, shape, type, elements / type.blockSize() * type.blockBytes(), relative, at);
  }

  private GgufType type(String what) throws InvalidGgufException {
    int at = in.position();
    need(4, what);
    int number = in.getInt();
    return GgufType.of(number).orElseThrow(() -> invalid(what + " is " + Integer.toUnsignedString(number) + ", which is unknown", at));
  }

  private GgufValue value(GgufType type, String key) throws InvalidGgufException {
    need(type.leastBytes(), "value of metadata " + key);
    return switch (type) {
      case UINT8, INT8, UINT16, INT16, UINT32, INT32, UINT64, INT64 -> new GgufValue.Whole(type, whole(type));
      case FLOAT32, FLOAT64 -> new GgufValue.Real(type, real(type));
      case BOOL -> new GgufValue.Bool(bool(key));
      case STRING -> new GgufValue.Text(string("metadata " + key, Integer.MAX_VALUE));
      case ARRAY -> array(key, 1);
    };
  }

  private GgufValue.Array array(String key, int depth) throws InvalidGgufException {
    int start = in.position();
    GgufType type = type("element type of metadata " + key);
    int size = count("element count of metadata " + key, type.leastBytes());
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
          values.add(string(what, Integer.MAX_VALUE));
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

  private long whole(GgufType type) {
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

  private double real(GgufType type) {
    return type == GgufType.FLOAT32 ? in.getFloat() : in.getDouble();
  }

  private boolean bool(String key) throws InvalidGgufException {
    int at = in.position();
    byte value = in.get();
    if (value != 0 && value != 1) {
      throw invalid("truth value of metadata " + key + " is " + Byte.toUnsignedInt(value) + ", neither 0 nor 1", at);
    }
    return value == 1;
  }

  private String string(String what, int longest) throws InvalidGgufException {
    int at = in.position();
    need(8, "length of " + what);
    long length = in.getLong();
    if (length < 0 || length > longest) {
      throw invalid(what + " is " + Long.toUnsignedString(length) + " bytes long; allowed: " + longest, at);
    }
    need(length, what);
    byte[] bytes = new byte[(int) length];
    in.get(bytes);
    String text = new String(bytes, StandardCharsets.UTF_8);
    if (text.indexOf('\uFFFD') >= 0) {
      try {
        StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes));
      } catch (CharacterCodingException e) {
        throw invalid(what + " is not UTF-8", at + 8);
      }
    }
    return text;
  }

  /** A 64-bit count of things that take at least so many bytes each. */
  private int count(String what, int leastBytes) throws InvalidGgufException {
    int at = in.position();
    need(8, what);
    long count = in.getLong();
    if (count < 0 || count > in.remaining() / leastBytes) {
      throw invalid(what + " is " + Long.toUnsignedString(count) + ", more than the file has room for", at);
    }
    return (int) count;
  }

  private void need(long bytes, String what) throws InvalidGgufException {
    if (bytes > in.remaining()) {
      throw invalid("the file ends within the " + what, in.position());
    }
  }

  private InvalidGgufException invalid(String what, long at) {
    return new InvalidGgufException(what, at, file);
  }
}
