/** The text that was read out of a file, as it is kept beside the file's bytes. */
import { pipeline, Readable, type Transform } from "node:stream";
import { createGunzip } from "node:zlib";
import { type Blobs, textName } from "../blobs/blobs.ts";

/** Of the readers: a text that older ones have made is made again. */
const VERSION = 1;

/** The first line of what is kept. */
export const HEADER = `threadkeep text ${VERSION}\n`;

/** The other end of a stream that the source is written to. An error of the source comes out there. */
export function through(source: AsyncIterable<string | Uint8Array>, stream: Transform): Transform {
  pipeline(Readable.from(source), stream, () => {});
  return stream;
}

/** The text that is kept of a file, in pieces; undefined if there is none, or one that other readers made. */
export async function keptText(
  blobs: Blobs,
  file: { tenant: string; id: string },
  signal: AbortSignal,
): Promise<AsyncGenerator<string> | undefined> {
  const kept = await blobs.open(textName(file.tenant, file.id), { offset: 0 }, signal);
  if (kept === undefined) return undefined;
  const unpacked = through(kept.stream, createGunzip()).setEncoding("utf8");
  const pieces: AsyncIterator<string> = unpacked[Symbol.asyncIterator]();
  let head = "";
  while (head.length < HEADER.length) {
    const next = await pieces.next();
    if (next.done) break;
    head += next.value;
  }
  if (!head.startsWith(HEADER)) {
    unpacked.destroy();
    return undefined;
  }
  return rest(head.slice(HEADER.length), pieces);
}

async function* rest(first: string, pieces: AsyncIterator<string>): AsyncGenerator<string> {
  if (first !== "") yield first;
  for (let next = await pieces.next(); !next.done; next = await pieces.next()) yield next.value;
}
