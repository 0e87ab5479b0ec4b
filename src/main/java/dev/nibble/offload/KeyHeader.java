package dev.nibble.offload;

import dev.nibble.format.InputFile;
import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientCall;
import io.grpc.ClientInterceptor;
import io.grpc.ForwardingClientCall.SimpleForwardingClientCall;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicReference;
import java.util.logging.Logger;
import java.util.regex.Pattern;

/**
 * Brings an API key to every call, as gateways with keys want it. Its file, one line, is read each time: a new key needs no new connection. Where it
 * can't be read the call goes without, and the gateway refuses it. That is logged once, not at each call, and again when the file changes.
 */
final class KeyHeader implements ClientInterceptor {
  private static final Logger LOG = Logger.getLogger(KeyHeader.class.getName());
  private static final Metadata.Key<String> AUTHORIZATION = Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER);

  private static final int MAX_BYTES = 8192; // a call's metadata
  private static final Pattern KEY = Pattern.compile("[!-~]+");
  private static final String FINE = "";

  private final Path file;
  private final AtomicReference<String> told = new AtomicReference<>(FINE); // the last thing said about the file

  KeyHeader(Path file) {
    this.file = file;
  }

  @Override
  public <Q, R> ClientCall<Q, R> interceptCall(MethodDescriptor<Q, R> method, CallOptions options, Channel next) {
    return new SimpleForwardingClientCall<>(next.newCall(method, options)) {
      @Override
      public void start(Listener<R> listener, Metadata headers) {
        key().ifPresent(key -> headers.put(AUTHORIZATION, "Bearer " + key));
        super.start(listener, headers);
      }
    };
  }

  /** The file's key; empty, and said, where there is none to be had. */
  private Optional<String> key() {
    String key;
    try {
      InputFile.requireSmall(file, MAX_BYTES); // and no pipe, which would keep the call waiting
      key = Files.readString(file).strip();
    } catch (NoSuchFileException missing) {
      return without("no such file");
    } catch (AccessDeniedException closed) {
      return without("permission denied");
    } catch (IOException unreadable) {
      return without(unreadable.getMessage());
    }
    // What a header can't carry would fail the call with words of the transport's, which repeat the key.
    if (!KEY.matcher(key).matches()) {
      return without(key.isEmpty() ? "it is empty" : "it holds something else than one line of visible ASCII characters");
    }
    if (!told.getAndSet(FINE).equals(FINE)) {
      LOG.info(() -> "The accelerators' key can be read again: " + file + ".");
    }
    return Optional.of(key);
  }

  private Optional<String> without(String reason) {
    if (!told.getAndSet(reason).equals(reason)) {
      LOG.warning(() -> "Accelerators are asked without a key, as there is none in " + file + ": " + reason + ". Said once, until that changes.");
    }
    return Optional.empty();
  }
}
