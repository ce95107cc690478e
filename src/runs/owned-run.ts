/**
 * A run that this process drives. Its etag is the fencing token: every batch carries it, so a driver that has lost the
 * run, or missed a cancel, writes nothing at all.
 */
import type { MessageDoc, RunDoc, StepDoc } from "../store/documents.ts";
import type { Partition, Versioned } from "../store/partition.ts";
import { NO_PATIENCE, type Patience, retryTrouble, StoreTrouble } from "../store/trouble.ts";
import type { Refusal } from "../store/writes.ts";
import { inChunks } from "./event-log.ts";
import type { RunEvent, Sink } from "./events.ts";
import { RUN_WRITE, RunBatch } from "./run-batch.ts";

/** Why a driver must stop: the client asked for it, or another driver has the run now (or it is gone). */
export type Interruption = "cancelling" | "lost";

/** What a driver writes beside the run itself. */
export interface Changes {
  documents?: (MessageDoc | StepDoc)[];
  /** documents that an earlier attempt left and this one does not need */
  leftovers?: string[];
  /** events that are true because of this write: they are told after it */
  news?: RunEvent[];
  /** frees the thread with the same batch */
  unlocks?: boolean;
  /** what the same batch sets in `internal` of the thread's document */
  thread?: Record<string, unknown> | undefined;
  patience?: Patience | undefined;
}

/** "Precondition failed": the etag of a write is not the one in the store. */
const ANOTHER_VERSION = 412;

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
  /** ids of documents that a client has deleted while the run was under way: they stay deleted */
  readonly #deleted = new Set<string>();
  /** resolves when the last write or look is over: there is one at a time */
  #last: Promise<unknown> = Promise.resolve();

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
   * Writes what `change` makes of the run, with all events so far, all or nothing; then tells the news. A log that is
   * too long for one batch is written in several before. Throws `StoreTrouble` when `patience` is over.
   */
  write(change: (run: RunDoc) => RunDoc, changes: Changes = {}): Promise<Interruption | "written"> {
    return this.#exclusively(async () => {
      for (;;) {
        const groups = inChunks([...this.#unlogged]);
        const last = groups.length === 1;
        const result = last
          ? await this.#commit(change(this.#run), changes, groups[0] ?? [])
          : await this.#commit(this.#run, { patience: changes.patience }, groups[0] ?? []);
        if (result === "written" && last) for (const event of changes.news ?? []) this.#live(event);
        if (result !== "ours" && (last || result !== "written")) return result;
      }
    });
  }

  /** One batch. "ours": it was not written, since an earlier one was whose answer had got lost. */
  async #commit(next: RunDoc, changes: Changes, unlogged: RunEvent[]): Promise<Interruption | "written" | "ours"> {
    const documents = (changes.documents ?? []).filter((doc) => !this.#written.has(doc));
    const batch = new RunBatch(next, this.#etag, this.#eventsTtl, {
      documents,
      stored: this.#run.internal.open,
      deleted: this.#deleted,
      leftovers: changes.leftovers ?? [],
      events: [...unlogged, ...(changes.news ?? [])],
      unlocks: changes.unlocks === true,
      ...(changes.thread !== undefined && { thread: changes.thread }),
    });
    const result = await batch.send(this.partition, changes.patience);
    if (!result.ok) return this.#whyRefused(result, changes.patience);
    this.#accept({ ...result.run, _etag: result.etag });
    this.#unlogged.splice(0, unlogged.length);
    for (const doc of documents) this.#written.add(doc);
    return "written";
  }

  /** Asks, cheaply, whether the run is still ours and wanted. */
  look(): Promise<Interruption | "ours"> {
    return this.#exclusively(async () => {
      const found = await this.partition.readIfChanged<RunDoc>(this.#run.id, this.#etag, NO_PATIENCE);
      return found === "unchanged" ? "ours" : this.#compare(found);
    });
  }

  async #whyRefused({ failed, status }: Refusal, patience: Patience | undefined): Promise<Interruption | "ours"> {
    const isAnother = failed === RUN_WRITE && status === ANOTHER_VERSION;
    const found = await retryTrouble(() => this.#readAfterRefusal(isAnother), undefined, patience);
    if (found?._etag !== this.#etag) return this.#compare(found);
    // Not the run was refused: its thread is gone, or this code has built a batch that the store cannot take.
    if (status === 404) return "lost";
    throw new Error(`the store refused write ${failed} of a run's batch with status ${status}`);
  }

  /**
   * `isAnother`: the store has another version of the run. One that still shows this driver's is a replica that is
   * behind.
   */
  async #readAfterRefusal(isAnother: boolean): Promise<Versioned<RunDoc> | undefined> {
    const found = await this.partition.readNewest<RunDoc>(this.#run.id, NO_PATIENCE);
    if (!isAnother || found?._etag !== this.#etag) return found;
    throw new StoreTrouble("a replica does not know yet for which version of a run the store has refused a batch");
  }

  /**
   * The run is another version than this driver knows: its own, if an answer got lost; a cancel; or another driver's.
   */
  #compare(found: Versioned<RunDoc> | undefined): Interruption | "ours" {
    const owner = this.#run.internal.lease?.owner;
    if (found === undefined || owner === undefined || found.internal.lease?.owner !== owner) return "lost";
    if (found.status !== "cancelling" && found.status !== "in_progress") return "lost";
    // Only a run's driver writes its log: what has been added to it are the oldest events of a batch whose answer got
    // lost.
    this.#unlogged.splice(0, found.internal.log.events - this.#run.internal.log.events);
    this.#accept(found);
    return found.status === "cancelling" ? "cancelling" : "ours";
  }

  #accept(run: Versioned<RunDoc>): void {
    const { _etag: etag, ...doc } = run;
    this.#run = doc;
    this.#etag = etag;
  }

  async #exclusively<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#last.then(work);
    this.#last = done.catch(() => undefined);
    return done;
  }
}
