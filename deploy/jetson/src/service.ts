import { randomUUID } from 'node:crypto';
import { status, type sendUnaryData, type ServerDuplexStream, type ServerUnaryCall, type UntypedServiceImplementation } from '@grpc/grpc-js';
import type { Caller, Engine, Outcome } from './engine.js';
import type { DescribeRequest__Output } from './generated/nibble/offload/v1/DescribeRequest.js';
import type { DescribeResponse } from './generated/nibble/offload/v1/DescribeResponse.js';
import type { GenerateRequest__Output } from './generated/nibble/offload/v1/GenerateRequest.js';
import type { GenerateResponse } from './generated/nibble/offload/v1/GenerateResponse.js';
import type { Start__Output } from './generated/nibble/offload/v1/Start.js';
import type { State } from './generated/nibble/offload/v1/State.js';
import { log, said } from './log.js';
import type { EnergyMeter } from './meters.js';
import { CallError, requireValid } from './validation.js';

export const PROTOCOL_VERSION = 1;
// Each token is sent as it comes.
const MOST_TOKENS_PER_MESSAGE = 1;
// The protocol asks for a message a second; a timer may come late.
const PROGRESS_AFTER_MILLIS = 700;
const PROGRESS_CHECK_MILLIS = 100;

type Call = ServerDuplexStream<GenerateRequest__Output, GenerateResponse>;

/**
 * `nibble.offload.v1.AcceleratorService`: checks requests, lets as many answers run as the engine has sequences, keeps the others in a bounded queue,
 * and speaks the protocol.
 */
export class Accelerator {
  readonly instanceId = randomUUID();
  private engine: Engine | null = null;
  private energy: EnergyMeter | null = null;
  private stateReason = 'the model is being loaded';
  private phase: 'loading' | 'serving' | 'draining' | 'failed' = 'loading';
  private readonly waiting: Answer[] = [];
  private readonly running = new Set<Answer>();
  private idle: (() => void) | null = null;

  /** @param queueCapacity answers that may wait */
  constructor(private readonly queueCapacity: number) {}

  get implementation(): UntypedServiceImplementation {
    return {
      describe: (call: ServerUnaryCall<DescribeRequest__Output, DescribeResponse>, answer: sendUnaryData<DescribeResponse>) => {
        this.describe().then(
          (response) => answer(null, response),
          (error: unknown) => answer({ code: status.INTERNAL, details: said(error) }),
        );
      },
      generate: (call: Call) => new Answer(call, this),
    };
  }

  /** The model is loaded. */
  ready(engine: Engine, energy: EnergyMeter): void {
    this.engine = engine;
    this.energy = energy;
    if (this.phase === 'loading') {
      this.phase = 'serving';
      this.stateReason = engine.degraded ?? '';
    }
  }

  /** Takes no more requests, and ends those there are. */
  fail(reason: string): void {
    this.phase = 'failed';
    this.stateReason = reason;
    this.endAll(new CallError(status.INTERNAL, reason));
  }

  /** Takes no more requests; resolves when those there are, waiting ones included, are answered, or the time is up. */
  async drain(graceMillis: number): Promise<void> {
    if (this.phase !== 'failed') {
      this.phase = 'draining';
      this.stateReason = 'the service is stopping';
    }
    if (this.waiting.length + this.running.size > 0) {
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, graceMillis)));
      await Promise.race([late, new Promise<void>((resolve) => (this.idle = resolve))]);
      clearTimeout(timer);
    }
    this.endAll(new CallError(status.UNAVAILABLE, 'the service stopped'));
  }

  get state(): keyof typeof State {
    switch (this.phase) {
      case 'loading':
        return 'STATE_LOADING';
      case 'serving':
        return this.engine?.degraded == null ? 'STATE_READY' : 'STATE_DEGRADED';
      case 'draining':
        return 'STATE_DRAINING';
      case 'failed':
        return 'STATE_FAILED';
    }
  }

  private async describe(): Promise<DescribeResponse> {
    const engine = this.engine;
    const served = engine?.model;
    return {
      protocolVersion: PROTOCOL_VERSION,
      instanceId: this.instanceId,
      engine: engine?.engine ?? '',
      features: [...(engine?.features ?? [])],
      device: engine === null ? null : await engine.device(),
      state: this.state,
      stateReason: this.stateReason,
      models:
        engine === null || served === undefined
          ? []
          : [
              {
                fileSha256: served.fileSha256,
                tokenizerSha256: served.tokenizerSha256,
                name: served.name ?? '',
                contextLength: served.contextLength,
                vocabularySize: served.vocabularySize,
                parallelSequences: served.parallelSequences,
                prefillTokensPerSecond: engine.prefillTokensPerSecond,
                decodeTokensPerSecond: engine.decodeTokensPerSecond,
              },
            ],
      queued: this.waiting.length,
      running: this.running.size,
      queueCapacity: this.queueCapacity,
      maxPromptTokens: served === undefined ? 0 : served.contextLength - 1,
      maxTokensPerMessage: MOST_TOKENS_PER_MESSAGE,
    };
  }

  /** @throws CallError */
  admit(answer: Answer, start: Start__Output): number {
    const engine = this.engine;
    if (this.phase !== 'serving' || engine === null) {
      throw new CallError(status.UNAVAILABLE, this.stateReason);
    }
    requireValid(start, engine.model);
    const free = this.running.size < engine.model.parallelSequences && this.waiting.length === 0;
    if (!free && this.waiting.length >= this.queueCapacity) {
      throw new CallError(status.RESOURCE_EXHAUSTED, `${this.waiting.length} answers wait, which is as many as may (queue)`);
    }
    this.waiting.push(answer);
    return this.waiting.length - 1;
  }

  /** Answers that come before a waiting one. */
  before(answer: Answer): number {
    return Math.max(0, this.waiting.indexOf(answer));
  }

  /** Gives turns to waiting answers; one whose caller left leaves the queue. */
  schedule(): void {
    for (let index = this.waiting.length - 1; index >= 0; index--) {
      if (this.waiting[index].stopped) {
        this.waiting.splice(index, 1)[0].leave();
      }
    }
    const engine = this.engine!;
    while (this.waiting.length > 0 && this.running.size < engine.model.parallelSequences) {
      const answer = this.waiting.shift()!;
      this.running.add(answer);
      void answer.run(engine, this.energy!).finally(() => {
        this.running.delete(answer);
        this.schedule();
      });
    }
    if (this.waiting.length + this.running.size === 0) {
      this.idle?.();
    }
  }

  private endAll(error: CallError): void {
    [...this.waiting, ...this.running].forEach((answer) => answer.end(error));
    if (this.engine !== null) {
      this.schedule();
    }
  }
}

/** One call of Generate. */
class Answer implements Caller {
  private start: Start__Output | null = null;
  private credits = 0;
  private cancelled = false;
  private ended = false;
  private callerHasMore = true;
  private wake: (() => void) | null = null;
  private sent = 0;
  private promptTokensDone = 0;
  private lastMessageAt = 0;
  private readonly arrivedAt = performance.now();
  private progress: NodeJS.Timeout | null = null;

  constructor(
    private readonly call: Call,
    private readonly accelerator: Accelerator,
  ) {
    call.on('data', (request: GenerateRequest__Output) => this.guard(() => this.take(request)));
    call.on('end', () => this.guard(() => this.halfClosed()));
    // The caller went away, or its deadline passed.
    call.on('cancelled', () => this.guard(() => this.gone('the caller left')));
    call.on('error', () => {});
  }

  get stopped(): boolean {
    return this.cancelled || this.ended;
  }

  promptDone(tokens: number): void {
    this.promptTokensDone = tokens;
  }

  async credit(): Promise<void> {
    while (this.credits === 0 && !this.stopped) {
      if (!this.callerHasMore) {
        this.end(new CallError(status.INVALID_ARGUMENT, 'credit is used up, and the request stream ended, so no more can come'));
        return;
      }
      await new Promise<void>((resolve) => (this.wake = resolve));
    }
  }

  token(id: number, logProbability: number | null): void {
    this.credits--;
    const firstIndex = this.start!.answerIds.length + this.sent++;
    this.send({ tokens: { firstIndex, ids: [id], logProbabilities: logProbability === null ? [] : [logProbability] } });
  }

  /** It has its turn. */
  async run(engine: Engine, energy: EnergyMeter): Promise<void> {
    const turnAt = performance.now();
    const start = this.start!;
    const share = await energy.begin();
    try {
      const outcome = await engine.run(
        {
          promptIds: start.promptIds,
          answerIds: start.answerIds,
          maxTokens: start.maxTokens,
          sampling: start.sampling!,
          endIds: new Set(start.endIds),
          logProbabilities: start.logProbabilities,
        },
        this,
      );
      this.finish(outcome, turnAt - this.arrivedAt, await energy.end(share));
    } catch (error) {
      await energy.end(share);
      log.error(`answer ${JSON.stringify(start.requestId)} failed: ${said(error)}`);
      this.end(new CallError(status.INTERNAL, said(error)));
    }
  }

  /** Its caller stopped before its turn. */
  leave(): void {
    this.finish({ reason: 'FINISH_REASON_CANCELLED', promptTokensComputed: 0, prefillMillis: 0, decodeMillis: 0 }, performance.now() - this.arrivedAt, null);
  }

  end(error: CallError): void {
    if (this.close()) {
      this.call.emit('error', { code: error.code, details: error.message });
    }
  }

  private take(request: GenerateRequest__Output): void {
    if (this.ended) {
      return;
    }
    switch (request.kind) {
      case 'start':
        if (this.start !== null) {
          throw new CallError(status.INVALID_ARGUMENT, 'start is given twice');
        }
        this.begin(request.start!);
        return;
      case 'credit':
        this.requireStarted('credit');
        if (request.credit!.tokens < 1) {
          throw new CallError(status.INVALID_ARGUMENT, `credit.tokens is ${request.credit!.tokens}; allowed: 1 or more`);
        }
        this.credits += request.credit!.tokens;
        this.wakeUp();
        return;
      case 'cancel':
        this.requireStarted('cancel');
        this.cancelled = true;
        this.wakeUp();
        this.accelerator.schedule();
        return;
      case undefined:
        throw new CallError(status.INVALID_ARGUMENT, 'a message has none of start, credit and cancel');
    }
  }

  private begin(start: Start__Output): void {
    const queued = this.accelerator.admit(this, start);
    this.start = start;
    this.credits = start.credit;
    this.send({ accepted: { instanceId: this.accelerator.instanceId, queued } });
    this.progress = setInterval(() => this.tellProgress(), PROGRESS_CHECK_MILLIS);
    this.accelerator.schedule();
  }

  private requireStarted(what: string): void {
    if (this.start === null) {
      throw new CallError(status.INVALID_ARGUMENT, `${what} comes before start`);
    }
  }

  private halfClosed(): void {
    this.callerHasMore = false;
    if (this.start === null) {
      throw new CallError(status.INVALID_ARGUMENT, 'the request stream ended without start');
    }
    this.wakeUp();
  }

  private gone(reason: string): void {
    if (this.close() && this.start !== null) {
      this.tell(`${reason} after ${this.sent} tokens`);
      this.accelerator.schedule();
    }
  }

  private tellProgress(): void {
    if (performance.now() - this.lastMessageAt >= PROGRESS_AFTER_MILLIS) {
      this.send({ progress: { queued: this.accelerator.before(this), promptTokensDone: this.promptTokensDone } });
    }
  }

  private finish(outcome: Outcome, queueMillis: number, joules: number | null): void {
    if (this.ended) {
      return;
    }
    const rate = outcome.decodeMillis > 0 ? (((this.sent - 1) * 1000) / outcome.decodeMillis).toFixed(1) : '0';
    this.tell(`${this.sent} tokens, ${outcome.promptTokensComputed} of the prompt computed, ${rate} tokens/s, ${outcome.reason}`);
    this.send({
      finished: {
        reason: outcome.reason,
        promptTokensComputed: outcome.promptTokensComputed,
        completionTokens: this.sent,
        queue: duration(queueMillis),
        prefill: duration(outcome.prefillMillis),
        decode: duration(outcome.decodeMillis),
        ...(joules === null ? {} : { energyJoules: joules }),
      },
    });
    this.close();
    this.call.end();
  }

  private tell(what: string): void {
    log.info(`answer ${JSON.stringify(this.start!.requestId)}: ${what}`);
  }

  private send(response: GenerateResponse): void {
    this.lastMessageAt = performance.now();
    if (!this.ended) {
      this.call.write(response);
    }
  }

  /** Whether it was open. */
  private close(): boolean {
    const open = !this.ended;
    this.ended = true;
    if (this.progress !== null) {
      clearInterval(this.progress);
    }
    this.wakeUp();
    return open;
  }

  private wakeUp(): void {
    this.wake?.();
    this.wake = null;
  }

  private guard(action: () => void): void {
    try {
      action();
    } catch (error) {
      if (!(error instanceof CallError)) {
        log.error(`a call failed: ${said(error)}`);
      }
      this.end(error instanceof CallError ? error : new CallError(status.INTERNAL, said(error)));
      if (this.start !== null) {
        this.accelerator.schedule();
      }
    }
  }
}

function duration(millis: number): { seconds: number; nanos: number } {
  const nanos = Math.round(millis * 1e6);
  return { seconds: Math.floor(nanos / 1e9), nanos: nanos % 1e9 };
}
