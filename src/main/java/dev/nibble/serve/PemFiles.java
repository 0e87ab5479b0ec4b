package dev.nibble.serve;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.NoSuchAlgorithmException;
import java.security.PrivateKey;
import java.security.PublicKey;
import java.security.Signature;
import java.security.cert.CertificateException;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Says what is wrong with PEM files of certificates and private keys, in sentences that name the file and hold nothing of a key. */
final class PemFiles {
  private static final int MAX_BYTES = 1 << 20; // hundreds of certificates
  private static final Pattern KEY = Pattern.compile("-----BEGIN ([A-Z0-9 ]*)PRIVATE KEY-----([^-]*)-----END \\1PRIVATE KEY-----");
  private static final byte[] VERSION_0 = {2, 1, 0};
  private static final int SEQUENCE = 0x30;
  private static final int OCTETS = 0x04;

  private PemFiles() {}

  /** What a file of certificates holds: at least one, or a complaint. */
  record Certificates(List<X509Certificate> all, Optional<String> complaint) {}

  /** Reads a file of certificates. */
  static Certificates certificates(String file) {
    Optional<String> unreadable = unreadable(file);
    if (unreadable.isPresent()) {
      return new Certificates(List.of(), unreadable);
    }
    try (InputStream in = new ByteArrayInputStream(bytes(file))) {
      List<X509Certificate> all = CertificateFactory.getInstance("X.509").generateCertificates(in).stream().map(X509Certificate.class::cast).toList();
      return all.isEmpty() ? new Certificates(all, Optional.of(file + " holds no certificate; allowed: a PEM file")) : new Certificates(all, Optional.empty());
    } catch (CertificateException | IOException garbled) {
      return new Certificates(List.of(), Optional.of(file + " holds no certificate that can be read; allowed: a PEM file"));
    }
  }

  /** What keeps a file from being read. */
  static Optional<String> unreadable(String file) {
    try {
      Path path = Path.of(file);
      return !Files.exists(path) ? Optional.of(file + ": no such file") : Files.isDirectory(path) ? Optional.of(file + " is a folder")
          : !Files.isRegularFile(path) ? Optional.of(file + " is no regular file")
          : !Files.isReadable(path) ? Optional.of(file + ": permission denied")
          : Files.size(path) > MAX_BYTES ? Optional.of(file + " is larger than " + MAX_BYTES + " bytes, too large for certificates and keys") : Optional.empty();
    } catch (IOException failure) {
      return Optional.of(file + " can't be read: " + failure.getMessage());
    } catch (InvalidPathException unusable) {
      return Optional.of("\"" + file + "\" can't be a file's name");
    }
  }

  /** What is wrong with the file of a certificate's private key. */
  static Optional<String> keyComplaint(String file, String certificateFile, X509Certificate certificate) {
    Optional<String> unreadable = unreadable(file);
    if (unreadable.isPresent()) {
      return unreadable;
    }
    try {
      Matcher pem = KEY.matcher(new String(bytes(file), StandardCharsets.ISO_8859_1));
      if (!pem.find()) {
        return Optional.of(file + " holds no private key; allowed: a PEM file");
      }
      if (pem.group(1).startsWith("ENCRYPTED")) {
        return Optional.of(file + " holds an encrypted key; allowed: one without a password");
      }
      byte[] key = Base64.getMimeDecoder().decode(pem.group(2));
      // Keys in their own algorithm's form lack its name, which the certificate has.
      byte[] encoded = pem.group(1).isEmpty() ? key : element(SEQUENCE, VERSION_0, algorithm(certificate.getPublicKey()), element(OCTETS, key));
      return belongs(encoded, certificate.getPublicKey()) ? Optional.empty() : Optional.of(file + " is not the key of the certificate in " + certificateFile);
    } catch (NoSuchAlgorithmException unknown) {
      return Optional.of("the certificate in " + certificateFile + " has a key of an algorithm that is not known here: " + certificate.getPublicKey().getAlgorithm());
    } catch (GeneralSecurityException | IOException | RuntimeException garbled) {
      return Optional.of(file + " is not the key of the certificate in " + certificateFile + ", or is damaged");
    }
  }

  private static byte[] bytes(String file) throws IOException {
    try (InputStream in = Files.newInputStream(Path.of(file))) {
      return in.readNBytes(MAX_BYTES); // it may have grown since
    }
  }

  /** Whether what the one signs the other takes. */
  private static boolean belongs(byte[] encoded, PublicKey publicKey) throws GeneralSecurityException {
    PrivateKey key = KeyFactory.getInstance(publicKey.getAlgorithm()).generatePrivate(new PKCS8EncodedKeySpec(encoded));
    Signature signature = Signature.getInstance(switch (publicKey.getAlgorithm()) {
      case "RSA" -> "SHA256withRSA";
      case "EC" -> "SHA256withECDSA";
      default -> publicKey.getAlgorithm();
    });
    signature.initSign(key);
    signature.update(VERSION_0);
    byte[] signed = signature.sign();
    signature.initVerify(publicKey);
    signature.update(VERSION_0);
    return signature.verify(signed);
  }

  /** The first element of a public key's: which algorithm it is for, with its parameters. */
  private static byte[] algorithm(PublicKey key) {
    byte[] encoded = key.getEncoded();
    int at = content(encoded, 0);
    int length = encoded[at + 1] & 0xFF; // below 128: an algorithm's name and a curve's
    return Arrays.copyOfRange(encoded, at, at + 2 + length);
  }

  /** Where the content of the element at {@code at} begins. */
  private static int content(byte[] encoded, int at) {
    int length = encoded[at + 1] & 0xFF;
    return at + 2 + (length < 0x80 ? 0 : length & 0x7F);
  }

  /** An element of DER. */
  private static byte[] element(int tag, byte[]... parts) {
    ByteArrayOutputStream all = new ByteArrayOutputStream();
    for (byte[] part : parts) {
      all.writeBytes(part);
    }
    ByteArrayOutputStream element = new ByteArrayOutputStream();
    element.write(tag);
    int length = all.size();
    if (length < 0x80) {
      element.write(length);
    } else {
      int bytes = length < 0x100 ? 1 : length < 0x10000 ? 2 : 3;
      element.write(0x80 | bytes);
      for (int i = bytes - 1; i >= 0; i--) {
        element.write(length >> 8 * i);
      }
    }
    element.writeBytes(all.toByteArray());
    return element.toByteArray();
  }
}
