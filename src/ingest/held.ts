/**
 * A file of a vector store that this process has claimed. Each write of its chunks stands in one batch with a patch of
 * the file under the condition that this claim still holds: so a worker that loses the file, because it was slow, or
 * the file was taken out, cancelled or deleted with its store, has written nothing after that.
 */
import type { FileError } from "../resources/file-errors.ts";
import { type ChunkDoc, seqOf, UNDERSTOOD } from "../store/documents.ts";
import type { Partition, Versioned } from "../store/partition.ts";
import { StoreTrouble } from "../store/trouble.ts";
import { attachedStatusSort, type VectorStoreFileDoc } from "../store/vector-documents.ts";
import type { Write } from "../store/writes.ts";
import type { StorePlace } from "../stores/attach.ts";
import { writeCounted } from "../stores/counts.ts";
import type { IngestTools } from "./tools.ts";

/** How long a worker has a file without a sign of life, and how often it gives one. Milliseconds. */
export const LEASE = 60_000;
const BEAT = 20_000;

/** Another worker has the file, or it is not in progress any more. */
export class Lost extends Error {
  constructor() {
    super("the file is not this worker's any more");
    this.name = "Lost";
  }
}

let claims = 0;

/** Claims a file without reading it first; undefined if it is not to be had. */
export async function claim(
  { owner: process, now }: IngestTools,
  { partition }: StorePlace,
  fileId: string,
): Promise<Held | undefined> {
  const owner = `${process}/${++claims}`;
  const condition =
    `c.kind = 'vector_store_file' AND c.status = 'in_progress' AND ${UNDERSTOOD} AND ` +
    `(c.internal.lease = null OR c.internal.lease.until < ${now()})`;
  const until = now() + LEASE;
  const set = { "/internal/lease": { owner, until }, "/internal/due": until, "/internal/claimed": true };
  const result = await partition.patchIf<VectorStoreFileDoc>(fileId, condition, set, { "/internal/attempts": 1 });
  return "doc" in result ? new Held(result.doc, partition, owner, now) : undefined;
}

export class Held {
  /** As it was when this process last read the whole of it. */
  #doc: Versioned<VectorStoreFileDoc>;
  /** whether the document may have changed since then */
  #isStale = false;
  /** as stored: this claim counts until something is written */
  #attempts: number;
  readonly #partition: Partition;
  readonly #owner: string;
  readonly #now: () => number;
  #beating: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;

  constructor(doc: Versioned<VectorStoreFileDoc>, partition: Partition, owner: string, now: () => number) {
    this.#doc = doc;
    this.#attempts = doc.internal.attempts;
    this.#partition = partition;
    this.#owner = owner;
    this.#now = now;
  }

  get doc(): VectorStoreFileDoc {
    return this.#doc;
  }

  get #condition(): string {
    return `c.status = 'in_progress' AND c.internal.lease.owner = '${this.#owner}'`;
  }

  #lease() {
    const until = this.#now() + LEASE;
    return { "/internal/lease": { owner: this.#owner, until }, "/internal/due": until };
  }

  /** Renews the lease at intervals; `lost` is told when it cannot. */
  keep(lost: () => void): void {
    this.#timer = setInterval(() => {
      this.#beating = this.#beat().catch((error: unknown) => {
        // The lease is longer than the store is usually in trouble.
        if (!(error instanceof StoreTrouble)) lost();
      });
    }, BEAT);
    this.#timer.unref();
  }

  async #beat(): Promise<void> {
    this.#isStale = true;
    const result = await this.#partition.patchIf<VectorStoreFileDoc>(this.#doc.id, this.#condition, this.#lease());
    if ("refused" in result) throw new Lost();
  }

  /** A patch of the file that is refused once it is lost. */
  fence(set: Record<string, unknown> = {}): Write {
    this.#isStale = true;
    return { patch: this.#doc.id, set: { ...this.#lease(), ...set }, condition: this.#condition };
  }

  /** Writes the next chunks. Throws `Lost`. */
  async write(chunks: ChunkDoc[], done: number, set: Record<string, unknown> = {}): Promise<void> {
    const puts = chunks.map((put): Write => ({ put }));
    const progress = { "/internal/done": done, "/internal/attempts": 0, ...set };
    const result = await this.#partition.batch([...puts, this.fence(progress)]);
    if (result.ok) {
      this.#attempts = 0;
      return;
    }
    if (result.failed === puts.length) throw new Lost();
    throw new Error(`writing chunks was refused with status ${result.status}`);
  }

  /** Ends the work on the file with its last chunks, and counts it. Answers with the document. Throws `Lost`. */
  async end(ending: Ending, chunks: ChunkDoc[] = []): Promise<Versioned<VectorStoreFileDoc>> {
    await this.stop();
    const puts = chunks.map((put): Write => ({ put }));
    for (;;) {
      const before = await this.#fresh();
      const doc = ended(before, ending, this.#now());
      const change = {
        from: "in_progress" as const,
        to: doc.status,
        usage: doc.usage_bytes,
        batches: doc.internal.batches,
      };
      const writes: Write[] = [{ put: doc, ifMatch: before._etag }, ...puts];
      const result = await writeCounted(this.#partition, doc.vector_store_id, writes, [change]);
      if (result.ok) return { ...doc, _etag: result.etags[0] ?? "" };
      if (result.refused === "store") throw new Lost();
      this.#isStale = true;
    }
  }

  /** Lets the file go until `due` (milliseconds). `isCounted`: whether this claim was an attempt. */
  async giveBack(due: number, isCounted: boolean): Promise<void> {
    await this.stop();
    const attempts = isCounted ? {} : { "/internal/attempts": Math.max(0, this.#attempts - 1) };
    const set = { "/internal/lease": null, "/internal/due": due, ...attempts };
    await this.#partition.patchIf<VectorStoreFileDoc>(this.#doc.id, this.#condition, set);
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#beating;
  }

  async #fresh(): Promise<Versioned<VectorStoreFileDoc>> {
    if (!this.#isStale) return this.#doc;
    const doc = await this.#partition.readNewest<VectorStoreFileDoc>(this.#doc.id);
    if (doc?.kind !== "vector_store_file" || doc.internal.lease?.owner !== this.#owner) throw new Lost();
    this.#doc = doc;
    this.#isStale = false;
    return doc;
  }
}

/** `labels` are the attributes that the chunks have. */
export type Ending =
  | { status: "completed"; usage: number; done: number; labels: VectorStoreFileDoc["attributes"] }
  | { status: "failed"; error: FileError };

function ended(doc: VectorStoreFileDoc, ending: Ending, now: number): VectorStoreFileDoc {
  const status_sort = attachedStatusSort(ending.status, seqOf(doc.internal.sort));
  const internal = { ...doc.internal, status_sort, lease: null, attempts: 0 };
  if (ending.status === "completed") {
    const relabel = JSON.stringify(ending.labels) !== JSON.stringify(doc.attributes);
    const rest = { done: ending.done, relabel, leftover: false, due: relabel ? now : null };
    return {
      ...doc,
      status: "completed",
      usage_bytes: ending.usage,
      last_error: null,
      internal: { ...internal, ...rest },
    };
  }
  const leftover = doc.internal.leftover || doc.internal.done > 0;
  const rest = { leftover, due: leftover ? now : null };
  return { ...doc, status: "failed", usage_bytes: 0, last_error: ending.error, internal: { ...internal, ...rest } };
}
