/** Chunks of texts of every kind, compared with a plain encoding of the whole text where that has one meaning. */
import { readFileSync } from "node:fs";
import path from "node:path";
import fc from "fast-check";
import { decode, encode } from "gpt-tokenizer/encoding/o200k_base";
import { expect, test } from "vitest";
import { type Chunk, Chunker, type ChunkSizes } from "../../../src/ingest/chunk.ts";
import { tokenLengths } from "../../../src/model/token-lengths.ts";
import { PROJECT } from "../../lib/imports.ts";

/** `CHUNK_CASES=2000` for a long look. */
const RUNS = Number(process.env.CHUNK_CASES ?? 100);
const TIMEOUT = 30_000 + RUNS * 100;

/** The chunks of a text that comes in these pieces. */
function chunked(pieces: string[], sizes?: ChunkSizes): { chunks: Chunk[]; tokens: number; bytes: number } {
  const chunker = new Chunker(sizes);
  const chunks: Chunk[] = [];
  for (const piece of pieces) {
    chunker.push(piece);
    for (let some = chunker.step(); some !== undefined; some = chunker.step()) chunks.push(...some);
  }
  for (let some = chunker.lastStep(); some !== undefined; some = chunker.lastStep()) chunks.push(...some);
  return { chunks, tokens: chunker.tokens, bytes: chunker.bytes };
}

const words = fc.array(fc.constantFrom("the ", "pump ", "of ", "water, ", "Überdruck ", "\n\n", "x=1;\n", "  "));
const emoji = fc.array(fc.constantFrom("😀", "👩‍👩‍👧‍👦", "🇨🇭", "🏳️‍🌈", "e\u0301", "𝒳", "\u{10ffff}"));
const chinese = fc.array(fc.constantFrom("的", "一", "是", "水泵", "𠮷", "ᐁ", "ꙮ", "ﷺ", "。"));
const odd = fc.array(fc.constantFrom("\uFEFF", "\0", "\r\n", "<|endoftext|>", "\u2028", "\u00A0", "''", "\t\t\t"));
const long = fc.integer({ min: 120, max: 700 }).map((count) => ["aB3/".repeat(count)]);
const sparse = fc.integer({ min: 1, max: 90 }).map((count) => [`w${" ".repeat(128 * count)}`, "=".repeat(50 * count)]);
const anything = fc.array(fc.string({ unit: "grapheme" }));

/** Texts of some ten thousand characters, of several slices. */
const texts = fc
  .array(
    fc
      .tuple(fc.oneof(words, emoji, chinese, odd, long, sparse, anything), fc.integer({ min: 1, max: 120 }))
      .map(([parts, times]) => parts.join("").repeat(times).slice(0, 12_000).toWellFormed()),
    { minLength: 1, maxLength: 8 },
  )
  .map((parts) => parts.join(""));

const sizes = fc
  .integer({ min: 100, max: 1_000 })
  .chain((size) => fc.integer({ min: 0, max: Math.floor(size / 2) }).map((overlap) => ({ size, overlap })));

/** The text in pieces, cut anywhere, also within characters. */
const cuts = fc.array(fc.integer({ min: 1, max: 9_000 }), { minLength: 1, maxLength: 20 });
function cut(text: string, lengths: number[]): string[] {
  const pieces: string[] = [];
  for (let at = 0; at < text.length; ) {
    const length = lengths[pieces.length % lengths.length] ?? 1;
    pieces.push(text.slice(at, at + length));
    at += length;
  }
  return pieces;
}

/** Where chunks begin: the parts without an overlap have the same beginnings. Characters. */
function beginnings(text: string, step: number): number[] {
  const parts = chunked([text], { size: step, overlap: 0 }).chunks.map((chunk) => chunk.text);
  expect(parts.join("")).toBe(text);
  let at = 0;
  return parts.map((part) => {
    at += part.length;
    return at - part.length;
  });
}

/** How far a border can move to the beginning of its character, or of a run of blanks that counts as some tokens. */
const MOST_MOVED = 5;

test("chunks have their sizes, whole characters, and leave out nothing", { timeout: TIMEOUT }, () => {
  fc.assert(
    fc.property(texts, sizes, (text, { size, overlap }) => {
      const { chunks, tokens, bytes } = chunked([text], { size, overlap });
      expect(bytes).toBe(Buffer.byteLength(text));
      expect(chunks.map(({ n }) => n)).toEqual(chunks.map((_, index) => index));
      const count = tokens === 0 ? 0 : Math.max(1, Math.ceil((tokens - size) / (size - overlap)) + 1);
      expect(chunks.length).toBe(count);
      for (const chunk of chunks.slice(0, -1)) expect(Math.abs(chunk.tokens - size)).toBeLessThanOrEqual(MOST_MOVED);
      const last = tokens - (count - 1) * (size - overlap);
      if (count > 0) expect(Math.abs((chunks.at(-1)?.tokens ?? 0) - last)).toBeLessThanOrEqual(MOST_MOVED);
      for (const chunk of chunks) {
        expect(chunk.text.isWellFormed()).toBe(true);
        expect(Buffer.from(chunk.text).toString()).toBe(chunk.text);
      }
      const starts = beginnings(text, size - overlap);
      const ends = chunks.map((chunk, n) => (starts[n] ?? 0) + chunk.text.length);
      expect(chunks.map((chunk) => chunk.text)).toEqual(ends.map((end, n) => text.slice(starts[n], end)));
      for (const [n, end] of ends.slice(0, -1).entries()) expect(end).toBeGreaterThanOrEqual(starts[n + 1] ?? 0);
      expect(ends.at(-1) ?? 0).toBe(text.length);
    }),
    { numRuns: RUNS },
  );
});

test("no chunk of a text without U+FFFD has one", { timeout: TIMEOUT }, () => {
  fc.assert(
    fc.property(fc.oneof(emoji, chinese), fc.integer({ min: 1, max: 300 }), (parts, times) => {
      const text = parts.join("").repeat(times);
      const { chunks } = chunked([text], { size: 100, overlap: 50 });
      expect(chunks.filter((chunk) => chunk.text.includes("\uFFFD"))).toEqual([]);
    }),
    { numRuns: RUNS },
  );
});

test("the same text has the same chunks, in whatever pieces it comes", { timeout: TIMEOUT }, () => {
  fc.assert(
    fc.property(texts, sizes, cuts, (text, some, lengths) => {
      expect(chunked(cut(text, lengths), some)).toEqual(chunked([text], some));
    }),
    { numRuns: RUNS },
  );
});

test("chunks of prose are the very windows of 800 tokens, each 400 after the one before", () => {
  const text = readFileSync(path.join(PROJECT, "docs/contract.md"), "utf8").replace(/[^\n -~]/g, "");
  const ids = encode(text);
  const windows: string[] = [];
  for (let start = 0; start === 0 || start + 400 < ids.length; start += 400) {
    windows.push(decode(ids.slice(start, start + 800)));
  }
  const { chunks, tokens } = chunked([text]);
  expect(tokens).toBe(ids.length);
  expect(chunks.map((chunk) => chunk.text)).toEqual(windows);
});

test.each([
  [0, []],
  [1, [1]],
  [799, [799]],
  [800, [800]],
  [801, [800, 401]],
  [1_200, [800, 800]],
  [1_201, [800, 800, 401]],
])("a text of %i tokens", (count, expected) => {
  const { chunks, tokens } = chunked([" word".repeat(count)]);
  expect(tokens).toBe(count);
  expect(chunks.map((chunk) => chunk.tokens)).toEqual(expected);
});

test.each([
  ["blanks", `word ${" ".repeat(500_000)}`],
  ["lines", `${"=".repeat(80)}\n`],
  ["a wide table", `${"name".padEnd(120)}${"value".padEnd(120)}\n`],
])("a chunk has no more bytes than 24 a token and 4,096, though a token may have 128: %s", (_, part) => {
  const text = part.repeat(Math.ceil(600_000 / part.length));
  for (const size of [100, 800, 4_096]) {
    const { chunks, tokens } = chunked([text], { size, overlap: 0 });
    for (const chunk of chunks) expect(Buffer.byteLength(chunk.text)).toBeLessThanOrEqual(24 * size + 4_096);
    expect(chunks.map((chunk) => chunk.text).join("")).toBe(text);
    // What counts is what embedding and storing cost: a text within the most tokens has no endless number of chunks.
    expect(chunks.length).toBe(Math.ceil(tokens / size));
  }
});

test("a few long runs in a text count as the tokens that they are", () => {
  const text = `${"It pumps water. ".repeat(50)}\n${"-".repeat(400)}\n${" ".repeat(1_000)}|\n`.repeat(20);
  expect(chunked([text]).tokens).toBe(tokenLengths(text).length);
});

test("lone surrogates become U+FFFD, and pairs that come in two pieces stay whole", () => {
  const { chunks } = chunked(["a\ud83d", "\ude00b\ud83d", "c\ude00", "\ud83d"]);
  expect(chunks.map(({ text }) => text)).toEqual(["a😀b\uFFFDc\uFFFD\uFFFD"]);
});

test("no step takes long, whatever the text", { timeout: 60_000 }, () => {
  const nasty = {
    prose: "It pumps water, up to 3.5 m3 an hour. ",
    code: "if (x) {\n\treturn y[3] ?? null;\n}\n",
    chinese: "水泵在启动之前必须注满水",
    emoji: "👩‍👩‍👧‍👦🇨🇭",
    word: "aB3/",
    blank: " ",
  };
  for (const [name, part] of Object.entries(nasty)) {
    const text = part.repeat(Math.ceil(300_000 / part.length));
    // The machine has other work, too: the best of some tries.
    expect(Math.min(...[1, 2, 3].map(() => longestStep(text))), name).toBeLessThan(50);
  }
});

/** CPU time, in milliseconds. */
function longestStep(text: string): number {
  const chunker = new Chunker();
  chunker.push(text);
  let longest = 0;
  for (let isWhole = true; isWhole; ) {
    const before = process.cpuUsage();
    isWhole = chunker.step() !== undefined;
    const { user, system } = process.cpuUsage(before);
    longest = Math.max(longest, (user + system) / 1_000);
  }
  return longest;
}
