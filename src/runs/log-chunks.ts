/** Reads the chunks of a run's event log in order, while the run goes on; past those that are gone. */
import { setTimeout as sleep } from "node:timers/promises";
import { type EventsDoc, isNewer } from "../store/documents.ts";
import type { Partition } from "../store/partition.ts";
import { chunkId } from "./event-log.ts";

/** Before a chunk that is missing is looked for again. Milliseconds. */
const PAUSE = 10;

export interface Chunk {
  /** the number of its first event */
  first: number;
  entries: unknown[];
  /** whether chunks are gone between the one that was read before and this one */
  afterGap: boolean;
}

interface Found {
  number: number;
  doc: EventsDoc;
}

export class LogChunks {
  readonly #partition: Partition;
  readonly #runId: string;
  #next = 0;

  constructor(partition: Partition, runId: string) {
    this.#partition = partition;
    this.#runId = runId;
  }

  /**
   * The next chunk of a log that has `count` of them; undefined if none is there yet, or none that this build can read.
   */
  async next(count: number): Promise<Chunk | undefined> {
    if (this.#next >= count) return undefined;
    const found = (await this.#soon(this.#next)) ?? (await this.#firstAfterGap(count - 1));
    // A newer build may have written it in a way that this one does not know.
    if (found === undefined || isNewer(found.doc)) return undefined;
    const afterGap = found.number > this.#next;
    this.#next = found.number + 1;
    const { first, entries } = found.doc.internal;
    return { first, entries, afterGap };
  }

  /** A chunk that its run counts may not be everywhere yet. */
  async #soon(number: number): Promise<Found | undefined> {
    const found = await this.#at(number);
    if (found !== undefined) return found;
    await sleep(PAUSE);
    return this.#at(number);
  }

  /**
   * The first chunk that is there after missing ones; undefined if not even the last one is. Chunks expire in their
   * order: a run may go on for longer than its first events are kept.
   */
  async #firstAfterGap(last: number): Promise<Found | undefined> {
    let there = await this.#at(last);
    if (there === undefined) return undefined;
    // What was written before a chunk that this process has read is there by now, or gone.
    const late = await this.#at(this.#next);
    if (late !== undefined) return late;
    for (let gone = this.#next; there.number - gone > 1; ) {
      const middle: number = (gone + there.number) >> 1;
      const found = await this.#at(middle);
      if (found === undefined) gone = middle;
      else there = found;
    }
    return there;
  }

  async #at(number: number): Promise<Found | undefined> {
    const doc = await this.#partition.read<EventsDoc>(chunkId(this.#runId, number));
    return doc && { number, doc };
  }
}
