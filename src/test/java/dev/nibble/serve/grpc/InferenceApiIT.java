package dev.nibble.serve.grpc;

import io.quarkus.test.junit.QuarkusIntegrationTest;

/** The same against the executable. */
@QuarkusIntegrationTest
class InferenceApiIT extends InferenceApiTest {}
