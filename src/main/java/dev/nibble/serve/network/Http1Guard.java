package dev.nibble.serve.network;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelDuplexHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelPromise;
import io.netty.channel.socket.SocketChannel;
import io.netty.handler.codec.TooLongFrameException;
import io.netty.handler.codec.http.DefaultFullHttpResponse;
import io.netty.handler.codec.http.DefaultHttpContent;
import io.netty.handler.codec.http.HttpContent;
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpHeaders;
import io.netty.handler.codec.http.HttpMethod;
import io.netty.handler.codec.http.HttpRequest;
import io.netty.handler.codec.http.HttpResponse;
import io.netty.handler.codec.http.HttpResponseStatus;
import io.netty.handler.codec.http.HttpUtil;
import io.netty.handler.codec.http.HttpVersion;
import io.netty.handler.codec.http.LastHttpContent;
import io.netty.handler.codec.http.TooLongHttpHeaderException;
import io.netty.handler.codec.http.TooLongHttpLineException;
import io.netty.handler.ssl.SslHandler;
import io.vertx.core.net.HostAndPort;
import java.nio.channels.ClosedChannelException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Between the codec and the server of HTTP/1.1: refuses what RFC 9112 leaves no one way to read, and closes the connection, on which nobody can say where
 * the next request begins. Counts requests sent ahead.
 */
final class Http1Guard extends ChannelDuplexHandler {
  static final Set<String> METHODS = Set.of("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS");
  private static final Pattern AUTHORITY = Pattern.compile("[A-Za-z0-9._~%!$&'()*+,;=:\\[\\]-]+");
  private static final Pattern URL = Pattern.compile("(?i)https?://([^/?#]*)");
  /** The target of an OPTIONS request that asks about the server as a whole. */
  private static final String SERVER = "*";
  private static final long LINGER_MILLISECONDS = 500;

  private final ConnectionGuard guard;
  private boolean plain;
  private boolean head;
  private boolean restAwaited;
  private boolean interim;
  private boolean answering;
  private boolean events; // a stream of them is the answer
  private boolean old; // the last request is of HTTP/1.0
  private ChannelHandlerContext context;
  private Refusal pending;
  private boolean refused;

  Http1Guard(ConnectionGuard guard) {
    this.guard = guard;
  }

  @Override
  public void channelRead(ChannelHandlerContext ctx, Object message) {
    if (refused || pending != null) {
      ConnectionGuard.drop(message);
      return;
    }
    if (message instanceof HttpRequest request) {
      plain = Targets.isOpenInference(request.uri());
      head = "HEAD".equals(request.method().name());
      old = request.protocolVersion().equals(HttpVersion.HTTP_1_0);
      Optional<Refusal> refusal = absolute(request).or(() -> refusal(request));
      if (refusal.isPresent()) {
        ConnectionGuard.drop(message);
        refuse(ctx, refusal.get(), Closure.MALFORMED);
        return;
      }
      if (guard.reserved() && !health(request.uri())) {
        ConnectionGuard.drop(message);
        refuse(ctx, Refusal.of(503, "too_many_connections", "There are too many connections; only health is answered on this one."), guard.reservedFor());
        return;
      }
      if (request.uri().equals(SERVER)) {
        request.setUri("/" + SERVER); // the router takes nothing but paths
      }
      // RFC 9110 lets a server stay with HTTP/1.1; HTTP/2 is spoken with those that begin with it, and by TLS.
      request.headers().remove(HttpHeaderNames.UPGRADE);
      guard.requestBegan();
      restAwaited = true;
      if (guard.underWay() > guard.connections().config().maxRequestsPerConnection()) {
        ConnectionGuard.drop(message);
        refused = true;
        guard.close(Closure.TOO_MANY_REQUESTS);
        return;
      }
    } else if (message instanceof HttpContent content && content.decoderResult().isFailure()) {
      ConnectionGuard.drop(message);
      if (guard.underWay() == 1 && !answering) {
        guard.requestEnded();
        String problem = content.decoderResult().cause() instanceof ChunkedBody.MalformedException chunks ? ": " + chunks.getMessage() : "";
        refuse(ctx, Refusal.of(400, "malformed_request", "The body's chunks are not well-formed" + problem + "."), Closure.MALFORMED);
      } else {
        refused = true;
        guard.close(Closure.MALFORMED);
      }
      return;
    }
    Object next = unread(message);
    if (message instanceof LastHttpContent) {
      restAwaited = false;
      guard.restArrived();
    }
    if (next != null) {
      ctx.fireChannelRead(next);
    }
  }

  /** What the server still has to see of a message; null for nothing. The rest of a request that is answered is thrown away here, before the server copies it. */
  private Object unread(Object message) {
    if (guard.underWay() > 0 || !(message instanceof HttpContent)) {
      return message;
    }
    ConnectionGuard.drop(message);
    return message instanceof LastHttpContent ? LastHttpContent.EMPTY_LAST_CONTENT : null;
  }

  @Override
  public void write(ChannelHandlerContext ctx, Object message, ChannelPromise promise) {
    if (refused) {
      ConnectionGuard.drop(message);
      promise.tryFailure(new ClosedChannelException());
      return;
    }
    if (message instanceof HttpResponse response) {
      interim = response.status().code() < HttpResponseStatus.OK.code();
      answering |= !interim;
      events = HttpUtil.isTransferEncodingChunked(response) && "text/event-stream".contentEquals(String.valueOf(HttpUtil.getMimeType(response)));
    }
    ctx.write(message, promise);
    if (message instanceof LastHttpContent && !interim && guard.underWay() > 0) {
      answering = false;
      guard.requestEnded();
      if (guard.underWay() == 0 && pending != null) {
        send(ctx);
      } else if (guard.underWay() == 0 && restAwaited) {
        guard.awaitsRest();
      }
    }
  }

  /** Answers with an error after what is still being answered, and closes the connection; nothing that comes after is read. */
  void refuse(ChannelHandlerContext ctx, Refusal refusal, Closure closure) {
    if (refused || pending != null) {
      return;
    }
    guard.count(closure);
    pending = refusal;
    if (guard.underWay() == 0) {
      send(ctx);
    }
  }

  @Override
  public void handlerAdded(ChannelHandlerContext ctx) {
    context = ctx;
  }

  /**
   * Whether a client that sends nothing more may wait for an answer to what it sent whole. One of HTTP/1.0 is taken for gone: it can't be asked, and proxies that
   * speak it say so that nobody waits behind them any more.
   */
  boolean awaited() {
    return refused || pending != null || guard.underWay() > 0 && !restAwaited && !old;
  }

  /**
   * Sends what clients pass over: between answers an interim response (RFC 9110, 15.2), in a stream of events a comment. Whoever is gone is known by the reset that
   * comes back, and whoever has closed only its side of the connection waits on; nothing else tells them apart.
   */
  void probe() {
    if (refused || guard.underWay() == 0) {
      return;
    }
    if (!answering) {
      context.pipeline().firstContext().writeAndFlush(Unpooled.copiedBuffer("HTTP/1.1 102 Processing\r\n\r\n", StandardCharsets.US_ASCII));
    } else if (events) {
      context.writeAndFlush(new DefaultHttpContent(Unpooled.copiedBuffer(": waiting\n\n", StandardCharsets.US_ASCII)));
    }
  }

  /** A request does not arrive: says so, unless it was answered before its end. */
  void late(ChannelHandlerContext ctx, Refusal refusal) {
    if (restAwaited || refused) {
      guard.close(Closure.SLOW_HEAD);
    } else {
      refuse(ctx, refusal, Closure.SLOW_HEAD);
    }
  }

  private void send(ChannelHandlerContext ctx) {
    refused = true;
    guard.restArrived();
    ByteBuf body = Unpooled.copiedBuffer(pending.json(plain), StandardCharsets.UTF_8);
    DefaultFullHttpResponse response = new DefaultFullHttpResponse(HttpVersion.HTTP_1_1, HttpResponseStatus.valueOf(pending.status()), head ? Unpooled.EMPTY_BUFFER : body);
    response.headers().set(HttpHeaderNames.CONTENT_TYPE, "application/json").set(HttpHeaderNames.CONTENT_LENGTH, body.readableBytes())
        .set(HttpHeaderNames.CONNECTION, "close");
    if (pending.status() == 503) {
      response.headers().set(HttpHeaderNames.RETRY_AFTER, 1);
    }
    ctx.writeAndFlush(response).addListener(sent -> {
      if (ctx.channel() instanceof SocketChannel socket && ctx.pipeline().get(SslHandler.class) == null) {
        socket.shutdownOutput();
      }
      // Not at once: closing with bytes unread resets the connection, and the response might be lost on its way.
      ctx.executor().schedule(() -> {
        ctx.channel().close();
      }, LINGER_MILLISECONDS, TimeUnit.MILLISECONDS);
    });
  }

  private static boolean health(String uri) {
    String path = uri.contains("?") ? uri.substring(0, uri.indexOf('?')) : uri;
    return path.equals("/q/health") || path.startsWith("/q/health/") || path.startsWith("/v2/health/") || path.equals("/health") || path.equals("/ping");
  }

  /**
   * Makes a request whose target is a URL into the same request of a path, whose host is the URL's, whatever its header Host says (RFC 9112, 3.2.2). That must be
   * one nevertheless.
   */
  private Optional<Refusal> absolute(HttpRequest request) {
    Matcher url = URL.matcher(request.uri());
    if (request.decoderResult().isFailure() || !url.lookingAt()) {
      return Optional.empty();
    }
    Optional<Refusal> refusal = host(request);
    if (refusal.isPresent()) {
      return refusal;
    }
    String authority = url.group(1);
    if (!isAuthority(authority)) {
      return refuse(400, "malformed_request", "The target of the request, " + Targets.quoted(request.uri()) + ", is a URL whose host is no name or address, with or without a port.");
    }
    String path = request.uri().substring(url.end());
    int fragment = path.indexOf('#');
    path = fragment < 0 ? path : path.substring(0, fragment);
    if (path.isEmpty() && request.method().equals(HttpMethod.OPTIONS)) {
      path = SERVER;
    } else if (!path.startsWith("/")) {
      path = "/" + path;
    }
    request.setUri(path);
    request.headers().set(HttpHeaderNames.HOST, authority);
    plain = Targets.isOpenInference(path);
    return Optional.empty();
  }

  private Optional<Refusal> host(HttpRequest request) {
    List<String> hosts = request.headers().getAll(HttpHeaderNames.HOST);
    if (hosts.size() > 1 || !old && hosts.isEmpty()) {
      return refuse(400, "invalid_host", hosts.isEmpty() ? "The header Host is missing, which HTTP/1.1 requires." : "There are several headers Host; send one.");
    }
    if (!hosts.isEmpty() && !isAuthority(hosts.getFirst())) {
      return refuse(400, "invalid_host", "The header Host, " + Targets.quoted(hosts.getFirst()) + ", is not a host's name or address, with or without a port.");
    }
    return Optional.empty();
  }

  private static boolean isAuthority(String text) {
    return AUTHORITY.matcher(text).matches() && HostAndPort.parseAuthority(text, -1) != null;
  }

  private Optional<Refusal> refusal(HttpRequest request) {
    if (request.decoderResult().isFailure()) {
      return Optional.of(unreadable(request.decoderResult().cause()));
    }
    HttpHeaders headers = request.headers();
    if (!old && !request.protocolVersion().equals(HttpVersion.HTTP_1_1)) {
      return refuse(505, "http_version_not_supported", "The version of HTTP is not supported; use HTTP/1.1, or HTTP/2.");
    }
    if (!METHODS.contains(request.method().name())) {
      return Optional.of(Targets.unknownMethod(request.method().name()));
    }
    if (!target(request)) {
      return refuse(400, "malformed_request", "The target of the request, " + Targets.quoted(request.uri()) + ", is neither a path, which begins with a slash, nor a URL of http.");
    }
    for (Map.Entry<String, String> field : headers) {
      if (field.getKey().isEmpty()) {
        return refuse(400, "malformed_request", "A header has no name.");
      }
    }
    Optional<Refusal> path = Targets.refusal(request.uri());
    if (path.isPresent()) {
      return path;
    }
    Optional<Refusal> host = host(request);
    if (host.isPresent()) {
      return host;
    }
    List<String> encodings = headers.getAll(HttpHeaderNames.TRANSFER_ENCODING);
    if (!encodings.isEmpty()) {
      if (old) {
        return refuse(400, "malformed_request", "HTTP/1.0 has no Transfer-Encoding; send a Content-Length, or use HTTP/1.1.");
      }
      if (encodings.size() > 1 || !encodings.getFirst().strip().equalsIgnoreCase("chunked")) {
        return refuse(501, "transfer_encoding_not_supported", "The Transfer-Encoding " + Targets.quoted(String.join(", ", encodings)) + " is not supported; send the body as it is, or chunked.");
      }
    }
    if (guard.connections().tooManyToBegin() && !health(request.uri())) {
      return refuse(503, "too_many_requests_under_way", "There are too many requests under way; try again shortly.");
    }
    return Optional.empty();
  }

  /** Whether a target has one of the forms that RFC 9112 (3.2) knows; that of CONNECT is none here. */
  private static boolean target(HttpRequest request) {
    String target = request.uri();
    return target.startsWith("/") || target.equals(SERVER) && request.method().equals(HttpMethod.OPTIONS);
  }

  private static Refusal unreadable(Throwable cause) {
    return switch (cause) {
      case TooLongHttpLineException line -> Refusal.of(414, "uri_too_long", "The first line of the request is too long.");
      case TooLongHttpHeaderException header -> Refusal.of(431, "headers_too_large", "The headers of the request are too large.");
      case TooLongFrameException frame -> Refusal.of(431, "headers_too_large", "The headers of the request are too large.");
      case StrictRequestDecoder.Ambiguous ambiguous -> Refusal.of(400, "malformed_request", ambiguous.getMessage());
      default -> Refusal.of(400, "malformed_request", "The request is not well-formed HTTP/1.1 (RFC 9112).");
    };
  }

  private static Optional<Refusal> refuse(int status, String code, String message) {
    return Optional.of(Refusal.of(status, code, message));
  }
}
