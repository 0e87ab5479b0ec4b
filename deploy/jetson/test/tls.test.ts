import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe as suite, test } from 'node:test';
import { credentials, status, type ChannelCredentials, type ServiceError } from '@grpc/grpc-js';
import { describe, launch, Sidecar, withoutModel } from './support.js';

function hasOpenssl(): boolean {
  try {
    execFileSync('openssl', ['version']);
    return true;
  } catch {
    return false;
  }
}

suite('with mutual TLS', { skip: withoutModel || (hasOpenssl() ? false : 'there is no openssl') }, () => {
  const directory = mkdtempSync(join(tmpdir(), 'nibble-offload-'));
  const at = (name: string): string => join(directory, name);
  const openssl = (...args: string[]): void => void execFileSync('openssl', args, { cwd: directory, stdio: 'pipe' });
  let sidecar: Sidecar;

  const makeAuthority = (name: string): void =>
    openssl('req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-subj', `/CN=${name}`, '-keyout', `${name}.key`, '-out', `${name}.pem`);
  const makeCertificate = (name: string, signedBy: string): void => {
    writeFileSync(at(`${name}.ext`), 'subjectAltName=DNS:localhost,IP:127.0.0.1\n');
    openssl('req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-subj', `/CN=${name}`, '-keyout', `${name}.key`, '-out', `${name}.csr`);
    openssl('x509', '-req', '-in', `${name}.csr`, '-CA', `${signedBy}.pem`, '-CAkey', `${signedBy}.key`, '-CAcreateserial', '-days', '2', '-extfile', `${name}.ext`, '-out', `${name}.pem`);
  };
  const channel = (trusted: string, shown: string | null): ChannelCredentials =>
    credentials.createSsl(
      readFileSync(at(`${trusted}.pem`)),
      shown === null ? null : readFileSync(at(`${shown}.key`)),
      shown === null ? null : readFileSync(at(`${shown}.pem`)),
    );
  const ask = async (with_: ChannelCredentials): Promise<string> => {
    const client = sidecar.client(with_);
    try {
      return (await describe(client)).state;
    } finally {
      client.close();
    }
  };

  before(async () => {
    ['authority', 'stranger'].forEach(makeAuthority);
    makeCertificate('server', 'authority');
    makeCertificate('gateway', 'authority');
    makeCertificate('intruder', 'stranger');
    sidecar = await Sidecar.start('--tls-cert', at('server.pem'), '--tls-key', at('server.key'), '--tls-client-ca', at('authority.pem'));
  });
  after(async () => {
    await sidecar?.stop();
    rmSync(directory, { recursive: true });
  });

  test('a gateway with a certificate of the authority is answered', async () => {
    assert.equal(await ask(channel('authority', 'gateway')), 'STATE_READY');
    const settings = ['--port', String(sidecar.port), '--tls-cert', at('server.pem'), '--tls-key', at('server.key')];
    assert.equal(await launch('health', ...settings).exit, 0);
  });

  for (const [name, make] of [
    ['no certificate', () => channel('authority', null)],
    ['a certificate of another authority', () => channel('authority', 'intruder')],
    ['trust in another authority', () => channel('stranger', 'gateway')],
    ['no TLS', () => credentials.createInsecure()],
  ] as const) {
    test(`a caller with ${name} is not`, async () => {
      await assert.rejects(ask(make()), (error: ServiceError) => [status.UNAVAILABLE, status.DEADLINE_EXCEEDED].includes(error.code));
    });
  }
});
