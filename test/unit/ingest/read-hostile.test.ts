/** Files that are broken, that lie about what they are, or that were made to do harm: an honest error, and no harm. */
import { deflateSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { readDocument } from "../../../src/ingest/read/documents.ts";
import { docxParts, paragraph, pptxParts, slideXml, wordXml, zipOf } from "../../lib/files/office.ts";
import { type PdfObject, pdfFile, pdfOf, pdfWithContent } from "../../lib/files/pdf.ts";
import { DOC, GOOD, type Outcome, read, readFile } from "./reading.ts";

// The machine may have other work.
vi.setConfig({ testTimeout: 240_000 });

const MB = 1_048_576;

/** Less than what documents may take, so that those who take all of it are done sooner. */
const bounds = { heap: 128, memory: 400, time: 4_000, patience: 30 };

const TOO_LARGE = { code: "invalid_file", message: "The file could not be parsed because it is too large." };
const NOT_PARSED = { code: "invalid_file", message: "The file could not be parsed." };
const EMPTY = { code: "invalid_file", message: "The file is empty." };
const NOT_SUPPORTED = { code: "unsupported_file", message: "The file type is not supported." };

/** The process's memory, looked at all the time: a bomb that goes off would fill gigabytes. */
const MOST_MEMORY = 1_500 * MB;
let peak = 0;
let before = 0;
let watch: NodeJS.Timeout;
beforeEach(() => {
  before = process.memoryUsage.rss();
  peak = before;
  watch = setInterval(() => {
    peak = Math.max(peak, process.memoryUsage.rss());
  }, 10);
});
afterEach(() => {
  clearInterval(watch);
  expect(peak - before).toBeLessThan(MOST_MEMORY);
});

const lies = (zip: Buffer, size: number): Buffer => {
  const lying = Buffer.from(zip);
  // The unpacked size stands in each local header and in the directory.
  for (const [magic, place] of [
    ["PK\x03\x04", 22],
    ["PK\x01\x02", 24],
  ] as const) {
    for (let at = lying.indexOf(magic, 0, "latin1"); at >= 0; at = lying.indexOf(magic, at + 4, "latin1")) {
      if (lying.readUInt32LE(at + place) > 1_000_000) lying.writeUInt32LE(size, at + place);
    }
  }
  return lying;
};
const docx = (document: string) => zipOf(docxParts(document));

describe("zip bombs:", () => {
  const bomb = () => docxParts(wordXml(paragraph("a".repeat(30 * MB))));
  test("one that says how large it is", async () => {
    expect(await readFile("a.docx", zipOf(bomb()))).toMatchObject({ ...TOO_LARGE, reason: "zip bomb" });
  });

  test("one with many parts, each of them small enough", async () => {
    const parts = Object.fromEntries(
      Array.from({ length: 30 }, (_, n) => [
        `ppt/slides/slide${n}.xml`,
        slideXml("sld", `<a:t>${"a".repeat(MB)}</a:t>`),
      ]),
    );
    const outcome = await readFile("a.pptx", zipOf({ ...pptxParts([{ lines: ["words"] }]), ...parts }));
    expect(outcome).toMatchObject({ ...TOO_LARGE, reason: "zip bomb" });
  });

  test("one that lies about its size: only what it said is unpacked, and that is no document", async () => {
    expect(await readFile("a.docx", lies(zipOf(bomb()), 5_000))).toMatchObject(NOT_PARSED);
    expect(await readFile("a.docx", lies(zipOf(bomb()), 0xffff_fff0))).toMatchObject(TOO_LARGE);
  });

  test("one in another, which is never opened", async () => {
    const inner = zipOf({ "bomb.xml": "a".repeat(30 * MB) });
    const parts = { ...docxParts(wordXml(paragraph("words"))), "word/embeddings/inner.zip": inner };
    expect(await readFile("a.docx", zipOf(parts))).toEqual({ text: "words" });
    expect(await readFile("a.docx", zipOf({ ...parts, "word/document.xml": inner }))).toMatchObject(NOT_PARSED);
  });

  test("one of text that unpacks to a size that is allowed, but not to a document that fits", async () => {
    const paragraphs = Array.from({ length: 60_000 }, (_, n) => paragraph(String((n * 2_654_435_761) % 1e9))).join("");
    expect(await readFile("a.docx", docx(wordXml(paragraphs)), { bounds: { ...bounds, time: 60_000 } })).toMatchObject(
      TOO_LARGE,
    );
  });
});

/** The last entity is a thousand million times the first. */
const LAUGHS = `<!DOCTYPE lolz [<!ENTITY lol0 "lol">${Array.from(
  { length: 9 },
  (_, n) => `<!ENTITY lol${n + 1} "${`&lol${n};`.repeat(10)}">`,
).join("")}]>`;
const EXTERNAL = '<!DOCTYPE x [<!ENTITY lol9 SYSTEM "file:///etc/passwd">]>';

describe("entities of a document's own mean nothing:", () => {
  const short = (outcome: Outcome) => expect("text" in outcome ? outcome.text.length : 0).toBeLessThan(1_000);
  test.each([
    ["a billion laughs", LAUGHS],
    ["a file of this machine", EXTERNAL],
  ])("%s", async (_, prolog) => {
    short(await readFile("a.docx", docx(wordXml("<w:p><w:r><w:t>&lol9;</w:t></w:r></w:p>", prolog))));
    const slide = slideXml("sld", "<a:p><a:t>&lol9;</a:t></a:p>", prolog);
    short(await readFile("a.pptx", zipOf({ ...pptxParts([{ lines: ["x"] }]), "ppt/slides/slide1.xml": slide })));
    short(await readFile("a.html", Buffer.from(`${prolog}<html><body>words &lol9;</body></html>`)));
  });
});

describe("pages that explode:", () => {
  test.each([
    ["a hundred thousand elements in each other", "<div>".repeat(100_000)],
    ["two hundred thousand lists in each other", "<ul><li>".repeat(200_000)],
    ["tables in each other", "<table><tr><td>".repeat(50_000)],
    ["a cell over a thousand million columns", '<table><tr><td colspan="1000000000" rowspan="1000000000">x</table>'],
    ["a million attributes", `<p ${"a=b ".repeat(1_000_000)}>words`],
  ])("%s", async (_, html) => {
    const outcome = await readFile("a.html", Buffer.from(html), { bounds });
    if ("text" in outcome) expect(outcome.text.length).toBeLessThan(10 * MB);
    else expect([NOT_PARSED.message, TOO_LARGE.message, EMPTY.message]).toContain(outcome.message);
  });

  test("one that is too large to become a tree", async () => {
    const html = Buffer.from("<b>x</b>".repeat(1_000_000));
    expect(await readFile("a.html", html, { bounds: { ...bounds, time: 60_000 } })).toMatchObject(TOO_LARGE);
    expect(await readFile("a.html", Buffer.alloc(33 * MB, "x"))).toMatchObject({ ...TOO_LARGE, reason: "size" });
  });
});

const CATALOG = "<< /Type /Catalog /Pages 2 0 R >>";
const form = (next: number, content: string): PdfObject => ({
  entries: `/Type /XObject /Subtype /Form /BBox [0 0 9 9] /Resources << /XObject << /X ${next} 0 R >> >>`,
  bytes: Buffer.from(content),
});
const withForms = (...forms: PdfObject[]) =>
  pdfFile([
    CATALOG,
    "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
    "<< /Type /Page /Parent 2 0 R /Resources << /XObject << /X 5 0 R >> >> /Contents 4 0 R >>",
    { entries: "", bytes: Buffer.from("/X Do") },
    ...forms,
  ]);
const edited = (name: string, change: (text: string) => string) =>
  Buffer.from(change((GOOD[name] ?? Buffer.alloc(0)).toString("latin1")), "latin1");
const objectStream = (content: string, first: number, count: number, more = ""): PdfObject => ({
  entries: `/Type /ObjStm /N ${count} /First ${first} ${more}`,
  bytes: Buffer.from(content),
});

describe("PDFs that turn in circles:", () => {
  test.each<[string, Buffer]>([
    ["pages that are their own parent", pdfFile([CATALOG, "<< /Type /Pages /Kids [2 0 R] /Count 5 >>"])],
    [
      "pages in each other",
      pdfFile([
        CATALOG,
        "<< /Type /Pages /Kids [3 0 R] /Count 5 >>",
        "<< /Type /Pages /Kids [2 0 R] /Parent 2 0 R /Count 5 >>",
      ]),
    ],
    ["a form in itself", withForms(form(5, "/X Do /X Do"))],
    [
      "forms that double ten times in each other",
      withForms(...Array.from({ length: 40 }, (_, n) => form(6 + n, "/X Do ".repeat(10)))),
    ],
    [
      "a table of places before itself",
      edited("good.pdf", (text) => text.replace("/Root 1 0 R", `/Root 1 0 R /Prev ${text.indexOf("xref\n")}`)),
    ],
    ["an object stream in itself", pdfFile([CATALOG, "3 0 R", objectStream("3 0 3 0 R", 4, 1, "/Extends 3 0 R")])],
    ["a length that is its own object", pdfFile([CATALOG, "<< /Type /Pages /Kids [] /Count 1 /Length 2 0 R >>"])],
    ["an object that refers to itself", pdfFile(["<< /Type /Catalog /Pages 2 0 R >>", "2 0 R"])],
    ["19,999 pages that are not there", pdfFile([CATALOG, "<< /Type /Pages /Kids [] /Count 19999 >>"])],
    ["two thousand million pages", pdfFile([CATALOG, "<< /Type /Pages /Kids [] /Count 2000000000 >>"])],
    ["arrays in arrays", pdfFile([`<< /Type /Catalog /Pages 2 0 R /X ${"[".repeat(200_000)} >>`, "<< /Kids [] >>"])],
  ])("%s", async (_, bytes) => {
    const outcome = await readFile("a.pdf", bytes);
    if (!("text" in outcome)) expect([NOT_PARSED.message, EMPTY.message]).toContain(outcome.message);
  });
});

describe("PDFs that unpack to too much:", () => {
  test.each<[string, () => Buffer]>([
    [
      "a stream of 400 MB",
      () => pdfWithContent({ entries: "/Filter /FlateDecode", bytes: deflateSync(Buffer.alloc(400 * MB, " ")) }),
    ],
    [
      "a stream packed twice",
      () => {
        const bytes = deflateSync(deflateSync(Buffer.alloc(500 * MB, " ")));
        return pdfWithContent({ entries: "/Filter [/FlateDecode /FlateDecode]", bytes });
      },
    ],
  ])("%s", async (_, make) => {
    expect(await readFile("a.pdf", make(), { bounds: { ...bounds, time: 60_000 } })).toMatchObject(TOO_LARGE);
  });

  test("a page of text without end comes in parts", async () => {
    const text = Buffer.from(`BT /F1 11 Tf ${"1 0 0 1 72 700 Tm (words of no use) Tj ".repeat(100_000)} ET`);
    const bytes = pdfWithContent({ entries: "/Filter /FlateDecode", bytes: deflateSync(text) });
    const outcome = await readFile("a.pdf", bytes);
    expect("text" in outcome && outcome.text.length).toBeGreaterThan(1_500_000);
  });
});

/** PDF_PAGES=10000 is the long form. */
const PDF_PAGES = Number(process.env.PDF_PAGES ?? 2_500);

test(`a PDF of ${PDF_PAGES} pages is read to its end, and takes 0.5 ms of this process a page at the most`, async () => {
  const bytes = pdfOf(Array.from({ length: PDF_PAGES }, (_, n) => [`Page ${n}`, "Words of a manual."]));
  const before = process.cpuUsage();
  const outcome = await readFile("a.pdf", bytes);
  const { user, system } = process.cpuUsage(before);
  expect("text" in outcome && outcome.text.slice(-30)).toBe(`Page ${PDF_PAGES - 1}\nWords of a manual.\n\n`.slice(-30));
  expect((user + system) / 1_000).toBeLessThan(0.5 * PDF_PAGES);
});

describe("encrypted:", () => {
  const withPassword = edited("good.pdf", (text) => {
    const secret = "A".repeat(64);
    const encrypt = `/Encrypt << /Filter /Standard /V 2 /R 3 /Length 128 /P -4 /O <${secret}> /U <${secret}> >> /ID [<41> <41>]`;
    return text.replace("/Root 1 0 R", `/Root 1 0 R ${encrypt}`);
  });
  const office = Buffer.concat([DOC.subarray(0, 512), Buffer.from("EncryptedPackage", "utf16le"), Buffer.alloc(4_096)]);
  const doc = Buffer.from(DOC);
  const main = doc.indexOf("eca5", 512, "hex");
  doc.writeUInt16LE(doc.readUInt16LE(main + 10) | 0x0100, main + 10);

  test.each<[string, Buffer, string]>([
    ["a.pdf", withPassword, "PasswordException"],
    ["a.docx", office, "encrypted"],
    ["a.pptx", office, "encrypted"],
    ["a.doc", doc, "encrypted"],
  ])("%s", async (name, bytes, reason) => {
    expect(await readFile(name, bytes)).toEqual({ ...NOT_PARSED, reason });
  });
});

describe("content that is not what its name says:", () => {
  const names = Object.keys(GOOD);
  const pairs = names.flatMap((name) => names.filter((other) => other !== name).map((other) => [name, other] as const));
  // A page is text as well, and a text a page; the other office document has no part of the right name.
  const isText = (name: string) => /html|md$/.test(name);
  const isOffice = (name: string) => /docx|pptx$/.test(name);
  test.each(pairs)("%s with that of %s", async (name, other) => {
    const outcome = await readFile(name, GOOD[other] ?? Buffer.alloc(0));
    if (isText(name) && isText(other)) expect(outcome).toHaveProperty("text");
    else expect(outcome).toMatchObject(isOffice(name) && isOffice(other) ? NOT_PARSED : NOT_SUPPORTED);
  });

  test.each<[string, Buffer]>([
    ["an image", Buffer.from("89504e470d0a1a0a0000000d49484452", "hex")],
    ["zeros", Buffer.alloc(10_000)],
    ["a program", Buffer.from(`7f454c4602010100${"00".repeat(100)}`, "hex")],
    ["numbers", Buffer.from(Uint32Array.from({ length: 20_000 }, (_, n) => n).buffer)],
  ])("%s as text", async (_, bytes) => {
    for (const name of ["a.txt", "a.html", "a.json"]) expect(await readFile(name, bytes)).toMatchObject(NOT_SUPPORTED);
  });

  test("extensions that are not read", async () => {
    for (const name of ["a.xlsx", "a.csv", "a.png", "a.zip", "a", "pdf", ".", "", "a.pdf.exe", "a.pdf "]) {
      expect(await readFile(name, Buffer.from("text"))).toMatchObject(NOT_SUPPORTED);
    }
  });
});

describe("texts in no known encoding:", () => {
  test.each<[string, Buffer]>([
    ["Latin-1", Buffer.from("Gr\xfc\xdfe", "latin1")],
    ["UTF-8 cut off in a character", Buffer.from("Grüße 最").subarray(0, -1)],
    ["UTF-8 that is broken far behind", Buffer.concat([Buffer.alloc(300_000, "a"), Buffer.from([0xc3, 0x28])])],
    ["surrogates in UTF-8", Buffer.from("61eda08062", "hex")],
    ["UTF-16 with half a character", Buffer.from("fffe6100d8", "hex")],
    ["UTF-16 with half a pair", Buffer.from("fffe61003dd86200", "hex")],
  ])("%s", async (_, bytes) => {
    for (const name of ["a.txt", "a.html"]) expect(await readFile(name, bytes)).toMatchObject(NOT_PARSED);
  });
});

describe("without text:", () => {
  test.each<[string, Buffer]>([
    ["a.txt", Buffer.alloc(0)],
    ["a.pdf", Buffer.alloc(0)],
    ["a.txt", Buffer.from(" \n\t".repeat(100_000))],
    ["a.txt", Buffer.from("\uFEFF")],
    ["a.pdf", pdfOf([[], []])],
    ["a.docx", docx(wordXml(""))],
    ["a.pptx", zipOf(pptxParts([{ lines: [] }]))],
    ["a.html", Buffer.from("<html><head><title>T</title></head><body><img src=x><script>y</script></body></html>")],
  ])("%s", async (name, bytes) => {
    expect(await readFile(name, bytes)).toEqual({ ...EMPTY, reason: undefined });
  });
});

test("files over their size are refused before they are opened", async () => {
  const open = () => Promise.reject(new Error("opened"));
  for (const name of ["a.pdf", "a.docx", "a.pptx", "a.doc"]) {
    expect(await read({ name, size: 100 * MB + 1, open })).toMatchObject(TOO_LARGE);
    await expect(read({ name, size: 100 * MB, open })).rejects.toThrow("opened");
  }
  expect(await read({ name: "a.txt", size: 512 * MB + 1, open })).toMatchObject(TOO_LARGE);
  await expect(read({ name: "a.txt", size: 512 * MB, open })).rejects.toThrow("opened");
});

test("a document that takes too long is given up", async () => {
  const file = pdfOf(Array.from({ length: 3_000 }, () => ["words"]));
  async function* bytes() {
    yield file;
  }
  const document = { kind: "pdf" as const, size: file.length, bytes: bytes() };
  const reading = readDocument(document, new AbortController().signal, { ...bounds, time: 700 });
  const all = (async () => {
    for await (const _ of reading);
  })();
  await expect(all).rejects.toMatchObject({ ...NOT_PARSED, reason: "time" });
});

test("files cut off anywhere", async () => {
  for (const [name, bytes] of Object.entries(GOOD)) {
    for (const share of [0.02, 0.5, 0.9, 0.999]) {
      const outcome = await readFile(name, bytes.subarray(0, Math.floor(bytes.length * share)));
      if (!("text" in outcome)) expect(["invalid_file", "unsupported_file"]).toContain(outcome.code);
    }
  }
});

/** `READ_CASES=2000` for a long look. */
const CASES = Number(process.env.READ_CASES ?? 30);

test("files changed anywhere: text or an honest error, and the next file is read", {
  timeout: 60_000 + CASES * 8_000,
}, async () => {
  const kinds = Object.entries(GOOD);
  let seed = Number(process.env.READ_SEED ?? 1);
  const random = (below: number) => {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((seed / 2 ** 32) * below);
  };
  const outcomes: Record<string, number> = {};
  for (let n = 0; n < CASES; n++) {
    const [name, good] = kinds[n % kinds.length] ?? ["", Buffer.alloc(0)];
    const bytes = Buffer.from(good);
    for (let changes = 1 + random(20); changes > 0; changes--) {
      const at = random(bytes.length);
      if (random(3) === 0) bytes.copy(bytes, random(bytes.length), at, at + random(64));
      else bytes[at] = random(4) === 0 ? 0xff : random(256);
    }
    const outcome = await readFile(name, bytes);
    const what = "text" in outcome ? "text" : outcome.code;
    expect(["text", "invalid_file", "unsupported_file"]).toContain(what);
    if ("text" in outcome) expect(outcome.text.length).toBeLessThan(MB);
    const line = `${name}: ${what} ${"text" in outcome ? "" : outcome.reason}`;
    outcomes[line] = (outcomes[line] ?? 0) + 1;
  }
  if (process.env.READ_CASES !== undefined) console.log(outcomes);
  for (const [name, bytes] of kinds) expect(await readFile(name, bytes)).toHaveProperty("text");
});
