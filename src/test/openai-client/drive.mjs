// Drives a running Nibble by OpenAI's own client, as a program would. Usage: node drive.mjs http://host:port/v1 [key]
import assert from 'node:assert/strict';
import OpenAI from 'openai';

const client = new OpenAI({ baseURL: process.argv[2], apiKey: process.argv[3] ?? 'none', maxRetries: 0, timeout: 60_000 });
const model = 'nibble-home';
const messages = [{ role: 'user', content: 'dim the kitchen light to 30 percent' }];
const answer = '{"device":"light","room":"kitchen","action":"dim","value":30}';
const long = { model, prompt: 'Once upon a time', temperature: 0, max_tokens: 900, ignore_eos: true, logprobs: 20, stream: true };

async function check(name, body) {
  await body();
  console.log(`ok ${name}`);
}

await check('models', async () => {
  const ids = [];
  for await (const entry of client.models.list()) ids.push(entry.id);
  assert.deepEqual(ids, [model]);
  assert.equal((await client.models.retrieve(model)).id, model);
});

await check('whole answer', async () => {
  const completion = await client.chat.completions.create({ model, messages, temperature: 0 });
  assert.equal(completion.choices[0].message.content, answer);
  assert.equal(completion.choices[0].finish_reason, 'stop');
  assert.equal(completion.usage.total_tokens, 33);
  assert.match(completion._request_id, /^req_/);
});

await check('streamed answer', async () => {
  const stream = await client.chat.completions.create({ model, messages, temperature: 0, stream: true, stream_options: { include_usage: true } });
  let text = '';
  let usage;
  for await (const chunk of stream) {
    text += chunk.choices[0]?.delta.content ?? '';
    usage = chunk.usage ?? usage;
  }
  assert.equal(text, answer);
  assert.equal(usage.completion_tokens, 18);
});

await check('stream helper', async () => {
  const completion = await client.chat.completions.stream({ model, messages, temperature: 0, logprobs: true, top_logprobs: 2 }).finalChatCompletion();
  assert.equal(completion.choices[0].message.content, answer);
  assert.equal(completion.choices[0].message.role, 'assistant');
  assert.equal(completion.choices[0].logprobs.content.length, 18);
});

await check('text', async () => {
  const completion = await client.completions.create({ model, prompt: 'Once upon a time', max_tokens: 5, temperature: 0 });
  assert.equal(completion.choices[0].finish_reason, 'length');
  assert.ok(completion.choices[0].text.startsWith(', there was'));
});

await check('errors', async () => {
  await assert.rejects(client.models.retrieve('gpt-4'), (error) => error instanceof OpenAI.NotFoundError && error.code === 'model_not_found');
  await assert.rejects(client.chat.completions.create({ model: 'gpt-4', messages }), OpenAI.NotFoundError);
  await assert.rejects(client.chat.completions.create({ model, messages, top_p: 7 }),
    (error) => error instanceof OpenAI.BadRequestError && error.param === 'top_p' && error.type === 'invalid_request_error');
  await assert.rejects(client.completions.create({ model, prompt: 'word '.repeat(3000), stream: true }),
    (error) => error instanceof OpenAI.BadRequestError && error.code === 'context_length_exceeded');
});

await check('aborted stream and full queue', async () => {
  const first = await client.completions.create(long);
  let pieces = 0;
  for await (const chunk of first) {
    pieces++;
    if (pieces === 2) {
      // One runs, one may wait (the service under test allows one): of three more, two are refused.
      const others = Array.from({ length: 3 }, () => {
        const abort = new AbortController();
        return { abort, asked: client.completions.create(long, { signal: abort.signal }).catch((error) => error) };
      });
      // The one that waits has its stream already, without a token in it.
      const outcomes = await Promise.all(others.map((other) => other.asked));
      const refused = outcomes.filter((outcome) => outcome instanceof Error);
      assert.equal(refused.length, 2);
      for (const outcome of refused) {
        assert.ok(outcome instanceof OpenAI.RateLimitError, String(outcome));
        assert.ok(Number(outcome.headers.get('retry-after')) >= 1);
      }
      others.forEach((other) => other.abort.abort());
      first.controller.abort();
    }
  }
  assert.ok(pieces < 900, `${pieces} pieces after an abort`);
  // The service may hear of the aborts after this: the client then comes back when Retry-After says.
  const next = await client.chat.completions.create({ model, messages, temperature: 0 }, { maxRetries: 5 });
  assert.equal(next.choices[0].message.content, answer);
});
