import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { credentials, status } from '@grpc/grpc-js';
import { readConfig } from '../src/config.js';
import type { Caller, Engine, Outcome, Work } from '../src/engine.js';
import type { AcceleratorServiceClient } from '../src/generated/nibble/offload/v1/AcceleratorService.js';
import { EnergyMeter } from '../src/meters.js';
import { Sensors } from '../src/sensors.js';
import { OffloadServer } from '../src/server.js';
import { Accelerator } from '../src/service.js';
import { describe, Generation, pause, protocol, startFor } from './support.js';

/** A device that breaks as a test wants it to: prompt [1] fails at once, [2] after two tokens, [3] is silent for 1.6 s. */
class BreakingEngine implements Engine {
  readonly engine = 'breaking 1';
  readonly features = [] as const;
  readonly degraded = null;
  readonly prefillTokensPerSecond = 0;
  readonly decodeTokensPerSecond = 0;
  readonly model = {
    fileSha256: Buffer.alloc(32, 1), tokenizerSha256: Buffer.alloc(32, 2), vocabularySize: 10, contextLength: 64, name: null, parallelSequences: 1,
  };

  async device(): Promise<object> {
    return { kind: 'DEVICE_KIND_CPU', name: 'none' };
  }

  async run(work: Work, caller: Caller): Promise<Outcome> {
    const outcome = { reason: 'FINISH_REASON_LENGTH', promptTokensComputed: 1, prefillMillis: 1, decodeMillis: 1 } as const;
    switch (work.promptIds[0]) {
      case 1:
        throw new Error('the device computed no usable logits');
      case 2:
        caller.token(5, null);
        caller.token(6, null);
        throw new Error('the device went away');
      case 3:
        caller.promptDone(1);
        await pause(1600);
        return outcome;
      default:
        caller.token(4, null);
        return outcome;
    }
  }

  async close(): Promise<void> {}
}

const accelerator = new Accelerator(4);
const server = new OffloadServer(accelerator);
let client: AcceleratorServiceClient;

before(async () => {
  const port = await server.listen(readConfig(['--model', 'none', '--port', '0'], {}));
  client = new protocol.nibble.offload.v1.AcceleratorService(`localhost:${port}`, credentials.createInsecure());
});
after(async () => {
  client.close();
  await server.close();
});

test('while the model is being loaded, Describe answers and Generate does not', async () => {
  const description = await describe(client);
  assert.equal(description.state, 'STATE_LOADING');
  assert.equal(description.models.length, 0);
  const error = await new Generation(client, { promptIds: [0] }).ended;
  assert.equal(error?.code, status.UNAVAILABLE);
  accelerator.ready(new BreakingEngine(), new EnergyMeter(await Sensors.find('/none'), false));
  assert.equal((await describe(client)).state, 'STATE_READY');
});

test('a failed device is INTERNAL with its line, and the service lives on', async () => {
  const description = await describe(client);
  const first = new Generation(client, startFor(description, { promptIds: [1] }));
  const error = await first.ended;
  assert.equal(error?.code, status.INTERNAL);
  assert.equal(error?.details, 'the device computed no usable logits');
  const midway = new Generation(client, startFor(description, { promptIds: [2] }));
  assert.equal((await midway.ended)?.code, status.INTERNAL);
  assert.deepEqual(midway.ids, [5, 6]);
  assert.deepEqual((await new Generation(client, startFor(description, { promptIds: [0], maxTokens: 1 })).whole()).ids, [4]);
  assert.equal((await describe(client)).running, 0);
});

test('progress is told at least once a second, to who is computed and to who waits', async () => {
  const description = await describe(client);
  const slow = new Generation(client, startFor(description, { promptIds: [3], maxTokens: 1 }));
  await slow.until(() => slow.messages.length > 0);
  const waiting = [0, 1].map(() => new Generation(client, startFor(description, { promptIds: [0], maxTokens: 1 })));
  await Promise.all([slow.whole(), ...waiting.map((generation) => generation.whole())]);
  const progress = slow.messages.filter(({ kind }) => kind === 'progress');
  assert.ok(progress.length >= 1);
  assert.equal(progress[0].progress!.promptTokensDone, 1);
  const told = waiting.map(({ messages }) => messages.filter(({ kind }) => kind === 'progress').map((message) => message.progress!.queued));
  assert.ok(told[0].length >= 1 && told[0].every((queued) => queued === 0), JSON.stringify(told));
  assert.ok(told[1].length >= 1 && told[1].every((queued) => queued === 1), JSON.stringify(told));
  assert.deepEqual(waiting.map(({ messages }) => messages[0].accepted!.queued), [0, 1]);
});

test('a dead device ends all answers, and takes no more', async () => {
  const description = await describe(client);
  const running = new Generation(client, startFor(description, { promptIds: [3] }));
  const waiting = new Generation(client, startFor(description, { promptIds: [0] }));
  await waiting.until(() => waiting.messages.length > 0);
  accelerator.fail('the device fell off the bus');
  for (const { ended } of [running, waiting]) {
    assert.equal((await ended)?.details, 'the device fell off the bus');
  }
  const failed = await describe(client);
  assert.equal(failed.state, 'STATE_FAILED');
  assert.equal(failed.stateReason, 'the device fell off the bus');
  assert.equal((await new Generation(client, startFor(description, { promptIds: [0] })).ended)?.code, status.UNAVAILABLE);
});
