import {
  closeSync,
  existsSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";

/** Rewriting is not worth it below this size. */
const LEAST_TO_COMPACT = 8 * 1024 * 1024;
const CHUNK = 1024 * 1024;
const NEWLINE = 0x0a;

/**
 * A file of JSON lines, one for each committed request. A line is handed to the operating system before its request is
 * answered, so it survives the death of this process (not a power cut: nothing is synced to the disk).
 */
export class Journal {
  readonly #path: string;
  readonly #leastToCompact: number;
  #file: number;
  #size = 0;

  private constructor(path: string, leastToCompact: number) {
    this.#path = path;
    this.#leastToCompact = leastToCompact;
    this.#file = openSync(path, "a+");
  }

  /** Opens the journal of a folder and gives each of its records to `replay`. Throws when a line in it is damaged. */
  static open(folder: string, replay: (record: unknown) => void, leastToCompact = LEAST_TO_COMPACT): Journal {
    mkdirSync(folder, { recursive: true });
    const path = join(folder, "journal.jsonl");
    // What a crash left of a compaction; the journal itself is whole.
    if (existsSync(`${path}.new`)) rmSync(`${path}.new`);
    const journal = new Journal(path, leastToCompact);
    journal.#load(replay);
    return journal;
  }

  append(records: string[]): void {
    if (records.length === 0) return;
    this.#size += writeAll(this.#file, Buffer.from(`${records.join("\n")}\n`));
  }

  /** Rewrites the file as the given records once more than half of it is out of date. `liveBytes` is their rough size. */
  compactIfDue(liveBytes: number, records: () => Iterable<string>): boolean {
    if (this.#size < this.#leastToCompact || this.#size < 2 * liveBytes) return false;
    const next = openSync(`${this.#path}.new`, "w");
    let size = 0;
    for (const record of records()) size += writeAll(next, Buffer.from(`${record}\n`));
    fsyncSync(next);
    closeSync(next);
    renameSync(`${this.#path}.new`, this.#path);
    closeSync(this.#file);
    this.#file = openSync(this.#path, "a+");
    this.#size = size;
    return true;
  }

  close(): void {
    closeSync(this.#file);
  }

  /** Reads in pieces, because a string cannot hold a very long file. A last line without its end is cut off. */
  #load(replay: (record: unknown) => void): void {
    const chunk = Buffer.alloc(CHUNK);
    let rest = Buffer.alloc(0);
    let line = 0;
    for (;;) {
      const read = readSync(this.#file, chunk, 0, CHUNK, this.#size + rest.length);
      if (read === 0) break;
      rest = Buffer.concat([rest, chunk.subarray(0, read)]);
      let start = 0;
      for (let end = rest.indexOf(NEWLINE); end >= 0; end = rest.indexOf(NEWLINE, start)) {
        line++;
        replay(this.#parse(rest.subarray(start, end).toString(), line));
        start = end + 1;
      }
      this.#size += start;
      rest = rest.subarray(start);
    }
    if (rest.length > 0) ftruncateSync(this.#file, this.#size);
  }

  #parse(text: string, line: number): unknown {
    try {
      return JSON.parse(text);
    } catch {
      throw new Error(
        `${this.#path}, line ${line}: damaged record. Restore the file or start with another data folder.`,
      );
    }
  }
}

function writeAll(file: number, bytes: Buffer): number {
  let written = 0;
  while (written < bytes.length) written += writeSync(file, bytes, written);
  return bytes.length;
}
