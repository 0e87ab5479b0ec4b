package dev.nibble.hostile;

import java.util.Map;

/**
 * A good model to be mutated.
 *
 * @param files their bytes by name
 * @param open the file that is named to open it; empty for the folder itself
 */
record Seed(String name, Kind kind, Map<String, byte[]> files, String open) {
  /** What kind of file it is. */
  enum Kind {
    GGUF, SPLIT, PACK, FOLDER
  }
}
