package dev.nibble.serve.grpc;

import com.google.protobuf.InvalidProtocolBufferException;
import grpc.reflection.v1alpha.Reflection.ServerReflectionRequest;
import grpc.reflection.v1alpha.Reflection.ServerReflectionResponse;
import grpc.reflection.v1alpha.ServerReflectionGrpc;
import io.grpc.stub.StreamObserver;
import io.quarkus.grpc.GrpcService;
import jakarta.inject.Inject;

/** {@code grpc.reflection.v1alpha.ServerReflection}, for older clients: the same messages by other names. */
@GrpcService
final class OlderReflectionApi extends ServerReflectionGrpc.ServerReflectionImplBase {
  private final Reflection reflection;

  @Inject
  OlderReflectionApi(Reflection reflection) {
    this.reflection = reflection;
  }

  @Override
  public StreamObserver<ServerReflectionRequest> serverReflectionInfo(StreamObserver<ServerReflectionResponse> observer) {
    return Reflection.answer(observer, this::answer);
  }

  private ServerReflectionResponse answer(ServerReflectionRequest question) {
    try {
      return ServerReflectionResponse.parseFrom(
          reflection.answer(io.grpc.reflection.v1.ServerReflectionRequest.parseFrom(question.toByteString())).toByteString());
    } catch (InvalidProtocolBufferException impossible) {
      throw new IllegalStateException("the versions of reflection have the same messages", impossible);
    }
  }
}
