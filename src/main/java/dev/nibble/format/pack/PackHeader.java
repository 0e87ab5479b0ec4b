package dev.nibble.format.pack;

import dev.nibble.format.gguf.GgufTensor;
import dev.nibble.kernel.tile.TileLayout;
import dev.nibble.kernel.tile.TileMapping;
import dev.nibble.tensor.TensorFormat;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.zip.CRC32C;

/**
 * The first bytes of a packed file, little-endian:
 *
 * <pre>
 *  0  8  magic: 89 'N' 'I' 'B' 0D 0A 1A 0A, which neither text tools nor transfers in text mode leave alone
 *  8  4  version of this format, 2
 * 12  4  0
 * 16  4  bytes of the header, H
 * 20  4  number of sections
 * 24  8  bytes of the file
 * 32  8  bytes of the source
 * 40  8  when the source was last changed, nanoseconds since 1970
 * 48  4  1 if the source's SHA-256 is known, else 0
 * 52  4  0
 * 56 32  SHA-256 of the source; zeros where it is not known
 * 88     sections, in the order of their offsets: 4 kind, 4 format (GGUF's number), 4 {@link TileLayout#number}, 4 its version, 8 columns, 8 rows, 8 offset,
 *        8 bytes, 4 CRC32C, 4 length of the name, the name in UTF-8
 * H-4 4  CRC32C of all bytes before
 * </pre>
 *
 * @param fileBytes of the whole file
 */
record PackHeader(long fileBytes, Source source, List<Section> sections) {
  static final int VERSION = 2;
  /** Bytes before the sections' table. */
  static final int FIXED_BYTES = 88;
  /** Tiles are mapped: their sections begin on page boundaries whatever the pages' size (4, 16 or 64 KiB). */
  static final int MATRIX_ALIGNMENT = 1 << 16;
  /** Metadata and vectors are copied; a cache line. */
  static final int ALIGNMENT = 64;

  private static final byte[] MAGIC = {(byte) 0x89, 'N', 'I', 'B', '\r', '\n', 0x1a, '\n'};
  private static final int SECTION_BYTES = 56; // without the name
  private static final int CHECKSUM_BYTES = 4;
  private static final int MOST_BYTES = 1 << 24; // a hundred thousand sections
  private static final int LONGEST_NAME = 64; // as in GGUF
  static final int MOST = 1 << 24; // rows or columns, as the models' loader has it: no product of two overflows
  private static final String METADATA = "metadata";

  PackHeader {
    sections = List.copyOf(sections);
  }

  /**
   * What was packed.
   *
   * @param bytes of the file, or of all that the model was in
   * @param modifiedNanos when it, or one of them, was last changed, since 1970
   * @param sha256 in hexadecimal
   */
  record Source(long bytes, long modifiedNanos, Optional<String> sha256) {}

  /** What a section holds; numbers in files are the ordinals. */
  enum Kind {
    /** A GGUF file without tensors. */
    METADATA,
    /** F32 values. */
    VECTOR,
    /** Tiles of a matrix. */
    MATRIX
  }

  /**
   * A part of the file with a checksum of its own.
   *
   * @param name of the tensor, or "metadata"
   * @param format of the rows that were packed; F32 for metadata
   * @param layout of a matrix' tiles, empty for others
   * @param columns inputs of a matrix, or length of a vector; 0 for metadata
   * @param rows outputs of a matrix, else 0
   * @param checksum CRC32C of its bytes
   */
  record Section(Kind kind, String name, TensorFormat format, Optional<TileLayout> layout, int columns, int rows, long offset, long bytes, int checksum) {
    static Section metadata(long bytes) {
      return new Section(Kind.METADATA, METADATA, TensorFormat.F32, Optional.empty(), 0, 0, 0, bytes, 0);
    }

    static Section vector(String name, int length) {
      return new Section(Kind.VECTOR, name, TensorFormat.F32, Optional.empty(), length, 0, 0, (long) Float.BYTES * length, 0);
    }

    /** In the layout that the format is mapped to. @throws IllegalArgumentException if there is none */
    static Section matrix(String name, TensorFormat format, int columns, int rows) {
      return matrix(name, format, TileMapping.require(format), columns, rows);
    }

    private static Section matrix(String name, TensorFormat format, TileLayout layout, int columns, int rows) {
      return new Section(Kind.MATRIX, name, format, Optional.of(layout), columns, rows, 0, layout.bytes(rows, columns), 0);
    }

    Section at(long offset) {
      return new Section(kind, name, format, layout, columns, rows, offset, bytes, checksum);
    }

    Section checked(int checksum) {
      return new Section(kind, name, format, layout, columns, rows, offset, bytes, checksum);
    }

    int alignment() {
      return kind == Kind.MATRIX ? MATRIX_ALIGNMENT : ALIGNMENT;
    }

    private byte[] nameBytes() {
      return name.getBytes(StandardCharsets.UTF_8);
    }
  }

  /** Gives sections their places, one after the other. */
  static PackHeader of(Source source, List<Section> sections) {
    long end = FIXED_BYTES + CHECKSUM_BYTES;
    for (Section section : sections) {
      end += SECTION_BYTES + section.nameBytes().length;
    }
    List<Section> placed = new ArrayList<>();
    for (Section section : sections) {
      Section next = section.at(Math.ceilDiv(end, section.alignment()) * section.alignment());
      placed.add(next);
      end = next.offset + next.bytes;
    }
    return new PackHeader(end, source, placed);
  }

  /** Whether a file that begins so is a packed one. */
  static boolean isMagic(byte[] first) {
    return first.length >= MAGIC.length && Arrays.equals(first, 0, MAGIC.length, MAGIC, 0, MAGIC.length);
  }

  byte[] toBytes() {
    int length = FIXED_BYTES + CHECKSUM_BYTES + sections.stream().mapToInt(section -> SECTION_BYTES + section.nameBytes().length).sum();
    ByteBuffer out = ByteBuffer.allocate(length).order(ByteOrder.LITTLE_ENDIAN);
    out.put(MAGIC).putInt(VERSION).putInt(0).putInt(length).putInt(sections.size()).putLong(fileBytes);
    out.putLong(source.bytes).putLong(source.modifiedNanos).putInt(source.sha256.isPresent() ? 1 : 0).putInt(0);
    out.put(source.sha256.map(HexFormat.of()::parseHex).orElse(new byte[32]));
    for (Section section : sections) {
      byte[] name = section.nameBytes();
      out.putInt(section.kind.ordinal()).putInt(section.format.ggufNumber());
      out.putInt(section.layout.map(TileLayout::number).orElse(0)).putInt(section.layout.map(TileLayout::version).orElse(0));
      out.putLong(section.columns).putLong(section.rows);
      out.putLong(section.offset).putLong(section.bytes).putInt(section.checksum).putInt(name.length).put(name);
    }
    return out.putInt(checksum(out.array(), length - CHECKSUM_BYTES)).array();
  }

  private static int checksum(byte[] bytes, int length) {
    CRC32C checksum = new CRC32C();
    checksum.update(bytes, 0, length);
    return (int) checksum.getValue();
  }

  /**
   * How long a header is.
   *
   * @param fixed the first {@link #FIXED_BYTES} bytes, or all there are
   * @throws InvalidPackException if they begin no packed file of this version
   */
  static int length(byte[] fixed, long fileBytes, String file) throws InvalidPackException {
    if (!isMagic(fixed)) {
      throw new InvalidPackException("it does not begin as packed files do", file);
    }
    if (fixed.length < FIXED_BYTES) {
      throw new InvalidPackException("the file ends within its header, after " + fileBytes + " bytes", file);
    }
    ByteBuffer in = ByteBuffer.wrap(fixed).order(ByteOrder.LITTLE_ENDIAN);
    int version = in.getInt(8);
    if (version != VERSION) {
      throw new InvalidPackException("it has format version " + Integer.toUnsignedString(version) + ", this program reads version " + VERSION
          + ": pack the model again", file);
    }
    int length = in.getInt(16);
    if (length < FIXED_BYTES + CHECKSUM_BYTES || length > MOST_BYTES) {
      throw new InvalidPackException("the header is damaged: it is said to have " + Integer.toUnsignedString(length) + " bytes", file);
    }
    if (length > fileBytes) {
      throw new InvalidPackException("the file ends within its header, after " + fileBytes + " of " + length + " bytes", file);
    }
    return length;
  }

  /**
   * Reads a header, and checks it as far as the file's size allows: a file that passes can be mapped and computed from without leaving it.
   *
   * @param header its {@link #length} bytes
   * @throws InvalidPackException if it is damaged, or of another tile layout
   */
  static PackHeader read(byte[] header, long fileBytes, String file) throws InvalidPackException {
    ByteBuffer in = ByteBuffer.wrap(header).order(ByteOrder.LITTLE_ENDIAN);
    if (in.getInt(header.length - CHECKSUM_BYTES) != checksum(header, header.length - CHECKSUM_BYTES)) {
      throw new InvalidPackException("the header is damaged: its checksum is wrong", file);
    }
    if (in.getLong(24) != fileBytes) {
      throw new InvalidPackException("it was cut off or added to: the file has " + fileBytes + " bytes, its header tells of "
          + Long.toUnsignedString(in.getLong(24)), file);
    }
    int count = in.getInt(20);
    if (count < 1 || count > (header.length - FIXED_BYTES) / SECTION_BYTES) {
      throw new InvalidPackException("the header has no room for " + Integer.toUnsignedString(count) + " sections", file);
    }
    if (in.getInt(12) != 0 || in.getInt(52) != 0 || in.getInt(48) < 0 || in.getInt(48) > 1 || in.getLong(32) < 1) {
      throw new InvalidPackException("the header is damaged: the size of its source, or a number that is 0 or 1 in every pack, is impossible", file);
    }
    byte[] sha256 = new byte[32];
    in.get(56, sha256);
    Optional<String> known = in.getInt(48) == 0 ? Optional.empty() : Optional.of(HexFormat.of().formatHex(sha256));
    Source source = new Source(in.getLong(32), in.getLong(40), known);
    return new PackHeader(fileBytes, source, sections(in.slice(0, header.length - CHECKSUM_BYTES).order(ByteOrder.LITTLE_ENDIAN), count, fileBytes, file));
  }

  private static List<Section> sections(ByteBuffer in, int count, long fileBytes, String file) throws InvalidPackException {
    List<Section> sections = new ArrayList<>();
    Set<String> names = new HashSet<>();
    long end = (long) in.capacity() + CHECKSUM_BYTES;
    in.position(FIXED_BYTES);
    for (int i = 0; i < count; i++) {
      Section section = section(in, i, file);
      if (!names.add(section.name)) {
        throw new InvalidPackException("section " + section.name + " occurs twice", file);
      }
      if ((i == 0) != (section.kind == Kind.METADATA)) {
        throw new InvalidPackException("section " + section.name + " is out of place: metadata are the first section, and only that", file);
      }
      // In this order nothing overflows: end and fileBytes are sizes of files.
      if (section.offset < end || section.offset % section.alignment() != 0 || section.offset > fileBytes || section.bytes > fileBytes - section.offset) {
        throw new InvalidPackException("section " + section.name + " (" + section.bytes + " bytes from " + Long.toUnsignedString(section.offset)
            + " on) is unaligned, overlaps the one before, or ends beyond the file's " + fileBytes + " bytes", file);
      }
      end = section.offset + section.bytes;
      sections.add(section);
    }
    if (in.hasRemaining()) {
      throw new InvalidPackException("the header has " + in.remaining() + " bytes more than its sections take", file);
    }
    return sections;
  }

  private static Section section(ByteBuffer in, int number, String file) throws InvalidPackException {
    if (in.remaining() < SECTION_BYTES) {
      throw new InvalidPackException("the header ends within section " + number, file);
    }
    int kind = in.getInt();
    int type = in.getInt();
    int layoutNumber = in.getInt();
    int layoutVersion = in.getInt();
    long columns = in.getLong();
    long rows = in.getLong();
    long offset = in.getLong();
    long bytes = in.getLong();
    int checksum = in.getInt();
    int nameLength = in.getInt();
    if (nameLength < 1 || nameLength > Math.min(LONGEST_NAME, in.remaining())) {
      throw new InvalidPackException("the name of section " + number + " has " + Integer.toUnsignedString(nameLength) + " bytes; allowed: 1 to " + LONGEST_NAME, file);
    }
    String name = name(in, nameLength, number, file);
    Optional<TensorFormat> format = TensorFormat.ofGgufNumber(type);
    if (kind < 0 || kind >= Kind.values().length || format.isEmpty()) {
      throw new InvalidPackException("section " + name + " is of a kind or format that is unknown", file);
    }
    Section expected = switch (Kind.values()[kind]) {
      case METADATA -> Section.metadata(bytes);
      case VECTOR -> Section.vector(name, size(columns, name, file));
      case MATRIX -> {
        if (size(columns, name, file) % format.get().blockSize() != 0) {
          throw new InvalidPackException("section " + name + " has rows of " + columns + " weights, not whole blocks of " + format.get(), file);
        }
        TileLayout layout = layout(layoutNumber, layoutVersion, name, file);
        if (columns % layout.blockInputs() != 0) {
          throw new InvalidPackException("section " + name + " has rows of " + columns + " weights, not whole blocks of " + layout, file);
        }
        yield Section.matrix(name, format.get(), layout, (int) columns, size(rows, name, file));
      }
    };
    if (expected.layout.isEmpty() && (layoutNumber != 0 || layoutVersion != 0)) {
      throw new InvalidPackException("section " + name + " has tile layout " + Integer.toUnsignedString(layoutNumber) + ", though it holds no matrix", file);
    }
    Section section = new Section(Kind.values()[kind], name, format.get(), expected.layout, (int) columns, (int) rows, offset, bytes, checksum);
    if (bytes < 1 || columns != section.columns || rows != section.rows || !section.equals(expected.at(offset).checked(checksum))) {
      throw new InvalidPackException("section " + name + " has " + Long.toUnsignedString(bytes) + " bytes, its shape of " + Long.toUnsignedString(rows) + " × "
          + Long.toUnsignedString(columns) + " " + format.get() + " takes " + expected.bytes, file);
    }
    return section;
  }

  private static TileLayout layout(int number, int version, String name, String file) throws InvalidPackException {
    for (TileLayout layout : TileLayout.values()) {
      if (layout.number() == number) {
        if (layout.version() != version) {
          throw new InvalidPackException("section " + name + " has version " + Integer.toUnsignedString(version) + " of tile layout " + layout
              + ", this program computes from version " + layout.version() + ": pack the model again", file);
        }
        return layout;
      }
    }
    throw new InvalidPackException("section " + name + " has tile layout " + Integer.toUnsignedString(number)
        + ", which this program does not know: pack the model again", file);
  }

  private static String name(ByteBuffer in, int length, int number, String file) throws InvalidPackException {
    ByteBuffer bytes = in.slice(in.position(), length);
    in.position(in.position() + length);
    try {
      return StandardCharsets.UTF_8.newDecoder().decode(bytes).toString();
    } catch (CharacterCodingException e) {
      throw new InvalidPackException("the name of section " + number + " is not UTF-8", file);
    }
  }

  private static int size(long value, String name, String file) throws InvalidPackException {
    if (value < 1 || value > MOST) {
      throw new InvalidPackException("section " + name + " has a size of " + Long.toUnsignedString(value) + "; allowed: 1 to " + MOST, file);
    }
    return (int) value;
  }

  /** The section as a tensor. */
  static GgufTensor tensor(Section section) {
    List<Long> shape = section.kind == Kind.MATRIX ? List.of((long) section.columns, (long) section.rows) : List.of((long) section.columns);
    return new GgufTensor(section.name, shape, section.format, section.offset, section.bytes);
  }
}
