import { readFileSync } from 'node:fs';
import os from 'node:os';
import { getLlama, LlamaLogLevel, type Llama, type LlamaContext, type LlamaContextSequence, type LlamaModel, type Token } from 'node-llama-cpp';
import { ConfigError, MOST_DEFAULT_CONTEXT, type Config } from './config.js';
import type { Caller, Engine, Outcome, ServedModel, Work } from './engine.js';
import type { Device } from './generated/nibble/offload/v1/Device.js';
import type { ModelFile } from './gguf.js';
import { log, said } from './log.js';
import { RateMeter } from './meters.js';
import { Sampler } from './sampler.js';
import type { Sensors } from './sensors.js';

// Failures in a row after which the device is taken for dead.
const MOST_FAILURES = 3;
// Shorter prompts measure overheads rather than the device.
const LEAST_PREFILL = 16;

interface Slot {
  readonly sequence: LlamaContextSequence;
  used: number;
}

interface Next {
  readonly id: number;
  /** Before sampling changes it. */
  readonly logProbability: number;
}

/**
 * llama.cpp through node-llama-cpp: one model, one context, a sequence of it for each answer computed side by side (node-llama-cpp batches what they
 * ask for at the same time). Sequences keep what they computed, so that an answer that begins as an earlier one reuses its prefix.
 */
export class LlamaEngine implements Engine {
  readonly features = ['FEATURE_PENALTIES', 'FEATURE_LOGIT_BIAS', 'FEATURE_IGNORE_END'] as const;
  private readonly prefill = new RateMeter();
  private readonly decode = new RateMeter();
  private readonly free: Slot[];
  private running = 0;
  private turns = 0;
  private failures = 0;

  private constructor(
    readonly engine: string,
    readonly model: ServedModel,
    readonly degraded: string | null,
    private readonly llama: Llama,
    private readonly context: LlamaContext,
    private readonly loaded: LlamaModel,
    private readonly computeCapability: string | null,
    private readonly names: readonly string[],
    private readonly sensors: Sensors,
    private readonly batch: number,
    private readonly stallSeconds: number,
    private readonly dead: (reason: string) => void,
  ) {
    this.free = Array.from({ length: model.parallelSequences }, () => ({ sequence: context.getSequence(), used: 0 }));
  }

  /**
   * @param dead called once the device can't go on
   * @throws ConfigError for a model that can't be loaded as set up
   */
  static async load(config: Config, file: ModelFile, sensors: Sensors, dead: (reason: string) => void): Promise<LlamaEngine> {
    let computeCapability: string | null = null;
    const logger = (level: LlamaLogLevel, message: string): void => {
      computeCapability ??= /compute capability (\d+\.\d+)/.exec(message)?.[1] ?? null;
      if (level === LlamaLogLevel.fatal || level === LlamaLogLevel.error) {
        log.error(`llama.cpp: ${message}`);
      } else if (level === LlamaLogLevel.warn) {
        log.warn(`llama.cpp: ${message}`);
      }
    };
    let refused = '';
    const open = (gpu: 'auto' | 'cuda' | false): Promise<Llama> =>
      // Never compile or fetch anything here: that is a step of the image's build.
      getLlama({ gpu, build: 'never', skipDownload: true, progressLogs: false, maxThreads: 0, logLevel: LlamaLogLevel.info, logger });
    let llama: Llama;
    try {
      if (config.device === 'gpu') {
        // By name first: on a Jetson the driver's libraries lie where a search for any GPU may not look.
        llama = await open('cuda').catch((error: unknown) => {
          refused = said(error);
          return open('auto');
        });
      } else {
        llama = await open(config.device === 'cpu' ? false : 'auto');
      }
    } catch (error) {
      throw new ConfigError(`llama.cpp can't be loaded: ${said(error)}`);
    }

    let model: LlamaModel;
    let context: LlamaContext;
    const most = file.contextLength;
    if (most > 0 && config.context > most) {
      throw new ConfigError(`context is "${config.context}"; the model allows at most ${most}`);
    }
    const contextLength = config.context > 0 ? config.context : Math.min(most > 0 ? most : MOST_DEFAULT_CONTEXT, MOST_DEFAULT_CONTEXT);
    try {
      model = await llama.loadModel({ modelPath: config.model });
      context = await model.createContext({
        sequences: config.parallel,
        contextSize: contextLength,
        batchSize: Math.min(config.batch, contextLength * config.parallel),
        threads: config.threads > 0 ? config.threads : llama.cpuMathCores,
      });
    } catch (error) {
      throw new ConfigError(`model ${config.model} can't be loaded: ${said(error)}`);
    }

    const names = await llama.getGpuDeviceNames();
    const degraded = config.device === 'gpu' ? whyNoGpu(llama, model, names, refused) : null;
    const description = readFileSync(new URL('../package.json', import.meta.resolve('node-llama-cpp')), 'utf8');
    const { version } = JSON.parse(description) as { version: string };
    const engine = new LlamaEngine(
      `llama.cpp ${llama.llamaCppRelease.release} (node-llama-cpp ${version})`,
      { ...file, contextLength, parallelSequences: config.parallel, name: config.name || file.name },
      degraded,
      llama,
      context,
      model,
      computeCapability,
      names,
      sensors,
      config.batch,
      config.stallSeconds,
      dead,
    );
    try {
      await engine.warmUp();
    } catch (error) {
      throw new ConfigError(`model ${config.model} computes nothing: ${said(error)}`);
    }
    return engine;
  }

  get prefillTokensPerSecond(): number {
    return this.prefill.tokensPerSecond;
  }

  get decodeTokensPerSecond(): number {
    return this.decode.tokensPerSecond;
  }

  private get computesOnGpu(): boolean {
    return this.llama.gpu !== false && this.names.length > 0 && this.loaded.gpuLayers > 0;
  }

  async device(): Promise<Device> {
    const [watts, celsius] = await Promise.all([this.sensors.watts(), this.sensors.celsius()]);
    const readings = { ...(watts === null ? {} : { powerWatts: watts }), ...(celsius === null ? {} : { temperatureCelsius: celsius }) };
    if (!this.computesOnGpu) {
      const name = os.cpus()[0]?.model.trim() || os.arch();
      return { kind: 'DEVICE_KIND_CPU', name, memoryTotalBytes: os.totalmem(), memoryFreeBytes: os.freemem(), ...readings };
    }
    const memory = await this.llama.getVramState();
    return {
      kind: 'DEVICE_KIND_GPU',
      name: this.names.join(', '),
      ...(this.computeCapability === null ? {} : { computeCapability: this.computeCapability }),
      memoryTotalBytes: memory.total,
      memoryFreeBytes: memory.free,
      ...readings,
    };
  }

  async run(work: Work, caller: Caller): Promise<Outcome> {
    const tokens = [...work.promptIds, ...work.answerIds];
    const slot = this.take(tokens);
    this.running++;
    try {
      const outcome = await this.compute(slot, tokens, work, caller);
      this.failures = 0;
      return outcome;
    } catch (error) {
      await this.recover(slot, said(error));
      throw error;
    } finally {
      this.running--;
      slot.used = ++this.turns;
      this.free.push(slot);
    }
  }

  async close(): Promise<void> {
    await this.context.dispose();
    await this.loaded.dispose();
    await this.llama.dispose();
  }

  private async compute(slot: Slot, tokens: readonly number[], work: Work, caller: Caller): Promise<Outcome> {
    const began = performance.now();
    // The last token is computed in any case, as its logits are not kept.
    await slot.sequence.adaptStateToTokens(tokens.slice(0, -1) as Token[], false);
    const cached = slot.sequence.nextTokenIndex;
    const sampler = new Sampler(work.sampling, work.promptIds, work.answerIds);
    let next: Next | null = null;
    let alone = this.running === 1;
    let done = cached;
    let firstAt = began;
    const outcome = (reason: Outcome['reason']): Outcome => ({
      reason,
      promptTokensComputed: done - cached,
      prefillMillis: (next === null ? performance.now() : firstAt) - began,
      decodeMillis: next === null ? 0 : performance.now() - firstAt,
    });

    while (done < tokens.length) {
      caller.promptDone(done);
      if (caller.stopped) {
        return outcome('FINISH_REASON_CANCELLED');
      }
      const part = tokens.slice(done, done + this.batch);
      next = await this.step(slot, part, done + part.length === tokens.length ? sampler : null, done + part.length);
      done += part.length;
      alone &&= this.running === 1;
    }
    firstAt = performance.now();
    if (alone && done - cached >= LEAST_PREFILL) {
      this.prefill.add(done - cached, (firstAt - began) / 1000);
    }

    let sent = 0;
    let aloneTokens = 0;
    let aloneMillis = 0;
    try {
      for (;;) {
        const { id, logProbability } = next!;
        if (work.endIds.has(id)) {
          return outcome('FINISH_REASON_END');
        }
        await caller.credit();
        if (caller.stopped) {
          return outcome('FINISH_REASON_CANCELLED');
        }
        caller.token(id, work.logProbabilities ? logProbability : null);
        if (++sent === work.maxTokens) {
          return outcome('FINISH_REASON_LENGTH');
        }
        sampler.accept(id);
        const from = performance.now();
        const before = this.running;
        next = await this.step(slot, [id], sampler, tokens.length + sent);
        if (before === 1 && this.running === 1) {
          aloneTokens++;
          aloneMillis += performance.now() - from;
        }
      }
    } finally {
      this.decode.add(aloneTokens, aloneMillis / 1000);
    }
  }

  /**
   * Computes tokens, and with a sampler the next one after them.
   *
   * llama.cpp's own choice is taken only where it is the largest logit. node-llama-cpp's probabilities come after top-k and temperature; so a
   * log-probability is made of the raw logits: of the sum of exp(logit - largest) that comes with them, and the chosen logit.
   */
  private async step(slot: Slot, tokens: readonly number[], sampler: Sampler | null, position: number): Promise<Next | null> {
    const input = tokens as readonly Token[];
    if (sampler === null) {
      await this.watched(slot.sequence.controlledEvaluate(input as Token[]));
      return null;
    }
    // All are given: node-llama-cpp's defaults are top-k 40 and top-p 0.95. No penalty is applied unless asked for.
    const options = { temperature: 0, topK: 0, topP: 1, minP: 0, seed: 0 };
    const logits = sampler.isGreedy ? false : sampler.candidates === 0 || { filter: { tokens: [], includeTop: sampler.candidates } };
    const last: [Token, object] = [input[input.length - 1], { generateNext: { token: true, totalLogitWeight: true, logits, options } }];
    const outputs = await this.watched(slot.sequence.controlledEvaluate([...input.slice(0, -1), last]));
    const output = outputs[input.length - 1]?.next;
    const weight = output?.totalLogitWeight;
    // It is 1 for the largest logit, and more for the others; NaN or infinite logits show here.
    if (output?.token == null || weight === undefined || !(weight >= 1 && weight < Infinity)) {
      throw new Error('the device computed no usable logits');
    }
    if (sampler.isGreedy) {
      return { id: output.token, logProbability: -Math.log(weight) };
    }
    const ids = [...output.logits!.keys()] as number[];
    const values = [...output.logits!.values()];
    const id = sampler.choose({ ids, logits: values }, position);
    return { id, logProbability: output.logits!.get(id as Token)! - values[0] - Math.log(weight) };
  }

  /** A device that does not answer can't be stopped from here: the process must end. */
  private async watched<T>(computation: Promise<T>): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const stalled = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        const reason = `the device did not answer for ${this.stallSeconds} s`;
        this.dead(reason);
        reject(new Error(reason));
      }, this.stallSeconds * 1000);
    });
    try {
      return await Promise.race([computation, stalled]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** The free sequence that holds the longest part of what is to be computed; among equals the one unused for longest. */
  private take(tokens: readonly number[]): Slot {
    const candidates = this.free.map((slot) => ({ slot, common: slot.sequence.compareContextTokens(tokens as Token[]).firstDifferentIndex }));
    candidates.sort((a, b) => b.common - a.common || a.slot.used - b.slot.used);
    const { slot } = candidates[0];
    this.free.splice(this.free.indexOf(slot), 1);
    return slot;
  }

  /** What a failed step left in a sequence is not known. */
  private async recover(slot: Slot, reason: string): Promise<void> {
    this.failures++;
    try {
      await slot.sequence.clearHistory();
    } catch (error) {
      this.dead(`${reason}; its sequence can't be cleared: ${said(error)}`);
      return;
    }
    if (this.failures >= MOST_FAILURES) {
      this.dead(`${this.failures} answers in a row failed, the last with: ${reason}`);
    }
  }

  /** Computes a little: the first use of a device is slow, callers want rates from the start, and a device that computes nothing shows here. */
  private async warmUp(): Promise<void> {
    const sampling = {
      temperature: 0, topK: 0, topP: 1, minP: 0, repetitionPenalty: 1, presencePenalty: 0, frequencyPenalty: 0, logitBias: {}, seed: '0',
    };
    const caller: Caller = { stopped: false, promptDone: () => {}, credit: async () => {}, token: () => {} };
    const length = Math.min(64, Math.floor(this.model.contextLength / 2));
    for (const round of [0, 1]) {
      const promptIds = Array.from({ length }, (_, index) => (index * 7 + round) % this.model.vocabularySize);
      if (round === 1) {
        this.prefill.clear();
        this.decode.clear();
      }
      await this.run({ promptIds, answerIds: [], maxTokens: 1 + 4 * round, sampling, endIds: new Set(), logProbabilities: false }, caller);
    }
  }
}

function whyNoGpu(llama: Llama, model: LlamaModel, names: readonly string[], refused: string): string | null {
  if (llama.gpu === false) {
    return `processor cores compute, as llama.cpp finds no GPU it can use${refused === '' ? '' : ` (CUDA: ${refused})`}`;
  }
  if (names.length === 0 || model.gpuLayers === 0) {
    return `llama.cpp has ${llama.gpu}, but found no device for it; processor cores compute`;
  }
  const layers = model.fileInsights.totalLayers;
  return model.gpuLayers < layers ? `only ${model.gpuLayers} of ${layers} layers fit into the GPU's memory; processor cores compute the rest` : null;
}
