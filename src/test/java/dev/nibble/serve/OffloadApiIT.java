package dev.nibble.serve;

import io.quarkus.test.junit.QuarkusIntegrationTest;

@QuarkusIntegrationTest
class OffloadApiIT extends OffloadApiTest {}
