/** The thread that counts: who waits for whom, and what becomes of counts when it dies. */
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { afterEach, beforeEach, expect, test } from "vitest";
import { estimatedTokens, Tokenizer } from "../../../src/model/tokenizer.ts";
import { countTokens } from "../../../src/model/tokens.ts";

const LONG = "的一是不了人我在有他这为之大来以个中上们到说国和地也子".repeat(4_000);
const WORDS = "hello world ".repeat(20_000);

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "threadkeep-tokenizer-"));
});

afterEach(() => rm(folder, { recursive: true }));

/** A tokenizer whose thread runs this code. */
async function withThread(code: string): Promise<Tokenizer> {
  const file = path.join(folder, "thread.mjs");
  await writeFile(file, code);
  return new Tokenizer(pathToFileURL(file));
}

test("short texts do not wait for long ones, and long ones take turns", async () => {
  const tokenizer = new Tokenizer();
  await tokenizer.count("load");
  const order: string[] = [];
  const counts = [
    tokenizer.count(LONG).then(() => order.push("long")),
    tokenizer.count(LONG).then(() => order.push("as long")),
    tokenizer.count(WORDS.slice(0, 20_000)).then(() => order.push("not so long")),
    ...["one", "two"].map((text) => tokenizer.count(text).then(() => order.push("short"))),
  ];
  await Promise.all(counts);
  expect(order).toEqual(["short", "short", "not so long", "long", "as long"]);
  await tokenizer.close();
});

test("long texts are counted also while short ones come all the time", async () => {
  const tokenizer = new Tokenizer();
  let isCounted = false;
  const long = tokenizer.count(WORDS).then((tokens) => {
    isCounted = true;
    return tokens;
  });
  const comesAgain = async () => {
    while (!isCounted) await tokenizer.count("short");
  };
  await Promise.all([comesAgain(), comesAgain(), comesAgain()]);
  expect(await long).toBe(40_001);
  await tokenizer.close();
});

test("a text too many is estimated at once: neither far too low nor far too high", async () => {
  const tokenizer = new Tokenizer();
  const waiting = tokenizer.count("a".repeat(16_000_000));
  expect(await tokenizer.count("hello world")).toBe(estimatedTokens("hello world"));
  await tokenizer.close();
  await waiting;
});

// A token has a byte at the least. The rarest letters have as many tokens as bytes, English has four bytes a token.
test.each([
  ["English", "The quick brown fox jumps over the lazy dog. ".repeat(100), 0.6, 1],
  ["Chinese", LONG.slice(0, 4_000), 0.6, 1.1],
  ["base64", Buffer.from(LONG.slice(0, 3_000)).toString("base64"), 1, 3],
  ["rare letters", "ᐁᐂᐃᐄᐅᐆᐇᐈ".repeat(500), 1, 3],
])("of %s, the true count is as near to the estimate as the documentation says", async (_, text, least, most) => {
  const ratio = (await countTokens(text)) / estimatedTokens(text);
  expect(ratio).toBeGreaterThan(least);
  expect(ratio).toBeLessThanOrEqual(most);
});

test("a thread that dies is replaced: what it was counting is estimated, the rest is counted", async () => {
  const tokenizer = new Tokenizer();
  const exact = await tokenizer.count(WORDS);
  const interrupted = tokenizer.count(WORDS);
  const next = tokenizer.count("hello world");
  await tokenizer.close();
  expect(await next).toBe(2);
  expect(await interrupted).toBeGreaterThan(exact);
  expect(await interrupted).toBeLessThan(1.2 * exact);
  expect(await tokenizer.count(WORDS)).toBe(exact);
  await tokenizer.close();
});

test("a thread that cannot start is not tried again at once, and every text is estimated", async () => {
  const starts = path.join(folder, "starts");
  const tokenizer = await withThread(
    `import { appendFileSync } from "node:fs";
     appendFileSync(${JSON.stringify(starts)}, "started\\n");
     throw new Error("no tokenizer");`,
  );
  const text = WORDS.slice(0, 8_000);
  const counts = await Promise.all(Array.from({ length: 100 }, () => tokenizer.count(text)));
  expect(new Set(counts)).toEqual(new Set([estimatedTokens(text)]));
  expect(await readFile(starts, "utf8")).toBe("started\n");
});

test("the thread does not keep a process alive, nor does a process end before its counts", async () => {
  const tokens = path.join(import.meta.dirname, "../../../src/model/tokens.ts");
  const file = path.join(folder, "main.mjs");
  await writeFile(
    file,
    `import { countTokens } from ${JSON.stringify(pathToFileURL(tokens).href)};\nconsole.log(await countTokens("hello world"));\n`,
  );
  const { stdout } = await promisify(execFile)(process.execPath, [file]);
  expect(stdout).toBe("2\n");
});
