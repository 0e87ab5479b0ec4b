package dev.nibble.serve.network;

import io.netty.buffer.ByteBuf;
import io.netty.handler.codec.http.DefaultHttpContent;
import io.netty.handler.codec.http.HttpContent;
import io.netty.handler.codec.http.LastHttpContent;
import io.netty.util.ByteProcessor;
import java.nio.charset.StandardCharsets;
import java.util.Optional;

/**
 * Reads a body in chunks (RFC 9112, 7.1), each of which is its size in hexadecimal digits, extensions, CRLF, so many bytes and CRLF; one of size 0 ends the body,
 * with fields after it. Strict, since a size that is read in one of several ways moves the place where the next request begins. Extensions and fields after
 * the body must be well-formed, and are passed over.
 */
final class ChunkedBody {
  /** Of a size; most may be zeros. */
  private static final int MOST_DIGITS = 16;
  /** A line, without its end. */
  private static final int LONGEST_LINE = 8 * 1024;
  /** What all lines of a body may have beside sizes: short chunks with long extensions cost more than they carry. */
  private static final int MOST_BESIDE = 16 * 1024;

  /** What comes next. */
  private enum Expected {
    SIZE, DATA, DATA_END, FIELD, NOTHING
  }

  private Expected expected = Expected.SIZE;
  private int left; // of the chunk
  private int searched; // bytes of a line that has not come whole
  private int beside;

  /** A body that is not well-formed; the message ends the sentence of its refusal. */
  static final class MalformedException extends Exception {
    private static final long serialVersionUID = 1;

    MalformedException(String message) {
      super(message, null, false, false);
    }
  }

  /** Whether the body has come to its end. */
  boolean ended() {
    return expected == Expected.NOTHING;
  }

  /**
   * The next piece of the body, or its end; empty if more bytes are needed, which stay unread where they are part of a line.
   *
   * @throws MalformedException if the body can't be read on
   */
  Optional<HttpContent> read(ByteBuf bytes) throws MalformedException {
    while (bytes.isReadable()) {
      switch (expected) {
        case SIZE -> {
          Optional<String> line = line(bytes);
          if (line.isEmpty()) {
            return Optional.empty();
          }
          left = size(line.get());
          expected = left == 0 ? Expected.FIELD : Expected.DATA;
        }
        case DATA -> {
          int count = Math.min(left, bytes.readableBytes());
          left -= count;
          if (left == 0) {
            expected = Expected.DATA_END;
          }
          return Optional.of(new DefaultHttpContent(bytes.readRetainedSlice(count)));
        }
        case DATA_END -> {
          if (bytes.readableBytes() < 2 && bytes.getByte(bytes.readerIndex()) == '\r') {
            return Optional.empty();
          }
          if (bytes.readByte() != '\r' || bytes.readByte() != '\n') {
            throw new MalformedException("a chunk has more bytes than its size says");
          }
          expected = Expected.SIZE;
        }
        case FIELD -> {
          Optional<String> line = line(bytes);
          if (line.isEmpty()) {
            return Optional.empty();
          }
          if (line.get().isEmpty()) {
            expected = Expected.NOTHING;
            return Optional.of(LastHttpContent.EMPTY_LAST_CONTENT);
          }
          field(line.get());
        }
        case NOTHING -> {
          return Optional.empty();
        }
      }
    }
    return Optional.empty();
  }

  /** The next line, if it is there to its end, without that. */
  private Optional<String> line(ByteBuf bytes) throws MalformedException {
    int begin = bytes.readerIndex();
    int end = bytes.forEachByte(begin + searched, bytes.readableBytes() - searched, ByteProcessor.FIND_LF);
    int length = (end < 0 ? bytes.writerIndex() : end) - begin;
    if (length > LONGEST_LINE) {
      throw new MalformedException("a line between chunks is longer than " + LONGEST_LINE + " bytes");
    }
    if (end < 0) {
      searched = length;
      return Optional.empty();
    }
    searched = 0;
    if (length == 0 || bytes.getByte(end - 1) != '\r') {
      throw new MalformedException("a line between chunks does not end with CRLF");
    }
    String line = bytes.toString(begin, length - 1, StandardCharsets.ISO_8859_1);
    bytes.readerIndex(end + 1);
    return Optional.of(line);
  }

  private int size(String line) throws MalformedException {
    int digits = 0;
    long size = 0;
    while (digits < line.length() && digit(line.charAt(digits)) >= 0) {
      size = size << 4 | digit(line.charAt(digits));
      digits++;
      if (digits > MOST_DIGITS || size > Integer.MAX_VALUE) {
        throw new MalformedException("a chunk's size is 2^31 or more, which no body has, or has more than " + MOST_DIGITS + " digits");
      }
    }
    if (digits == 0) {
      throw new MalformedException("a chunk's size is not hexadecimal digits alone");
    }
    String rest = line.substring(digits);
    count(rest.length());
    extensions(rest);
    return (int) size;
  }

  private static int digit(char character) {
    return character < 128 ? Character.digit(character, 16) : -1;
  }

  private void count(int more) throws MalformedException {
    beside += more;
    if (beside > MOST_BESIDE) {
      throw new MalformedException("the extensions of all chunks, and the fields after the last, are longer than " + MOST_BESIDE + " bytes");
    }
  }

  /** Each is a semicolon and a name, and may have a value: a word, or a quoted string. White space may be around all of them. */
  private static void extensions(String text) throws MalformedException {
    int at = 0;
    while (at < text.length()) {
      at = blanks(text, at);
      if (at == text.length() || text.charAt(at) != ';') {
        throw new MalformedException("a chunk's size is not hexadecimal digits alone");
      }
      int name = blanks(text, at + 1);
      at = word(text, name);
      if (at == name) {
        throw new MalformedException("an extension of a chunk has no name");
      }
      int equals = blanks(text, at);
      if (equals < text.length() && text.charAt(equals) == '=') {
        int value = blanks(text, equals + 1);
        at = value < text.length() && text.charAt(value) == '"' ? quoted(text, value) : word(text, value);
        if (at == value) {
          throw new MalformedException("an extension of a chunk has no value after its equals sign");
        }
      }
    }
  }

  private static int blanks(String text, int begin) {
    int at = begin;
    while (at < text.length() && (text.charAt(at) == ' ' || text.charAt(at) == '\t')) {
      at++;
    }
    return at;
  }

  /** Where a word (RFC 9110's token) ends. */
  private static int word(String text, int begin) {
    int at = begin;
    while (at < text.length() && (text.charAt(at) < 128 && Character.isLetterOrDigit(text.charAt(at)) || "!#$%&'*+-.^_`|~".indexOf(text.charAt(at)) >= 0)) {
      at++;
    }
    return at;
  }

  /** Where a quoted string ends; the same place if it does not. */
  private static int quoted(String text, int begin) {
    for (int at = begin + 1; at < text.length(); at++) {
      char next = text.charAt(at);
      if (next == '"') {
        return at + 1;
      }
      if (next == '\\') {
        at++;
      }
      if (at == text.length() || !visible(text.charAt(at))) {
        return begin;
      }
    }
    return begin;
  }

  private static boolean visible(char character) {
    return character == '\t' || character >= ' ' && character != 127;
  }

  private void field(String line) throws MalformedException {
    count(line.length());
    int name = word(line, 0);
    if (name == 0 || name == line.length() || line.charAt(name) != ':' || !line.chars().allMatch(character -> visible((char) character))) {
      throw new MalformedException("a field after the last chunk is not a name, a colon and a value");
    }
  }
}
