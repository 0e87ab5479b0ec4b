package dev.nibble.serve.grpc;

import io.quarkus.test.junit.QuarkusIntegrationTest;

/** The native executable, driven by gRPC's client for JavaScript. */
@QuarkusIntegrationTest
class NodeClientIT extends NodeClientTest {}
