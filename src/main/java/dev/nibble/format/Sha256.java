package dev.nibble.format;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;

/** SHA-256 (FIPS 180-4), by which models and what they compute are told apart. */
public final class Sha256 {
  private static final int PIECE_BYTES = 1 << 20;

  private Sha256() {}

  /** One that has hashed nothing yet. */
  public static MessageDigest digest() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException impossible) {
      throw new IllegalStateException("every Java platform has SHA-256", impossible);
    }
  }

  /** Of all of the files, one after the other, in hexadecimal. */
  public static String of(List<Path> files) throws IOException {
    MessageDigest digest = digest();
    ByteBuffer bytes = ByteBuffer.allocate(PIECE_BYTES);
    for (Path file : files) {
      try (FileChannel channel = InputFile.open(file)) {
        while (channel.read(bytes.clear()) >= 0) {
          digest.update(bytes.flip());
        }
      }
    }
    return HexFormat.of().formatHex(digest.digest());
  }
}
