import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'node:test';
import { describe, Generation, Sidecar, startFor } from './support.js';

// Beside the tree; `nibble quantize --in=stories260K.bin --out=stories260K.gguf --scheme=f32` makes the GGUF file.
const FOLDER = fileURLToPath(new URL('../../../../../shared/models/stories260K', import.meta.url));
const FILE = process.env.NIBBLE_STORIES_GGUF ?? (existsSync(FOLDER) ? readdirSync(FOLDER).map((name) => join(FOLDER, name)).find((name) => name.endsWith('.gguf')) : undefined);
const REFERENCE = process.env.NIBBLE_STORIES_REFERENCE ?? join(FOLDER, 'reference.json');

test(
  'greedy tokens of stories260K are those of an independent forward pass',
  { skip: FILE !== undefined && existsSync(REFERENCE) ? false : 'there is no stories260K as GGUF, or no reference.json; NIBBLE_STORIES_GGUF and NIBBLE_STORIES_REFERENCE name them' },
  async () => {
    const { cases } = JSON.parse(readFileSync(REFERENCE, 'utf8')) as { cases: { prompt_ids: number[]; greedy_ids: number[] }[] };
    const sidecar = await Sidecar.start('--model', FILE!);
    const client = sidecar.client();
    try {
      const served = await describe(client);
      for (const { prompt_ids: promptIds, greedy_ids: greedy } of cases) {
        // Some references hold the prompt too.
        const ids = promptIds.every((id, index) => greedy[index] === id) ? greedy.slice(promptIds.length) : greedy;
        const generation = await new Generation(client, startFor(served, { promptIds, maxTokens: ids.length })).whole();
        assert.deepEqual(generation.ids, ids);
      }
    } finally {
      client.close();
      await sidecar.stop();
    }
  },
);
