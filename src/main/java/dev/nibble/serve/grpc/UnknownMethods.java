package dev.nibble.serve.grpc;

import inference.GRPCInferenceServiceGrpc;
import io.grpc.HandlerRegistry;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.MethodDescriptor.MethodType;
import io.grpc.ServerCall;
import io.grpc.ServerMethodDefinition;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.quarkus.arc.Unremovable;
import io.quarkus.grpc.api.ServerBuilderCustomizer;
import io.quarkus.grpc.runtime.config.GrpcServerConfiguration;
import io.vertx.grpc.VertxServerBuilder;
import jakarta.inject.Inject;
import jakarta.inject.Singleton;
import java.io.InputStream;
import java.util.Map;

/**
 * Refuses methods that do not exist, with details: grpc-java's own refusal has none. Interceptors are not asked about them, so this asks for the
 * key itself: strangers do not hear what there is.
 */
@Singleton
@Unremovable
final class UnknownMethods implements ServerBuilderCustomizer<VertxServerBuilder> {
  private final KeyInterceptor keys;

  @Inject
  UnknownMethods(KeyInterceptor keys) {
    this.keys = keys;
  }

  @Override
  public void customize(GrpcServerConfiguration config, VertxServerBuilder builder) {
    builder.fallbackHandlerRegistry(new Refusals(keys));
  }

  /** Asked for methods that no service has. */
  private static final class Refusals extends HandlerRegistry {
    private static final String INFERENCE = GRPCInferenceServiceGrpc.SERVICE_NAME + "/";

    private final KeyInterceptor keys;

    Refusals(KeyInterceptor keys) {
      this.keys = keys;
    }

    @Override
    public ServerMethodDefinition<?, ?> lookupMethod(String method, String authority) {
      MethodDescriptor<InputStream, InputStream> any = MethodDescriptor.newBuilder(new Bytes(), new Bytes())
          .setType(MethodType.UNKNOWN).setFullMethodName(method).build();
      return ServerMethodDefinition.create(any, (call, headers) -> keys.interceptCall(call, headers, Refusals::refuse));
    }

    private static ServerCall.Listener<InputStream> refuse(ServerCall<InputStream, InputStream> call, Metadata headers) {
      String method = call.getMethodDescriptor().getFullMethodName();
      Status status = Status.UNIMPLEMENTED.withDescription(method.startsWith(INFERENCE)
          ? "There is no method " + method + " here: of Triton's extensions there are ModelStreamInfer, ModelConfig, ModelStatistics and RepositoryIndex, no shared"
              + " memory, tracing or log settings, and models are chosen when the service starts."
          : "There is no method " + method + " here; reflection lists those that there are.");
      StatusRuntimeException refusal = GrpcErrors.of(status, "METHOD_NOT_FOUND", Map.of("method", method));
      call.close(refusal.getStatus(), refusal.getTrailers());
      return new ServerCall.Listener<>() {};
    }
  }

  /** Messages as they are; none is ever read. */
  private static final class Bytes implements MethodDescriptor.Marshaller<InputStream> {
    @Override
    public InputStream stream(InputStream message) {
      return message;
    }

    @Override
    public InputStream parse(InputStream message) {
      return message;
    }
  }
}
