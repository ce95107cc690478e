import { join } from "node:path";
import { JournalFile, WriteRefused } from "../journal-file.ts";
import { serviceUnavailable } from "./errors.ts";

/** Rewriting is not worth it below this size. */
const LEAST_TO_COMPACT = 8 * 1024 * 1024;
/** What every record begins with. */
const BEGIN = '{"kind":"';

/** JSON lines, one for each transaction, written before it becomes visible and before its request is answered. */
export class Journal {
  readonly #file: JournalFile;
  readonly #leastToCompact: number;
  /** The size from which on rewriting the file is tried again, after the disk did not take the new one. */
  #compactFrom: number;
  #isRefusing = false;

  /** Opens the journal of a folder and gives each of its records to `replay`. Throws when a line in it is damaged. */
  constructor(folder: string, replay: (record: unknown) => void, leastToCompact = LEAST_TO_COMPACT) {
    this.#leastToCompact = leastToCompact;
    this.#compactFrom = leastToCompact;
    this.#file = new JournalFile({
      path: join(folder, "journal.jsonl"),
      begin: BEGIN,
      replay: (line) => replay(JSON.parse(line)),
    });
  }

  /** Throws 503, as the service answers when it cannot write, if the disk does not take the record. */
  append(record: string): void {
    try {
      this.#file.append(record);
    } catch (error) {
      if (!(error instanceof WriteRefused)) throw error;
      this.#refuse(error.message);
      throw serviceUnavailable();
    }
    if (this.#isRefusing) console.error("cosmos: writes are taken again");
    this.#isRefusing = false;
  }

  /**
   * Rewrites the file as the given records once more than half of it is out of date. `liveBytes` is their rough size.
   */
  compactIfDue(liveBytes: number, records: () => Iterable<string>): void {
    const { size } = this.#file;
    if (size < this.#compactFrom || size < 2 * liveBytes) return;
    try {
      this.#file.replace(records());
      this.#compactFrom = this.#leastToCompact;
    } catch (error) {
      if (!(error instanceof WriteRefused)) throw error;
      this.#compactFrom = size + this.#leastToCompact;
      console.error(`cosmos: ${error.message}. The journal stays as long as it is.`);
    }
  }

  close(): void {
    this.#file.close();
  }

  /** One line, however many requests follow. */
  #refuse(reason: string): void {
    if (!this.#isRefusing) console.error(`cosmos: ${reason}. Writes are refused until there is room again.`);
    this.#isRefusing = true;
  }
}
