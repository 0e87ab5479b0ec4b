package dev.nibble.format.safetensors;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadFeature;
import dev.nibble.format.InputFile;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * A memory-mapped safetensors file: eight bytes of header length (little endian), a JSON header, then the tensors' bytes. Everything the
 * header says is checked on opening, so that reading tensors later cannot leave the file: types are known, sizes are shape times type,
 * tensors cover the data without gap or overlap, no name comes twice. The mapping lives as long as the tensors are reachable.
 *
 * @see <a href="https://github.com/huggingface/safetensors#format">safetensors format</a>
 */
public final class SafetensorsFile {
  /** The format's own limit; it also keeps a damaged length from asking for absurd memory. */
  private static final long MAXIMUM_HEADER_BYTES = 100_000_000;
  private static final int PREFIX_BYTES = Long.BYTES;
  private static final int MAXIMUM_DIMENSIONS = 8;
  private static final String METADATA = "__metadata__";
  private static final JsonFactory JSON = JsonFactory.builder().enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION).build();

  private final Path path;
  private final Map<String, SafetensorsTensor> tensors;
  private final Map<String, String> metadata;

  private SafetensorsFile(Path path, Map<String, SafetensorsTensor> tensors, Map<String, String> metadata) {
    this.path = path;
    this.tensors = tensors;
    this.metadata = Collections.unmodifiableMap(metadata);
  }

  /**
   * Maps a file and checks its header.
   *
   * @throws InvalidSafetensorsException if the file is damaged or malformed
   * @throws IOException if it cannot be read
   */
  public static SafetensorsFile open(Path path) throws IOException {
    MemorySegment file;
    try (FileChannel channel = InputFile.open(path)) {
      // An empty mapping is allowed, so that an empty file gets the same message as any other that is too short.
      file = channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size(), Arena.ofAuto());
    }
    if (file.byteSize() < PREFIX_BYTES) {
      throw new InvalidSafetensorsException("file of " + file.byteSize() + " bytes has no room for the header length", file.byteSize(), path);
    }
    long headerLength = file.get(ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN), 0);
    if (headerLength < 2 || headerLength > MAXIMUM_HEADER_BYTES) {
      throw new InvalidSafetensorsException(
          "header length " + Long.toUnsignedString(headerLength) + " outside 2 to " + MAXIMUM_HEADER_BYTES, 0, path);
    }
    if (headerLength > file.byteSize() - PREFIX_BYTES) {
      throw new InvalidSafetensorsException(
          "header length " + headerLength + " beyond the file's " + file.byteSize() + " bytes", 0, path);
    }
    byte[] header = file.asSlice(PREFIX_BYTES, headerLength).toArray(ValueLayout.JAVA_BYTE);
    if (header[0] != '{') {
      throw new InvalidSafetensorsException("header does not begin with '{'", PREFIX_BYTES, path);
    }
    HeaderReader reader = new HeaderReader(path, header);
    reader.read();
    return new SafetensorsFile(path, reader.tensors(file.asSlice(PREFIX_BYTES + headerLength)), reader.metadata);
  }

  public Path path() {
    return path;
  }

  /** All tensors, in the order of their data. */
  public List<SafetensorsTensor> tensors() {
    return List.copyOf(tensors.values());
  }

  public Optional<SafetensorsTensor> find(String name) {
    return Optional.ofNullable(tensors.get(name));
  }

  /** The header's free-form strings. */
  public Map<String, String> metadata() {
    return metadata;
  }

  /** A tensor's entry in the header; {@code offset} is the entry's place in the file, for messages. */
  private record Entry(String name, SafetensorsType type, List<Long> shape, long begin, long end, long offset) {}

  /** Walks the header's JSON once. */
  private static final class HeaderReader {
    private final Path path;
    private final byte[] header;
    private final List<Entry> entries = new ArrayList<>();
    private final Map<String, String> metadata = new LinkedHashMap<>();

    HeaderReader(Path path, byte[] header) {
      this.path = path;
      this.header = header;
    }

    void read() throws IOException {
      try (JsonParser parser = JSON.createParser(header)) {
        parser.nextToken();
        while (parser.nextToken() != JsonToken.END_OBJECT) {
          String name = parser.currentName();
          long offset = offset(parser);
          require(parser, parser.nextToken() == JsonToken.START_OBJECT, "entry " + quoted(name) + " is not an object");
          if (name.equals(METADATA)) {
            readMetadata(parser);
          } else {
            entries.add(readEntry(parser, name, offset));
          }
        }
        require(parser, parser.nextToken() == null, "text after the header's end");
      } catch (JsonProcessingException e) {
        long offset = PREFIX_BYTES + (e.getLocation() == null ? 0 : Math.max(0, e.getLocation().getByteOffset()));
        InvalidSafetensorsException invalid = new InvalidSafetensorsException("header is not JSON: " + e.getOriginalMessage(), offset, path);
        invalid.initCause(e);
        throw invalid;
      }
    }

    private void readMetadata(JsonParser parser) throws IOException {
      while (parser.nextToken() != JsonToken.END_OBJECT) {
        String key = parser.currentName();
        require(parser, parser.nextToken() == JsonToken.VALUE_STRING, "metadata " + quoted(key) + " is not a string");
        metadata.put(key, parser.getText());
      }
    }

    private Entry readEntry(JsonParser parser, String name, long offset) throws IOException {
      SafetensorsType type = null;
      List<Long> shape = null;
      List<Long> range = null;
      while (parser.nextToken() != JsonToken.END_OBJECT) {
        String field = parser.currentName();
        parser.nextToken();
        switch (field) {
          case "dtype" -> {
            require(parser, parser.currentToken() == JsonToken.VALUE_STRING, "dtype of " + quoted(name) + " is not a string");
            String text = parser.getText();
            type = SafetensorsType.named(text).orElse(null);
            require(parser, type != null, "unknown dtype " + quoted(text) + " of " + quoted(name));
          }
          case "shape" -> shape = readNumbers(parser, MAXIMUM_DIMENSIONS, "shape of " + quoted(name));
          case "data_offsets" -> {
            range = readNumbers(parser, 2, "data_offsets of " + quoted(name));
            require(parser, range.size() == 2, "data_offsets of " + quoted(name) + " are not two numbers");
          }
          default -> throw invalid("unknown field " + quoted(field) + " of " + quoted(name), offset(parser));
        }
      }
      require(parser, type != null, quoted(name) + " has no dtype");
      require(parser, shape != null, quoted(name) + " has no shape");
      require(parser, range != null, quoted(name) + " has no data_offsets");
      return new Entry(name, type, shape, range.get(0), range.get(1), offset);
    }

    private List<Long> readNumbers(JsonParser parser, int limit, String what) throws IOException {
      require(parser, parser.currentToken() == JsonToken.START_ARRAY, what + ": not an array");
      List<Long> numbers = new ArrayList<>();
      while (parser.nextToken() != JsonToken.END_ARRAY) {
        require(parser, parser.currentToken() == JsonToken.VALUE_NUMBER_INT, what + ": not a whole number");
        require(parser, numbers.size() < limit, what + ": more than " + limit + " numbers");
        JsonParser.NumberType type = parser.getNumberType();
        require(parser, type != JsonParser.NumberType.BIG_INTEGER && parser.getLongValue() >= 0, what + ": number out of range");
        numbers.add(parser.getLongValue());
      }
      return numbers;
    }

    /** Cuts the data into tensors, in the data's order, after checking that they tile it exactly. */
    Map<String, SafetensorsTensor> tensors(MemorySegment data) throws InvalidSafetensorsException {
      entries.sort(Comparator.comparingLong(Entry::begin).thenComparingLong(Entry::end));
      Map<String, SafetensorsTensor> tensors = new LinkedHashMap<>();
      long covered = 0;
      for (Entry entry : entries) {
        String name = quoted(entry.name());
        if (entry.begin() > entry.end() || entry.end() > data.byteSize()) {
          throw invalid("data of " + name + ", " + entry.begin() + " to " + entry.end() + ", outside the file's "
              + data.byteSize() + " data bytes", entry.offset());
        }
        if (entry.begin() < covered) {
          throw invalid("data of " + name + " overlaps another tensor's", entry.offset());
        }
        if (entry.begin() > covered) {
          throw invalid("gap of " + (entry.begin() - covered) + " bytes before the data of " + name, entry.offset());
        }
        long elements = elementCount(entry);
        // Division, as the product could overflow for absurd shapes.
        long bytes = entry.end() - entry.begin();
        if (bytes % entry.type().bytes() != 0 || bytes / entry.type().bytes() != elements) {
          throw invalid(name + " has " + bytes + " bytes, not those of shape " + entry.shape() + " in " + entry.type(), entry.offset());
        }
        tensors.put(entry.name(), new SafetensorsTensor(entry.name(), entry.type(), entry.shape(), elements, data.asSlice(entry.begin(), bytes)));
        covered = entry.end();
      }
      if (covered != data.byteSize()) {
        throw invalid((data.byteSize() - covered) + " bytes after the last tensor", PREFIX_BYTES + header.length + covered);
      }
      return tensors;
    }

    private long elementCount(Entry entry) throws InvalidSafetensorsException {
      long elements = 1;
      for (long dimension : entry.shape()) {
        try {
          elements = Math.multiplyExact(elements, dimension);
        } catch (ArithmeticException e) {
          throw invalid("shape " + entry.shape() + " of " + quoted(entry.name()) + " is too large", entry.offset());
        }
      }
      return elements;
    }

    private void require(JsonParser parser, boolean condition, String what) throws InvalidSafetensorsException {
      if (!condition) {
        throw invalid(what, offset(parser));
      }
    }

    private long offset(JsonParser parser) {
      return PREFIX_BYTES + Math.max(0, parser.currentTokenLocation().getByteOffset());
    }

    private InvalidSafetensorsException invalid(String what, long offset) {
      return new InvalidSafetensorsException(what, offset, path);
    }

    private static String quoted(String text) {
      return '"' + (text.length() > 80 ? text.substring(0, 80) + "…" : text) + '"';
    }
  }
}
