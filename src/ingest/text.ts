/**
 * The text of a file, kept beside its bytes: it is read out of the file once, however many stores the file is in, and however often
 * the work on it begins again.
 */
import { Readable } from "node:stream";
import { createGunzip, createGzip } from "node:zlib";
import { type Blobs, blobName } from "../blobs/blobs.ts";
import { readText } from "./read-text.ts";

/** Of the readers: a text that older ones have made is made again. */
const VERSION = 1;

export const textName = (tenant: string, fileId: string) => `${blobName(tenant, fileId)}.text`;

/** The first line of what is kept. */
const HEADER = `threadkeep text ${VERSION}\n`;

/** The file's bytes are gone: it was deleted. */
export class FileGone extends Error {
  constructor() {
    super("the file was deleted");
    this.name = "FileGone";
  }
}

/** The text in pieces. Throws `UnreadableFile`, `FileGone`, or `BlobTrouble`. */
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
  const pieces = readText({ filename: file.filename, bytes: source.bytes, stream: source.stream }, signal);
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
  const packed = Readable.from(written(), { objectMode: true }).pipe(createGzip());
  await blobs.put(name, packed, signal);
  if (size <= KEPT_IN_MEMORY) yield* small;
  else yield* (await openKept(blobs, name, signal)) ?? [];
}

/** A text so long is not read again from where it was just written. Characters. */
const KEPT_IN_MEMORY = 1_000_000;

/** What is kept, without its first line; undefined if there is none, or one that other readers made. */
async function openKept(blobs: Blobs, name: string, signal: AbortSignal): Promise<AsyncGenerator<string> | undefined> {
  const kept = await blobs.open(name, { offset: 0 }, signal);
  if (kept === undefined) return undefined;
  const unpacked = Readable.from(kept.stream).pipe(createGunzip()).setEncoding("utf8");
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
