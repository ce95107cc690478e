/** Texts that are cut by a thread while they come. */
import { readFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { type Chunk, Chunker, DEFAULT_SIZES } from "../../../src/ingest/chunk.ts";
import { ChunkWorker } from "../../../src/ingest/chunk-worker.ts";
import { ChunkedText } from "../../../src/ingest/chunks.ts";
import { readText } from "../../../src/ingest/read/read-text.ts";
import { PROJECT } from "../../lib/imports.ts";
import { sourceOf } from "./reading.ts";

const signal = new AbortController().signal;
const options = { sizes: DEFAULT_SIZES, maxTokens: 5_000_000, signal };

const TEXT = "The Kestrel 3 moves clear water. 水泵在启动之前必须注满水 😀\n".repeat(4_000);

async function* inPieces(text = TEXT, size = 65_536): AsyncGenerator<string> {
  for (let at = 0; at < text.length; at += size) yield text.slice(at, at + size);
}

async function all(chunked: ChunkedText): Promise<Chunk[]> {
  const chunks: Chunk[] = [];
  for await (const chunk of chunked) chunks.push(chunk);
  return chunks;
}

function cutHere(text: string): Chunk[] {
  const chunker = new Chunker();
  chunker.push(text);
  const chunks: Chunk[] = [];
  for (let some = chunker.step(); some !== undefined; some = chunker.step()) chunks.push(...some);
  for (let some = chunker.lastStep(); some !== undefined; some = chunker.lastStep()) chunks.push(...some);
  return chunks;
}

test("several texts at once have each their chunks, tokens and bytes", async () => {
  const texts = [TEXT, TEXT.slice(1_000), "short", ""];
  const chunked = texts.map((text) => new ChunkedText(inPieces(text, 10_000), options));
  expect(await Promise.all(chunked.map(all))).toEqual(texts.map(cutHere));
  expect(chunked.map(({ bytes }) => bytes)).toEqual(texts.map((text) => Buffer.byteLength(text)));
  expect(chunked[3]?.tokens).toBe(0);
});

test("a text of too many tokens is refused before all of it has come", async () => {
  let pieces = 0;
  async function* counted() {
    for await (const piece of inPieces()) {
      pieces += 1;
      yield piece;
    }
  }
  const refused = all(new ChunkedText(counted(), { ...options, maxTokens: 10_000 }));
  await expect(refused).rejects.toMatchObject({
    code: "invalid_file",
    message: "The file could not be parsed because it is too large.",
  });
  expect(pieces).toBeLessThan(3);
});

test("aborting, a text that fails, and leaving early end with their reasons, and the next text is cut", async () => {
  const stop = new AbortController();
  const aborted = (async () => {
    for await (const _ of new ChunkedText(inPieces(), { ...options, signal: stop.signal }))
      stop.abort(new Error("enough"));
  })();
  await expect(aborted).rejects.toThrow("enough");
  async function* failing() {
    yield* inPieces();
    throw new Error("no such blob");
  }
  await expect(all(new ChunkedText(failing(), options))).rejects.toThrow("no such blob");
  for await (const chunk of new ChunkedText(inPieces(), options)) {
    expect(chunk.n).toBe(0);
    break;
  }
  expect(await all(new ChunkedText(inPieces("short"), options))).toEqual(cutHere("short"));
});

test("a thread that ends rejects what it was asked, and the next text gets another", async () => {
  const worker = new ChunkWorker();
  const asked = worker.ask({ text: 1, sizes: DEFAULT_SIZES, piece: TEXT });
  const failed = expect(asked).rejects.toThrow("the thread that cuts texts ended");
  await worker.close();
  await failed;
  expect(await worker.ask({ text: 2, sizes: DEFAULT_SIZES, piece: undefined })).toMatchObject({
    chunks: [],
    tokens: 0,
  });
  await worker.close();
});

test("a text goes on in no other thread than the one that has its beginning", async () => {
  const worker = new ChunkWorker();
  await worker.ask({ text: 1, sizes: DEFAULT_SIZES, piece: TEXT });
  const closed = worker.close();
  const other = worker.ask({ text: 2, sizes: DEFAULT_SIZES, piece: TEXT });
  await expect(worker.ask({ text: 1, sizes: DEFAULT_SIZES, piece: TEXT })).rejects.toThrow("ended");
  await closed;
  const { tokens } = await other;
  expect(tokens).toBeGreaterThan(0);
  // A text that is given up is over, and its number could be another's.
  expect(await worker.ask({ text: 1, sizes: DEFAULT_SIZES, piece: TEXT })).toMatchObject({ tokens });
  await worker.close();
});

test("the demo's manual: read and cut, every section of it", async () => {
  const bytes = readFileSync(path.join(PROJECT, "local/demo-files/kestrel-3-manual.pdf"));
  const text = readText(sourceOf("kestrel-3-manual.pdf", bytes), { signal });
  const chunks = await all(new ChunkedText(text, options));
  expect(chunks.map(({ n }) => n)).toEqual([0]);
  for (const words of [
    "fill the pump with 2 litres",
    "3 58 litres a minute 42 m 700 W",
    "36 months",
    "Weight 8.4 kg",
  ]) {
    expect(chunks[0]?.text).toContain(words);
  }
});
