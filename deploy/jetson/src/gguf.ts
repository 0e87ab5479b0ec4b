import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readGgufFileInfo } from 'node-llama-cpp';

/** What the protocol tells about a model's file. */
export interface ModelFile {
  /** SHA-256 of the whole file. */
  readonly fileSha256: Buffer;
  /** SHA-256 of the vocabulary, as `nibble.offload.v1.Model` defines it. */
  readonly tokenizerSha256: Buffer;
  readonly vocabularySize: number;
  /** 0 if the file does not tell. */
  readonly contextLength: number;
  readonly name: string | null;
}

/** @throws Error for a file that can't be read or is no GGUF with a vocabulary */
export async function readModelFile(path: string): Promise<ModelFile> {
  const [fileSha256, info] = await Promise.all([fileHash(path), readGgufFileInfo(path, { readTensorInfo: false, logWarnings: false, sourceType: 'filesystem' })]);
  const tokenizer = info.metadata.tokenizer?.ggml;
  if (tokenizer === undefined || typeof tokenizer.model !== 'string' || !Array.isArray(tokenizer.tokens) || tokenizer.tokens.length === 0) {
    throw new Error('it has no vocabulary (tokenizer.ggml.model and tokenizer.ggml.tokens)');
  }
  const architecture = info.metadata.general.architecture;
  const shape = (info.metadata as unknown as Record<string, { context_length?: number } | undefined>)[architecture];
  return {
    fileSha256,
    tokenizerSha256: vocabularyHash(tokenizer.model, tokenizer.tokens),
    vocabularySize: tokenizer.tokens.length,
    contextLength: Number(shape?.context_length ?? 0),
    name: info.metadata.general.name ?? null,
  };
}

function fileHash(path: string): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const hash = createHash('sha256');
    createReadStream(path, { highWaterMark: 1 << 20 })
      .on('error', reject)
      .on('data', (chunk) => hash.update(chunk))
      .on('end', () => resolve(hash.digest()));
  });
}

/** Of the vocabulary's kind in UTF-8 and a zero byte, then of each token's length in bytes (32 bits, lowest byte first) and its UTF-8 bytes. */
export function vocabularyHash(kind: string, tokens: readonly string[]): Buffer {
  const hash = createHash('sha256').update(kind, 'utf8').update(Buffer.of(0));
  const length = Buffer.alloc(4);
  for (const token of tokens) {
    const bytes = Buffer.from(token, 'utf8');
    length.writeUInt32LE(bytes.length);
    hash.update(length).update(bytes);
  }
  return hash.digest();
}
