package dev.nibble.serve.grpc;

import io.quarkus.test.junit.QuarkusIntegrationTest;

/** The gRPC API of the native executable. */
@QuarkusIntegrationTest
class GrpcApiIT extends GrpcApiTest {}
