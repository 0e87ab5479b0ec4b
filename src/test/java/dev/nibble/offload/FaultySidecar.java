package dev.nibble.offload;

import com.google.protobuf.ByteString;
import dev.nibble.FreePort;
import dev.nibble.engine.Engine;
import dev.nibble.engine.EngineException;
import dev.nibble.engine.EngineOptions;
import dev.nibble.engine.SequentialEngine;
import dev.nibble.model.kvcache.KvCacheOptions;
import dev.nibble.offload.v1.DescribeResponse;
import dev.nibble.offload.v1.DeviceKind;
import dev.nibble.offload.v1.GenerateRequest;
import dev.nibble.offload.v1.GenerateResponse;
import dev.nibble.offload.v1.State;
import dev.nibble.offload.v1.Tokens;
import dev.nibble.runtime.ModelIdentity;
import dev.nibble.runtime.ModelOpener;
import io.grpc.ForwardingServerCall.SimpleForwardingServerCall;
import io.grpc.ForwardingServerCallListener.SimpleForwardingServerCallListener;
import io.grpc.Metadata;
import io.grpc.Server;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.netty.GrpcSslContexts;
import io.grpc.netty.NettyServerBuilder;
import io.netty.channel.nio.NioEventLoopGroup;
import io.netty.channel.socket.nio.NioServerSocketChannel;
import io.netty.handler.ssl.ClientAuth;
import io.netty.handler.ssl.SslProvider;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;

/** A real accelerator, by an engine of ours with the embedded model, that misbehaves as it is told to. */
public final class FaultySidecar implements AutoCloseable {
  /** What is wrong with it. */
  public enum Fault {
    NONE,
    /** Nothing listens. */
    ABSENT,
    /** Something takes connections and never says a word. */
    HALF_OPEN,
    /** It has another model's file. */
    WRONG_MODEL,
    OTHER_PROTOCOL,
    /** A GPU was expected, and processor cores compute. */
    GPU_MISSING,
    /** Its tokens are the vocabulary's, but not the model's. */
    WRONG_TOKENS,
    /** It refuses requests, its queue being full. */
    FULL,
    /** It takes no request, and does not refuse one either. */
    NEVER_TAKES,
    /** It tells of progress without end, but no token comes. */
    NO_FIRST_TOKEN,
    /** All from here on in mid-answer: the connection breaks. */
    DIES,
    /** Its engine fails. */
    FAILS,
    /** It falls silent. */
    STALLS,
    /** Each token comes late, yet in time. */
    DELAYS,
    /** It ends the stream as if all were well, without an end of the answer. */
    ENDS_EARLY,
    IDS_OUTSIDE_VOCABULARY,
    END_TOKEN_INSIDE,
    REPEATS_A_TOKEN,
    LOSES_A_TOKEN,
    /** Thousands of tokens at once, whatever the credit. */
    FLOODS,
    /** Its own count of tokens is another. */
    MISCOUNTS,
    /** It ends for length too early. */
    WRONG_LENGTH,
    /** A message of no known kind. */
    UNKNOWN_MESSAGE,
    /** A log-probability that is none. */
    LOG_PROBABILITY_NAN;

    String words() {
      return name().toLowerCase(Locale.ROOT).replace('_', ' ');
    }
  }

  private static final int FLOOD = 5000;

  private final SequentialEngine engine;
  private final ModelIdentity identity;
  private final Optional<Path> certificates;
  private final AtomicInteger generations = new AtomicInteger();
  private volatile Fault fault = Fault.NONE;
  private volatile int after = 5; // tokens before faults in mid-answer
  private volatile long delayMillis = 20;
  private Server server;
  private NioEventLoopGroup loop;
  private ServerSocket mute;
  private int port;

  public FaultySidecar() throws IOException {
    this(Fault.NONE, Optional.empty());
  }

  /** @param certificates folder with server.pem, server.key and ca.pem, for mutual TLS */
  FaultySidecar(Fault fault, Optional<Path> certificates) throws IOException {
    this.certificates = certificates;
    ModelOpener.Opened opened = new ModelOpener(OptionalInt.of(1)).open(Optional.empty(), Optional.empty(), KvCacheOptions.DEFAULT, (bytes, total) -> {});
    engine = new SequentialEngine(opened.info(), opened.loaded().model(), opened.tokenizer(), EngineOptions.DEFAULT);
    identity = ModelIdentity.of(Optional.empty());
    port = FreePort.get();
    set(fault);
  }

  public int port() {
    return port;
  }

  public String target() {
    return "localhost:" + port;
  }

  /** Requests that came, trials not counted. */
  int generations() {
    return generations.get();
  }

  Engine engine() {
    return engine;
  }

  void after(int tokens) {
    after = tokens;
  }

  void delayMillis(long millis) {
    delayMillis = millis;
  }

  /** Misbehaves like this from now on; the port stays the same. */
  public void set(Fault other) throws IOException {
    fault = other;
    switch (other) {
      case ABSENT -> stop();
      case HALF_OPEN -> {
        stop();
        mute = new ServerSocket();
        mute.setReuseAddress(true);
        mute.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), port));
      }
      default -> {
        if (server == null) {
          stop();
          start();
        }
      }
    }
  }

  /** Ends all connections at once and starts anew, as a process that was killed and restarted. */
  void restart() throws IOException {
    stop();
    start();
  }

  private void start() throws IOException {
    loop = new NioEventLoopGroup(2);
    NettyServerBuilder builder = NettyServerBuilder.forAddress(new InetSocketAddress("localhost", port)).bossEventLoopGroup(loop).workerEventLoopGroup(loop)
        .channelType(NioServerSocketChannel.class).permitKeepAliveTime(1, TimeUnit.SECONDS).intercept(new Faults())
        .addService(new AcceleratorServer(() -> new AcceleratorServer.Source(Optional.of(engine), Optional.of(identity), "", false),
            new AcceleratorServer.Facts("test", "faulty sidecar", 8), FaultySidecar::status, () -> () -> {}));
    if (certificates.isPresent()) {
      Path folder = certificates.get();
      var context = GrpcSslContexts.configure(io.netty.handler.ssl.SslContextBuilder.forServer(folder.resolve("server.pem").toFile(), folder.resolve("server.key").toFile()),
          SslProvider.JDK).trustManager(folder.resolve("ca.pem").toFile()).clientAuth(ClientAuth.REQUIRE).build();
      builder.sslContext(context);
    }
    server = builder.build().start();
  }

  private static StatusRuntimeException status(EngineException failure) {
    return switch (failure.error()) {
      case QUEUE_FULL -> Status.RESOURCE_EXHAUSTED.withDescription(failure.getMessage()).asRuntimeException();
      case CANCELLED -> Status.CANCELLED.asRuntimeException();
      default -> Status.INVALID_ARGUMENT.withDescription(failure.getMessage()).asRuntimeException();
    };
  }

  private void stop() throws IOException {
    if (server != null) {
      server.shutdownNow();
      try {
        server.awaitTermination();
      } catch (InterruptedException interrupt) {
        Thread.currentThread().interrupt();
      }
      loop.shutdownGracefully(0, 0, TimeUnit.SECONDS);
      server = null;
    }
    if (mute != null) {
      mute.close();
      mute = null;
    }
  }

  @Override
  public void close() throws IOException {
    stop();
    engine.close();
  }

  /** Spoils what the real service says. */
  private final class Faults implements ServerInterceptor {
    @Override
    public <Q, R> ServerCall.Listener<Q> interceptCall(ServerCall<Q, R> call, Metadata headers, ServerCallHandler<Q, R> next) {
      Spoiled<Q, R> spoiled = new Spoiled<>(call);
      return new SimpleForwardingServerCallListener<>(next.startCall(spoiled, headers)) {
        @Override
        public void onMessage(Q message) {
          if (message instanceof GenerateRequest request && request.hasStart()) {
            spoiled.trial = request.getStart().getRequestId().equals("trial");
            if (!spoiled.trial) {
              generations.incrementAndGet();
              if (fault == Fault.FULL) {
                call.close(Status.RESOURCE_EXHAUSTED.withDescription("the queue is full"), new Metadata());
                return;
              }
            }
          }
          super.onMessage(message);
        }
      };
    }
  }

  private final class Spoiled<Q, R> extends SimpleForwardingServerCall<Q, R> {
    private volatile boolean trial;
    private int tokens;
    private boolean over;

    Spoiled(ServerCall<Q, R> call) {
      super(call);
    }

    @Override
    @SuppressWarnings("unchecked")
    public void sendMessage(R message) {
      switch (message) {
        case DescribeResponse description -> super.sendMessage((R) spoil(description));
        case GenerateResponse response when trial && fault != Fault.WRONG_TOKENS -> super.sendMessage(message);
        case GenerateResponse response when !over -> spoil(response);
        default -> {}
      }
    }

    @Override
    public void close(Status status, Metadata trailers) {
      if (!over) {
        super.close(status, trailers);
      }
    }

    private void end(Status status) {
      over = true;
      super.close(status, new Metadata());
    }

    private static DescribeResponse describe(DescribeResponse description, Fault fault) {
      DescribeResponse.Builder builder = description.toBuilder();
      switch (fault) {
        case WRONG_MODEL -> builder.getModelsBuilder(0).setFileSha256(ByteString.copyFrom(new byte[32]));
        case OTHER_PROTOCOL -> builder.setProtocolVersion(99);
        case GPU_MISSING -> builder.setState(State.STATE_DEGRADED).setStateReason("no CUDA device was found; processor cores compute")
            .getDeviceBuilder().setKind(DeviceKind.DEVICE_KIND_CPU);
        default -> {}
      }
      return builder.build();
    }

    private DescribeResponse spoil(DescribeResponse description) {
      return describe(description, fault);
    }

    @SuppressWarnings("unchecked")
    private void spoil(GenerateResponse response) {
      if (response.hasAccepted() && fault == Fault.NEVER_TAKES) {
        over = true; // silent from here on, without an end
        return;
      }
      if (fault == Fault.NO_FIRST_TOKEN && response.hasTokens()) {
        super.sendMessage((R) GenerateResponse.newBuilder().setProgress(dev.nibble.offload.v1.Progress.getDefaultInstance()).build());
        pause(100);
        return;
      }
      if (response.hasTokens() && ++tokens > after) {
        spoilToken(response);
        return;
      }
      if (response.hasFinished() && fault == Fault.MISCOUNTS) {
        super.sendMessage((R) response.toBuilder().setFinished(response.getFinished().toBuilder().setCompletionTokens(1)).build());
        return;
      }
      super.sendMessage((R) response);
    }

    @SuppressWarnings("unchecked")
    private void spoilToken(GenerateResponse response) {
      Tokens good = response.getTokens();
      switch (fault) {
        case DIES -> {
          over = true;
          server.shutdownNow();
        }
        case FAILS -> end(Status.INTERNAL.withDescription("CUDA error: an illegal memory access was encountered"));
        case STALLS -> over = true;
        case DELAYS -> {
          pause(delayMillis);
          super.sendMessage((R) response);
        }
        case ENDS_EARLY -> end(Status.OK);
        case IDS_OUTSIDE_VOCABULARY -> super.sendMessage(with(good.toBuilder().setIds(0, 1_000_000)));
        case END_TOKEN_INSIDE -> super.sendMessage(with(good.toBuilder().setIds(0, engine.tokenizer().endOfGeneration().iterator().next())));
        case WRONG_TOKENS -> super.sendMessage(with(good.toBuilder().setIds(0, (good.getIds(0) + 1) % 256 + 3)));
        case REPEATS_A_TOKEN -> {
          super.sendMessage((R) response);
          super.sendMessage((R) response);
        }
        case LOSES_A_TOKEN -> super.sendMessage(with(good.toBuilder().setFirstIndex(good.getFirstIndex() + 1)));
        case FLOODS -> {
          Tokens.Builder flood = good.toBuilder();
          for (int i = 1; i < FLOOD; i++) {
            flood.addIds(good.getIds(0));
          }
          super.sendMessage(with(flood));
          over = true;
        }
        case WRONG_LENGTH -> {
          super.sendMessage((R) GenerateResponse.newBuilder().setFinished(dev.nibble.offload.v1.Finished.newBuilder()
              .setReason(dev.nibble.offload.v1.FinishReason.FINISH_REASON_LENGTH).setCompletionTokens(tokens - 1)).build());
          end(Status.OK);
        }
        case LOG_PROBABILITY_NAN -> super.sendMessage(with(good.toBuilder().setLogProbabilities(0, Float.NaN)));
        case UNKNOWN_MESSAGE -> super.sendMessage((R) GenerateResponse.getDefaultInstance());
        case NONE, ABSENT, HALF_OPEN, WRONG_MODEL, OTHER_PROTOCOL, GPU_MISSING, FULL, NEVER_TAKES, NO_FIRST_TOKEN, MISCOUNTS -> super.sendMessage((R) response);
      }
    }

    @SuppressWarnings("unchecked")
    private R with(Tokens.Builder tokens) {
      return (R) GenerateResponse.newBuilder().setTokens(tokens).build();
    }

    private static void pause(long millis) {
      try {
        Thread.sleep(millis);
      } catch (InterruptedException interrupt) {
        Thread.currentThread().interrupt();
      }
    }
  }
}
