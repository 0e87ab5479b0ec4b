package dev.nibble.serve.network;

import io.netty.handler.codec.DecoderResult;
import io.netty.handler.codec.http.HttpMessage;
import io.vertx.core.http.HttpServerOptions;
import io.vertx.core.http.impl.VertxHttpRequestDecoder;

/** Marks requests with two lengths: the codec drops one of them, and what comes before this server may have believed the other. */
final class StrictRequestDecoder extends VertxHttpRequestDecoder {
  StrictRequestDecoder(HttpServerOptions options) {
    super(options);
  }

  @Override
  protected void handleTransferEncodingChunkedWithContentLength(HttpMessage message) {
    super.handleTransferEncodingChunkedWithContentLength(message);
    message.setDecoderResult(DecoderResult.failure(new TwoLengths()));
  }

  /** Content-Length beside Transfer-Encoding. */
  static final class TwoLengths extends RuntimeException {
    private static final long serialVersionUID = 1;

    TwoLengths() {
      super("Content-Length beside Transfer-Encoding", null, false, false);
    }
  }
}
