/**
 * A file of lines to which one process appends. A line is handed to the operating system before `append` returns, so it
 * survives the death of the process (not a power cut: nothing is synced to the disk). A line that the disk does not
 * take leaves the file as it was.
 */

import {
  chmodSync,
  closeSync,
  constants,
  fsyncSync,
  ftruncateSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";
import { FolderInUse, type FolderLock, takeFolder } from "./folder-lock.ts";

const CHUNK = 1024 * 1024;
const NEWLINE = 0x0a;
/** Only their owner may read what people have said. */
const FILE_MODE = 0o600;
const FOLDER_MODE = 0o700;
/** How long a server that was killed with its parent may take to end, before its folder counts as in use. */
const PATIENCE_MS = 2000;

/** The disk does not take any more. What is in the file is as it was. */
export class WriteRefused extends Error {}

/** The file cannot be used as it is; the message says why and what to do, on one line. */
export class UnusableJournal extends Error {}

export interface JournalFileOptions {
  path: string;
  /** What every line begins with: a file that begins otherwise is none of ours. */
  begin: string;
  /** Takes one line. Throws if it makes no sense. */
  replay: (line: string) => void;
}

export class JournalFile {
  readonly #path: string;
  readonly #lock: FolderLock;
  #file: number;
  #size = 0;
  #isTorn = false;

  /** Takes the folder for this process, and reads what the file holds. Throws UnusableJournal. */
  constructor({ path, begin, replay }: JournalFileOptions) {
    this.#path = path;
    const folder = dirname(path);
    this.#lock = lockOf(folder);
    try {
      keepPrivate(folder, FOLDER_MODE);
      // What a crash left of a replacement; the file itself is whole.
      rmSync(this.#next, { force: true });
      this.#file = openSync(path, constants.O_RDWR | constants.O_CREAT, FILE_MODE);
      keepPrivate(path, FILE_MODE);
      this.#load(begin, replay);
    } catch (error) {
      this.#lock.release();
      throw error;
    }
  }

  /** In bytes. */
  get size(): number {
    return this.#size;
  }

  /** Adds a line. Throws WriteRefused if the disk does not take it. */
  append(line: string): void {
    const bytes = Buffer.from(`${line}\n`);
    try {
      if (this.#isTorn) this.#cutBack();
      writeAll(this.#file, bytes, this.#size);
    } catch (error) {
      this.#isTorn = true;
      this.#tryToCutBack();
      throw refusal(error, this.#path);
    }
    this.#size += bytes.length;
  }

  /**
   * Replaces the file by one with these lines, which say the same. Whenever the process dies, one of the two is there,
   * whole. Throws WriteRefused if the disk does not take the new one; then the old one stays.
   */
  replace(lines: Iterable<string>): void {
    let file: number | undefined;
    let size = 0;
    try {
      file = openSync(this.#next, "w+", FILE_MODE);
      for (const line of lines) {
        const bytes = Buffer.from(`${line}\n`);
        writeAll(file, bytes, size);
        size += bytes.length;
      }
      fsyncSync(file);
      renameSync(this.#next, this.#path);
    } catch (error) {
      if (file !== undefined) closeSync(file);
      rmSync(this.#next, { force: true });
      throw refusal(error, this.#next);
    }
    closeSync(this.#file);
    this.#file = file;
    this.#size = size;
    this.#isTorn = false;
  }

  close(): void {
    closeSync(this.#file);
    this.#lock.release();
  }

  get #next(): string {
    return `${this.#path}.new`;
  }

  /** The beginning of a refused line must not stay: the next one would be glued to it. */
  #cutBack(): void {
    ftruncateSync(this.#file, this.#size);
    this.#isTorn = false;
  }

  #tryToCutBack(): void {
    try {
      this.#cutBack();
    } catch {
      // It is done before the next line, or else by the next start.
    }
  }

  /** Reads in pieces, because a string cannot hold a very long file. A last line without its end is cut off. */
  #load(begin: string, replay: (line: string) => void): void {
    const chunk = Buffer.alloc(CHUNK);
    let rest = Buffer.alloc(0);
    let count = 0;
    for (;;) {
      const read = readSync(this.#file, chunk, 0, CHUNK, this.#size + rest.length);
      if (read === 0) break;
      rest = Buffer.concat([rest, chunk.subarray(0, read)]);
      let start = 0;
      for (let end = rest.indexOf(NEWLINE); end >= 0; end = rest.indexOf(NEWLINE, start)) {
        this.#replayLine(rest.toString("utf8", start, end), ++count, begin, replay);
        start = end + 1;
      }
      this.#size += start;
      rest = rest.subarray(start);
    }
    if (rest.length === 0) return;
    // A crash cut this line short, and no request was answered because of it; a power cut may leave zeros in its place.
    // Another program's file is left alone.
    const torn = rest.toString("utf8", 0, begin.length);
    if (!begin.startsWith(torn) && rest[0] !== 0) throw this.#unusable(count + 1, FOREIGN);
    ftruncateSync(this.#file, this.#size);
  }

  #replayLine(line: string, number: number, begin: string, replay: (line: string) => void): void {
    if (!line.startsWith(begin)) throw this.#unusable(number, FOREIGN);
    try {
      replay(line);
    } catch (error) {
      // What is no JSON is not repeated: people's words are in it.
      const why = error instanceof SyntaxError ? "no JSON" : reasonOf(error);
      throw this.#unusable(number, `damaged record (${why})`);
    }
  }

  #unusable(line: number, what: string): UnusableJournal {
    const copy = `${this.#path}.damaged`;
    const rescue = `cp '${this.#path}' '${copy}' && head -n ${line - 1} '${copy}' > '${this.#path}'`;
    return new UnusableJournal(
      `${this.#path}, line ${line}: ${what}. Restore the file from a copy; or keep what stands before that line ` +
        `(${rescue}); or begin anew, in another folder (--data) or in this one (npm start -- --reset).`,
    );
  }
}

const FOREIGN = "damaged record, or one of another program";

/** Only what the file system says is a refusal; all else is a mistake in this program. */
function refusal(error: unknown, path: string): unknown {
  const isOfSystem = error instanceof Error && "syscall" in error;
  return isOfSystem ? new WriteRefused(`cannot write to ${path}: ${reasonOf(error)}`) : error;
}

function lockOf(folder: string): FolderLock {
  try {
    return takeFolder(folder, PATIENCE_MS);
  } catch (error) {
    if (error instanceof FolderInUse) throw new UnusableJournal(`${error.message}. Stop it, or choose another --data.`);
    throw new UnusableJournal(`cannot use ${folder}: ${reasonOf(error)}`);
  }
}

function keepPrivate(path: string, mode: number): void {
  try {
    chmodSync(path, mode);
  } catch {
    // It belongs to another user, who has let this one in.
  }
}

function writeAll(file: number, bytes: Buffer, position: number): void {
  for (let written = 0; written < bytes.length; ) {
    written += writeSync(file, bytes, written, bytes.length - written, position + written);
  }
}

/** A file system's error in a few words, its call and path left out. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.message.replace(/, \w+( '.*)?$/s, "");
}
