import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { createSecureContext } from 'node:tls';
import { parseArgs } from 'node:util';
import { said } from './log.js';

/** A setting that can't be right; its message is one line that names it and says what is allowed. */
export class ConfigError extends Error {}

export type DeviceChoice = 'auto' | 'gpu' | 'cpu';

export interface Tls {
  readonly certificate: Buffer;
  readonly key: Buffer;
  /** Given: callers must show a certificate that this authority signed. */
  readonly clientAuthority: Buffer | null;
}

export interface Config {
  readonly model: string;
  readonly name: string;
  readonly host: string;
  readonly port: number;
  readonly tls: Tls | null;
  readonly parallel: number;
  readonly queue: number;
  /** Tokens of prompt and answer; 0: the model's, at most {@link MOST_DEFAULT_CONTEXT}. */
  readonly context: number;
  readonly batch: number;
  readonly threads: number;
  readonly device: DeviceChoice;
  readonly sysfs: string;
  readonly graceSeconds: number;
  readonly stallSeconds: number;
}

/** What a model's own context length is cut to where none is asked for: key and value memory grows with it, times the sequences. */
export const MOST_DEFAULT_CONTEXT = 4096;

interface Setting {
  readonly name: string;
  readonly value: string;
  readonly fallback: string;
  readonly about: string;
}

/** All settings: flag `--name`, or environment variable `NIBBLE_OFFLOAD_NAME`. */
export const SETTINGS: readonly Setting[] = [
  { name: 'model', value: 'FILE', fallback: '', about: 'the GGUF file, the same as the gateway serves' },
  { name: 'name', value: 'NAME', fallback: '', about: "the model's name for people; default: the file's" },
  { name: 'host', value: 'ADDRESS', fallback: '127.0.0.1', about: 'address to listen on' },
  { name: 'port', value: 'N', fallback: '9100', about: 'port to listen on; 0 takes a free one' },
  { name: 'tls-cert', value: 'FILE', fallback: '', about: "the server's certificate chain, PEM; without it, no TLS" },
  { name: 'tls-key', value: 'FILE', fallback: '', about: "the certificate's key, PEM" },
  { name: 'tls-client-ca', value: 'FILE', fallback: '', about: 'callers must show a certificate of this authority, PEM' },
  { name: 'parallel', value: 'N', fallback: '2', about: 'answers computed side by side, 1 to 64' },
  { name: 'queue', value: 'N', fallback: '16', about: 'answers that may wait, 0 to 10000' },
  { name: 'context', value: 'N', fallback: '0', about: `tokens of prompt and answer, 16 or more; 0: the model's, at most ${MOST_DEFAULT_CONTEXT}` },
  { name: 'batch', value: 'N', fallback: '512', about: 'tokens of a prompt computed at once, 1 to 4096' },
  { name: 'threads', value: 'N', fallback: '0', about: 'threads on processor cores, 0 to 256; 0: as many as cores that compute well' },
  { name: 'device', value: 'auto|gpu|cpu', fallback: 'auto', about: 'gpu: a GPU is expected, and its absence is reported as DEGRADED' },
  { name: 'sysfs', value: 'DIR', fallback: '/sys', about: 'where power and temperature are read' },
  { name: 'grace-seconds', value: 'N', fallback: '20', about: 'how long SIGTERM waits for answers, 0 to 3600' },
  { name: 'stall-seconds', value: 'N', fallback: '120', about: 'a device silent for so long has failed, 1 to 3600' },
];

function environmentName(setting: string): string {
  return `NIBBLE_OFFLOAD_${setting.toUpperCase().replaceAll('-', '_')}`;
}

export function usage(): string {
  const rows = SETTINGS.map(({ name, value, fallback, about }) => {
    const standard = fallback === '' ? '' : ` (${fallback})`;
    return `  ${`--${name} ${value}`.padEnd(26)}${about}${standard}`;
  });
  const first = 'nibble-offload --model FILE [options]; each also as NIBBLE_OFFLOAD_NAME in the environment';
  return `${first}\nnibble-offload health [options]; exit code 0 if a sidecar with these settings serves\n\n${rows.join('\n')}\n`;
}

/** @throws ConfigError */
export function readConfig(args: readonly string[], environment: NodeJS.ProcessEnv): Config {
  let flags: Record<string, string | boolean | undefined>;
  try {
    const options = Object.fromEntries(SETTINGS.map(({ name }) => [name, { type: 'string' as const }]));
    flags = parseArgs({ args: [...args], options, strict: true, allowPositionals: false }).values;
  } catch (error) {
    throw new ConfigError(`${said(error)}; --help lists the settings`);
  }
  const text = (name: string): string => {
    const flag = flags[name];
    return typeof flag === 'string' ? flag : environment[environmentName(name)] || SETTINGS.find((setting) => setting.name === name)!.fallback;
  };
  const integer = (name: string, least: number, most: number): number => {
    const given = text(name);
    if (!/^\d{1,9}$/.test(given) || Number(given) < least || Number(given) > most) {
      throw new ConfigError(`${name} is "${given}"; allowed: ${least} to ${most}`);
    }
    return Number(given);
  };
  const file = (name: string): Buffer => {
    try {
      return readFileSync(text(name));
    } catch (error) {
      throw new ConfigError(`${name}: ${said(error)}`);
    }
  };

  const model = text('model');
  if (model === '') {
    throw new ConfigError('model is not given; --model FILE or NIBBLE_OFFLOAD_MODEL names a GGUF file');
  }
  const device = text('device');
  if (device !== 'auto' && device !== 'gpu' && device !== 'cpu') {
    throw new ConfigError(`device is "${device}"; allowed: auto, gpu, cpu`);
  }
  const host = text('host');
  if (!/^[A-Za-z0-9.:_-]+$/.test(host)) {
    throw new ConfigError(`host is "${host}"; allowed: an address or a name`);
  }
  const context = integer('context', 0, 10_000_000);
  if (context > 0 && context < 16) {
    throw new ConfigError(`context is "${context}"; allowed: 0, or 16 or more`);
  }
  return {
    model,
    name: text('name'),
    host,
    port: integer('port', 0, 65535),
    tls: readTls(text, file),
    parallel: integer('parallel', 1, 64),
    queue: integer('queue', 0, 10_000),
    context,
    batch: integer('batch', 1, 4096),
    threads: integer('threads', 0, 256),
    device,
    sysfs: text('sysfs'),
    graceSeconds: integer('grace-seconds', 0, 3600),
    stallSeconds: integer('stall-seconds', 1, 3600),
  };
}

function readTls(text: (name: string) => string, file: (name: string) => Buffer): Tls | null {
  const given = ['tls-cert', 'tls-key'].filter((name) => text(name) !== '');
  if (given.length === 1) {
    throw new ConfigError(`${given[0]} is given without ${given[0] === 'tls-cert' ? 'tls-key' : 'tls-cert'}; TLS needs both`);
  }
  if (given.length === 0) {
    if (text('tls-client-ca') !== '') {
      throw new ConfigError('tls-client-ca is given without tls-cert and tls-key; TLS needs both');
    }
    return null;
  }
  const tls: Tls = {
    certificate: file('tls-cert'),
    key: file('tls-key'),
    clientAuthority: text('tls-client-ca') === '' ? null : file('tls-client-ca'),
  };
  try {
    createSecureContext({ cert: tls.certificate, key: tls.key, ca: tls.clientAuthority ?? undefined });
  } catch (error) {
    throw new ConfigError(`tls-cert, tls-key or tls-client-ca can't be used: ${said(error)}`);
  }
  return tls;
}

/** Whether only this machine can reach an address. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}

/** Host and port as gRPC writes them. */
export function authority(host: string, port: number): string {
  return isIP(host) === 6 ? `[${host}]:${port}` : `${host}:${port}`;
}
