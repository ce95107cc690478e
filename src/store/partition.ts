/** Reads, writes and lists within one logical partition. The only file that talks to the SDK's item operations. */

import { randomUUID } from "node:crypto";
import {
  BulkOperationType,
  type Container,
  type ItemResponse,
  type OperationInput,
  type OperationResponse,
  type QueryIterator,
  type RequestOptions,
  type SqlQuerySpec,
} from "@azure/cosmos";
import type { AccountConsistency, Freshness } from "./consistency.ts";
import type { Doc, SnapshotDoc } from "./documents.ts";
import { type Listable, type ListOptions, listQuery, type Page, takePage } from "./lists.ts";
import { type SnapshotCache, withSnapshot } from "./snapshots.ts";
import {
  isFinal,
  PartitionFull,
  type Patience,
  retryTrouble,
  StoreBusy,
  type StoreHealth,
  StoreTrouble,
  statusOf,
} from "./trouble.ts";
import {
  addOperations,
  type BatchResult,
  carrierOf,
  carries,
  MARK,
  markOperation,
  setOperations,
  toOperation,
  type Write,
} from "./writes.ts";

/** A document as it was read: `_etag` names exactly this version. */
export type Versioned<D> = D & { _etag: string };

export type PatchResult<D> = { doc: Versioned<D> } | { refused: "missing" | "condition" };

/** A document by its id, and about how large it is: characters of JSON, if the store could tell. */
export interface StoredSize {
  id: string;
  size?: number;
}

/** What all partitions of a process share. */
export interface StoreAccess {
  container: Container;
  freshness: Freshness;
  health: StoreHealth;
  snapshots: SnapshotCache;
  consistency: AccountConsistency;
}

export class Partition implements Listable {
  readonly #container: Container;
  readonly #key: string;
  readonly #freshness: Freshness;
  readonly #health: StoreHealth;
  readonly #snapshots: SnapshotCache;
  readonly #consistency: AccountConsistency;

  constructor({ container, freshness, health, snapshots, consistency }: StoreAccess, key: string) {
    this.#container = container;
    this.#key = key;
    this.#freshness = freshness;
    this.#health = health;
    this.#snapshots = snapshots;
    this.#consistency = consistency;
  }

  read<D extends Doc>(id: string): Promise<Versioned<D> | undefined> {
    return this.#read(id, this.#freshness);
  }

  /** The newest version of the document, whichever instance wrote it: read after a refusal. */
  readNewest<D extends Doc>(id: string, patience?: Patience): Promise<Versioned<D> | undefined> {
    return this.#read(id, "account", patience);
  }

  async #read<D extends Doc>(id: string, freshness: Freshness, patience?: Patience): Promise<Versioned<D> | undefined> {
    const response = await this.#ask<D>(id, this.#consistency.readOptions(freshness), patience);
    return this.#whole(response.resource);
  }

  /** The document unless it is still the version `etag`. */
  async readIfChanged<D extends Doc>(
    id: string,
    etag: string,
    patience?: Patience,
  ): Promise<Versioned<D> | "unchanged" | undefined> {
    const options = {
      ...this.#consistency.readOptions(this.#freshness),
      accessCondition: { type: "IfNoneMatch", condition: etag },
    };
    const response = await this.#ask<D>(id, options, patience);
    return response.statusCode === 304 ? "unchanged" : this.#whole(response.resource);
  }

  #ask<D extends Doc>(id: string, options: RequestOptions, patience?: Patience): Promise<ItemResponse<Versioned<D>>> {
    const item = this.#container.item(id, this.#key);
    return retryTrouble(() => this.#health.answer(item.read<Versioned<D>>(options)), undefined, patience);
  }

  /** Puts a run together with its snapshot, if it has one. */
  async #whole<D extends Doc>(doc: Versioned<D> | undefined): Promise<Versioned<D> | undefined> {
    if (doc?.kind !== "run") return doc;
    const { snapshot: id } = doc.internal;
    if (id === undefined) return doc;
    const known = this.#snapshots.get(id);
    const fields = known ?? (await this.readNewest<SnapshotDoc>(id))?.internal.fields;
    if (known === undefined && fields !== undefined) this.#snapshots.add(id, fields);
    return withSnapshot(doc, fields);
  }

  /** Creates a document with an id of its own; throws if the store does not take it. */
  async create(doc: Doc): Promise<void> {
    const result = await this.batch([{ create: doc }]);
    if (!result.ok) throw new Error(`creating a document was refused with status ${result.status}`);
  }

  /**
   * All of the writes or none. One of the documents carries a mark of this batch: if an answer gets lost, reading that
   * document tells whether the batch was done. Throws `StoreTrouble` when `patience` is over.
   */
  async batch(writes: Write[], patience?: Patience): Promise<BatchResult> {
    const mark = randomUUID();
    const operations = writes.map(toOperation);
    const carrier = carrierOf(writes);
    const id = markOperation(operations[carrier], mark);
    let tries = 0;
    const done = async (): Promise<BatchResult | undefined> => {
      const doc = id === undefined ? undefined : await this.readNewest<Doc>(id, patience);
      if (doc === undefined || !carries(doc, mark)) return undefined;
      return { ok: true, etags: writes.map((_, index) => (index === carrier ? doc._etag : "")) };
    };
    const result = await retryTrouble(
      async () => {
        tries += 1;
        const sent = await this.#send(operations);
        // Refused after a lost answer: perhaps by what the lost try itself has written meanwhile.
        return sent.ok || tries === 1 ? sent : ((await done()) ?? sent);
      },
      done,
      patience,
    );
    if (result.ok) this.#remember(writes);
    return result;
  }

  #remember(writes: Write[]): void {
    for (const write of writes) {
      const doc = "create" in write ? write.create : "put" in write ? write.put : undefined;
      if (doc?.kind === "snapshot") this.#snapshots.add(doc.id, doc.internal.fields);
    }
  }

  async #send(writes: OperationInput[]): Promise<BatchResult> {
    // The documents need not come back: only their new versions do.
    const options = { contentResponseOnWriteEnabled: false };
    let results: OperationResponse[];
    try {
      const response = await this.#health.answer(this.#container.items.batch(writes, this.#key, options));
      results = response.result ?? [];
    } catch (error) {
      if (statusOf(error) === 413) return { ok: false, failed: -1, status: 413 };
      throw error;
    }
    const failed = results.findIndex((result) => result.statusCode >= 400 && result.statusCode !== 424);
    if (failed >= 0) {
      const status = results[failed]?.statusCode ?? 500;
      if (isFinal(status)) return { ok: false, failed, status };
      // Of its writes, a store refuses so only those for which the partition has no room.
      if (status === 403) throw new PartitionFull();
      throw this.#health.met(status === 429 ? new StoreBusy() : new StoreTrouble(`a write of a batch got ${status}`));
    }
    if (results.length !== writes.length) {
      throw this.#health.met(new StoreTrouble(`${results.length} answers to a batch of ${writes.length} writes`));
    }
    const etags = results.map((result, index) => {
      const isDelete = writes[index]?.operationType === BulkOperationType.Delete;
      if (!result.eTag && !isDelete) throw this.#health.met(new StoreTrouble("a write was answered without its etag"));
      return result.eTag ?? "";
    });
    return { ok: true, etags };
  }

  /**
   * Sets these paths, and adds to others, if the document exists and fulfils the condition; answers with the whole
   * document.
   */
  async patchIf<D extends Doc>(
    id: string,
    condition: string,
    set: Record<string, unknown>,
    add: Record<string, number> = {},
  ): Promise<PatchResult<D>> {
    if (Object.keys(set).length + Object.keys(add).length === 0) {
      const doc = await this.read<D>(id);
      return doc === undefined ? { refused: "missing" } : { doc };
    }
    const mark = randomUUID();
    const operations = [...setOperations({ ...set, [`/internal/${MARK}`]: mark }), ...addOperations(add)];
    const done = async (): Promise<PatchResult<D> | undefined> => {
      const doc = await this.readNewest<D>(id);
      return doc !== undefined && carries(doc, mark) ? { doc } : undefined;
    };
    let tries = 0;
    try {
      return await retryTrouble(async () => {
        tries += 1;
        const body = { condition: `from c where ${condition}`, operations };
        const patch = this.#container.item(id, this.#key).patch<Versioned<D>>(body);
        const doc = await this.#whole((await this.#health.answer(patch)).resource);
        if (doc === undefined) throw this.#health.met(new StoreTrouble("a patch was answered without its document"));
        return { doc };
      }, done);
    } catch (error) {
      const known = statusOf(error) === 412 && tries > 1 ? await done() : undefined;
      if (known !== undefined) return known;
      if (statusOf(error) === 404) return { refused: "missing" };
      if (statusOf(error) === 412) return { refused: "condition" };
      throw error;
    }
  }

  /**
   * Deletes the document; false if there was none. Not found on a repeated try counts as deleted: the answer that got
   * lost was that of the delete.
   */
  async delete(id: string): Promise<boolean> {
    let tries = 0;
    try {
      await retryTrouble(() => {
        tries += 1;
        return this.#health.answer(this.#container.item(id, this.#key).delete());
      });
      return true;
    } catch (error) {
      if (statusOf(error) === 404) return tries > 1;
      throw error;
    }
  }

  /** Up to `limit` documents, however large they are; no more after the first of which `isLast` is true. */
  async list<D extends Doc>(
    options: ListOptions,
    isLast: (doc: Versioned<D>) => boolean = () => false,
  ): Promise<Versioned<D>[]> {
    const found: Versioned<D>[] = [];
    for await (const doc of this.#docs<D>(options)) {
      found.push(doc);
      if (isLast(doc)) break;
    }
    return found;
  }

  page<D extends Doc>(options: ListOptions): Promise<Page<Versioned<D>>> {
    return takePage(this.#docs<D>({ ...options, limit: options.limit + 1 }), options.limit);
  }

  /** Reads each snapshot once, however many of the runs have it, and nothing that its reader does not ask for. */
  async *#docs<D extends Doc>(options: ListOptions): AsyncGenerator<Versioned<D>> {
    const { limit } = options;
    const iterator = this.#container.items.query<Versioned<D>>(listQuery(options), {
      ...this.#consistency.readOptions(this.#freshness),
      partitionKey: this.#key,
      maxItemCount: limit,
    });
    for await (const docs of this.#pages(iterator, limit)) {
      for (const doc of docs) yield (await this.#whole(doc)) ?? doc;
    }
  }

  /**
   * Up to `limit` of the partition's documents, for deleting them. As fresh as the account's default: a document that
   * is missed here stays for ever.
   */
  async ids(limit: number): Promise<StoredSize[]> {
    return this.#all({ query: `SELECT TOP ${limit} c.id, LENGTH(ToString(c)) AS size FROM c` }, limit);
  }

  /** Those of the documents with these ids that there are, in any order; not more than some hundred. */
  async readAll<D extends Doc>(ids: string[]): Promise<Versioned<D>[]> {
    if (ids.length === 0) return [];
    const parameters = ids.map((value, index) => ({ name: `@id${index}`, value }));
    const query = `SELECT * FROM c WHERE c.id IN (${parameters.map(({ name }) => name).join(", ")})`;
    return this.#all<Versioned<D>>({ query, parameters }, ids.length);
  }

  /** Up to `limit` ids of the chunks of a file in a vector store, or of all its files. */
  chunkIds(fileId: string | undefined, limit: number): Promise<StoredSize[]> {
    const all = `SELECT TOP ${limit} c.id FROM c WHERE IS_DEFINED(c.file_id)`;
    if (fileId === undefined) return this.#all<StoredSize>({ query: all, parameters: [] }, limit);
    const query = `SELECT TOP ${limit} c.id FROM c WHERE c.file_id = @file`;
    return this.#all<StoredSize>({ query, parameters: [{ name: "@file", value: fileId }] }, limit);
  }

  async #all<T>(query: SqlQuerySpec, limit: number): Promise<T[]> {
    const options = { ...this.#consistency.readOptions("account"), partitionKey: this.#key, maxItemCount: limit };
    const found: T[] = [];
    for await (const page of this.#pages(this.#container.items.query<T>(query, options), limit)) found.push(...page);
    return found;
  }

  /** Up to `limit` results: fewer only if there are no more. A page may be empty though others follow. */
  async *#pages<T>(iterator: QueryIterator<T>, limit: number): AsyncGenerator<T[]> {
    for (let found = 0; iterator.hasMoreResults() && found < limit; ) {
      const { resources = [] } = await retryTrouble(() => this.#health.answer(iterator.fetchNext()));
      found += resources.length;
      yield resources;
    }
  }
}
