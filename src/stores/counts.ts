/**
 * Counts: what each change of a file means for the store and its batches, as patches that stand in one batch with the
 * file's document. Patches add and need no version, so many workers change one store at the same moment; that a file is
 * counted once is for its own document's version to say.
 */
import type { VectorStoreFileStatus } from "../resources/vector-store-file.ts";
import type { Partition } from "../store/partition.ts";
import type { Write } from "../store/writes.ts";

/** A file that comes (`to` only), goes (`from` only), or changes its status. */
export interface Change {
  from?: VectorStoreFileStatus;
  to?: VectorStoreFileStatus;
  /** how many bytes more the store uses */
  usage?: number;
  /** ids of the batches that count the file */
  batches: string[];
  /** whether only the batches see it: the file was in the store before */
  isOfBatchesOnly?: boolean;
}

function sumOf(changes: Change[]): Record<string, number> {
  const sum: Record<string, number> = {};
  const add = (path: string, number: number) => {
    sum[path] = (sum[path] ?? 0) + number;
  };
  for (const { from, to } of changes) {
    if (from !== undefined) add(`/file_counts/${from}`, -1);
    if (to !== undefined) add(`/file_counts/${to}`, 1);
    add("/file_counts/total", Number(to !== undefined) - Number(from !== undefined));
  }
  return sum;
}

const withoutZeros = (sum: Record<string, number>) =>
  Object.fromEntries(Object.entries(sum).filter(([, number]) => number !== 0));

const isEmpty = (object: object) => Object.keys(object).length === 0;

export const IS_STORE = "c.kind = 'vector_store'";

interface StorePatch {
  /** of the store */
  set?: Record<string, unknown>;
  condition?: string;
}

function storeWrite(storeId: string, all: Change[], { set = {}, condition = IS_STORE }: StorePatch): Write[] {
  const changes = all.filter(({ isOfBatchesOnly }) => isOfBatchesOnly !== true);
  const usage = changes.reduce((bytes, change) => bytes + (change.usage ?? 0), 0);
  const add = withoutZeros({ ...sumOf(changes), "/usage_bytes": usage });
  return isEmpty(add) && isEmpty(set) ? [] : [{ patch: storeId, set, add, condition }];
}

function batchWrites(changes: Change[], gone: Set<string>): { id: string; write: Write }[] {
  const ids = new Set(changes.flatMap(({ batches }) => batches));
  return [...ids].flatMap((id) => {
    const add = withoutZeros(sumOf(changes.filter(({ batches }) => batches.includes(id))));
    return gone.has(id) || isEmpty(add) ? [] : [{ id, write: { patch: id, add } }];
  });
}

/** What refused a change: one of the documents that it was about, or the store (gone, or not fit for it). */
export type Counted = { ok: true; etags: string[] } | { ok: false; refused: "documents" | "store" };

/**
 * Writes documents and what follows from them for the counts. A batch that Cosmos DB has deleted, its time being over,
 * counts nothing any more.
 */
export async function writeCounted(
  partition: Partition,
  storeId: string,
  documents: Write[],
  changes: Change[],
  patch: StorePatch = {},
): Promise<Counted> {
  const gone = new Set<string>();
  const ofStore = storeWrite(storeId, changes, patch);
  for (;;) {
    const batches = batchWrites(changes, gone);
    const result = await partition.batch([...documents, ...ofStore, ...batches.map(({ write }) => write)]);
    if (result.ok) return { ok: true, etags: result.etags };
    const beyond = result.failed - documents.length;
    const batch = batches[beyond - ofStore.length];
    if (batch !== undefined && beyond >= ofStore.length) gone.add(batch.id);
    else if (beyond >= 0) return { ok: false, refused: "store" };
    else if (result.status === 413) throw new Error("a change of a vector store is too large for one batch");
    else return { ok: false, refused: "documents" };
  }
}
