/** Good files of every kind, and how their text comes. */

import { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { readText } from "../../../src/ingest/read/read-text.ts";
import { docxOf, docxParts, paragraph, pptxOf, table, wordXml, zipOf } from "../../lib/files/office.ts";
import { pdfOf } from "../../lib/files/pdf.ts";
import { DOC, GOOD, read, readFile, sourceOf } from "./reading.ts";

describe("the text of", () => {
  test("a PDF: pages in their order, hyphenated words whole, columns beside each other", async () => {
    const pages = [
      ["Kestrel 3 gar-", "den pump (for water)", "Type-", "C", "Speed\tFlow", "1\t20 l/min"],
      ["Page two: gr\xfc\xdfe"],
    ];
    expect(await readFile("a.pdf", pdfOf(pages))).toEqual({
      text: "Kestrel 3 garden pump (for water)\nType-\nC\nSpeed Flow\n1 20 l/min\n\nPage two: grüße\n\n",
    });
  });

  test("a Word document: headings, lists, tables as rows, no soft hyphens", async () => {
    const rows = [
      ["Speed", "Flow"],
      ["1", "20 l/min"],
    ];
    const outcome = await readFile(
      "a.docx",
      docxOf(paragraph("Ga\u00ADrden & pump <3>") + table(rows) + paragraph("最后😀")),
    );
    expect(outcome).toEqual({ text: "Garden & pump <3>\n\nSpeed  Flow\n1      20 l/min\n\n最后😀" });
  });

  test("a presentation: slides as they are shown, each with its table and its notes", async () => {
    const slides = Array.from({ length: 11 }, (_, n) => ({ lines: [`Slide ${n}`, "A & B"] }));
    const rows = [
      ["Speed", "Flow"],
      ["1", "20 l/min"],
    ];
    const outcome = await readFile("a.pptx", pptxOf([{ lines: ["First"], rows, notes: "Say hello." }, ...slides]));
    const others = slides.map((_, n) => `Slide ${n}\nA & B\n\n`).join("");
    expect(outcome).toEqual({ text: `First\nSpeed | Flow\n1 | 20 l/min\nSay hello.\n\n${others}` });
  });

  test("a document of Word 97: tables, optional hyphens, the euro", async () => {
    expect(await readFile("a.doc", DOC)).toEqual({
      text:
        "Kestrel 3 garden pump\nThe pump moves “clear water” – up to 3.5\u00A0m³ an hour – and costs 129\u00A0€ (optional " +
        "filter: 9\u00A0€).\nSpeed\tFlow\t\n1\t20 l/min\t\n2\t58 l/min\t\nGröße: 40 × 30 cm. 最后一行。\n",
    });
  });

  test("a page: what is read, and neither its scripts nor its addresses", async () => {
    const html = `<!doctype html><html><head><title>T</title><style>p{}</style><script>var x;</script></head><body>
      <h1>Kestrel&nbsp;3</h1><p>See <a href="https://example.com">the &lt;shop&gt;</a><img alt="x" src="y"></p>
      <table><tr><th>Speed</th><th>Flow</th></tr><tr><td>1</td><td>20 l/min</td></tr></table><script>y</script></body>`;
    expect(await readFile("a.html", Buffer.from(html))).toEqual({
      text: "Kestrel\u00A03\n\nSee the <shop>\n\nSpeed  Flow\n1      20 l/min",
    });
  });

  test("a page of more than the 16 MB at which the library stops", async () => {
    const html = `<p>${"word ".repeat(3_500_000)}</p><p>last</p>`;
    expect(html.length).toBeGreaterThan(16_777_216);
    const outcome = await readFile("a.html", Buffer.from(html));
    expect("text" in outcome && outcome.text.slice(-10)).toBe("word\n\nlast");
  });

  const TEXT = "Grüße 最后 😀\r\n\tif (x) { y(); }\n";
  const utf16 = Buffer.from(TEXT, "utf16le");
  test.each<[string, Buffer]>([
    ["UTF-8", Buffer.from(TEXT)],
    ["UTF-8 with a mark", Buffer.from(`\uFEFF${TEXT}`)],
    ["UTF-16 with a mark", Buffer.from(`\uFEFF${TEXT}`, "utf16le")],
    ["UTF-16, the high byte first, with a mark", Buffer.from(`\uFEFF${TEXT}`, "utf16le").swap16()],
    ["UTF-16 without a mark", utf16],
    ["UTF-16, the high byte first, without a mark", Buffer.from(utf16).swap16()],
  ])("a text in %s", async (_, bytes) => {
    for (const name of ["a.txt", "A.MD", "deep/path/x.y.py"])
      expect(await readFile(name, bytes)).toEqual({ text: TEXT });
  });

  test("names with paths and control characters: only the ending counts", async () => {
    for (const name of [
      "../../etc/a.txt",
      "C:\\x\\a.txt",
      "a\0b.txt",
      "a.pdf\n.txt",
      "💥.txt",
      `${"x".repeat(10_000)}.txt`,
    ]) {
      expect(await readFile(name, Buffer.from("text"))).toEqual({ text: "text" });
    }
  });
});

test("a text comes in pieces of whole characters, whatever the pieces of the source", async () => {
  const text = `a${"😀".repeat(100_000)}\u00AD${"最".repeat(60_000)}`;
  const bytes = Buffer.from(text);
  async function* cut() {
    for (let at = 0; at < bytes.length; at += 4_999) yield bytes.subarray(at, at + 4_999);
  }
  const pieces: string[] = [];
  const source = { name: "a.txt", size: bytes.length, open: async () => Readable.from(cut()) };
  for await (const piece of readText(source, { signal: new AbortController().signal })) pieces.push(piece);
  expect(pieces.join("")).toBe(text.replace("\u00AD", ""));
  expect(pieces.every((piece) => piece.isWellFormed() && piece.length <= 65_536)).toBe(true);
});

test("a document is read only as fast as its text is taken", async () => {
  const page = Array.from({ length: 50 }, (_, n) => `Line ${n} of a page that says little else.`);
  const bytes = pdfOf(Array.from({ length: 200 }, () => page));
  const reading = readText(sourceOf("a.pdf", bytes), { signal: new AbortController().signal });
  expect((await reading.next()).value).toContain("Line 49");
  const before = process.cpuUsage();
  await sleep(300);
  const { user, system } = process.cpuUsage(before);
  expect((user + system) / 1_000).toBeLessThan(200);
  let pieces = 1;
  for await (const _ of reading) pieces += 1;
  expect(pieces).toBe(200);
});

test("aborting ends the reading with its reason, wherever it is", async () => {
  const bytes = pdfOf(Array.from({ length: 500 }, () => ["words"]));
  for (const pieces of [0, 1, 3]) {
    const stop = new AbortController();
    const reading = readText(sourceOf("a.pdf", bytes), { signal: stop.signal });
    for (let n = 0; n < pieces; n++) await reading.next();
    const next = reading.next();
    stop.abort(new Error("enough"));
    const rest = (async () => {
      await next;
      for await (const _ of reading);
    })();
    await expect(rest).rejects.toThrow("enough");
  }
  const stop = new AbortController();
  const stalled = new Readable({ read() {} });
  const waiting = read({ name: "a.txt", size: 10, open: async () => stalled }, { signal: stop.signal });
  stop.abort(new Error("enough"));
  await expect(waiting).rejects.toThrow("enough");
  expect(stalled.destroyed).toBe(true);
});

test("a source that fails, or gives more or fewer bytes than it said, is no unreadable file", async () => {
  const bytes = GOOD["good.pdf"] ?? Buffer.alloc(0);
  for (const name of ["a.pdf", "a.txt"]) {
    const open = async () => Readable.from([Buffer.from("text")]);
    await expect(read({ name, size: 3, open })).rejects.toThrow("more bytes than its 3");
    await expect(read({ name, size: 5, open })).rejects.toThrow("fewer bytes than its 5");
    const failing = async () => {
      throw new Error("no such blob");
    };
    await expect(read({ name, size: bytes.length, open: failing })).rejects.toThrow("no such blob");
  }
});

test("parts that are not text are not unpacked", async () => {
  const media = { "word/media/image1.png": Buffer.alloc(30_000_000) };
  const parts = { ...docxParts(wordXml(paragraph("words"))), ...media };
  expect(await readFile("a.docx", zipOf(parts))).toEqual({ text: "words" });
});
