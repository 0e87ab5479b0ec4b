package dev.nibble.offload;

import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientCall;
import io.grpc.ClientInterceptor;
import io.grpc.ForwardingClientCall.SimpleForwardingClientCall;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.logging.Logger;

/**
 * Brings an API key to every call, as gateways with keys want it. Its file, one line, is read each time: a new key needs no new connection. Where it
 * can't be read the call goes without, and the gateway refuses it.
 */
final class KeyHeader implements ClientInterceptor {
  private static final Logger LOG = Logger.getLogger(KeyHeader.class.getName());
  private static final Metadata.Key<String> AUTHORIZATION = Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER);

  private final Path file;

  KeyHeader(Path file) {
    this.file = file;
  }

  @Override
  public <Q, R> ClientCall<Q, R> interceptCall(MethodDescriptor<Q, R> method, CallOptions options, Channel next) {
    return new SimpleForwardingClientCall<>(next.newCall(method, options)) {
      @Override
      public void start(Listener<R> listener, Metadata headers) {
        try {
          headers.put(AUTHORIZATION, "Bearer " + Files.readString(file).strip());
        } catch (IOException unreadable) {
          LOG.warning(() -> "An accelerator is asked without a key: " + file + " can't be read.");
        }
        super.start(listener, headers);
      }
    };
  }
}
