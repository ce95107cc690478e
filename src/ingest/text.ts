/**
 * The text of a file, kept beside its bytes: it is read out of the file once, however many stores the file is in, and
 * however often the work on it begins again.
 */
import { Readable } from "node:stream";
import { createGzip } from "node:zlib";
import { type Blobs, blobName, textName } from "../blobs/blobs.ts";
import { HEADER, keptText, through } from "./kept-text.ts";
import { readText } from "./read/read-text.ts";

/** The file's bytes are gone: it was deleted. */
export class FileGone extends Error {
  constructor() {
    super("the file was deleted");
    this.name = "FileGone";
  }
}

/**
 * The text in pieces; aborting the signal closes what is open. Throws `UnreadableFile`, `FileGone`, or `BlobTrouble`.
 */
export async function* textOf(
  blobs: Blobs,
  file: { tenant: string; id: string; filename: string },
  signal: AbortSignal,
): AsyncGenerator<string> {
  const name = textName(file.tenant, file.id);
  const kept = await keptText(blobs, file, signal);
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
  else yield* (await keptText(blobs, file, signal)) ?? [];
}

/** A text so long is not read again from where it was just written. Characters. */
const KEPT_IN_MEMORY = 1_000_000;
