// llama.cpp's speed on a GGUF file as one line of JSON, with the field names of `nibble bench --json`.
//   node llama.mjs MODEL.gguf --threads 2 --prompt 256 --gen 48
// Prompt ids are those of `nibble bench`: 300 + 7919 i mod 30000. As there, a short warm-up comes before what is measured.
import {readFileSync} from "node:fs";
import {getLlama} from "node-llama-cpp";

const settings = {threads: 2, prompt: 256, gen: 48};
const [file, ...options] = process.argv.slice(2);
for (let i = 0; i < options.length; i += 2) settings[options[i].slice(2)] = Number(options[i + 1]);

const since = (start) => (performance.now() - start) / 1000;
const status = (field) => 1024 * Number(new RegExp(`^${field}:\\s+(\\d+)`, "m").exec(readFileSync("/proc/self/status", "utf8"))[1]);

let start = performance.now();
const llama = await getLlama({gpu: false, build: "never", maxThreads: settings.threads, logLevel: "error"});
const model = await llama.loadModel({modelPath: file, useMmap: true});
const context = await model.createContext({contextSize: settings.prompt + settings.gen + 16, batchSize: 512, threads: settings.threads});
const load = since(start);
const sequence = context.getSequence();
const ids = Array.from({length: settings.prompt}, (_, i) => (300 + i * 7919) % 30000);

async function measure(count) {
  await sequence.clearHistory();
  let start = performance.now();
  await sequence.evaluateWithoutGeneratingNewTokens(ids);
  const prefill = since(start);
  start = performance.now();
  let made = 0;
  for await (const _ of sequence.evaluate([500], {temperature: 0, yieldEogToken: true})) if (++made >= count) break;
  return [prefill, since(start)];
}

await measure(Math.min(settings.gen, 8));
const [prefill, decode] = await measure(settings.gen);
console.log(JSON.stringify({
  engine: "llama.cpp", load_seconds: load, prompt_tokens: settings.prompt, generated_tokens: settings.gen,
  prefill_tokens_per_second: settings.prompt / prefill, decode_tokens_per_second: settings.gen / decode,
  rss_bytes: status("VmRSS"), peak_rss_bytes: status("VmHWM"), threads: settings.threads}));
process.exit(0);
