import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe as suite, test } from 'node:test';
import { credentials, loadPackageDefinition, status, type ServiceError } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { protoPath } from 'grpc-health-check';
import { readGgufFileInfo } from 'node-llama-cpp';
import type { AcceleratorServiceClient } from '../src/generated/nibble/offload/v1/AcceleratorService.js';
import type { DescribeResponse__Output } from '../src/generated/nibble/offload/v1/DescribeResponse.js';
import type { Start } from '../src/generated/nibble/offload/v1/Start.js';
import { vocabularyHash } from '../src/gguf.js';
import { SERVICE } from '../src/server.js';
import { describe, Generation, GREEDY, HOME, launch, pause, Sidecar, startFor, STORY, SYSFS, withoutModel } from './support.js';

// What the gateway answers to STORY, greedily: ", there was a little girl named Lily. She loved to play with her toys and play with her toys".
const GATEWAY = [11, 440, 300, 258, 423, 531, 445, 452, 13, 373, 572, 270];
const SAMPLED = { ...GREEDY, temperature: 0.9, topP: 0.95, seed: '18446744073709551615' };

function health(port: number, service: string): Promise<string> {
  const proto = loadPackageDefinition(loadSync(protoPath, { enums: String, defaults: true })) as any;
  const client = new proto.grpc.health.v1.Health(`localhost:${port}`, credentials.createInsecure());
  return new Promise((resolve, reject) =>
    client.check({ service }, (error: ServiceError | null, answer: { status: string }) => {
      client.close();
      return error ? reject(error) : resolve(answer.status);
    }),
  );
}

suite('a sidecar with two sequences and room for two waiting answers', { skip: withoutModel }, () => {
  let sidecar: Sidecar;
  let client: AcceleratorServiceClient;
  let served: DescribeResponse__Output;
  const generate = (changes: Start = {}): Promise<Generation> => new Generation(client, startFor(served, changes)).whole();

  before(async () => {
    sidecar = await Sidecar.start('--parallel', '2', '--queue', '2', '--sysfs', join(SYSFS, 'orin-nano'));
    client = sidecar.client();
    served = await describe(client);
  });
  after(async () => {
    client?.close();
    await sidecar?.stop();
  });

  test('Describe tells what is here', async () => {
    assert.match(sidecar.ready, new RegExp(`^nibble-offload ready on 127\\.0\\.0\\.1:${sidecar.port} instance ${served.instanceId}$`));
    assert.equal(served.protocolVersion, 1);
    assert.match(served.engine, /^llama\.cpp \S+ \(node-llama-cpp \d+\.\d+\.\d+\)$/);
    assert.equal(served.state, 'STATE_READY');
    assert.deepEqual(served.features, ['FEATURE_PENALTIES', 'FEATURE_LOGIT_BIAS', 'FEATURE_IGNORE_END']);
    assert.equal(served.device!.kind, 'DEVICE_KIND_CPU');
    assert.ok(Number(served.device!.memoryTotalBytes) > Number(served.device!.memoryFreeBytes));
    assert.ok(Math.abs(served.device!.powerWatts! - 4.984 * 1.112) < 1e-9);
    assert.ok(Math.abs(served.device!.temperatureCelsius! - 46.218) < 1e-9);
    const [model] = served.models;
    assert.equal(model.fileSha256.toString('hex'), createHash('sha256').update(readFileSync(HOME)).digest('hex'));
    const info = await readGgufFileInfo(HOME, { readTensorInfo: false, logWarnings: false });
    assert.equal(model.tokenizerSha256.toString('hex'), vocabularyHash('gpt2', info.metadata.tokenizer.ggml.tokens).toString('hex'));
    assert.equal(model.name, 'home');
    assert.equal(model.contextLength, 1024);
    assert.equal(model.vocabularySize, 2048);
    assert.equal(model.parallelSequences, 2);
    assert.ok(model.prefillTokensPerSecond > 0 && model.decodeTokensPerSecond > 0, 'measured at the start');
    assert.equal(served.queueCapacity, 2);
    assert.equal(served.maxPromptTokens, 1023);
    assert.equal(served.maxTokensPerMessage, 1);
  });

  test('the vocabulary hash is of bytes in the file', () => {
    // Cut out of the file by hand: the array of strings behind the key is what is hashed, and each token stands as length (64 bits) and bytes.
    const file = readFileSync(HOME);
    let at = file.indexOf('tokenizer.ggml.tokens') + 'tokenizer.ggml.tokens'.length + 8;
    const hash = createHash('sha256').update('gpt2\0');
    const count = Number(file.readBigUInt64LE(at));
    at += 8;
    for (let token = 0; token < count; token++) {
      const length = Number(file.readBigUInt64LE(at));
      hash.update(file.subarray(at, at + 4)).update(file.subarray(at + 8, at + 8 + length));
      at += 8 + length;
    }
    assert.equal(count, 2048);
    assert.equal(served.models[0].tokenizerSha256.toString('hex'), hash.digest('hex'));
  });

  test('greedy tokens are those of the gateway', async () => {
    const generation = await generate({ maxTokens: GATEWAY.length, logProbabilities: true });
    assert.deepEqual(generation.ids, GATEWAY);
    assert.equal(generation.messages[0].kind, 'accepted');
    assert.equal(generation.messages[0].accepted!.instanceId, served.instanceId);
    assert.deepEqual(
      generation.messages.filter(({ kind }) => kind === 'tokens').map((message) => message.tokens!.firstIndex),
      GATEWAY.map((_, index) => index),
    );
    const { finished } = generation;
    assert.equal(finished.reason, 'FINISH_REASON_LENGTH');
    assert.equal(finished.completionTokens, GATEWAY.length);
    assert.equal(finished.promptTokensComputed, STORY.length);
    assert.ok(finished.energyJoules! > 0, 'power is measured');
    assert.ok(Number(finished.prefill!.seconds) + finished.prefill!.nanos > 0);
    assert.equal(generation.logProbabilities.length, GATEWAY.length);
    assert.ok(generation.logProbabilities.every((value) => value < 0 && value > -5));
  });

  test('without being asked, no log-probabilities are sent', async () => {
    assert.deepEqual((await generate()).logProbabilities, []);
  });

  test('log-probabilities are those before sampling changes them', async () => {
    const plain = await generate({ maxTokens: 8, logProbabilities: true });
    // A bias on a token that is never near makes the sidecar choose from all logits itself.
    const biased = await generate({ maxTokens: 8, logProbabilities: true, sampling: { ...GREEDY, logitBias: { 5: -1 } } });
    assert.deepEqual(biased.ids, plain.ids);
    const topOne = await generate({ maxTokens: 8, logProbabilities: true, sampling: { ...GREEDY, temperature: 1.7, topK: 1 } });
    assert.deepEqual(topOne.ids, plain.ids);
    plain.logProbabilities.forEach((value, index) => {
      assert.ok(Math.abs(value - biased.logProbabilities[index]) < 1e-3, `${value} and ${biased.logProbabilities[index]}`);
      assert.ok(Math.abs(value - topOne.logProbabilities[index]) < 1e-3, `${value} and ${topOne.logProbabilities[index]}`);
    });
    const forced = await generate({ maxTokens: 2, logProbabilities: true, sampling: { ...GREEDY, logitBias: { 7: 100 } } });
    assert.deepEqual(forced.ids, [7, 7]);
    assert.ok(forced.logProbabilities[0] < -5, 'a bias does not make it likelier');
  });

  test('a continued answer is the whole one', async () => {
    for (const sampling of [GREEDY, SAMPLED]) {
      const whole = (await generate({ sampling, maxTokens: 30 })).ids;
      for (const given of [1, 9, 29]) {
        const rest = await generate({ sampling, answerIds: whole.slice(0, given), maxTokens: 30 - given });
        assert.deepEqual(rest.ids, whole.slice(given), `after ${given}`);
        assert.equal(rest.messages.find(({ kind }) => kind === 'tokens')!.tokens!.firstIndex, given);
      }
    }
  });

  test('a seed gives the same answer again, another seed another', async () => {
    const [first, again, other] = [
      await generate({ sampling: SAMPLED }), await generate({ sampling: SAMPLED }), await generate({ sampling: { ...SAMPLED, seed: '5' } }),
    ];
    assert.deepEqual(first.ids, again.ids);
    assert.notDeepEqual(first.ids, other.ids);
  });

  test('a prompt that was computed before is not computed again', async () => {
    const promptIds = Array.from({ length: 200 }, (_, index) => (index * 31 + 3) % 2000);
    assert.equal((await generate({ promptIds, maxTokens: 2 })).finished.promptTokensComputed, 200);
    assert.equal((await generate({ promptIds, maxTokens: 2 })).finished.promptTokensComputed, 1);
    assert.equal((await generate({ promptIds: [...promptIds, 9, 9], maxTokens: 2 })).finished.promptTokensComputed, 2);
  });

  test('an end token ends the answer and is not sent; without one it goes on', async () => {
    const whole = (await generate({ maxTokens: 300 })).ids;
    assert.equal(whole.length, 300);
    const place = whole.indexOf(13);
    const ended = await generate({ maxTokens: 300, endIds: [9, 13] });
    assert.deepEqual(ended.ids, whole.slice(0, place));
    assert.equal(ended.finished.reason, 'FINISH_REASON_END');
    // The last credit is used by the token before the end, whose coming needs none.
    assert.equal((await generate({ maxTokens: 300, endIds: [13], credit: place })).finished.reason, 'FINISH_REASON_END');
  });

  test('no more tokens come than there is credit for, and progress meanwhile', async () => {
    const generation = new Generation(client, startFor(served, { credit: 3 }));
    await generation.until(() => generation.ids.length === 3);
    await generation.until(() => generation.messages.at(-1)!.kind === 'progress');
    await pause(200);
    assert.equal(generation.ids.length, 3);
    assert.equal(generation.messages.at(-1)!.progress!.promptTokensDone >= STORY.length - 1, true);
    generation.call.write({ credit: { tokens: 2 } });
    await generation.until(() => generation.ids.length === 5);
    await pause(200);
    assert.equal(generation.ids.length, 5);
    generation.call.write({ credit: { tokens: 100 } });
    assert.deepEqual((await generation.whole()).ids, (await generate()).ids);
  });

  test('cancel ends the answer with finished', async () => {
    const generation = new Generation(client, startFor(served, { credit: 2 }));
    await generation.until(() => generation.ids.length === 2);
    generation.call.write({ cancel: {} });
    const { finished } = await generation.whole();
    assert.equal(finished.reason, 'FINISH_REASON_CANCELLED');
    assert.equal(finished.completionTokens, 2);
  });

  test('a cancelled call and a passed deadline free their sequences', async () => {
    const cancelled = new Generation(client, startFor(served, { credit: 1 }));
    const late = new Generation(client, startFor(served, { credit: 1 }), { deadline: Date.now() + 400 });
    await cancelled.until(() => cancelled.ids.length === 1);
    assert.equal((await describe(client)).running, 2);
    cancelled.call.cancel();
    assert.equal((await late.ended)?.code, status.DEADLINE_EXCEEDED);
    await pause(100);
    const { running, queued } = await describe(client);
    assert.deepEqual([running, queued], [0, 0]);
    assert.deepEqual((await generate({ maxTokens: GATEWAY.length })).ids, GATEWAY);
  });

  test('the queue is bounded, keeps its order, and lets go who cancels', async () => {
    const running = [0, 1].map(() => new Generation(client, startFor(served, { credit: 1 })));
    await Promise.all(running.map((generation) => generation.until(() => generation.ids.length === 1)));
    const first = new Generation(client, startFor(served, {}));
    await first.until(() => first.messages.length > 0);
    const second = new Generation(client, startFor(served, {}));
    await second.until(() => second.messages.length > 0);
    assert.equal(second.messages[0].accepted!.queued, 1);
    const { running: computed, queued } = await describe(client);
    assert.deepEqual([computed, queued], [2, 2]);
    const error = await new Generation(client, startFor(served, {})).ended;
    assert.equal(error?.code, status.RESOURCE_EXHAUSTED);
    first.call.write({ cancel: {} });
    assert.equal((await first.whole()).finished.reason, 'FINISH_REASON_CANCELLED');
    running[0].call.write({ credit: { tokens: 100 } });
    running[1].call.cancel();
    const answer = await second.whole();
    assert.deepEqual(answer.ids, (await running[0].whole()).ids);
    assert.ok(answer.finished.queue!.nanos > 0);
  });

  test('several at once answer as each alone', async () => {
    const prompts = [STORY, [2043, 464, 423, 531], [2043, 300, 258], [2043, 11, 440]];
    const alone = [];
    for (const promptIds of prompts) {
      alone.push((await generate({ promptIds, maxTokens: 12 })).ids);
    }
    const together = await Promise.all(prompts.map((promptIds) => generate({ promptIds, maxTokens: 12 })));
    assert.deepEqual(together.map(({ ids }) => ids), alone);
  });

  test('what can not be right is refused, naming the field', async () => {
    const cases: [Start, status, RegExp][] = [
      [{ fileSha256: Buffer.alloc(3) }, status.INVALID_ARGUMENT, /^file_sha256 has 3 bytes; SHA-256 has 32$/],
      [{ fileSha256: Buffer.alloc(32) }, status.NOT_FOUND, /^no model with file_sha256 0{64} is served; served: [0-9a-f]{64}$/],
      [{ tokenizerSha256: Buffer.alloc(32) }, status.NOT_FOUND, /tokenizer_sha256/],
      [{ promptIds: [] }, status.INVALID_ARGUMENT, /^prompt_ids has no tokens/],
      [{ promptIds: [1, 2048] }, status.INVALID_ARGUMENT, /^prompt_ids\[1\] is 2048; allowed: 0 to 2047$/],
      [{ answerIds: [-1] }, status.INVALID_ARGUMENT, /^answer_ids\[0\] is -1/],
      [{ endIds: [5000] }, status.INVALID_ARGUMENT, /^end_ids\[0\]/],
      [{ maxTokens: 0 }, status.INVALID_ARGUMENT, /^max_tokens is 0/],
      [{ credit: 0 }, status.INVALID_ARGUMENT, /^credit is 0/],
      [{ sampling: null }, status.INVALID_ARGUMENT, /^sampling is not given/],
      [{ sampling: { ...GREEDY, temperature: 3 } }, status.INVALID_ARGUMENT, /^sampling\.temperature is 3; allowed: 0 to 2$/],
      [{ sampling: { ...GREEDY, temperature: NaN } }, status.INVALID_ARGUMENT, /^sampling\.temperature is NaN/],
      [{ sampling: { ...GREEDY, topK: -1 } }, status.INVALID_ARGUMENT, /^sampling\.top_k/],
      [{ sampling: { ...GREEDY, topP: 1.5 } }, status.INVALID_ARGUMENT, /^sampling\.top_p/],
      [{ sampling: { ...GREEDY, minP: -1 } }, status.INVALID_ARGUMENT, /^sampling\.min_p/],
      [{ sampling: { ...GREEDY, repetitionPenalty: 0 } }, status.INVALID_ARGUMENT, /^sampling\.repetition_penalty/],
      [{ sampling: { ...GREEDY, presencePenalty: 3 } }, status.INVALID_ARGUMENT, /^sampling\.presence_penalty/],
      [{ sampling: { ...GREEDY, frequencyPenalty: -3 } }, status.INVALID_ARGUMENT, /^sampling\.frequency_penalty/],
      [{ sampling: { ...GREEDY, logitBias: { 9999: 1 } } }, status.INVALID_ARGUMENT, /^sampling\.logit_bias names token 9999/],
      [{ sampling: { ...GREEDY, logitBias: { 9: 101 } } }, status.INVALID_ARGUMENT, /^sampling\.logit_bias\[9\] is 101/],
      [{ maxTokens: 1020 }, status.OUT_OF_RANGE, /are 1025 tokens; the context holds 1024$/],
      [{ requestId: 'x'.repeat(201) }, status.INVALID_ARGUMENT, /^request_id has 201/],
    ];
    for (const [changes, code, message] of cases) {
      const generation = new Generation(client, startFor(served, changes));
      const error = await generation.ended;
      assert.equal(error?.code, code, message.source);
      assert.match(error!.details, message);
      assert.equal(generation.messages.length, 0);
    }
  });

  test('the whole context can be used', async () => {
    const generation = await generate({ promptIds: Array.from({ length: 1000 }, (_, index) => index), maxTokens: 24 });
    assert.equal(generation.ids.length, 24);
  });

  test('messages out of order are refused', async () => {
    const cases: [object[], RegExp][] = [
      [[{ credit: { tokens: 1 } }], /^credit comes before start$/],
      [[{ cancel: {} }], /^cancel comes before start$/],
      [[{}], /none of start, credit and cancel/],
      [[{ start: startFor(served, { credit: 1 }) }, { start: startFor(served) }], /^start is given twice$/],
      [[{ start: startFor(served, { credit: 1 }) }, { credit: { tokens: 0 } }], /^credit\.tokens is 0/],
    ];
    for (const [requests, message] of cases) {
      const generation = new Generation(client, null);
      requests.forEach((request) => generation.call.write(request));
      const error = await generation.ended;
      assert.equal(error?.code, status.INVALID_ARGUMENT, message.source);
      assert.match(error!.details, message);
    }
    const silent = new Generation(client, null);
    silent.call.end();
    assert.match((await silent.ended)!.details, /ended without start/);
    const closed = new Generation(client, startFor(served, { credit: 2 }));
    closed.call.end();
    assert.match((await closed.ended)!.details, /no more can come/);
    assert.equal(closed.ids.length, 2);
  });

  test('health tells that it serves', async () => {
    assert.equal(await health(sidecar.port, SERVICE), 'SERVING');
    assert.equal(await health(sidecar.port, ''), 'SERVING');
    await assert.rejects(health(sidecar.port, 'another'), (error: ServiceError) => error.code === status.NOT_FOUND);
    assert.equal(await launch('health', '--port', String(sidecar.port)).exit, 0);
    assert.equal(await launch('health', '--port', '1').exit, 1);
  });
});

suite('an end by SIGTERM', { skip: withoutModel }, () => {
  test('lets answers finish and takes no more', async () => {
    const sidecar = await Sidecar.start('--parallel', '1');
    const client = sidecar.client();
    const served = await describe(client);
    const running = new Generation(client, startFor(served, { credit: 1 }));
    await running.until(() => running.ids.length === 1);
    const waiting = new Generation(client, startFor(served, {}));
    await waiting.until(() => waiting.messages.length > 0);
    const exit = sidecar.stop();
    await pause(200);
    const draining = await describe(client);
    assert.equal(draining.state, 'STATE_DRAINING');
    assert.equal(draining.running + draining.queued, 2);
    assert.equal(await health(sidecar.port, SERVICE), 'NOT_SERVING');
    assert.equal((await new Generation(client, startFor(served, {})).ended)?.code, status.UNAVAILABLE);
    running.call.write({ credit: { tokens: 100 } });
    assert.equal((await running.whole()).finished.completionTokens, 24);
    assert.equal((await waiting.whole()).finished.completionTokens, 24);
    assert.equal(await exit, 0);
    client.close();
  });

  test('waits no longer than its grace', async () => {
    const sidecar = await Sidecar.start('--grace-seconds', '1');
    const client = sidecar.client();
    const running = new Generation(client, startFor(await describe(client), { credit: 1 }));
    await running.until(() => running.ids.length === 1);
    const began = performance.now();
    const exit = sidecar.stop();
    assert.equal((await running.ended)?.code, status.UNAVAILABLE);
    assert.equal(await exit, 0);
    assert.ok(performance.now() - began < 5000);
    client.close();
  });
});

test('a GPU that is expected and not there is told loudly', { skip: withoutModel }, async (context) => {
  const sidecar = await Sidecar.start('--device', 'gpu');
  const client = sidecar.client();
  const served = await describe(client);
  try {
    if (served.device!.kind === 'DEVICE_KIND_GPU') {
      context.skip('there is a GPU');
      return;
    }
    assert.equal(served.state, 'STATE_DEGRADED');
    assert.match(served.stateReason, /processor cores compute/);
    assert.match(sidecar.log, /WARNING: DEGRADED: a GPU was expected, but processor cores compute/);
    assert.equal((await new Generation(client, startFor(served, { maxTokens: 3 })).whole()).ids.length, 3);
  } finally {
    client.close();
    await sidecar.stop();
  }
});

test('a port that is taken ends the process with 2', { skip: withoutModel }, async () => {
  const sidecar = await Sidecar.start();
  try {
    const second = launch('--model', HOME, '--port', String(sidecar.port));
    assert.equal(await second.exit, 2);
    assert.match(second.log(), /^nibble-offload: ERROR: can't listen on host 127\.0\.0\.1, port \d+: [^\n]+\n$/);
  } finally {
    await sidecar.stop();
  }
});
