package dev.nibble.engine;

import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharsetDecoder;
import java.nio.charset.CoderResult;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.util.List;

/**
 * Puts an answer's text together from its tokens' bytes. Text is released when its characters are whole and can't become a
 * stop string any more; bytes that are not UTF-8 become U+FFFD, as {@link String}'s decoding does. One per answer; not
 * thread-safe.
 */
public final class TextAssembler {
  private final CharsetDecoder decoder =
      StandardCharsets.UTF_8.newDecoder().onMalformedInput(CodingErrorAction.REPLACE).onUnmappableCharacter(CodingErrorAction.REPLACE);
  private final CharBuffer decoded = CharBuffer.allocate(256);
  private final StringBuilder pending = new StringBuilder(256);
  private final StopMatcher matcher;
  private ByteBuffer encoded = ByteBuffer.allocate(256); // an incomplete character's bytes, ready for more
  private boolean stopped;

  /** @param stop strings that end the text, none of them empty */
  public TextAssembler(List<String> stop) {
    matcher = new StopMatcher(stop);
  }

  /** Takes a token's bytes; returns the text released by them, perhaps empty. After a stop string, nothing is. */
  public String append(byte[] bytes) {
    if (encoded.remaining() < bytes.length) {
      ByteBuffer larger = ByteBuffer.allocate(2 * (encoded.position() + bytes.length));
      encoded = larger.put(encoded.flip());
    }
    encoded.put(bytes).flip();
    decode(false);
    encoded.compact();
    return release(stopped ? 0 : matcher.held());
  }

  /** Whether a stop string was found; the text before it has been released. */
  public boolean stopped() {
    return stopped;
  }

  /** Ends the text; returns what was held back. An unfinished character becomes U+FFFD. */
  public String finish() {
    encoded.flip();
    decode(true);
    encoded.clear();
    return release(0);
  }

  private void decode(boolean end) {
    CoderResult result;
    do {
      result = decoder.decode(encoded, decoded, end);
      match();
    } while (result.isOverflow());
  }

  private void match() {
    decoded.flip();
    while (!stopped && decoded.hasRemaining()) {
      char next = decoded.get();
      pending.append(next);
      int matched = matcher.feed(next);
      if (matched > 0) {
        pending.setLength(pending.length() - matched);
        stopped = true;
      }
    }
    decoded.clear();
  }

  private String release(int held) {
    int length = pending.length() - held;
    if (length == 0) {
      return "";
    }
    String text = pending.substring(0, length);
    pending.delete(0, length);
    return text;
  }
}
