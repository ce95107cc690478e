/**
 * The process that reads one document (documents.ts). Arguments: its kind and bytes, and what reading it may take of memory
 * (MB) and of a processor (milliseconds). The document comes on stdin.
 */
import { once } from "node:events";
import { Socket } from "node:net";
import { Worker } from "node:worker_threads";
import { FILE_NOT_PARSED } from "../../resources/file-errors.ts";
import { type FromProcess, OUT_OF_TIME, TELLS_ON } from "./process-messages.ts";
import { cleaned, inPieces } from "./text.ts";
import { UnreadableFile } from "./unreadable.ts";

type Read = (bytes: Uint8Array) => AsyncIterable<string> | Iterable<string>;

/** Each library is loaded for its documents only. */
const READERS: Record<string, () => Promise<Read>> = {
  pdf: async () => (await import("./pdf.ts")).readPdf,
  docx: async () => (await import("./docx.ts")).readDocx,
  pptx: async () => (await import("./pptx.ts")).readPptx,
  doc: async () => (await import("./doc.ts")).readDoc,
  html: async () => (await import("./html.ts")).readHtml,
};

/**
 * A thread beside the one that reads, which may be busy for good: ends the process when it has taken too much memory
 * (buffers included) or too much time of a processor, or when the process that started it is gone.
 */
const WATCH = `
const { memory, time, parent } = require("node:worker_threads").workerData;
setInterval(() => {
  const { user, system } = process.cpuUsage();
  if (user + system > time) process.kill(process.pid, "${OUT_OF_TIME}");
  if (process.ppid !== parent || process.memoryUsage.rss() > memory) process.kill(process.pid, "SIGKILL");
}, 50);`;

const [kind = "", size = "0", memory = "0", time = "0"] = process.argv.slice(2);
const limits = { memory: Number(memory) * 1_048_576, time: Number(time) * 1_000, parent: process.ppid };
new Worker(WATCH, { eval: true, workerData: limits }).unref();
const out = new Socket({ fd: TELLS_ON, readable: false, writable: true });
// The one who reads has gone.
out.on("error", () => process.exit(1));

async function tell(message: FromProcess): Promise<void> {
  if (!out.write(`${JSON.stringify(message)}\n`)) await once(out, "drain");
}

async function file(): Promise<Uint8Array> {
  const bytes = new Uint8Array(Number(size));
  let at = 0;
  for await (const piece of process.stdin as AsyncIterable<Uint8Array>) {
    bytes.set(piece, at);
    at += piece.byteLength;
  }
  // The one who reads has gone before all of the file came.
  if (at < bytes.length) process.exit(1);
  return bytes;
}

async function read(): Promise<void> {
  const reader = await READERS[kind]?.();
  for await (const text of reader?.(await file()) ?? []) {
    for (const piece of inPieces(cleaned(text))) await tell({ text: piece });
  }
}

try {
  await read();
  await tell({ isDone: true });
} catch (error) {
  const isKnown = error instanceof UnreadableFile;
  const reason = isKnown ? error.reason : error instanceof Error ? error.name : "unknown";
  await tell({ failure: isKnown ? { code: error.code, message: error.message } : FILE_NOT_PARSED, reason });
}
out.end(() => process.exit(0));
