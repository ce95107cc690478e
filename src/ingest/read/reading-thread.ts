/** The thread that reads one document (documents.ts) and is ended then. */
import { parentPort, workerData } from "node:worker_threads";
import { FILE_NOT_PARSED } from "../../resources/errors.ts";
import type { FileKind } from "../../resources/file-types.ts";
import { cleaned, inPieces } from "./text.ts";
import type { FromThread, Task } from "./thread-messages.ts";
import { UnreadableFile } from "./unreadable.ts";

type Read = (bytes: Uint8Array) => AsyncIterable<string> | Iterable<string>;

/** Each library is loaded for its documents only. */
const READERS: Record<Exclude<FileKind, "text">, () => Promise<Read>> = {
  pdf: async () => (await import("./pdf.ts")).readPdf,
  docx: async () => (await import("./docx.ts")).readDocx,
  pptx: async () => (await import("./pptx.ts")).readPptx,
  doc: async () => (await import("./doc.ts")).readDoc,
  html: async () => (await import("./html.ts")).readHtml,
};

/** Pieces that may be on their way before one is asked for. */
const AHEAD = 2;

const port = parentPort;
let allowed = AHEAD;
let resume = () => {};
port?.on("message", () => {
  allowed += 1;
  resume();
});

const tell = (message: FromThread) => port?.postMessage(message);

async function read({ kind, bytes }: Task): Promise<void> {
  const reader = await READERS[kind]();
  for await (const text of reader(bytes)) {
    for (const piece of inPieces(cleaned(text))) {
      while (allowed === 0) {
        port?.ref();
        await new Promise<void>((resolve) => {
          resume = resolve;
        });
        port?.unref();
      }
      allowed -= 1;
      tell({ text: piece });
    }
  }
}

// A document that is waited for in vain ends the thread instead of keeping it.
port?.unref();
try {
  await read(workerData as Task);
  tell({ isDone: true });
} catch (error) {
  const isKnown = error instanceof UnreadableFile;
  const reason = isKnown ? error.reason : error instanceof Error ? error.name : "unknown";
  tell({ failure: isKnown ? { code: error.code, message: error.message } : FILE_NOT_PARSED, reason });
}
