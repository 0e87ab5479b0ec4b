package dev.nibble.engine;

/**
 * Philox4x32-10, the counter-based random generator of Salmon, Moraes, Dror and Shaw, "Parallel Random Numbers: As Easy as
 * 1, 2, 3" (SC 2011). A draw depends on key and counter alone, so an answer's draws do not depend on what else the engine
 * does, and a continued answer draws what the whole one would have. Not thread-safe: it reuses its block.
 */
public final class CounterRandom {
  private static final int ROUNDS = 10;
  private static final long MULTIPLIER_0 = 0xD2511F53L;
  private static final long MULTIPLIER_1 = 0xCD9E8D57L;
  // Weyl increments of the key: the golden ratio and the square root of 3 less 1.
  private static final int WEYL_0 = 0x9E3779B9;
  private static final int WEYL_1 = 0xBB67AE85;
  private static final long LOW_WORD = 0xFFFFFFFFL;

  private final int key0;
  private final int key1;
  private final int[] block = new int[4];

  /** A generator whose key is {@code seed}, low word first. */
  public CounterRandom(long seed) {
    key0 = (int) seed;
    key1 = (int) (seed >>> 32);
  }

  /**
   * The draw of a counter: uniform in [0, 1), a multiple of 2<sup>-53</sup>. The counter fills the block's lower two words; the
   * upper two are 0.
   */
  public double nextUniform(long counter) {
    block[0] = (int) counter;
    block[1] = (int) (counter >>> 32);
    block[2] = 0;
    block[3] = 0;
    encrypt(block, key0, key1);
    long bits = (block[1] & LOW_WORD) << 32 | block[0] & LOW_WORD;
    return (bits >>> 11) * 0x1.0p-53;
  }

  /** Replaces a counter of four words, lowest first, by its ten-round Philox block. */
  static void encrypt(int[] counter, int key0, int key1) {
    int word0 = counter[0];
    int word1 = counter[1];
    int word2 = counter[2];
    int word3 = counter[3];
    int roundKey0 = key0;
    int roundKey1 = key1;
    for (int round = 0; round < ROUNDS; round++) {
      long product0 = MULTIPLIER_0 * (word0 & LOW_WORD);
      long product1 = MULTIPLIER_1 * (word2 & LOW_WORD);
      word0 = (int) (product1 >>> 32) ^ word1 ^ roundKey0;
      word1 = (int) product1;
      word2 = (int) (product0 >>> 32) ^ word3 ^ roundKey1;
      word3 = (int) product0;
      roundKey0 += WEYL_0;
      roundKey1 += WEYL_1;
    }
    counter[0] = word0;
    counter[1] = word1;
    counter[2] = word2;
    counter[3] = word3;
  }
}
