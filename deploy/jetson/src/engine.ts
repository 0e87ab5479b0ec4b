import type { FinishReason } from './generated/nibble/offload/v1/FinishReason.js';
import type { Feature } from './generated/nibble/offload/v1/Feature.js';
import type { Device } from './generated/nibble/offload/v1/Device.js';
import type { Sampling__Output } from './generated/nibble/offload/v1/Sampling.js';
import type { ModelFile } from './gguf.js';

/** What a model is served with. */
export interface ServedModel extends ModelFile {
  /** Most tokens of prompt and answer together. */
  readonly contextLength: number;
  readonly parallelSequences: number;
}

/** One answer to compute; all fields are valid. */
export interface Work {
  readonly promptIds: readonly number[];
  readonly answerIds: readonly number[];
  readonly maxTokens: number;
  readonly sampling: Sampling__Output;
  readonly endIds: ReadonlySet<number>;
  readonly logProbabilities: boolean;
}

/** Who wants an answer. */
export interface Caller {
  /** Whether the rest is not wanted; asked before each step of the device. */
  readonly stopped: boolean;
  /** Tokens of the prompt that are computed, those from the cache included. */
  promptDone(tokens: number): void;
  /** Resolves when a token may be sent, or the caller stopped. */
  credit(): Promise<void>;
  token(id: number, logProbability: number | null): void;
}

export interface Outcome {
  readonly reason: keyof typeof FinishReason;
  readonly promptTokensComputed: number;
  readonly prefillMillis: number;
  readonly decodeMillis: number;
}

/** What computes answers. */
export interface Engine {
  readonly engine: string;
  readonly features: readonly (keyof typeof Feature)[];
  readonly model: ServedModel;
  /** Why it is not as it was set up to be, or null. */
  readonly degraded: string | null;
  device(): Promise<Device>;
  readonly prefillTokensPerSecond: number;
  readonly decodeTokensPerSecond: number;
  /**
   * Computes an answer; at most {@link ServedModel.parallelSequences} at a time.
   *
   * @throws Error the device failed, with one clear line
   */
  run(work: Work, caller: Caller): Promise<Outcome>;
  close(): Promise<void>;
}
