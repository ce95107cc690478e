/**
 * A run that this process drives. Its etag is the fencing token: every batch carries it, so a driver that has lost the
 * run, or missed a cancel, writes nothing at all.
 */
import type { MessageDoc, RunDoc, StepDoc } from "../store/documents.ts";
import type { BatchResult, Partition, Versioned, Write } from "../store/partition.ts";
import { logged } from "./event-log.ts";
import type { RunEvent, Sink } from "./events.ts";

/** Why a driver must stop: the client asked for it, or somebody else drives the run now (or it is gone). */
export type Interruption = "cancelling" | "lost";

export class OwnedRun {
  readonly partition: Partition;
  readonly #live: Sink;
  readonly #eventsTtl: number;
  #run: RunDoc;
  #etag: string;
  /** told, but not in the event log yet */
  #unlogged: RunEvent[] = [];
  /** as this process has written them */
  readonly #written = new WeakSet<MessageDoc | StepDoc>();

  /** `live` hears the events at once; `eventsTtl` is how long they are kept in the log, in seconds. */
  constructor(partition: Partition, run: Versioned<RunDoc>, live: Sink, eventsTtl: number) {
    this.partition = partition;
    this.#run = run;
    this.#etag = run._etag;
    this.#live = live;
    this.#eventsTtl = eventsTtl;
  }

  get run(): RunDoc {
    return this.#run;
  }

  get hasUnloggedEvents(): boolean {
    return this.#unlogged.length > 0;
  }

  /** An event that needs no write to be true. It is logged with the next write. */
  readonly tell: Sink = (event) => {
    this.#unlogged.push(event);
    this.#live(event);
  };

  /**
   * Writes the run's next version with these documents, as far as they are new, changes and all events so far, all or
   * nothing. Then tells `news`: events that are true because of this write. `unlock` frees the thread with it.
   */
  async write(
    next: RunDoc,
    documents: (MessageDoc | StepDoc)[],
    others: Write[] = [],
    news: RunEvent[] = [],
    unlock?: Write,
  ): Promise<Interruption | "written"> {
    const unlogged = this.#unlogged.length;
    const { run, chunks } = logged(next, [...this.#unlogged, ...news], this.#eventsTtl);
    const stored = this.#run.internal.open;
    const unwritten = documents.filter((doc) => !this.#written.has(doc));
    const writes: Write[] = [
      { put: run, ifMatch: this.#etag },
      ...unwritten.map((doc) => (doc.kind === "message" && stored.includes(doc.id) ? rewritten(doc) : { put: doc })),
      ...chunks.map((doc): Write => ({ put: doc })),
      ...others,
    ];
    const result = await (unlock === undefined
      ? this.partition.batch(writes)
      : batchUnlocking(this.partition, writes, unlock));
    if (!result.ok) return this.#whyRefused();
    this.#run = run;
    this.#etag = result.etags[0] ?? "";
    this.#unlogged.splice(0, unlogged);
    for (const doc of unwritten) this.#written.add(doc);
    for (const event of news) this.#live(event);
    return "written";
  }

  /** Asks, cheaply, whether the run is still ours and wanted. */
  async look(): Promise<Interruption | "ours"> {
    const found = await this.partition.readIfChanged<RunDoc>(this.#run.id, this.#etag);
    return found === "unchanged" ? "ours" : this.#accept(found);
  }

  async #whyRefused(): Promise<Interruption> {
    return this.#accept(await this.partition.readNewest<RunDoc>(this.#run.id));
  }

  /** Somebody changed the run: only a cancel leaves it ours. */
  #accept(found: Versioned<RunDoc> | undefined): Interruption {
    const owner = this.#run.internal.lease?.owner;
    if (found?.status !== "cancelling" || found.internal.lease?.owner !== owner) return "lost";
    this.#run = found;
    this.#etag = found._etag;
    return "cancelling";
  }
}

/** The run has ended or pauses for nobody: its thread is free for messages and runs again. */
export function unlockThread(run: RunDoc): Write {
  return {
    patch: run.thread_id,
    condition: `c.internal.active_run = '${run.id}'`,
    set: { "/internal/active_run": null, "/internal/last_seq": run.internal.last_seq },
  };
}

/** What a run changes of a message that is in the store already: its metadata is the client's, who may set it any time. */
function rewritten(message: MessageDoc): Write {
  const { id, created_at, status, content, completed_at, incomplete_at, incomplete_details, internal } = message;
  const fields = { created_at, status, content, completed_at, incomplete_at, incomplete_details, internal };
  return { patch: id, set: Object.fromEntries(Object.entries(fields).map(([name, value]) => [`/${name}`, value])) };
}

/** All of the writes and the thread's release; without that if the thread is not locked by this run (any more). */
export async function batchUnlocking(partition: Partition, writes: Write[], unlock: Write): Promise<BatchResult> {
  const result = await partition.batch([...writes, unlock]);
  const notOurLock = !result.ok && result.failed === writes.length && result.status === 412;
  return notOurLock ? partition.batch(writes) : result;
}
