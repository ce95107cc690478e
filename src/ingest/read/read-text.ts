/** What is read of a file that is to be searched. */
import { addAbortSignal, type Readable } from "node:stream";
import { FILE_EMPTY, FILE_TOO_LARGE, FILE_TYPE_NOT_SUPPORTED } from "../../resources/file-errors.ts";
import { type FileKind, kindOfFile } from "../../resources/file-types.ts";
import type { Bounds } from "./documents.ts";
import { canBe, encodingOf, SNIFFED } from "./sniff.ts";
import { cleaned, Decoder, inPieces } from "./text.ts";
import { UnreadableFile } from "./unreadable.ts";

/** A file, wherever it is kept. */
export interface Source {
  name: string;
  /** bytes */
  size: number;
  /** Called once at the most. The stream gives `size` bytes, and is destroyed if it is not read to its end. */
  open(): Promise<Readable>;
}

export interface ReadOptions {
  signal: AbortSignal;
  /** of a document; those of documents.ts if absent */
  bounds?: Bounds;
}

/** Text is read as it comes; documents have to be held. Bytes. */
const LARGEST_TEXT = 512 * 1024 * 1024;
const LARGEST_DOCUMENT = 100 * 1024 * 1024;
/** A page becomes a tree that takes some thirty times its size. */
const LARGEST_PAGE = 32 * 1024 * 1024;

const largest = (kind: FileKind): number =>
  kind === "text" ? LARGEST_TEXT : kind === "html" ? LARGEST_PAGE : LARGEST_DOCUMENT;

/**
 * The file's text, in pieces of at most 64K characters that are whole characters, read only as fast as they are taken.
 * The same file gives the same text. Throws UnreadableFile if there is none to be had, the signal's reason, or what the
 * source threw.
 */
export async function* readText(source: Source, options: ReadOptions): AsyncGenerator<string> {
  const kind = kindOfFile(source.name);
  if (kind === undefined) throw new UnreadableFile(FILE_TYPE_NOT_SUPPORTED, "name");
  if (source.size === 0) throw new UnreadableFile(FILE_EMPTY);
  if (source.size > largest(kind)) throw new UnreadableFile(FILE_TOO_LARGE, "size");
  options.signal.throwIfAborted();
  const pieces = kind === "text" ? plainText(source, options.signal) : documentText(source, kind, options);
  let isEmpty = true;
  for await (const text of pieces) {
    // What is blank at the beginning waits for no text.
    if (isEmpty && text.trim() === "") continue;
    isEmpty = false;
    yield text;
  }
  if (isEmpty) throw new UnreadableFile(FILE_EMPTY);
}

async function* plainText(source: Source, signal: AbortSignal): AsyncGenerator<string> {
  let decoder: Decoder | undefined;
  for await (const bytes of withWholeHead(bytesOf(source, signal))) {
    decoder ??= decoderFor(bytes.subarray(0, SNIFFED));
    yield* inPieces(cleaned(decoder.push(bytes)));
  }
  yield* inPieces(cleaned(decoder?.end() ?? ""));
}

function decoderFor(head: Uint8Array): Decoder {
  if (!canBe("text", head)) throw new UnreadableFile(FILE_TYPE_NOT_SUPPORTED, "content");
  return new Decoder(encodingOf(head));
}

async function* documentText(source: Source, kind: Exclude<FileKind, "text">, { signal, bounds }: ReadOptions) {
  const bytes = withWholeHead(bytesOf(source, signal));
  const { value: head } = await bytes.next();
  try {
    if (!canBe(kind, head?.subarray(0, SNIFFED) ?? NOTHING))
      throw new UnreadableFile(FILE_TYPE_NOT_SUPPORTED, "content");
    // Loaded here, so that it is a chunk of its own in the bundle, beside which the process's file is.
    const { readDocument } = await import("./documents.ts");
    yield* readDocument({ kind, size: source.size, bytes: withHead(head ?? NOTHING, bytes) }, signal, bounds);
  } finally {
    await bytes.return(undefined);
  }
}

const NOTHING = new Uint8Array();

async function* withHead(head: Uint8Array, rest: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield head;
  yield* rest;
}

/** Longest piece that is worked on at once, so that nothing else has to wait. Bytes. */
const STEP = 65_536;

/** Throws if the source gives another number of bytes than it has said. */
async function* bytesOf({ size, open }: Source, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  const stream = addAbortSignal(signal, await open());
  let read = 0;
  try {
    for await (const piece of stream as AsyncIterable<Uint8Array>) {
      read += piece.byteLength;
      if (read > size) break;
      for (let from = 0; from < piece.byteLength; from += STEP) yield piece.subarray(from, from + STEP);
    }
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  }
  if (read !== size) throw new Error(`the source gave ${read > size ? "more" : "fewer"} bytes than its ${size}`);
}

/** The first piece has all that is looked at to tell what the content is. */
async function* withWholeHead(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let head: Uint8Array[] | undefined = [];
  let length = 0;
  for await (const piece of pieces) {
    if (head === undefined) {
      yield piece;
      continue;
    }
    head.push(piece);
    length += piece.byteLength;
    if (length < SNIFFED) continue;
    yield Buffer.concat(head);
    head = undefined;
  }
  if (head !== undefined) yield Buffer.concat(head);
}
