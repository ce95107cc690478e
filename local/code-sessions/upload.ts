/** Reads the file of an upload: multipart/form-data with one part `file`. */
import type { IncomingMessage } from "node:http";
import { pipeline } from "node:stream/promises";
import { Busboy } from "@fastify/busboy";
import { invalid, tooLarge } from "./errors.ts";

export const LARGEST_UPLOAD = 128 * 2 ** 20;
/** Bytes of the form around its file. */
const MOST_REST = 65_536;
const FIELD = "file";

export interface Upload {
  filename: string;
  content: Buffer;
}

/** Throws 400 for what is no such form, and 413 for a file that is too large. */
export async function uploadIn(request: IncomingMessage): Promise<Upload> {
  if (Number(request.headers["content-length"] ?? 0) > LARGEST_UPLOAD + MOST_REST) {
    throw tooLarge("The file", LARGEST_UPLOAD);
  }
  const parser = parserFor(request);
  const uploads: Promise<Upload>[] = [];
  let unknown: string | undefined;
  parser.on("field", (name) => {
    unknown ??= name;
  });
  parser.on("file", (name, stream, filename) => {
    if (name !== FIELD) {
      unknown ??= name;
      stream.resume();
      return;
    }
    const upload = collected(stream, filename);
    // A form that breaks fails the whole, below.
    upload.catch(() => {});
    uploads.push(upload);
  });
  await pipeline(request, parser).catch(() => {
    throw invalid("The form ends too early, or is none.");
  });
  if (unknown !== undefined) throw invalid(`The form has a part '${unknown}': only '${FIELD}' is known.`);
  const [upload, second] = await Promise.all(uploads);
  if (upload === undefined || second !== undefined) throw invalid(`The form must have one part '${FIELD}'.`);
  return upload;
}

function parserFor({ headers }: IncomingMessage) {
  const type = headers["content-type"] ?? "";
  if (!/^multipart\/form-data\b/i.test(type)) throw invalid("The content type must be multipart/form-data.");
  try {
    return new Busboy({
      headers: { ...headers, "content-type": type },
      defCharset: "utf8",
      preservePath: true,
      limits: { fileSize: LARGEST_UPLOAD, files: 2, fields: 2 },
    });
  } catch {
    throw invalid("The content type has no boundary.");
  }
}

async function collected(stream: AsyncIterable<Buffer> & { truncated?: boolean }, filename: string): Promise<Upload> {
  const pieces: Buffer[] = [];
  for await (const piece of stream) pieces.push(piece);
  if (stream.truncated) throw tooLarge("The file", LARGEST_UPLOAD);
  return { filename, content: Buffer.concat(pieces) };
}
