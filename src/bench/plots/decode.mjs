// Draws decode speed against threads and against context length, as SVG on standard output.
//   node src/bench/plots/decode.mjs RESULTS.jsonl > docs/decode.svg
// RESULTS.jsonl: lines of `nibble bench --json` (or of peers/llama.mjs), each with a field "sweep" that says which of the two it belongs to: "threads" or
// "context"; src/bench/sweep.sh writes such lines. Of several lines for one point the median counts. Hollow marks are what the bandwidth that
// the same run measured allows: memory_bandwidth_bytes_per_second / bytes_per_token.
import {readFileSync} from "node:fs";

const [file] = process.argv.slice(2);
if (!file) {
  console.error("decode.mjs: needs a file of JSON lines; see its first lines");
  process.exit(2);
}
const runs = readFileSync(file, "utf8").split("\n").filter((line) => line.trim()).map((line) => JSON.parse(line));
if (runs.length === 0) {
  console.error(`decode.mjs: ${file} holds no runs`);
  process.exit(2);
}

const median = (values) => {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
};
const escape = (text) => String(text).replace(/[&<>"]/g, (c) => ({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"})[c]);
const engineOf = (run) => run.engine ?? "Nibble";
// Decoding goes from prompt_tokens to prompt_tokens + generated_tokens; sweep.sh names the context it ends at.
const places = {threads: (run) => run.threads, context: (run) => run.context ?? run.prompt_tokens + run.generated_tokens};

/** Lines of one panel: name, whether it is the roof, and points [x, tokens/s] in order. */
function linesOf(sweep) {
  const lines = new Map();
  const add = (name, roof, x, y) => {
    if (!(y > 0)) return;
    if (!lines.has(name)) lines.set(name, {name, roof, points: new Map()});
    const points = lines.get(name).points;
    points.set(x, [...(points.get(x) ?? []), y]);
  };
  for (const run of runs.filter((r) => r.sweep === sweep)) {
    add(`${engineOf(run)}`, false, places[sweep](run), run.decode_tokens_per_second);
    add("memory bandwidth allows", true, places[sweep](run), run.memory_bandwidth_bytes_per_second / run.bytes_per_token);
  }
  return [...lines.values()].map((line) => ({...line, points: [...line.points].map(([x, ys]) => [x, median(ys)]).sort((a, b) => a[0] - b[0])}));
}

/** A round step that divides `largest` into at most six. */
function step(largest) {
  const power = 10 ** Math.floor(Math.log10(largest / 6));
  return [1, 2, 5, 10].map((factor) => factor * power).find((candidate) => largest / candidate <= 6);
}

const colours = ["#1f6fb4", "#d1602a", "#3b8a4e", "#7a4fa3"];
const size = {width: 380, height: 250, left: 62, top: 58, gap: 72};
const panels = [
  {sweep: "threads", title: "Decode by threads", label: "threads", place: (x) => x},
  {sweep: "context", title: "Decode by context length", label: "context, tokens (logarithmic)", place: (x) => Math.log2(x)},
].map((panel) => ({...panel, lines: linesOf(panel.sweep)})).filter((panel) => panel.lines.length > 0);
if (panels.length === 0) {
  console.error('decode.mjs: no line has a field "sweep" of "threads" or "context"');
  process.exit(2);
}

// The same colour for a name in both panels, black for the roof.
const names = [...new Set(panels.flatMap((panel) => panel.lines.filter((line) => !line.roof).map((line) => line.name)))];
const colourOf = (line) => (line.roof ? "#777" : colours[names.indexOf(line.name) % colours.length]);

const out = [];
const text = (x, y, content, more = "") => out.push(`<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" ${more}>${escape(content)}</text>`);
panels.forEach((panel, index) => {
  const left = size.left + index * (size.width + size.gap);
  const bottom = size.top + size.height;
  const xs = [...new Set(panel.lines.flatMap((line) => line.points.map(([x]) => x)))].sort((a, b) => a - b);
  const largest = 1.08 * Math.max(...panel.lines.flatMap((line) => line.points.map(([, y]) => y)));
  const first = panel.place(xs[0]);
  const span = panel.place(xs.at(-1)) - first || 1;
  // A little room at both sides, so that marks do not sit on the axis.
  const atX = (x) => left + 18 + ((panel.place(x) - first) / span) * (size.width - 36);
  const atY = (y) => bottom - (y / largest) * size.height;
  text(left, size.top - 34, panel.title, 'font-size="15" font-weight="bold"');
  for (let y = 0, by = step(largest); y <= largest; y += by) {
    out.push(`<line x1="${left}" x2="${left + size.width}" y1="${atY(y).toFixed(1)}" y2="${atY(y).toFixed(1)}" stroke="${y === 0 ? "#444" : "#ddd"}"/>`);
    text(left - 7, atY(y) + 4, Number(y.toPrecision(6)), 'text-anchor="end"');
  }
  for (const x of xs) {
    out.push(`<line x1="${atX(x).toFixed(1)}" x2="${atX(x).toFixed(1)}" y1="${bottom}" y2="${bottom + 4}" stroke="#444"/>`);
    text(atX(x), bottom + 18, x, 'text-anchor="middle"');
  }
  text(left + size.width / 2, bottom + 38, panel.label, 'text-anchor="middle"');
  text(0, 0, "tokens/s", `text-anchor="middle" transform="translate(${left - 44} ${size.top + size.height / 2}) rotate(-90)"`);
  let legend = left;
  for (const line of [...panel.lines].sort((a, b) => a.roof - b.roof)) {
    const colour = colourOf(line);
    const path = line.points.map(([x, y], i) => `${i ? "L" : "M"}${atX(x).toFixed(1)} ${atY(y).toFixed(1)}`).join(" ");
    const mark = (x, y) => `<circle cx="${x.toFixed(1)}" cy="${y.toFixed(1)}" r="3.5" fill="${line.roof ? "#fff" : colour}" stroke="${colour}"/>`;
    out.push(`<path d="${path}" fill="none" stroke="${colour}" stroke-width="2"${line.roof ? ' stroke-dasharray="5 4"' : ""}/>`);
    line.points.forEach(([x, y]) => out.push(mark(atX(x), atY(y))));
    out.push(`<line x1="${legend}" x2="${legend + 24}" y1="${size.top - 16}" y2="${size.top - 16}" stroke="${colour}" stroke-width="2"${line.roof ? ' stroke-dasharray="5 4"' : ""}/>`);
    out.push(mark(legend + 12, size.top - 16));
    text(legend + 30, size.top - 12, line.name);
    legend += 50 + 6.6 * line.name.length;
  }
});
const width = size.left + panels.length * (size.width + size.gap) - size.gap + 16;
const height = size.top + size.height + 72;
const models = [...new Set(runs.map((run) => run.model).filter(Boolean))].join(", ");
const kernels = [...new Set(runs.map((run) => run.kernels).filter(Boolean))].join("; ");
text(size.left, height - 12, [models, kernels].filter(Boolean).join(" · "), 'fill="#555"');
console.log(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="sans-serif" font-size="12" fill="#222" role="img" aria-label="Decode speed by threads and by context length">
<rect width="100%" height="100%" fill="#fff"/>
${out.join("\n")}
</svg>`);
