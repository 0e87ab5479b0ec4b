// What OpenAI's own client makes of keys that are not good. Usage: node keys.mjs http://host:port/v1 key-without-the-scope expired-key
import assert from 'node:assert/strict';
import OpenAI from 'openai';

const [baseURL, other, expired] = process.argv.slice(2);
const messages = [{ role: 'user', content: 'dim the kitchen light to 30 percent' }];
const ask = (apiKey) => new OpenAI({ baseURL, apiKey, maxRetries: 0, timeout: 60_000 }).chat.completions.create({ model: 'nibble-home', messages });

for (const key of ['none', expired]) {
  await assert.rejects(ask(key), (error) => error instanceof OpenAI.AuthenticationError && error.status === 401 && error.code === 'invalid_api_key');
}
console.log('ok wrong keys');
await assert.rejects(ask(other), (error) => error instanceof OpenAI.PermissionDeniedError && error.status === 403 && error.code === 'missing_scope');
console.log('ok missing scope');
