/**
 * Compares the sidecar's greedy choices with a gateway's, for the same model: at every place of the gateway's answers, the token that the sidecar
 * chooses after the same tokens, and its log-probability. Then whole answers, greedy and drawn with a seed.
 *
 *   node build/tools/compare.js GATEWAY SIDECAR [TOKENS]      host:port of both gRPC servers; without TLS
 */
import { credentials, loadPackageDefinition, type ServiceError } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { describe, Generation, GREEDY, protocol, PROTOS, startFor } from '../test/support.js';

const PROMPTS = [
  'Once upon a time', 'The little dog', 'One day, a girl named Lily', 'Tom had a red ball.', 'The sun was', 'There was a big tree in the', 'Mom said', 'A bird',
];
const COMMANDS = [
  'dim the kitchen light to 30 percent', 'turn on the fan in the bedroom', 'set the heating in the living room to 21 degrees', 'close the blinds in the office',
  'is the garage door open?', 'switch off all lights', 'make it warmer in the bathroom', 'play music in the kitchen',
];

// Long enough to draw often, short enough that rounding seldom shows.
const SAMPLED_LENGTH = 32;

interface GatewayToken {
  id: number;
  logProbability: number;
  alternatives: { tokenId: number; logProbability: number }[];
}

const [gatewayAddress, sidecarAddress, length = '64'] = process.argv.slice(2);
const v1 = loadPackageDefinition(
  loadSync(['nibble/v1/generation_service.proto', 'nibble/v1/tokenizer_service.proto'], { includeDirs: [PROTOS], longs: String, defaults: true }),
) as any; // eslint-disable-line -- only this tool speaks nibble.v1
const gateway = new v1.nibble.v1.GenerationService(gatewayAddress, credentials.createInsecure());
const tokenizer = new v1.nibble.v1.TokenizerService(gatewayAddress, credentials.createInsecure());
const sidecar = new protocol.nibble.offload.v1.AcceleratorService(sidecarAddress, credentials.createInsecure());

function ask<T>(client: any, method: string, request: object): Promise<T> {
  return new Promise((resolve, reject) => client[method](request, (error: ServiceError | null, answer: T) => (error ? reject(error) : resolve(answer))));
}

const served = await describe(sidecar);
const inputs: object[] = [
  ...PROMPTS.map((text) => ({ text })),
  ...COMMANDS.map((text) => ({ chat: { messages: [{ role: 'user', content: text }] } })),
];
let places = 0;
let wholeAnswers = 0;
const differences: { margin: number; text: string }[] = [];
const gaps: number[] = [];
let sampledAnswers = 0;
for (const given of inputs) {
  let input = given;
  const { ids: promptIds } = await ask<{ ids: number[] }>(tokenizer, 'Tokenize', { ...input, addSpecial: true }).catch(() => {
    // A model without a chat template.
    input = { text: (given as any).chat.messages[0].content };
    return ask<{ ids: number[] }>(tokenizer, 'Tokenize', { ...input, addSpecial: true });
  });
  const { tokens } = await ask<{ tokens: GatewayToken[] }>(gateway, 'Generate', {
    options: { ...input, ignoreEndOfGeneration: true, maxTokens: Number(length), sampling: { temperature: 0 }, logProbabilities: 2 },
  });
  const whole = await new Generation(sidecar, startFor(served, { promptIds, maxTokens: tokens.length, credit: tokens.length })).whole();
  wholeAnswers += Number(whole.ids.join() === tokens.map(({ id }) => id).join());
  const sampling = { ...GREEDY, temperature: 0.8, topK: 40, topP: 0.95, repetitionPenalty: 1.1, seed: '42' };
  const drawn = await ask<{ tokens: GatewayToken[] }>(gateway, 'Generate', {
    options: { ...input, ignoreEndOfGeneration: true, maxTokens: SAMPLED_LENGTH, sampling, logProbabilities: 0 },
  });
  const sampled = await new Generation(sidecar, startFor(served, { promptIds, maxTokens: SAMPLED_LENGTH, sampling })).whole();
  sampledAnswers += Number(sampled.ids.join() === drawn.tokens.map(({ id }) => id).join());
  for (let place = 0; place < tokens.length; place++) {
    const answerIds = tokens.slice(0, place).map(({ id }) => id);
    const one = await new Generation(sidecar, startFor(served, { promptIds, answerIds, maxTokens: 1, credit: 1, logProbabilities: true })).whole();
    const token = tokens[place];
    const margin = token.alternatives[0].logProbability - token.alternatives[1].logProbability;
    places++;
    if (one.ids[0] === token.id) {
      gaps.push(Math.abs(one.logProbabilities[0] - token.logProbability));
    } else {
      differences.push({ margin, text: `${JSON.stringify(input)} place ${place}: gateway ${token.id}, sidecar ${one.ids[0]}, margin ${margin.toFixed(4)}` });
    }
  }
}
gaps.sort((a, b) => a - b);
console.log(`${places} places, ${differences.length} chosen otherwise; ${wholeAnswers} of ${inputs.length} whole answers equal`);
console.log(`${sampledAnswers} of ${inputs.length} answers of ${SAMPLED_LENGTH} tokens drawn with the same seed equal`);
console.log(`largest top-2 margin of the gateway at one chosen otherwise: ${Math.max(0, ...differences.map(({ margin }) => margin)).toFixed(4)}`);
console.log(`log-probabilities differ by ${gaps[gaps.length >> 1]?.toExponential(2)} (median), ${gaps[gaps.length - 1]?.toExponential(2)} (most)`);
differences.forEach(({ text }) => console.log(`  ${text}`));
process.exit(0);
