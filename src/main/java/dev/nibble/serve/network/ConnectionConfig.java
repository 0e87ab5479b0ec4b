package dev.nibble.serve.network;

import io.quarkus.runtime.configuration.MemorySize;
import io.smallrye.config.ConfigMapping;
import io.smallrye.config.WithDefault;
import java.time.Duration;

/** What whoever reaches the two ports may do before anybody asks for a key: the {@code nibble.connections.*} settings. This page is their reference. */
@ConfigMapping(prefix = "nibble.connections")
public interface ConnectionConfig {
  /**
   * Connections in all, of both ports. For a new one beyond these, the one is closed that has been idle for longest, of the address that has most;
   * where all are busy, new ones are answered health alone. Fewer where the process may open fewer files. 1 or more.
   */
  @WithDefault("1000")
  int max();

  /** Connections of one address, of both ports; chosen like those in all. 1 or more. */
  @WithDefault("500")
  int maxPerAddress();

  /** Requests under way on one connection: HTTP/2 streams, or HTTP/1.1 requests sent ahead. 1 or more. */
  @WithDefault("100")
  int maxRequestsPerConnection();

  /** Requests under way in all, of both ports; more are refused (503, RESOURCE_EXHAUSTED). Health is answered all the same. 1 or more. */
  @WithDefault("1024")
  int maxRequests();

  /** How long the head of a request may take to arrive, and a new connection may take to its first request. Above 0. */
  @WithDefault("10s")
  Duration headTimeout();

  /** How long a connection is kept on which nothing is under way. Above 0. */
  @WithDefault("5m")
  Duration idleTimeout();

  /** How long a client may read nothing of what is ready for it. An answer that is still being computed is none. Above 0. */
  @WithDefault("60s")
  Duration readTimeout();

  /** HTTP/2 streams that one connection may reset in 30 seconds; with more it is closed. 1 or more. */
  @WithDefault("1000")
  int maxResets();

  /** Most bytes in all of gRPC messages that have not arrived whole; beyond, the connection is closed that has most of them. At least 4M, what a message may have. */
  @WithDefault("16M")
  MemorySize maxUnfinished();

  /** Streams of {@code grpc.health.v1.Health/Watch} in all. 1 or more. */
  @WithDefault("100")
  int maxHealthWatches();
}
