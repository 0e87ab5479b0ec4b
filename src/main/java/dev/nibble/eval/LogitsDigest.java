package dev.nibble.eval;

import dev.nibble.format.Sha256;
import dev.nibble.model.LanguageModel;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.security.MessageDigest;
import java.util.HexFormat;

/**
 * One number for all logits of a run: two machines that print the same computed the same bits. SHA-256 over the raw bits of every logit,
 * little-endian, after the prompt and after each token.
 */
public final class LogitsDigest {
  private LogitsDigest() {}

  /** Hexadecimal SHA-256 of the logits of {@link GreedyRun#run}. */
  public static String of(LanguageModel model, int[] ids, int steps) {
    MessageDigest digest = Sha256.digest();
    ByteBuffer bytes = ByteBuffer.allocate(4 * model.vocabularySize()).order(ByteOrder.LITTLE_ENDIAN);
    GreedyRun.run(model, ids, steps, logits -> {
      bytes.clear();
      for (float logit : logits) {
        bytes.putInt(Float.floatToRawIntBits(logit));
      }
      digest.update(bytes.array());
    });
    return HexFormat.of().formatHex(digest.digest());
  }
}
