/**
 * The broker's journal: one file of lines, each a JSON array with the changes of one tick. A line is written before
 * anything that depends on it goes out on a socket, so that what a client was told survives `kill -9` of the broker.
 */
import { join } from "node:path";
import { JournalFile, WriteRefused } from "../journal-file.ts";
import { apply, type Images, type JournalRecord, recordsOf } from "./records.ts";

const FILE = "service-bus.journal";
/** What every line begins with. */
const BEGIN = "[";
/** Below this size garbage does not matter. */
const SMALLEST_COMPACTION = 4 * 1024 * 1024;
const RECORDS_PER_SNAPSHOT_LINE = 500;

/** Where the broker's queues are, for a snapshot. */
export type Snapshot = () => Images;

export interface JournalOptions {
  /** In bytes. */
  smallestCompaction?: number | undefined;
  /** Told why the disk does not take a shorter journal; the long one stays. */
  log?: ((what: string) => void) | undefined;
  /**
   * Called when the disk does not take a line; throws or ends the process, as the broker must not go on: its queues
   * have changes that the file has not. No client has heard of them yet.
   */
  refused?: ((refusal: WriteRefused) => never) | undefined;
}

export class Journal {
  /** What the file held when it was opened. */
  readonly images: Images = new Map();

  readonly #file: JournalFile;
  readonly #snapshot: Snapshot;
  readonly #smallestCompaction: number;
  readonly #log: (what: string) => void;
  readonly #refused: (refusal: WriteRefused) => never;
  #compactAt: number;
  #pending: string[] = [];
  #backstop: NodeJS.Immediate | undefined;

  /** Opens or creates the journal in `directory`. Throws if a line in it is damaged. */
  constructor(directory: string, snapshot: Snapshot, options: JournalOptions = {}) {
    this.#snapshot = snapshot;
    this.#smallestCompaction = options.smallestCompaction ?? SMALLEST_COMPACTION;
    this.#log = options.log ?? (() => {});
    this.#refused = options.refused ?? rethrow;
    this.#compactAt = this.#smallestCompaction; // what is live is known at the first flush
    this.#file = new JournalFile({
      path: join(directory, FILE),
      begin: BEGIN,
      replay: (line) => {
        for (const record of JSON.parse(line)) apply(this.images, record);
      },
    });
  }

  /**
   * Notes a change. It is in the file after the next flush, which comes within this turn of the event loop at the
   * latest.
   */
  append(record: JournalRecord): void {
    this.#pending.push(JSON.stringify(record));
    this.#backstop ??= setImmediate(() => this.flush());
  }

  /** Writes what is pending, or calls `refused`. */
  flush(): void {
    if (this.#pending.length === 0) return;
    clearImmediate(this.#backstop);
    this.#backstop = undefined;
    try {
      this.#file.append(lineOf(this.#pending));
    } catch (error) {
      if (!(error instanceof WriteRefused)) throw error;
      this.#refused(error);
    }
    this.#pending = [];
    if (this.#file.size >= this.#compactAt) this.#compact();
  }

  close(): void {
    this.flush();
    clearImmediate(this.#backstop);
    this.#file.close();
  }

  /** Replaces the file by the shortest one that says the same, if at least half of the file is garbage. */
  #compact(): void {
    const lines = snapshotLines(this.#snapshot());
    const size = lines.reduce((sum, line) => sum + Buffer.byteLength(line) + 1, 0);
    this.#compactAt = Math.max(this.#smallestCompaction, 2 * size);
    if (size > this.#file.size / 2) return;
    try {
      this.#file.replace(lines);
    } catch (error) {
      if (!(error instanceof WriteRefused)) throw error;
      this.#compactAt = this.#file.size + this.#smallestCompaction;
      this.#log(`${error.message}. The journal stays as long as it is.`);
    }
  }
}

function rethrow(refusal: WriteRefused): never {
  throw refusal;
}

const lineOf = (records: readonly string[]) => `[${records.join(",")}]`;

function snapshotLines(images: Images): string[] {
  const records: string[] = [];
  for (const [queue, image] of images) {
    for (const record of recordsOf(queue, image)) records.push(JSON.stringify(record));
  }
  return Array.from({ length: Math.ceil(records.length / RECORDS_PER_SNAPSHOT_LINE) }, (_, index) => {
    const first = index * RECORDS_PER_SNAPSHOT_LINE;
    return lineOf(records.slice(first, first + RECORDS_PER_SNAPSHOT_LINE));
  });
}
