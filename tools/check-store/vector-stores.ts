/**
 * The rules of vector stores: counts equal documents, no chunk without its file, a use for each file that a worker had.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Container, Database, SqlQuerySpec } from "@azure/cosmos";
import { isExpired } from "../../src/resources/vector-store.ts";
import { CATALOG, STORES } from "../../src/store/containers.ts";
import type { Doc } from "../../src/store/documents.ts";
import { isNewer } from "../../src/store/documents.ts";
import {
  type FileBatchDoc,
  type UseDoc,
  useId,
  type VectorStoreDoc,
  type VectorStoreFileDoc,
} from "../../src/store/vector-documents.ts";

export interface StoresCheck {
  /** milliseconds since 1970 */
  now: number;
  /** how late a worker or the sweep may be, in milliseconds */
  tolerance: number;
}

export interface StoresFinding {
  rule: "counts" | "chunk" | "use" | "due" | "lease" | "stray";
  pk: string;
  id: string;
  detail: string;
}

export interface StoresReport {
  stores: number;
  files: number;
  chunks: number;
  violations: StoresFinding[];
}

interface Chunk {
  id: string;
  file_id: string;
  n: number;
}

/** Looks at a store that works meanwhile: what is wrong at one look only was a change under way. */
const LOOKS = 3;
const PAUSE = 1_500;

/** As `checkVectorStores`, of a store that may be at work; nothing if there is no such container. */
export async function soundVectorStores(database: Database, tolerance: number): Promise<StoresFinding[]> {
  const containers = { stores: database.container(STORES), catalog: database.container(CATALOG) };
  const look = async () => (await checkVectorStores(containers, { now: Date.now(), tolerance })).violations;
  const identity = ({ rule, pk, id }: StoresFinding) => `${rule} ${pk} ${id}`;
  try {
    let violations = await look();
    for (let looks = 1; looks < LOOKS && violations.length > 0; looks++) {
      await sleep(PAUSE);
      const again = new Set((await look()).map(identity));
      violations = violations.filter((violation) => again.has(identity(violation)));
    }
    return violations;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === 404) return [];
    throw error;
  }
}

/** Reads the whole container `stores`, and of the catalogs the uses. Memory: one store without its chunks' text. */
export async function checkVectorStores(
  { stores, catalog }: { stores: Container; catalog: Container },
  check: StoresCheck,
): Promise<StoresReport> {
  const report: StoresReport = { stores: 0, files: 0, chunks: 0, violations: [] };
  const uses = new Map<string, UseDoc>();
  for await (const use of all<UseDoc>(catalog, { query: "SELECT * FROM c WHERE c.kind = 'use'" }))
    uses.set(keyOf(use), use);
  const partitions = new Set<string>();
  for await (const { pk } of all<{ pk: string }>(stores, { query: "SELECT c.pk FROM c" })) partitions.add(pk);
  for (const pk of partitions) await partition(stores, pk, uses, check, report);
  for (const use of uses.values()) {
    report.violations.push({ rule: "use", pk: use.pk, id: use.id, detail: "there is no such file in that store" });
  }
  return report;
}

const keyOf = ({ pk, id }: { pk: string; id: string }) => `${pk} ${id}`;

async function partition(
  container: Container,
  pk: string,
  uses: Map<string, UseDoc>,
  { now, tolerance }: StoresCheck,
  report: StoresReport,
): Promise<void> {
  const docs: Doc[] = [];
  const query = "SELECT * FROM c WHERE c.kind != 'chunk'";
  for await (const doc of all<Doc>(container, { query }, pk)) docs.push(doc);
  const chunks: Chunk[] = [];
  const ofChunks = "SELECT c.id, c.file_id, c.n FROM c WHERE c.kind = 'chunk'";
  for await (const chunk of all<Chunk>(container, { query: ofChunks }, pk)) chunks.push(chunk);
  report.stores += 1;
  report.chunks += chunks.length;
  const found = (rule: StoresFinding["rule"], id: string, detail: string) =>
    report.violations.push({ rule, pk, id, detail });
  for (const doc of docs) {
    const due: unknown = Reflect.get(doc.internal, "due");
    if (typeof due === "number" && due < now - tolerance) found("due", doc.id, `was due ${now - due} ms ago`);
  }
  // A newer build knows more about them; and of a deleted store, only that it goes on.
  if (docs.some((doc) => isNewer(doc)) || docs.some(({ kind }) => kind === "deleted_vector_store")) {
    for (const { id } of docs) uses.delete(`${tenantOf(pk)} ${useId(id, storeOf(pk))}`);
    return;
  }
  const files = docs.filter((doc) => doc.kind === "vector_store_file") as VectorStoreFileDoc[];
  const store = docs.find((doc) => doc.kind === "vector_store") as VectorStoreDoc | undefined;
  report.files += files.length;
  if (store === undefined) {
    found("stray", pk, "holds documents and no store");
    return;
  }
  countsOf(store, files, docs, found);
  // Of a store that has expired, the chunks are cleared away, and then some have gone and others not.
  if (!isExpired(store, now)) chunksOf(files, docs, chunks, found);
  for (const doc of docs) {
    if (doc.kind !== "vector_store_file" && doc.kind !== "detached_file") continue;
    const { due, claimed } = doc.internal;
    const had = uses.delete(`${tenantOf(pk)} ${useId(doc.id, store.id)}`);
    if (doc.kind === "vector_store_file" && claimed && due == null && !had) found("use", doc.id, "is not noted");
    if (doc.kind === "detached_file" && due == null && had) found("use", doc.id, "is noted, but out of the store");
    const lease = doc.kind === "vector_store_file" ? doc.internal.lease : null;
    if (lease !== null && (due == null || lease.until > due)) found("lease", doc.id, "ends after it is due");
  }
}

function countsOf(
  store: VectorStoreDoc,
  files: VectorStoreFileDoc[],
  docs: Doc[],
  found: (rule: StoresFinding["rule"], id: string, detail: string) => void,
): void {
  const wrong = difference(store.file_counts, files);
  if (wrong !== undefined) found("counts", store.id, wrong);
  const usage = files.reduce((sum, file) => sum + file.usage_bytes, 0);
  if (usage !== store.usage_bytes) found("counts", store.id, `uses ${store.usage_bytes} bytes, its files ${usage}`);
  for (const batch of docs.filter((doc) => doc.kind === "file_batch") as FileBatchDoc[]) {
    const own = batch.internal.hidden ? [] : files.filter(({ internal }) => internal.batches.includes(batch.id));
    const unlike = difference(withoutRefused(batch), own);
    if (unlike !== undefined) found("counts", batch.id, unlike);
  }
}

/** Files that found no room have no document. */
function withoutRefused({ file_counts: counts, internal: { refused = 0 } }: FileBatchDoc): FileBatchDoc["file_counts"] {
  return { ...counts, failed: counts.failed - refused, total: counts.total - refused };
}

function difference(counts: VectorStoreDoc["file_counts"], files: VectorStoreFileDoc[]): string | undefined {
  const actual = { in_progress: 0, completed: 0, failed: 0, cancelled: 0, total: files.length };
  for (const { status } of files) actual[status] += 1;
  const names = Object.keys(actual) as (keyof typeof actual)[];
  const wrong = names.filter((name) => actual[name] !== counts[name]);
  return wrong.length === 0
    ? undefined
    : wrong.map((name) => `${name}: ${counts[name]}, is ${actual[name]}`).join("; ");
}

function chunksOf(
  files: VectorStoreFileDoc[],
  docs: Doc[],
  chunks: Chunk[],
  found: (rule: StoresFinding["rule"], id: string, detail: string) => void,
): void {
  const known = new Map(docs.map((doc) => [doc.id, doc]));
  const numbers = Map.groupBy(chunks, ({ file_id: file }) => file);
  for (const [file, own] of numbers) {
    const doc = known.get(file);
    const due: unknown = doc && Reflect.get(doc.internal, "due");
    const mayHave = doc?.kind === "vector_store_file" && (doc.status === "completed" || doc.status === "in_progress");
    if (!mayHave && typeof due !== "number")
      found("chunk", file, `has ${own.length} chunks, and nothing is to clear them away`);
  }
  for (const { id, status, internal } of files) {
    if (status !== "completed") continue;
    const own = (numbers.get(id) ?? []).map(({ n }) => n).sort((a, b) => a - b);
    if (own.length !== internal.done || own.some((n, index) => n !== index)) {
      found("chunk", id, `should have ${internal.done} chunks, has ${own.length}`);
    }
  }
}

const tenantOf = (pk: string) => pk.slice(0, pk.lastIndexOf(":"));
const storeOf = (pk: string) => pk.slice(pk.lastIndexOf(":") + 1);

async function* all<T>(container: Container, query: SqlQuerySpec, partitionKey?: string): AsyncGenerator<T> {
  const options = { maxItemCount: 500, ...(partitionKey === undefined ? {} : { partitionKey }) };
  for await (const page of container.items.query<T>(query, options).getAsyncIterator()) yield* page.resources;
}
