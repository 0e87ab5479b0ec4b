import { Client, credentials, type ChannelCredentials, type ServiceError } from '@grpc/grpc-js';
import { service } from 'grpc-health-check';
import { authority, isLoopback, type Config } from './config.js';
import { said } from './log.js';
import { SERVICE } from './server.js';

const TIMEOUT_MILLIS = 5000;

/**
 * Asks a sidecar with the same settings on this machine for its health. It shows the server's own certificate where callers must show one, and does
 * not check the server's name: it asks itself.
 *
 * @returns null if it serves, else why not
 */
export function checkHealth(config: Config): Promise<string | null> {
  // An address such as 0.0.0.0 or :: is for listening.
  const host = isLoopback(config.host) || !/^(0\.0\.0\.0|::)$/.test(config.host) ? config.host : '127.0.0.1';
  const client = new Client(authority(host, config.port), channelCredentials(config));
  const { path, requestSerialize, responseDeserialize } = service.Check;
  return new Promise((resolve) => {
    const answered = (error: ServiceError | null, answer?: object): void => {
      client.close();
      const status = (answer as { status?: string } | undefined)?.status;
      resolve(error !== null ? said(error) : status === 'SERVING' ? null : `it answers ${status}`);
    };
    client.makeUnaryRequest<object, object>(path, requestSerialize, responseDeserialize, { service: SERVICE }, { deadline: Date.now() + TIMEOUT_MILLIS }, answered);
  });
}

function channelCredentials({ tls }: Config): ChannelCredentials {
  return tls === null ? credentials.createInsecure() : credentials.createSsl(null, tls.key, tls.certificate, { rejectUnauthorized: false, checkServerIdentity: () => undefined });
}
