import { join } from 'node:path';
import { loadPackageDefinition, Server, ServerCredentials } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { HealthImplementation } from 'grpc-health-check';
import { authority, ConfigError, type Config, type Tls } from './config.js';
import type { ProtoGrpcType } from './generated/offload.js';
import { said } from './log.js';
import type { Accelerator } from './service.js';

export const SERVICE = 'nibble.offload.v1.AcceleratorService';
// Finds out about callers whose machine vanished, so that their answers end.
const KEEPALIVE_MILLIS = 20_000;
const KEEPALIVE_TIMEOUT_MILLIS = 10_000;

/** The protocol's types, from a directory of .proto files. */
export function loadProtocol(directory: string): ProtoGrpcType {
  const definition = loadSync('nibble/offload/v1/offload.proto', {
    includeDirs: [directory],
    longs: String,
    enums: String,
    defaults: true,
    oneofs: true,
  });
  return loadPackageDefinition(definition) as unknown as ProtoGrpcType;
}

/** The port: the service and grpc.health.v1. */
export class OffloadServer {
  private readonly server: Server;
  private readonly health = new HealthImplementation({ '': 'NOT_SERVING', [SERVICE]: 'NOT_SERVING' });

  constructor(accelerator: Accelerator) {
    this.server = new Server({ 'grpc.keepalive_time_ms': KEEPALIVE_MILLIS, 'grpc.keepalive_timeout_ms': KEEPALIVE_TIMEOUT_MILLIS });
    const protocol = loadProtocol(join(import.meta.dirname, 'proto'));
    this.server.addService(protocol.nibble.offload.v1.AcceleratorService.service, accelerator.implementation);
    this.health.addToServer(this.server);
  }

  /**
   * @returns the port
   * @throws ConfigError for an address that can't be listened on
   */
  async listen(config: Config): Promise<number> {
    return new Promise((resolve, reject) => {
      this.server.bindAsync(authority(config.host, config.port), credentials(config.tls), (error, port) => {
        if (error !== null) {
          reject(new ConfigError(`can't listen on host ${config.host}, port ${config.port}: ${said(error)}`));
        } else {
          resolve(port);
        }
      });
    });
  }

  /** Whether the service takes requests. */
  serving(serves: boolean): void {
    for (const service of ['', SERVICE]) {
      this.health.setStatus(service, serves ? 'SERVING' : 'NOT_SERVING');
    }
  }

  /** Lets what was written reach its callers, then closes. */
  async close(): Promise<void> {
    await new Promise<void>((resolve) => {
      const late = setTimeout(resolve, 500);
      this.server.tryShutdown(() => {
        clearTimeout(late);
        resolve();
      });
    });
    this.server.forceShutdown();
  }
}

function credentials(tls: Tls | null): ServerCredentials {
  if (tls === null) {
    return ServerCredentials.createInsecure();
  }
  const pair = { cert_chain: tls.certificate, private_key: tls.key };
  return ServerCredentials.createSsl(tls.clientAuthority, [pair], tls.clientAuthority !== null);
}
