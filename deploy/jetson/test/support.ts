import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { credentials, type ChannelCredentials, type ClientDuplexStream, type ServiceError } from '@grpc/grpc-js';
import type { AcceleratorServiceClient } from '../src/generated/nibble/offload/v1/AcceleratorService.js';
import type { DescribeResponse__Output } from '../src/generated/nibble/offload/v1/DescribeResponse.js';
import type { Finished__Output } from '../src/generated/nibble/offload/v1/Finished.js';
import type { GenerateRequest } from '../src/generated/nibble/offload/v1/GenerateRequest.js';
import type { GenerateResponse__Output } from '../src/generated/nibble/offload/v1/GenerateResponse.js';
import type { Start } from '../src/generated/nibble/offload/v1/Start.js';
import { loadProtocol } from '../src/server.js';

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

export const PROTOS = here('../../../../proto');
/** The embedded model of the gateway. */
export const HOME = here('../../../../src/main/resources/models/nibble-home.gguf');
/** Made after the kernel's description of its INA3221 driver and the rails that Jetsons are known to have; not copied off a device. */
export const SYSFS = here('../../test/sysfs');
const MAIN = here('../../dist/main.js');

/** Why tests with a model can't run, or false. */
export const withoutModel = existsSync(HOME) ? false : `there is no ${HOME}`;

export const protocol = loadProtocol(PROTOS);

/** "Once upon a time" in ids of the home model. */
export const STORY = [2043, 474, 484, 258, 434];

/** Greedy, as the protocol has it given in full. */
export const GREEDY = { temperature: 0, topK: 0, topP: 1, minP: 0, repetitionPenalty: 1, presencePenalty: 0, frequencyPenalty: 0, logitBias: {}, seed: '0' };

/** A sidecar in a process of its own. */
export class Sidecar {
  readonly port: number;
  log = '';
  private constructor(
    readonly process: ChildProcess,
    readonly ready: string,
    readonly exit: Promise<number | null>,
  ) {
    this.port = Number(/:(\d+) instance/.exec(ready)![1]);
  }

  static async start(...args: string[]): Promise<Sidecar> {
    // One thread: with more than there are idle cores, llama.cpp's threads wait for each other.
    const started = launch('--model', HOME, '--port', '0', '--threads', '1', '--device', 'cpu', ...args);
    let out = '';
    const ready = await new Promise<string>((resolve, reject) => {
      started.process.stdout!.on('data', (data) => {
        out += data;
        if (out.includes('\n')) {
          resolve(out.trim());
        }
      });
      void started.exit.then((code) => reject(new Error(`the sidecar ended with ${code}: ${started.log()}`)));
    });
    const sidecar = new Sidecar(started.process, ready, started.exit);
    sidecar.log = started.log();
    started.process.stderr!.on('data', (data) => (sidecar.log += data));
    return sidecar;
  }

  client(channel: ChannelCredentials = credentials.createInsecure()): AcceleratorServiceClient {
    return new protocol.nibble.offload.v1.AcceleratorService(`localhost:${this.port}`, channel);
  }

  async stop(): Promise<number | null> {
    this.process.kill('SIGTERM');
    return this.exit;
  }
}

/** Starts a process without waiting for it to be ready. */
export function launch(...args: string[]): { process: ChildProcess; exit: Promise<number | null>; log: () => string } {
  const started = spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let log = '';
  started.stderr.on('data', (data) => (log += data));
  return { process: started, exit: new Promise((resolve) => started.on('close', resolve)), log: () => log };
}

export function describe(client: AcceleratorServiceClient): Promise<DescribeResponse__Output> {
  return new Promise((resolve, reject) => {
    client.describe({ protocolVersion: 1 }, { deadline: Date.now() + 10_000 }, (error, response) => (error ? reject(error) : resolve(response!)));
  });
}

/** A call of Generate: what came, and its end. */
export class Generation {
  readonly messages: GenerateResponse__Output[] = [];
  readonly call: ClientDuplexStream<GenerateRequest, GenerateResponse__Output>;
  /** The error it ended with, or null. */
  readonly ended: Promise<ServiceError | null>;
  private readonly watchers: (() => void)[] = [];

  constructor(client: AcceleratorServiceClient, start: Start | null, options: { deadline?: number } = {}) {
    this.call = client.generate({ deadline: Date.now() + 60_000, ...options });
    this.ended = new Promise((resolve) => {
      this.call.on('data', (message: GenerateResponse__Output) => {
        this.messages.push(message);
        this.watchers.forEach((watcher) => watcher());
      });
      this.call.on('error', (error: ServiceError) => resolve(error));
      this.call.on('end', () => resolve(null));
    });
    if (start !== null) {
      this.call.write({ start });
    }
  }

  get ids(): number[] {
    return this.messages.flatMap((message) => message.tokens?.ids ?? []);
  }

  get logProbabilities(): number[] {
    return this.messages.flatMap((message) => message.tokens?.logProbabilities ?? []);
  }

  get finished(): Finished__Output {
    return this.messages[this.messages.length - 1].finished!;
  }

  /** Resolves when what came fulfils a condition, or the call ended. */
  async until(condition: () => boolean): Promise<void> {
    await Promise.race([this.ended, new Promise<void>((resolve) => {
      const check = (): void => void (condition() && resolve());
      this.watchers.push(check);
      check();
    })]);
  }

  async whole(): Promise<this> {
    const error = await this.ended;
    if (error !== null) {
      throw error;
    }
    return this;
  }
}

/** A start for a model as Describe tells of it. */
export function startFor(description: DescribeResponse__Output, changes: Start = {}): Start {
  const { fileSha256, tokenizerSha256 } = description.models[0];
  return { fileSha256, tokenizerSha256, promptIds: STORY, maxTokens: 24, sampling: GREEDY, credit: 1000, requestId: 'test', ...changes };
}

export const pause = (millis: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, millis));
