// A client of Nibble's gRPC API in JavaScript: node drive.mjs HOST:PORT PROTO_FOLDER
// Prints "ok …" for each thing that works; fails with the first that does not.
import assert from 'node:assert/strict';
import grpc from '@grpc/grpc-js';
import loader from '@grpc/proto-loader';

const [address, protos] = process.argv.slice(2);
const definition = loader.loadSync(
  ['generation', 'model', 'tokenizer'].map(name => `nibble/v1/${name}_service.proto`),
  { includeDirs: [protos], keepCase: true, longs: Number, enums: String, defaults: true, oneofs: true });
const nibble = grpc.loadPackageDefinition(definition).nibble.v1;
const credentials = grpc.credentials.createInsecure();
const generation = new nibble.GenerationService(address, credentials);
const models = new nibble.ModelService(address, credentials);
const tokenizer = new nibble.TokenizerService(address, credentials);

const call = (client, method, request) =>
  new Promise((resolve, reject) => client[method](request, (error, response) => error ? reject(error) : resolve(response)));
const command = {
  chat: { messages: [{ role: 'user', content: 'dim the kitchen light to 30 percent' }] },
  sampling: { temperature: 0 },
};
const expected = '{"device":"light","room":"kitchen","action":"dim","value":30}';

const list = await call(models, 'ListModels', {});
assert.deepEqual(list.models.map(model => model.name), ['nibble-home']);
console.log('ok models');

const whole = await call(generation, 'Generate', { options: command });
assert.equal(whole.text, expected);
assert.equal(whole.finish_reason, 'FINISH_REASON_STOP');
console.log('ok whole answer');

let text = '';
let last;
for await (const piece of generation.StreamGenerate({ options: command })) {
  text += piece.text;
  last = piece;
}
assert.equal(text, expected);
assert.deepEqual(last.usage, whole.usage);
console.log('ok streamed answer');

const { ids } = await call(tokenizer, 'Tokenize', { text: 'hello' });
assert.equal((await call(tokenizer, 'Detokenize', { ids })).text, 'hello');
console.log('ok tokens');

const refusal = await call(generation, 'Generate', { options: { ...command, sampling: { temperature: 3 } } }).catch(error => error);
assert.equal(refusal.code, grpc.status.INVALID_ARGUMENT);
assert.match(refusal.details, /temperature is 3.0; allowed: 0 to 2/);
assert.equal(refusal.metadata.get('grpc-status-details-bin').length, 1);
console.log('ok errors');

const stream = generation.StreamGenerate({ options: { text: 'Once upon a time', max_tokens: 1000, ignore_end_of_generation: true } });
const end = await new Promise(resolve => {
  stream.on('data', () => stream.cancel());
  stream.on('error', resolve);
});
assert.equal(end.code, grpc.status.CANCELLED);
console.log('ok cancelled stream');

[generation, models, tokenizer].forEach(client => client.close());
