package dev.nibble.serve.network;

import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelHandlerContext;
import io.netty.handler.codec.DecoderResult;
import io.netty.handler.codec.http.DefaultLastHttpContent;
import io.netty.handler.codec.http.HttpContent;
import io.netty.handler.codec.http.HttpMessage;
import io.netty.handler.codec.http.HttpUtil;
import io.netty.handler.codec.http.LastHttpContent;
import io.vertx.core.http.HttpServerOptions;
import io.vertx.core.http.impl.VertxHttpRequestDecoder;
import java.util.List;
import java.util.Optional;

/**
 * Marks requests that the codec reads in one of several ways, where what comes before this server may have read them in another: those with two lengths, of
 * which the codec drops one, and those with a folded header line (RFC 9112, 5.2), whose parts it joins. Bodies in chunks are read by {@link ChunkedBody}
 * instead of the codec, which takes the last 32 bits of a chunk's size for the whole.
 */
final class StrictRequestDecoder extends VertxHttpRequestDecoder {
  private boolean head = true; // what is read next belongs to the head of a request
  private boolean lineEnded; // the last byte of the head that was read ended a line
  private boolean folded;
  private Optional<ChunkedBody> chunks = Optional.empty();
  private boolean malformed; // nobody can say where the next request begins

  StrictRequestDecoder(HttpServerOptions options) {
    super(options);
  }

  @Override
  protected void decode(ChannelHandlerContext ctx, ByteBuf buffer, List<Object> out) throws Exception {
    if (malformed) {
      buffer.skipBytes(buffer.readableBytes());
      return;
    }
    if (chunks.isPresent()) {
      decode(chunks.get(), buffer, out);
      return;
    }
    int begin = buffer.readerIndex();
    int known = out.size();
    super.decode(ctx, buffer, out);
    if (head) {
      // The codec ends a step with the head's end at the latest.
      look(buffer, begin);
    }
    for (int i = known; i < out.size(); i++) {
      if (out.get(i) instanceof HttpMessage message) {
        if (folded && message.decoderResult().isSuccess()) {
          message.setDecoderResult(DecoderResult.failure(new Ambiguous("A header is folded into several lines, which HTTP/1.1 no longer allows (obs-fold); send it in one.")));
        }
        head = false;
        lineEnded = false;
        folded = false;
        if (message.decoderResult().isSuccess() && HttpUtil.isTransferEncodingChunked(message)) {
          chunks = Optional.of(new ChunkedBody());
          reset(); // the codec's next step is the next request
        }
      }
      head |= out.get(i) instanceof LastHttpContent;
    }
  }

  private void decode(ChunkedBody body, ByteBuf buffer, List<Object> out) {
    try {
      Optional<HttpContent> next = body.read(buffer);
      next.ifPresent(out::add);
      if (body.ended()) {
        chunks = Optional.empty();
        head = true;
      }
    } catch (ChunkedBody.MalformedException problem) {
      malformed = true;
      buffer.skipBytes(buffer.readableBytes());
      LastHttpContent end = new DefaultLastHttpContent();
      end.setDecoderResult(DecoderResult.failure(problem));
      out.add(end);
    }
  }

  /** Looks for lines that begin with white space among the bytes read. */
  private void look(ByteBuf buffer, int begin) {
    int end = buffer.readerIndex();
    for (int at = begin; at < end; at++) {
      byte next = buffer.getByte(at);
      folded |= lineEnded && (next == ' ' || next == '\t');
      lineEnded = next == '\n';
    }
  }

  @Override
  protected void handleTransferEncodingChunkedWithContentLength(HttpMessage message) {
    super.handleTransferEncodingChunkedWithContentLength(message);
    message.setDecoderResult(DecoderResult.failure(new Ambiguous("The request has both a Content-Length and a Transfer-Encoding; send one of them.")));
  }

  /** What is wrong with a request that can be read in several ways; the message is for its sender. */
  static final class Ambiguous extends RuntimeException {
    private static final long serialVersionUID = 1;

    Ambiguous(String message) {
      super(message, null, false, false);
    }
  }
}
