/** What a worker does with one file of a vector store that a wake-up names. */
import { BlobTrouble } from "../blobs/trouble.ts";
import { wakeFiles } from "../jobs/ingest-jobs.ts";
import { FILE_FAILED, type FileError, STORE_FULL } from "../resources/file-errors.ts";
import { type Doc, isNewer } from "../store/documents.ts";
import type { Versioned } from "../store/partition.ts";
import { PartitionFull, StoreTrouble } from "../store/trouble.ts";
import type { VectorStoreFileDoc } from "../store/vector-documents.ts";
import type { StorePlace } from "../stores/attach.ts";
import { clean, deleteChunks, deleteUse, noteUse } from "../stores/clean.ts";
import { writeMark } from "../stores/detach.ts";
import { relabel } from "../stores/relabel.ts";
import { claim, type Held, LEASE, Lost } from "./held.ts";
import { ingest } from "./ingest.ts";
import { UnreadableFile } from "./read/unreadable.ts";
import { FileGone } from "./text.ts";
import { HandBack, type IngestTools } from "./tools.ts";

/** Claims that came to nothing before the file is given up. */
const MOST_ATTEMPTS = 8;

/** Before the next attempt: doubled each time, up to the longest. Milliseconds. */
const FIRST_PAUSE = 5_000;
const LONGEST_PAUSE = 120_000;

/** Does what is due with the file. `signal` aborted with `HandBack`: gives it back. Throws trouble with the store. */
export async function lookAtFile(
  tools: IngestTools,
  place: StorePlace,
  fileId: string,
  signal: AbortSignal,
): Promise<void> {
  const held = await claim(tools, place, fileId);
  if (held === undefined) return tidy(tools, place, fileId);
  const lost = new AbortController();
  held.keep(() => lost.abort(new Lost()));
  const stop = AbortSignal.any([signal, lost.signal]);
  try {
    await work(tools, place, held, stop);
  } catch (error) {
    // What was under way tells of the stop in its own words, such as trouble with Blob Storage.
    await after(tools, place, held, stop.aborted ? stop.reason : error);
  } finally {
    await held.stop();
  }
}

async function work(tools: IngestTools, place: StorePlace, held: Held, signal: AbortSignal): Promise<void> {
  const { tenant, storeId, partition } = place;
  const { id, internal } = held.doc;
  const { blobs } = tools;
  // Later, the note would come when it is not expected any more.
  if ((internal.lease?.until ?? 0) - tools.now() < LEASE / 2) throw new Lost();
  if (blobs === undefined || !(await noteUse(tools.store, tenant, storeId, id))) throw new FileGone();
  if (internal.attempts > MOST_ATTEMPTS) throw new UnreadableFile(FILE_FAILED, "too many attempts");
  if (internal.leftover) {
    if (!(await deleteChunks(partition, id, () => held.fence()))) throw new Lost();
    await held.write([], 0, { "/internal/leftover": false });
  }
  const { ending, chunks } = await ingest(tools, blobs, held, signal);
  const doc = await held.end(ending, chunks);
  if (doc.internal.relabel) await relabel(place, doc);
}

async function after(tools: IngestTools, place: StorePlace, held: Held, error: unknown): Promise<void> {
  const { doc } = held;
  const log = tools.log.with({ file: doc.id, vectorStore: place.storeId, tenant: place.tenant });
  if (error instanceof Lost) return healUse(tools, place, doc.id);
  if (error instanceof HandBack) return again(tools, place, held, tools.now(), !tools.stopping.aborted);
  if (error instanceof FileGone) return detachGone(tools, place, held);
  if (error instanceof UnreadableFile) {
    log.info("a file cannot be searched", { code: error.code, reason: error.reason });
    return fail(tools, place, held, { code: error.code, message: error.message });
  }
  if (error instanceof PartitionFull) {
    log.error("a vector store has no room for a file: the 20 GB of a logical partition are used up");
    return giveUpForRoom(tools, place, held);
  }
  const attempts = doc.internal.attempts;
  const pause = Math.min(FIRST_PAUSE * 2 ** (attempts - 1), LONGEST_PAUSE);
  if (error instanceof StoreTrouble || error instanceof BlobTrouble) {
    log.warn("the store is in trouble; the file is looked at later", { error });
    return again(tools, place, held, tools.now() + pause);
  }
  const trouble = await tools.embeddings.trouble(error);
  log.warn("a file could not be embedded", { attempts, ...(await tools.embeddings.failure(error)), error });
  if (trouble.kind === "final")
    return fail(tools, place, held, { code: "server_error", message: trouble.error.message });
  if (attempts >= MOST_ATTEMPTS) return fail(tools, place, held, FILE_FAILED);
  return again(tools, place, held, tools.now() + Math.max(trouble.retryAfter ?? 0, pause));
}

/** Gives the file back, for an attempt at this time (milliseconds). `isCounted`: whether this was one, too. */
async function again(
  { wakeUps }: IngestTools,
  { tenant, storeId }: StorePlace,
  held: Held,
  at: number,
  isCounted = true,
): Promise<void> {
  await held.giveBack(at, isCounted);
  await wakeUps.sendToIngest(wakeFiles(tenant, storeId, [held.doc.id], `again/${at}`, at));
}

async function fail(tools: IngestTools, place: StorePlace, held: Held, error: FileError): Promise<void> {
  try {
    const doc = await held.end({ status: "failed", error });
    if (doc.internal.leftover) await clean(tools, place.partition, doc, place.storeId);
  } catch (trouble) {
    if (!(trouble instanceof Lost)) throw trouble;
  }
}

/** What there is of the file goes first: else there may be no room to say that it failed. */
async function giveUpForRoom(tools: IngestTools, place: StorePlace, held: Held): Promise<void> {
  if (await deleteChunks(place.partition, held.doc.id, () => held.fence())) await fail(tools, place, held, STORE_FULL);
}

/** The file itself was deleted: it goes out of the store. */
async function detachGone(tools: IngestTools, place: StorePlace, held: Held): Promise<void> {
  await held.stop();
  const doc = await place.partition.readNewest<VectorStoreFileDoc>(held.doc.id);
  if (doc?.kind !== "vector_store_file" || doc.internal.sort !== held.doc.internal.sort) return;
  if ((await writeMark(place, doc, tools.now())).ok) await tidy(tools, place, doc.id);
}

/** A file that is not to be ingested, or not now: clears away what it left. */
async function tidy(tools: IngestTools, place: StorePlace, fileId: string): Promise<void> {
  const { partition, storeId } = place;
  const doc = await partition.readNewest<Doc>(fileId);
  if (doc === undefined) return healUse(tools, place, fileId);
  if (isNewer(doc) || (doc.kind !== "vector_store_file" && doc.kind !== "detached_file")) return;
  // Nothing is due, or a worker has it.
  if (doc.internal.due == null || (doc.kind === "vector_store_file" && doc.status === "in_progress")) return;
  if (doc.kind === "vector_store_file" && doc.internal.relabel) return relabel(place, doc as Versioned<typeof doc>);
  await clean(tools, partition, doc, storeId);
  const after = await partition.readNewest<Doc>(fileId);
  // A file that was deleted before any worker had it: nothing tells that this store uses it.
  if (after?.kind === "vector_store_file" && after.status !== "in_progress" && after.internal.due != null) {
    const mark = await writeMark(place, after as Versioned<VectorStoreFileDoc>, tools.now());
    if (mark.ok) await tidy(tools, place, fileId);
  }
}

/** A worker that lost its file with the whole store may have noted its use after the store was cleared away. */
async function healUse(
  { store }: IngestTools,
  { partition, tenant, storeId }: StorePlace,
  fileId: string,
): Promise<void> {
  const doc = await partition.readNewest<Doc>(fileId);
  const gone = { id: fileId, internal: { tenant, sort: "", claimed: true } };
  if (doc === undefined) await deleteUse(store, partition, gone, storeId);
  if (doc?.kind === "detached_file") await deleteUse(store, partition, doc, storeId);
}
