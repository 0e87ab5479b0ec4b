import { status } from '@grpc/grpc-js';
import type { ServedModel } from './engine.js';
import type { Start__Output } from './generated/nibble/offload/v1/Start.js';

/** A call that ends with a canonical code. */
export class CallError extends Error {
  constructor(
    readonly code: status,
    message: string,
  ) {
    super(message);
  }
}

// Of a request's id, which stands in logs.
const MOST_ID_LENGTH = 200;

function invalid(message: string): CallError {
  return new CallError(status.INVALID_ARGUMENT, message);
}

function within(field: string, value: number, least: number, most: number): void {
  // The negation is true for NaN as well.
  if (!(value >= least && value <= most)) {
    throw invalid(`${field} is ${value}; allowed: ${least} to ${most}`);
  }
}

/** @throws CallError naming the field that can't be right, or the model that is not served */
export function requireValid(start: Start__Output, model: ServedModel): void {
  for (const [field, given, served] of [
    ['file_sha256', start.fileSha256, model.fileSha256],
    ['tokenizer_sha256', start.tokenizerSha256, model.tokenizerSha256],
  ] as const) {
    if (given.length !== 32) {
      throw invalid(`${field} has ${given.length} bytes; SHA-256 has 32`);
    }
    if (!served.equals(given)) {
      throw new CallError(status.NOT_FOUND, `no model with ${field} ${given.toString('hex')} is served; served: ${served.toString('hex')}`);
    }
  }
  if (start.requestId.length > MOST_ID_LENGTH) {
    throw invalid(`request_id has ${start.requestId.length} characters; allowed: at most ${MOST_ID_LENGTH}`);
  }
  if (start.promptIds.length === 0) {
    throw invalid('prompt_ids has no tokens; it needs 1 or more');
  }
  for (const [field, ids] of [
    ['prompt_ids', start.promptIds],
    ['answer_ids', start.answerIds],
    ['end_ids', start.endIds],
  ] as const) {
    const place = ids.findIndex((id) => id < 0 || id >= model.vocabularySize);
    if (place >= 0) {
      throw invalid(`${field}[${place}] is ${ids[place]}; allowed: 0 to ${model.vocabularySize - 1}`);
    }
  }
  if (start.maxTokens < 1) {
    throw invalid(`max_tokens is ${start.maxTokens}; allowed: 1 or more`);
  }
  if (start.credit < 1) {
    throw invalid(`credit is ${start.credit}; allowed: 1 or more`);
  }
  requireValidSampling(start, model);
  const total = start.promptIds.length + start.answerIds.length + start.maxTokens;
  if (total > model.contextLength) {
    const parts = `prompt_ids (${start.promptIds.length}), answer_ids (${start.answerIds.length}) and max_tokens (${start.maxTokens})`;
    throw new CallError(status.OUT_OF_RANGE, `${parts} are ${total} tokens; the context holds ${model.contextLength}`);
  }
}

function requireValidSampling(start: Start__Output, model: ServedModel): void {
  const sampling = start.sampling;
  if (sampling === null) {
    throw invalid('sampling is not given');
  }
  within('sampling.temperature', sampling.temperature, 0, 2);
  if (sampling.topK < 0) {
    throw invalid(`sampling.top_k is ${sampling.topK}; allowed: 0 (all) or more`);
  }
  within('sampling.top_p', sampling.topP, 0, 1);
  within('sampling.min_p', sampling.minP, 0, 1);
  if (!(sampling.repetitionPenalty > 0 && sampling.repetitionPenalty <= 10)) {
    throw invalid(`sampling.repetition_penalty is ${sampling.repetitionPenalty}; allowed: above 0, at most 10`);
  }
  within('sampling.presence_penalty', sampling.presencePenalty, -2, 2);
  within('sampling.frequency_penalty', sampling.frequencyPenalty, -2, 2);
  for (const [id, bias] of Object.entries(sampling.logitBias)) {
    if (Number(id) < 0 || Number(id) >= model.vocabularySize) {
      throw invalid(`sampling.logit_bias names token ${id}; allowed: 0 to ${model.vocabularySize - 1}`);
    }
    within(`sampling.logit_bias[${id}]`, bias, -100, 100);
  }
}
