package dev.nibble.serve.grpc;

import io.grpc.reflection.v1.ServerReflectionGrpc;
import io.grpc.reflection.v1.ServerReflectionRequest;
import io.grpc.reflection.v1.ServerReflectionResponse;
import io.grpc.stub.StreamObserver;
import io.quarkus.grpc.GrpcService;
import jakarta.inject.Inject;

/** {@code grpc.reflection.v1.ServerReflection}. */
@GrpcService
final class ReflectionApi extends ServerReflectionGrpc.ServerReflectionImplBase {
  private final Reflection reflection;

  @Inject
  ReflectionApi(Reflection reflection) {
    this.reflection = reflection;
  }

  @Override
  public StreamObserver<ServerReflectionRequest> serverReflectionInfo(StreamObserver<ServerReflectionResponse> observer) {
    return Reflection.answer(observer, reflection::answer);
  }
}
