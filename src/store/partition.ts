/** Reads, writes and lists within one logical partition. The only file that talks to the SDK's item operations. */

import { randomUUID } from "node:crypto";
import {
  BulkOperationType,
  ConsistencyLevel,
  type Container,
  type JSONObject,
  type OperationInput,
  type OperationResponse,
  type PatchOperation,
  type SqlParameter,
} from "@azure/cosmos";
import type { Doc } from "./documents.ts";
import { patiently, StoreBusy, statusOf } from "./trouble.ts";

/**
 * - "account": reads are as fresh as the account's default (which should be Strong): what one instance wrote, every other
 *   sees at once. The HTTP face needs that, since a client's next call may reach any instance.
 * - "session": a process that has just written to a partition reads its own writes there, and all that came before them,
 *   at half the price of Strong. The engine writes to a run before it reads anything, so this is enough for it.
 */
export type Freshness = "account" | "session";

const READ_OPTIONS = { account: {}, session: { consistencyLevel: ConsistencyLevel.Session } };

/** A document as it was read: `_etag` names exactly this version. */
export type Versioned<D> = D & { _etag: string };

export type Write =
  | { create: Doc }
  | { put: Doc; ifMatch?: string | undefined }
  | { patch: string; set?: Record<string, unknown>; add?: Record<string, number>; condition?: string }
  | { delete: string; ifMatch?: string };

/** `failed` is the write that was refused and its HTTP status: then nothing of the batch was done. */
export type BatchResult = { ok: true; etags: string[] } | { ok: false; failed: number; status: number };

export type PatchResult<D> = { doc: Versioned<D> } | { refused: "missing" | "condition" };

/** A range of `internal.sort`, both ends excluded. */
export interface Range {
  above: string;
  below: string;
}

export interface ListOptions {
  range: Range;
  descending: boolean;
  limit: number;
  /** only objects of these runs */
  runIds?: string[] | undefined;
}

/** A document by its id, and about how large it is: characters of JSON, if the store could tell. */
export interface StoredSize {
  id: string;
  size?: number;
}

/** What lists are made of. */
export interface Listable {
  read<D extends Doc>(id: string): Promise<Versioned<D> | undefined>;
  list<D extends Doc>(options: ListOptions): Promise<Versioned<D>[]>;
}

export class Partition implements Listable {
  readonly #container: Container;
  readonly #key: string;
  readonly #freshness: Freshness;

  constructor(container: Container, key: string, freshness: Freshness) {
    this.#container = container;
    this.#key = key;
    this.#freshness = freshness;
  }

  read<D extends Doc>(id: string): Promise<Versioned<D> | undefined> {
    return this.#read(id, this.#freshness);
  }

  /** The document as it is now, whoever wrote it: after a refusal, what one remembers of it is out of date. */
  readNewest<D extends Doc>(id: string): Promise<Versioned<D> | undefined> {
    return this.#read(id, "account");
  }

  async #read<D extends Doc>(id: string, freshness: Freshness): Promise<Versioned<D> | undefined> {
    const options = READ_OPTIONS[freshness];
    const response = await patiently(() => calm(this.#container.item(id, this.#key).read(options)));
    return response.resource;
  }

  /** The document unless it is still the version `etag`. */
  async readIfChanged<D extends Doc>(id: string, etag: string): Promise<Versioned<D> | "unchanged" | undefined> {
    const options = { ...READ_OPTIONS[this.#freshness], accessCondition: { type: "IfNoneMatch", condition: etag } };
    const response = await patiently(() => calm(this.#container.item(id, this.#key).read(options)));
    return response.statusCode === 304 ? "unchanged" : response.resource;
  }

  /** Creates a document with an id of its own; throws if the store does not take it. */
  async create(doc: Doc): Promise<void> {
    const result = await this.batch([{ create: doc }]);
    if (!result.ok) throw new Error(`creating a document was refused with status ${result.status}`);
  }

  /**
   * All of the writes or none. One of the documents carries a mark of this batch: if an answer gets lost, reading that
   * document tells whether the batch was done.
   */
  async batch(writes: Write[]): Promise<BatchResult> {
    const mark = randomUUID();
    const operations = writes.map(toOperation);
    const carrier = carrierOf(writes);
    const id = markOperation(operations[carrier], mark);
    let tries = 0;
    const done = async (): Promise<BatchResult | undefined> => {
      const doc = id === undefined ? undefined : await this.readNewest<Doc>(id);
      if (doc === undefined || !carries(doc, mark)) return undefined;
      return { ok: true, etags: writes.map((_, index) => (index === carrier ? doc._etag : "")) };
    };
    return patiently(async () => {
      tries += 1;
      const result = await this.#send(operations);
      // Refused after a lost answer: perhaps by what the lost try itself has written meanwhile.
      return result.ok || tries === 1 ? result : ((await done()) ?? result);
    }, done);
  }

  async #send(writes: OperationInput[]): Promise<BatchResult> {
    // The documents need not come back: only their new versions do.
    const options = { contentResponseOnWriteEnabled: false };
    const response = await calm(this.#container.items.batch(writes, this.#key, options));
    const results: OperationResponse[] = response.result ?? [];
    const failed = results.findIndex((result) => result.statusCode >= 400 && result.statusCode !== 424);
    if (failed >= 0) {
      const status = results[failed]?.statusCode ?? 500;
      if (status === 429) throw new StoreBusy(undefined);
      return { ok: false, failed, status };
    }
    if (results.length !== writes.length) throw new Error(`batch of ${writes.length} writes answered ${response.code}`);
    return { ok: true, etags: results.map((result) => result.eTag ?? "") };
  }

  /** Sets these paths if the document exists and fulfils the condition; answers with the whole document. */
  async patchIf<D extends Doc>(id: string, condition: string, set: Record<string, unknown>): Promise<PatchResult<D>> {
    if (Object.keys(set).length === 0) {
      const doc = await this.read<D>(id);
      return doc === undefined ? { refused: "missing" } : { doc };
    }
    const mark = randomUUID();
    const operations = setOperations({ ...set, [`/internal/${MARK}`]: mark });
    const done = async (): Promise<PatchResult<D> | undefined> => {
      const doc = await this.readNewest<D>(id);
      return doc !== undefined && carries(doc, mark) ? { doc } : undefined;
    };
    let tries = 0;
    try {
      return await patiently(async () => {
        tries += 1;
        const body = { condition: `from c where ${condition}`, operations };
        const { resource } = await calm(this.#container.item(id, this.#key).patch<Versioned<D>>(body));
        if (resource === undefined) throw new Error("patch answered without a document");
        return { doc: resource };
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
      await patiently(() => {
        tries += 1;
        return calm(this.#container.item(id, this.#key).delete());
      });
      return true;
    } catch (error) {
      if (statusOf(error) === 404) return tries > 1;
      throw error;
    }
  }

  /** One page of a list, in one request. */
  async list<D extends Doc>(options: ListOptions): Promise<Versioned<D>[]> {
    const { range, descending, limit, runIds } = options;
    const parameters: SqlParameter[] = [
      { name: "@above", value: range.above },
      { name: "@below", value: range.below },
    ];
    const names = (runIds ?? []).map((value, index) => {
      const name = `@run${index}`;
      parameters.push({ name, value });
      return name;
    });
    const query =
      `SELECT TOP ${limit} * FROM c WHERE c.internal.sort > @above AND c.internal.sort < @below` +
      `${names.length === 0 ? "" : ` AND c.run_id IN (${names.join(", ")})`}` +
      ` ORDER BY c.internal.sort ${descending ? "DESC" : "ASC"}`;
    const iterator = this.#container.items.query<Versioned<D>>(
      { query, parameters },
      { ...READ_OPTIONS[this.#freshness], partitionKey: this.#key, maxItemCount: limit },
    );
    const found: Versioned<D>[] = [];
    while (iterator.hasMoreResults() && found.length < limit) {
      const page = await patiently(() => calm(iterator.fetchNext()));
      found.push(...(page.resources ?? []));
    }
    return found;
  }

  /**
   * Up to `limit` of the partition's documents, for deleting them: fewer only if there are no more. A page may be empty
   * though others follow. As fresh as the account's default: a document that is missed here stays for ever.
   */
  async ids(limit: number): Promise<StoredSize[]> {
    const iterator = this.#container.items.query<StoredSize>(
      `SELECT TOP ${limit} c.id, LENGTH(ToString(c)) AS size FROM c`,
      { partitionKey: this.#key, maxItemCount: limit },
    );
    const found: StoredSize[] = [];
    while (iterator.hasMoreResults() && found.length < limit) {
      const page = await patiently(() => calm(iterator.fetchNext()));
      found.push(...(page.resources ?? []));
    }
    return found;
  }
}

function toOperation(write: Write): OperationInput {
  if ("create" in write) {
    return { operationType: BulkOperationType.Create, resourceBody: json(write.create) };
  }
  if ("put" in write) {
    const body = json(write.put);
    if (write.ifMatch === undefined) return { operationType: BulkOperationType.Upsert, resourceBody: body };
    return {
      operationType: BulkOperationType.Replace,
      id: write.put.id,
      resourceBody: body,
      ifMatch: write.ifMatch,
    };
  }
  if ("patch" in write) {
    const condition = write.condition === undefined ? {} : { condition: `from c where ${write.condition}` };
    return {
      operationType: BulkOperationType.Patch,
      id: write.patch,
      resourceBody: {
        ...condition,
        operations: [...setOperations(write.set ?? {}), ...addOperations(write.add ?? {})],
      },
    };
  }
  const version = write.ifMatch === undefined ? {} : { ifMatch: write.ifMatch };
  return { operationType: BulkOperationType.Delete, id: write.delete, ...version };
}

/** A document as the SDK's types want it, without the system fields that a read brought along. */
function json(doc: Doc): JSONObject & { id: string } {
  const own: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(doc)) if (!name.startsWith("_")) own[name] = value;
  return own as JSONObject & { id: string };
}

/** Field of `internal` that names the batch or patch that wrote a document last. */
const MARK = "written_by";

/** Which write's document is to carry a batch's mark: the run's, whose new etag its driver needs, or the first. */
function carrierOf(writes: Write[]): number {
  const kinds = writes.map((write) =>
    "create" in write ? write.create.kind : "put" in write ? write.put.kind : undefined,
  );
  const run = kinds.indexOf("run");
  return run >= 0 ? run : kinds.findIndex((kind) => kind !== undefined && kind !== "events");
}

/** Marks the document of a create or put; answers with its id. */
function markOperation(operation: OperationInput | undefined, mark: string): string | undefined {
  if (operation === undefined || !("resourceBody" in operation)) return undefined;
  const body = operation.resourceBody;
  if (typeof body !== "object" || body === null || !("internal" in body)) return undefined;
  Object.assign(body, { internal: { ...Object(body.internal), [MARK]: mark } });
  return String(Reflect.get(body, "id"));
}

const carries = (doc: Doc, mark: string) => Reflect.get(doc.internal, MARK) === mark;

const setOperations = (set: Record<string, unknown>): PatchOperation[] =>
  Object.entries(set).map(([path, value]) => ({ op: "set", path, value }));

const addOperations = (add: Record<string, number>): PatchOperation[] =>
  Object.entries(add).map(([path, value]) => ({ op: "incr", path, value }));

/** Throws `StoreBusy` for a 429 that outlasted the SDK's own retries. */
async function calm<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    if (statusOf(error) === 429) throw new StoreBusy(error);
    throw error;
  }
}
