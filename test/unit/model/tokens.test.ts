import { createHash } from "node:crypto";
import fc from "fast-check";
import { countTokens as tokenizerCount } from "gpt-tokenizer/encoding/o200k_base";
import { beforeAll, describe, expect, test } from "vitest";
import { countMessageTokens, countTokens } from "../../../src/model/tokens.ts";
import { textContent } from "../../../src/resources/message.ts";

/** The tokenizer loads with its first text; no test should pay for that. */
beforeAll(async () => {
  await countTokens("load");
});

describe("a text counts as the current models count it", () => {
  test.each([
    ["", 0],
    ["hello", 1],
    ["hello world", 2],
    ["Hello, world!", 4],
    ["tiktoken is great!", 6],
    ["antidisestablishmentarianism", 6],
    ["2 + 2 = 4", 7],
    ["お誕生日おめでとう", 8],
    [" ", 1],
    ["a\n\nb", 3],
  ])("%j: %i", async (text, tokens) => {
    expect(await countTokens(text)).toBe(tokens);
  });
});

const MOST = 256_000;

function base64(length: number): string {
  let bytes = Buffer.alloc(0);
  for (let i = 0; bytes.length * 4 < length * 3; i++) {
    bytes = Buffer.concat([bytes, createHash("sha512").update(String(i)).digest()]);
  }
  return bytes.toString("base64").slice(0, length);
}

describe("the longest message is counted in less than a second, and near to what it costs:", () => {
  const sentence = "日本語の文章を長く書くと、トークンの数も大きくなります。";
  // [what, text, tokens at the least, at the most]
  test.each([
    ["one letter", "a".repeat(MOST), 25_000, 45_000],
    ["blanks", " ".repeat(MOST), 1_000, 20_000],
    ["line breaks", "\n".repeat(MOST), 1_000, 40_000],
    ["base64", base64(MOST), 120_000, 220_000],
    ["Japanese", sentence.repeat(Math.ceil(MOST / sentence.length)).slice(0, MOST), 100_000, 260_000],
    ["one Japanese letter", "あ".repeat(MOST), 50_000, 260_000],
    ["emoji", "👩‍👩‍👧".repeat(MOST / 8), 30_000, 400_000],
    ["English", "The quick brown fox jumps over the lazy dog. ".repeat(5_688), 55_000, 60_000],
  ])("%s", async (_, text, least, most) => {
    // The processor's time: the clock's would also measure what else the machine does. Microseconds.
    const before = process.cpuUsage();
    const tokens = await countTokens(text);
    const { user, system } = process.cpuUsage(before);
    expect(user + system).toBeLessThan(1_000_000);
    expect(tokens).toBeGreaterThan(least);
    expect(tokens).toBeLessThan(most);
  });
});

test("no text is lost where it is cut: a long text costs as much as its words", async () => {
  const sentence = " The quick brown fox jumps over the lazy dog.";
  const one = await countTokens(sentence);
  expect(await countTokens(sentence.repeat(2_000))).toBe(one * 2_000);
  expect(await countTokens(`${"x".repeat(5_000)} hello`)).toBeGreaterThan(await countTokens("x".repeat(5_000)));
});

test("half a character counts as something and harms nothing", async () => {
  expect(await countTokens("x\ud83d")).toBeGreaterThan(0);
});

// The tokenizer throws at the names of its control tokens, so a client that writes one gets a 500.
test("a text that names a control token is only text", async () => {
  expect(await countTokens("What does <|endoftext|> mean?")).toBeGreaterThan(5);
});

/** What the tokenizer itself says, on the thread of the test. */
const plain = (text: string) => tokenizerCount(text, { disallowedSpecial: new Set() });

test("a short text counts exactly as by the tokenizer itself", async () => {
  const text = fc.string({ unit: "grapheme", maxLength: 128 });
  await fc.assert(
    fc.asyncProperty(text, async (value) => {
      expect(await countTokens(value)).toBe(plain(value));
    }),
    { numRuns: 500 },
  );
});

test("a long text is cut where that does not change its count", async () => {
  const word = fc.oneof(
    fc.string({ unit: "grapheme", maxLength: 12 }),
    fc.stringMatching(/^[a-zA-Z0-9.,!'"()-]{1,12}$/),
  );
  const space = fc.constantFrom(" ", " ", " ", " ", "  ", "\n", ".\n\n", "\t", "\r\n ");
  const paragraph = fc.array(fc.tuple(word, space), { minLength: 100, maxLength: 300 });
  await fc.assert(
    fc.asyncProperty(paragraph, async (pairs) => {
      const text = pairs.flat().join("").repeat(12);
      expect(await countTokens(text)).toBe(plain(text));
    }),
    { numRuns: 40 },
  );
});

test("millions of words overflow nothing", async () => {
  expect(await countTokens("a ".repeat(2_000_000))).toBe(2_000_001);
});

describe("a message", () => {
  test("costs its text and a frame", async () => {
    expect(await countMessageTokens([textContent("hello world")])).toBe(2 + 4);
    expect(await countMessageTokens([])).toBe(4);
  });

  test("costs all of its parts, an image at least what a small one does", async () => {
    const image = { type: "image_url" as const, image_url: { url: "http://example.com/a.png" } };
    const file = { type: "image_file" as const, image_file: { file_id: "file-1" } };
    expect(await countMessageTokens([textContent("hello"), textContent("hello world"), image, file])).toBe(
      1 + 2 + 85 + 85 + 4,
    );
  });
});
