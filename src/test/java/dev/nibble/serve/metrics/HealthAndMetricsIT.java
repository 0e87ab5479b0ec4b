package dev.nibble.serve.metrics;

import io.quarkus.test.junit.QuarkusIntegrationTest;

/** The same against the executable. */
@QuarkusIntegrationTest
class HealthAndMetricsIT extends HealthAndMetricsTest {}
