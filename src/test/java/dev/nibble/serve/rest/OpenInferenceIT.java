package dev.nibble.serve.rest;

import io.quarkus.test.junit.QuarkusIntegrationTest;

/** The same against the executable. */
@QuarkusIntegrationTest
class OpenInferenceIT extends OpenInferenceTest {}
