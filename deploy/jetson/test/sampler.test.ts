import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Sampler, uniform, type Ranking } from '../src/sampler.js';
import { GREEDY } from './support.js';

// The known answers of Random123 for philox4x32-10; the two lower words make the draw.
test('draws are those of Philox', () => {
  assert.equal(uniform(0n, 0n), Number(0xe169c58d6627e8d5n >> 11n) * 2 ** -53);
});

const ranking = (): Ranking => ({ ids: [4, 2, 7, 1], logits: [2, 2, 1, -1] });

test('greedy is the largest logit, of equals the lowest id', () => {
  assert.equal(new Sampler({ ...GREEDY, logitBias: { 9: 1 } }, [], []).choose(ranking(), 0), 2);
  assert.ok(new Sampler(GREEDY, [1], []).isGreedy);
});

test('biases are added to logits', () => {
  const sampler = new Sampler({ ...GREEDY, logitBias: { 1: 3.5 } }, [], []);
  assert.ok(!sampler.isGreedy);
  assert.equal(sampler.choose(ranking(), 0), 1);
});

test('repetition is penalised in prompt and answer, presence and frequency in the answer alone', () => {
  assert.equal(new Sampler({ ...GREEDY, repetitionPenalty: 3 }, [2, 4], []).choose(ranking(), 0), 7);
  assert.equal(new Sampler({ ...GREEDY, presencePenalty: 1.5 }, [2, 4], []).choose(ranking(), 0), 2);
  assert.equal(new Sampler({ ...GREEDY, presencePenalty: 1.5 }, [], [2, 4]).choose(ranking(), 0), 7);
  const sampler = new Sampler({ ...GREEDY, frequencyPenalty: 0.6 }, [], []);
  const chosen = [0, 1, 2, 3, 4].map((position) => {
    const id = sampler.choose(ranking(), position);
    sampler.accept(id);
    return id;
  });
  assert.deepEqual(chosen, [2, 4, 2, 4, 7]);
});

test('top-k, top-p and min-p keep the most likely', () => {
  const chosen = (changes: object): Set<number> => {
    const sampler = new Sampler({ ...GREEDY, temperature: 1, seed: '7', ...changes }, [], []);
    return new Set(Array.from({ length: 400 }, (_, position) => sampler.choose(ranking(), position)));
  };
  assert.deepEqual([...chosen({})].sort(), [1, 2, 4, 7]);
  assert.deepEqual([...chosen({ topK: 2 })].sort(), [2, 4]);
  assert.deepEqual([...chosen({ topP: 0.5 })].sort(), [2, 4]);
  assert.deepEqual([...chosen({ minP: 0.3 })].sort(), [2, 4, 7]);
  assert.deepEqual([...chosen({ topP: 0 })].sort(), [2]);
});
