package dev.nibble.runtime;

import dev.nibble.format.Sha256;
import dev.nibble.format.gguf.GgufMetadata;
import dev.nibble.format.gguf.GgufShards;
import dev.nibble.format.gguf.ModelFile;
import dev.nibble.format.pack.PackFile;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;

/**
 * What makes two boxes' models the same: SHA-256 of the GGUF file, or of all files of a model in several one after the other, and of the vocabulary as {@code nibble.offload.v1.Model} defines it. In hexadecimal.
 *
 * @param file of the source file
 * @param tokenizer of the vocabulary
 */
public record ModelIdentity(String file, String tokenizer) {
  private static final String PREFIX = "tokenizer.ggml.";

  /**
   * Reads a model's files whole, unless it is a pack that remembers its source's hash.
   *
   * @param model a GGUF or packed file; empty for the embedded model
   * @throws IOException if the file can't be read, or is a pack that does not know its source's hash; the message says what to do
   */
  public static ModelIdentity of(Optional<Path> model) throws IOException {
    if (model.isEmpty()) {
      try (InputStream in = ModelOpener.embeddedBytes(); ModelFile file = ModelOpener.embedded()) {
        return new ModelIdentity(HexFormat.of().formatHex(Sha256.digest().digest(in.readAllBytes())), vocabulary(file.metadata()));
      }
    }
    try (ModelFile file = PackFile.openAny(model.get())) {
      if (file instanceof PackFile pack) {
        String source = pack.sourceSha256().orElseThrow(() ->
            new IOException(model.get() + ": this pack does not know the SHA-256 of its source, which accelerators go by; make it again with nibble pack"));
        return new ModelIdentity(source, vocabulary(file.metadata()));
      }
      return new ModelIdentity(Sha256.of(GgufShards.of(model.get(), file.metadata())), vocabulary(file.metadata()));
    }
  }

  private static String vocabulary(GgufMetadata metadata) {
    MessageDigest digest = Sha256.digest();
    digest.update(metadata.requireString(PREFIX + "model").getBytes(StandardCharsets.UTF_8));
    digest.update((byte) 0);
    List<String> tokens = metadata.strings(PREFIX + "tokens").orElseThrow(() -> metadata.missing(PREFIX + "tokens"));
    ByteBuffer length = ByteBuffer.allocate(Integer.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    for (String token : tokens) {
      byte[] bytes = token.getBytes(StandardCharsets.UTF_8);
      digest.update(length.clear().putInt(bytes.length).flip());
      digest.update(bytes);
    }
    return HexFormat.of().formatHex(digest.digest());
  }
}
