import type { Sampling__Output } from './generated/nibble/offload/v1/Sampling.js';

/** Logits of candidates, the largest first, equals in any order. Choosing may reorder it. */
export interface Ranking {
  readonly ids: number[];
  /** 32-bit floats. */
  readonly logits: number[];
}

/**
 * Chooses tokens as the gateway's sampler does: logit bias, repetition penalty, presence and frequency penalties, temperature, top-k, top-p, min-p,
 * then a draw by Philox4x32-10 at the token's position. llama.cpp's samplers apply temperature last, penalise by a window, and begin their random
 * generator anew with each sampler, so a continued answer would not go on as the whole one.
 *
 * One per answer.
 */
export class Sampler {
  private readonly seed: bigint;
  private readonly biases: [number, number][];
  private readonly occurred = new Set<number>(); // in prompt or answer
  private readonly answerOccurrences = new Map<number, number>();

  constructor(
    private readonly sampling: Sampling__Output,
    promptIds: readonly number[],
    answerIds: readonly number[],
  ) {
    this.seed = BigInt(sampling.seed);
    this.biases = Object.entries(sampling.logitBias).map(([id, bias]) => [Number(id), bias]);
    if (this.penalises) {
      promptIds.forEach((id) => this.occurred.add(id));
      answerIds.forEach((id) => this.accept(id));
    }
  }

  private get penalises(): boolean {
    const { repetitionPenalty, presencePenalty, frequencyPenalty } = this.sampling;
    return repetitionPenalty !== 1 || presencePenalty !== 0 || frequencyPenalty !== 0;
  }

  private get adjusts(): boolean {
    return this.penalises || this.biases.length > 0;
  }

  /** Whether the choice is the largest logit as the model computed it, so that the device can make it. */
  get isGreedy(): boolean {
    return this.sampling.temperature === 0 && !this.adjusts;
  }

  /** How many of the largest logits the choice looks at; 0: all of the vocabulary. */
  get candidates(): number {
    return this.adjusts ? 0 : this.sampling.topK;
  }

  /**
   * @param ranking the {@link candidates} largest logits
   * @param position the token's place in the sequence, prompt included
   */
  choose(ranking: Ranking, position: number): number {
    const { ids, logits } = this.adjusts ? this.adjust(ranking) : ranked(ranking);
    const { temperature, topK, topP, minP } = this.sampling;
    if (temperature === 0) {
      return ids[0];
    }
    const limit = topK > 0 ? Math.min(topK, ids.length) : ids.length;
    const weights = new Float64Array(limit);
    let total = 0;
    for (let rank = 0; rank < limit; rank++) {
      weights[rank] = Math.exp((logits[rank] - logits[0]) / temperature);
      total += weights[rank];
    }
    let kept = limit;
    let keptWeight = total;
    if (topP < 1 || minP > 0) {
      const enough = topP < 1 ? topP * total : Infinity;
      kept = 0;
      keptWeight = 0;
      while (kept < limit && (kept === 0 || keptWeight < enough) && weights[kept] >= minP) {
        keptWeight += weights[kept++];
      }
    }
    const target = uniform(this.seed, BigInt(position)) * keptWeight;
    let sum = 0;
    let chosen = ids[0];
    for (let rank = 0; rank < kept && weights[rank] > 0; rank++) {
      chosen = ids[rank];
      sum += weights[rank];
      if (target < sum) {
        break;
      }
    }
    return chosen;
  }

  /** Tells that a token became part of the answer. */
  accept(id: number): void {
    if (this.penalises) {
      this.occurred.add(id);
      this.answerOccurrences.set(id, (this.answerOccurrences.get(id) ?? 0) + 1);
    }
  }

  /** Takes out the few candidates that change, and puts them back where they belong. 32-bit arithmetic, as the gateway's. */
  private adjust(ranking: Ranking): Ranking {
    const biases = new Map(this.biases);
    const { repetitionPenalty, presencePenalty, frequencyPenalty } = this.sampling;
    const changed: { id: number; logit: number }[] = [];
    const same: Ranking = { ids: [], logits: [] };
    ranking.ids.forEach((id, rank) => {
      let logit = ranking.logits[rank];
      const bias = biases.get(id);
      const occurred = this.occurred.has(id);
      if (bias === undefined && !occurred) {
        same.ids.push(id);
        same.logits.push(logit);
        return;
      }
      logit = Math.fround(logit + (bias ?? 0));
      if (occurred) {
        logit = Math.fround(logit > 0 ? Math.min(logit / repetitionPenalty, LARGEST_FLOAT) : logit * repetitionPenalty);
      }
      const count = this.answerOccurrences.get(id);
      if (count !== undefined) {
        logit = Math.fround(logit - Math.fround(presencePenalty + Math.fround(frequencyPenalty * count)));
      }
      changed.push({ id, logit });
    });
    changed.sort((a, b) => b.logit - a.logit || a.id - b.id);
    const merged: Ranking = { ids: [], logits: [] };
    let next = 0;
    const putChanged = (until: (logit: number) => boolean): void => {
      for (; next < changed.length && until(changed[next].logit); next++) {
        merged.ids.push(changed[next].id);
        merged.logits.push(changed[next].logit);
      }
    };
    same.ids.forEach((id, rank) => {
      putChanged((logit) => logit >= same.logits[rank]);
      merged.ids.push(id);
      merged.logits.push(same.logits[rank]);
    });
    putChanged(() => true);
    return ranked(merged);
  }
}

/** Of 32 bits. */
const LARGEST_FLOAT = 3.4028234663852886e38;

/** Puts equals, which the device leaves in any order, by id. In place: all is in order but for them. */
function ranked(ranking: Ranking): Ranking {
  const { ids, logits } = ranking;
  for (let rank = 1; rank < ids.length; rank++) {
    const id = ids[rank];
    let place = rank;
    for (; place > 0 && logits[place - 1] === logits[rank] && ids[place - 1] > id; place--) {
      ids[place] = ids[place - 1];
    }
    ids[place] = id;
  }
  return ranking;
}

const WORD = 0xffffffffn;

/**
 * The draw of a counter, uniform in [0, 1): Philox4x32-10 of Salmon, Moraes, Dror and Shaw, "Parallel Random Numbers: As Easy as 1, 2, 3" (SC 2011),
 * with the seed as key and the counter in the block's lower words.
 */
export function uniform(seed: bigint, counter: bigint): number {
  let [word0, word1, word2, word3] = [counter & WORD, (counter >> 32n) & WORD, 0n, 0n];
  let [key0, key1] = [seed & WORD, (seed >> 32n) & WORD];
  for (let round = 0; round < 10; round++) {
    const product0 = 0xd2511f53n * word0;
    const product1 = 0xcd9e8d57n * word2;
    [word0, word1, word2, word3] = [(product1 >> 32n) ^ word1 ^ key0, product1 & WORD, (product0 >> 32n) ^ word3 ^ key1, product0 & WORD];
    key0 = (key0 + 0x9e3779b9n) & WORD;
    key1 = (key1 + 0xbb67ae85n) & WORD;
  }
  return Number(((word1 << 32n) | word0) >> 11n) * 2 ** -53;
}
