/** Reads files that tests have made. */
import { readFileSync } from "node:fs";
import path from "node:path";
import { Readable } from "node:stream";
import { type ReadOptions, readText, type Source } from "../../../src/ingest/read/read-text.ts";
import { UnreadableFile } from "../../../src/ingest/read/unreadable.ts";
import { docxOf, paragraph, pptxOf, table } from "../../lib/files/office.ts";
import { pdfOf } from "../../lib/files/pdf.ts";

export const DOC = readFileSync(path.join(import.meta.dirname, "fixtures/manual.doc"));

/** One good file of each kind, small enough to be broken in many ways. */
export const GOOD: Record<string, Buffer> = {
  "good.pdf": pdfOf([["Kestrel 3 pumps", "Speed\tFlow", "1\t20 l/min"], ["Cleaning"]]),
  "good.docx": docxOf(
    paragraph("Kestrel 3 pumps") +
      table([
        ["Speed", "Flow"],
        ["1", "20 l/min"],
      ]),
  ),
  "good.pptx": pptxOf([
    { lines: ["Kestrel 3 pumps"], rows: [["Speed", "Flow"]], notes: "Say hello." },
    { lines: ["End"] },
  ]),
  "good.doc": DOC,
  "good.html": Buffer.from("<html><body><h1>Kestrel 3 pumps</h1><table><tr><td>1<td>20 l/min</table></body></html>"),
  "good.md": Buffer.from("# Kestrel 3 pumps\n\nÜber 20 l/min 😀\n"),
};

export const sourceOf = (name: string, bytes: Uint8Array): Source => ({
  name,
  size: bytes.byteLength,
  open: async () => Readable.from([bytes]),
});

export type Outcome = { text: string } | { code: string; message: string; reason: string | undefined };

/** The text, or why there is none. Rejects with every error that is not about the file. */
export async function read(source: Source, options: Partial<ReadOptions> = {}): Promise<Outcome> {
  try {
    let text = "";
    for await (const piece of readText(source, { signal: new AbortController().signal, ...options })) text += piece;
    return { text };
  } catch (error) {
    if (!(error instanceof UnreadableFile)) throw error;
    return { code: error.code, message: error.message, reason: error.reason };
  }
}

export const readFile = (name: string, bytes: Uint8Array, options: Partial<ReadOptions> = {}): Promise<Outcome> =>
  read(sourceOf(name, bytes), options);
