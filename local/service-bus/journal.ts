/**
 * The broker's journal: one file of lines, each a JSON array with the changes of one tick. A line is written before
 * anything that depends on it goes out on a socket, so that what a client was told survives `kill -9` of the broker. It is
 * not synced to the disk: a power cut may lose the last moments.
 */
import {
  closeSync,
  existsSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { apply, type Images, type JournalRecord, recordsOf } from "./records.ts";

const FILE = "service-bus.journal";
/** Below this size garbage does not matter. */
const SMALLEST_COMPACTION = 4 * 1024 * 1024;
const RECORDS_PER_SNAPSHOT_LINE = 500;

/** Where the broker's queues are, for a snapshot. */
export type Snapshot = () => Images;

export class Journal {
  /** What the file held when it was opened. */
  readonly images: Images;

  readonly #path: string;
  readonly #snapshot: Snapshot;
  readonly #smallestCompaction: number;
  #file: number;
  #size: number;
  #compactAt: number;
  #pending: string[] = [];
  #backstop: NodeJS.Immediate | undefined;

  /** Opens or creates the journal in `directory`. `smallestCompaction` is a size in bytes. */
  constructor(directory: string, snapshot: Snapshot, smallestCompaction = SMALLEST_COMPACTION) {
    mkdirSync(directory, { recursive: true });
    this.#path = join(directory, FILE);
    this.#snapshot = snapshot;
    this.#smallestCompaction = smallestCompaction;
    const { images, size, torn } = replay(this.#path);
    this.images = images;
    this.#size = size;
    this.#compactAt = smallestCompaction; // what is live is known at the first flush
    this.#file = openSync(this.#path, "a");
    // A crash may have torn the last line: it was never acknowledged, and new lines must not be glued to it.
    if (torn) ftruncateSync(this.#file, size);
  }

  /** Notes a change. It is in the file after the next flush, which comes within this turn of the event loop at the latest. */
  append(record: JournalRecord): void {
    this.#pending.push(JSON.stringify(record));
    this.#backstop ??= setImmediate(() => this.flush());
  }

  /** Writes what is pending. Throws if the disk does not take it; the broker must not go on then. */
  flush(): void {
    if (this.#pending.length === 0) return;
    clearImmediate(this.#backstop);
    this.#backstop = undefined;
    this.#size += writeLine(this.#file, this.#pending);
    this.#pending = [];
    if (this.#size >= this.#compactAt) this.#compact();
  }

  close(): void {
    this.flush();
    clearImmediate(this.#backstop);
    closeSync(this.#file);
  }

  /** Replaces the file by the shortest one that says the same, if at least half of the file is garbage. */
  #compact(): void {
    const next = `${this.#path}.next`;
    const file = openSync(next, "w");
    const size = writeSnapshot(file, this.#snapshot());
    this.#compactAt = Math.max(this.#smallestCompaction, 2 * size);
    if (size > this.#size / 2) {
      closeSync(file);
      rmSync(next);
      return;
    }
    renameSync(next, this.#path);
    closeSync(this.#file);
    this.#file = file;
    this.#size = size;
  }
}

/** Returns the bytes written. */
function writeLine(file: number, records: readonly string[]): number {
  const line = Buffer.from(`[${records.join(",")}]\n`);
  for (let written = 0; written < line.length; ) written += writeSync(file, line, written);
  return line.length;
}

function writeSnapshot(file: number, images: Images): number {
  let size = 0;
  let records: string[] = [];
  for (const [queue, image] of images) {
    for (const record of recordsOf(queue, image)) {
      records.push(JSON.stringify(record));
      if (records.length === RECORDS_PER_SNAPSHOT_LINE) {
        size += writeLine(file, records);
        records = [];
      }
    }
  }
  return records.length > 0 ? size + writeLine(file, records) : size;
}

/** Reads all whole lines. `size` is where they end, `torn` whether something comes after. Throws if a line other than the last is damaged. */
function replay(path: string): { images: Images; size: number; torn: boolean } {
  const images: Images = new Map();
  if (!existsSync(path)) return { images, size: 0, torn: false };
  const bytes = readFileSync(path);
  let start = 0;
  for (let end = bytes.indexOf(0x0a); end >= 0; end = bytes.indexOf(0x0a, start)) {
    for (const record of parseLine(path, bytes, start, end)) apply(images, record);
    start = end + 1;
  }
  return { images, size: start, torn: start < bytes.length };
}

function parseLine(path: string, bytes: Buffer, start: number, end: number): JournalRecord[] {
  try {
    return JSON.parse(bytes.toString("utf8", start, end));
  } catch {
    throw new Error(`The journal ${path} is damaged at byte ${start}. Delete it to start with empty queues.`);
  }
}
