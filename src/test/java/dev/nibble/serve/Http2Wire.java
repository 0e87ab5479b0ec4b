package dev.nibble.serve;

import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.SocketException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Optional;

/** HTTP/2 frames to and from a port, for what no client would send. Heads are literals without Huffman codes (RFC 7541, 6.2.2). */
public final class Http2Wire implements AutoCloseable {
  public static final int DATA = 0;
  public static final int HEADERS = 1;
  public static final int PRIORITY = 2;
  public static final int RST_STREAM = 3;
  public static final int SETTINGS = 4;
  public static final int PING = 6;
  public static final int GOAWAY = 7;
  public static final int WINDOW_UPDATE = 8;
  public static final int CONTINUATION = 9;
  public static final int END_STREAM = 1;
  public static final int END_HEADERS = 4;

  private final Socket socket;

  /** A frame that was read. */
  public record Frame(int type, int flags, int stream, byte[] payload) {}

  /** Connects and sends the preface, with settings that are never changed, nor the server's acknowledged. */
  public Http2Wire(InetSocketAddress address) throws IOException {
    socket = new Socket();
    socket.setTcpNoDelay(true); // small frames follow each other, and none waits until those before it are acknowledged
    socket.connect(address);
    socket.setSoTimeout((int) Api.PATIENCE.toMillis());
    write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".getBytes(StandardCharsets.US_ASCII));
    write(frame(SETTINGS, 0, 0, new byte[0]));
  }

  public static byte[] frame(int type, int flags, int stream, byte[] payload) {
    byte[] frame = new byte[9 + payload.length];
    frame[0] = (byte) (payload.length >>> 16);
    frame[1] = (byte) (payload.length >>> 8);
    frame[2] = (byte) payload.length;
    frame[3] = (byte) type;
    frame[4] = (byte) flags;
    for (int i = 0; i < 4; i++) {
      frame[5 + i] = (byte) (stream >>> 24 - 8 * i);
    }
    System.arraycopy(payload, 0, frame, 9, payload.length);
    return frame;
  }

  /** A block of heads: names and values in turn, each shorter than 127 bytes. */
  public static byte[] heads(List<String> namesAndValues) {
    ByteArrayOutputStream block = new ByteArrayOutputStream();
    for (int i = 0; i < namesAndValues.size(); i++) {
      byte[] text = namesAndValues.get(i).getBytes(StandardCharsets.UTF_8);
      if (text.length >= 127) {
        throw new IllegalArgumentException("longer than one byte's length tells: " + namesAndValues.get(i));
      }
      if (i % 2 == 0) {
        block.write(0);
      }
      block.write(text.length);
      block.writeBytes(text);
    }
    return block.toByteArray();
  }

  public static byte[] request(String method, String path, String authority) {
    return heads(List.of(":method", method, ":scheme", "http", ":path", path, ":authority", authority));
  }

  public static byte[] call(String path) {
    return heads(List.of(":method", "POST", ":scheme", "http", ":path", path, ":authority", "localhost", "content-type", "application/grpc", "te", "trailers"));
  }

  public void write(byte[] bytes) throws IOException {
    socket.getOutputStream().write(bytes);
  }

  /** Writes as long as the server takes it; false once it has closed the connection. */
  public boolean offer(byte[] bytes) {
    try {
      write(bytes);
      return true;
    } catch (IOException closed) {
      return false;
    }
  }

  /** The next frame; empty at the end of the connection. */
  public Optional<Frame> read() throws IOException {
    DataInputStream in = new DataInputStream(socket.getInputStream());
    try {
      int length = in.readUnsignedByte() << 16 | in.readUnsignedShort();
      int type = in.readUnsignedByte();
      int flags = in.readUnsignedByte();
      int stream = in.readInt() & Integer.MAX_VALUE;
      return Optional.of(new Frame(type, flags, stream, in.readNBytes(length)));
    } catch (EOFException | SocketException end) {
      return Optional.empty();
    }
  }

  /** The next frame of a type on a stream; all before it are passed over. */
  public Frame read(int type, int stream) throws IOException {
    Frame frame = read().orElseThrow();
    while (frame.type() != type || frame.stream() != stream) {
      frame = read().orElseThrow();
    }
    return frame;
  }

  /** Reads to the end of the connection; a server that never ends it fails by a timeout. */
  public void readToEnd() throws IOException {
    while (read().isPresent()) {
      // on
    }
  }

  @Override
  public void close() throws IOException {
    socket.close();
  }
}
