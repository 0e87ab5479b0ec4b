package dev.nibble.serve;

import io.quarkus.test.junit.QuarkusIntegrationTest;

/** The same against the executable. */
@QuarkusIntegrationTest
class UnusualRequestsIT extends UnusualRequestsTest {}
