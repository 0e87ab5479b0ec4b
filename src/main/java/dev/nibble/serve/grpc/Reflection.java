package dev.nibble.serve.grpc;

import com.google.protobuf.Descriptors.Descriptor;
import com.google.protobuf.Descriptors.EnumDescriptor;
import com.google.protobuf.Descriptors.FileDescriptor;
import com.google.protobuf.Descriptors.MethodDescriptor;
import com.google.protobuf.Descriptors.ServiceDescriptor;
import com.google.rpc.ErrorDetailsProto;
import com.google.rpc.StatusProto;
import io.grpc.BindableService;
import io.grpc.Status;
import io.grpc.protobuf.ProtoFileDescriptorSupplier;
import io.grpc.reflection.v1.ErrorResponse;
import io.grpc.reflection.v1.ExtensionNumberResponse;
import io.grpc.reflection.v1.FileDescriptorResponse;
import io.grpc.reflection.v1.ListServiceResponse;
import io.grpc.reflection.v1.ServerReflectionRequest;
import io.grpc.reflection.v1.ServerReflectionResponse;
import io.grpc.reflection.v1.ServiceResponse;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import io.quarkus.grpc.GrpcService;
import jakarta.enterprise.inject.Instance;
import jakarta.inject.Inject;
import jakarta.inject.Singleton;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SortedSet;
import java.util.TreeSet;
import java.util.function.Function;

/**
 * What the service tells of itself: its services, their files, and the files of the details that errors carry, {@code google/rpc/error_details.proto} and
 * {@code google/rpc/status.proto}. No service mentions those, so the framework's own reflection leaves them out, and tools could not show errors.
 */
@Singleton
final class Reflection {
  private final Instance<BindableService> services;
  private volatile Index index; // null until first asked

  @Inject
  Reflection(@GrpcService Instance<BindableService> services) {
    this.services = services;
  }

  /**
   * Answers a stream of questions, each before the next one is taken, and no faster than its client reads.
   *
   * @param answer of a question
   */
  static <Q, R> StreamObserver<Q> answer(StreamObserver<R> observer, Function<Q, R> answer) {
    ServerCallStreamObserver<R> responses = (ServerCallStreamObserver<R>) observer;
    responses.disableAutoRequest();
    responses.setOnCancelHandler(() -> {});
    Questions<Q, R> questions = new Questions<>(responses, answer);
    responses.setOnReadyHandler(questions::ready);
    responses.request(1);
    return questions;
  }

  /** A client's questions; used on the call's event loop alone. */
  private static final class Questions<Q, R> implements StreamObserver<Q> {
    private final ServerCallStreamObserver<R> responses;
    private final Function<Q, R> answer;
    private boolean full; // the client has not read enough to be told more

    Questions(ServerCallStreamObserver<R> responses, Function<Q, R> answer) {
      this.responses = responses;
      this.answer = answer;
    }

    @Override
    public void onNext(Q question) {
      responses.onNext(answer.apply(question));
      full = !responses.isReady();
      if (!full) {
        responses.request(1);
      }
    }

    void ready() {
      if (full) {
        full = false;
        responses.request(1);
      }
    }

    @Override
    public void onError(Throwable gone) {}

    @Override
    public void onCompleted() {
      responses.onCompleted();
    }
  }

  /** The answer to a question. */
  ServerReflectionResponse answer(ServerReflectionRequest question) {
    ServerReflectionResponse.Builder response = ServerReflectionResponse.newBuilder().setValidHost(question.getHost()).setOriginalRequest(question);
    Index known = index();
    switch (question.getMessageRequestCase()) {
      case LIST_SERVICES -> {
        ListServiceResponse.Builder list = ListServiceResponse.newBuilder();
        known.services.forEach(name -> list.addService(ServiceResponse.newBuilder().setName(name)));
        response.setListServicesResponse(list);
      }
      case FILE_BY_FILENAME -> tell(response, known.byName.get(question.getFileByFilename()), "file");
      case FILE_CONTAINING_SYMBOL -> tell(response, known.bySymbol.get(question.getFileContainingSymbol()), "symbol");
      case FILE_CONTAINING_EXTENSION -> tell(response, null, "extension");
      case ALL_EXTENSION_NUMBERS_OF_TYPE -> {
        if (known.bySymbol.containsKey(question.getAllExtensionNumbersOfType())) {
          response.setAllExtensionNumbersResponse(ExtensionNumberResponse.newBuilder().setBaseTypeName(question.getAllExtensionNumbersOfType()));
        } else {
          tell(response, null, "type");
        }
      }
      case MESSAGEREQUEST_NOT_SET ->
          response.setErrorResponse(error(Status.Code.INVALID_ARGUMENT, "The question is missing; one of the fields of message_request is needed."));
    }
    return response.build();
  }

  private static void tell(ServerReflectionResponse.Builder response, FileDescriptor fileOrNull, String what) {
    if (fileOrNull == null) {
      response.setErrorResponse(error(Status.Code.NOT_FOUND, "There is no " + what + " of that name here."));
      return;
    }
    Map<String, FileDescriptor> files = new LinkedHashMap<>();
    collect(fileOrNull, files);
    FileDescriptorResponse.Builder told = FileDescriptorResponse.newBuilder();
    files.values().forEach(file -> told.addFileDescriptorProto(file.toProto().toByteString()));
    response.setFileDescriptorResponse(told);
  }

  private static ErrorResponse error(Status.Code code, String message) {
    return ErrorResponse.newBuilder().setErrorCode(code.value()).setErrorMessage(message).build();
  }

  /** Adds a file and all that it imports, by name. */
  private static void collect(FileDescriptor file, Map<String, FileDescriptor> files) {
    if (files.putIfAbsent(file.getName(), file) == null) {
      file.getDependencies().forEach(imported -> collect(imported, files));
    }
  }

  private Index index() {
    Index known = index;
    if (known == null) {
      known = new Index(services);
      index = known; // whoever else makes one at the same time makes the same
    }
    return known;
  }

  /** Everything that can be asked for. */
  private static final class Index {
    private final SortedSet<String> services = new TreeSet<>();
    private final Map<String, FileDescriptor> byName = new LinkedHashMap<>();
    private final Map<String, FileDescriptor> bySymbol = new HashMap<>();

    Index(Iterable<BindableService> bound) {
      for (BindableService service : bound) {
        io.grpc.ServiceDescriptor descriptor = service.bindService().getServiceDescriptor();
        services.add(descriptor.getName());
        Optional.ofNullable(descriptor.getSchemaDescriptor()).filter(ProtoFileDescriptorSupplier.class::isInstance).map(ProtoFileDescriptorSupplier.class::cast)
            .ifPresent(supplier -> collect(supplier.getFileDescriptor(), byName));
      }
      List.of(ErrorDetailsProto.getDescriptor(), StatusProto.getDescriptor()).forEach(file -> collect(file, byName));
      for (FileDescriptor file : byName.values()) {
        file.getMessageTypes().forEach(type -> add(type, file));
        file.getEnumTypes().forEach(type -> add(type, file));
        for (ServiceDescriptor service : file.getServices()) {
          bySymbol.put(service.getFullName(), file);
          for (MethodDescriptor method : service.getMethods()) {
            bySymbol.put(method.getFullName(), file);
          }
        }
      }
    }

    private void add(Descriptor type, FileDescriptor file) {
      bySymbol.put(type.getFullName(), file);
      type.getNestedTypes().forEach(nested -> add(nested, file));
      type.getEnumTypes().forEach(nested -> add(nested, file));
    }

    private void add(EnumDescriptor type, FileDescriptor file) {
      bySymbol.put(type.getFullName(), file);
    }
  }
}
