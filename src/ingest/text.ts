/**
 * The text of a file, kept beside its bytes: it is read out of the file once, however many stores the file is in, and however often
 * the work on it begins again.
 */
import { pipeline, Readable, type Transform } from "node:stream";
import { createGunzip, createGzip } from "node:zlib";
import { type Blobs, blobName, textName } from "../blobs/blobs.ts";
import { readText } from "./read/read-text.ts";

/** Of the readers: a text that older ones have made is made again. */
const VERSION = 1;

/** The first line of what is kept. */
const HEADER = `threadkeep text ${VERSION}\n`;

/** The file's bytes are gone: it was deleted. */
export class FileGone extends Error {
  constructor() {
    super("the file was deleted");
    this.name = "FileGone";
  }
}

/** The text in pieces; aborting the signal closes what is open. Throws `UnreadableFile`, `FileGone`, or `BlobTrouble`. */
export async function* textOf(
  blobs: Blobs,
  file: { tenant: string; id: string; filename: string },
  signal: AbortSignal,
): AsyncGenerator<string> {
  const name = textName(file.tenant, file.id);
  const kept = await openKept(blobs, name, signal);
  if (kept !== undefined) {
    yield* kept;
    return;
  }
  const source = await blobs.open(blobName(file.tenant, file.id), { offset: 0 }, signal);
  if (source === undefined) throw new FileGone();
  const open = async () => Readable.from(source.stream);
  const pieces = readText({ name: file.filename, size: source.bytes, open }, { signal });
  const small: string[] = [];
  let size = 0;
  async function* written() {
    yield HEADER;
    for await (const piece of pieces) {
      size += piece.length;
      if (size <= KEPT_IN_MEMORY) small.push(piece);
      else small.length = 0;
      yield piece;
    }
  }
  const packed = through(written(), createGzip());
  await blobs.put(name, packed, signal);
  if (size <= KEPT_IN_MEMORY) yield* small;
  else yield* (await openKept(blobs, name, signal)) ?? [];
}

/** A text so long is not read again from where it was just written. Characters. */
const KEPT_IN_MEMORY = 1_000_000;

/** The other end of a stream that the source is written to. An error of the source comes out there. */
function through(source: AsyncIterable<string | Uint8Array>, stream: Transform): Transform {
  pipeline(Readable.from(source), stream, () => {});
  return stream;
}

/** What is kept, without its first line; undefined if there is none, or one that other readers made. */
async function openKept(blobs: Blobs, name: string, signal: AbortSignal): Promise<AsyncGenerator<string> | undefined> {
  const kept = await blobs.open(name, { offset: 0 }, signal);
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
