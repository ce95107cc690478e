/** What the queue `ingest` brings: wake-ups, and those that failed so often that Service Bus has put them aside. */
import { setTimeout as sleep } from "node:timers/promises";
import { type IngestWakeUp, ingestOf, wakeFiles } from "../jobs/ingest-jobs.ts";
import { leaveForNewerBuild } from "../jobs/newer-kinds.ts";
import { INGEST_QUEUE, isForNewerBuild } from "../jobs/wake-ups.ts";
import { FILE_FAILED } from "../resources/file-errors.ts";
import { type Doc, isNewer } from "../store/documents.ts";
import { StoreTrouble } from "../store/trouble.ts";
import { placeOf, type StorePlace } from "../stores/attach.ts";
import { goOn } from "../stores/attach-many.ts";
import { cancelFiles } from "../stores/cancel.ts";
import { noteUse } from "../stores/clean.ts";
import { purgeStore } from "../stores/delete.ts";
import { clearExpired } from "../stores/expire.ts";
import { claim } from "./held.ts";
import { lookAtFile } from "./look.ts";
import { HandBack, type IngestTools } from "./tools.ts";

/**
 * How long one wake-up may take before its files are handed back: longer than the reading of a document, which begins
 * anew then (read/documents.ts). Milliseconds.
 */
export const LONGEST_WORK = 720_000;

/** When a wake-up that found no slot comes again, from now. Milliseconds. */
const SOONEST = 2_000;
const LATEST = 10_000;

/** After trouble with the store. Milliseconds. */
const PAUSE = 10_000;

/**
 * Handles a wake-up. What fails is left to the sweep; throws only if the wake-up can neither be handled nor sent again.
 */
export async function handleIngest(tools: IngestTools, message: unknown): Promise<void> {
  if (isForNewerBuild(message)) return leaveForNewerBuild(tools, message, INGEST_QUEUE);
  const job = ingestOf(message);
  if (job === undefined) throw new Error("a message in the queue of ingestion is no wake-up");
  const place = placeOf(tools, job.tenant, job.store);
  if (job.files === undefined) return lookAtStore(tools, place, job);
  if (!(await tools.slots.take(job.tenant))) {
    const at = tools.now() + SOONEST + Math.floor(Math.random() * (LATEST - SOONEST));
    return putOff(tools, job, job.files, at);
  }
  try {
    await lookAtFiles(tools, place, job, job.files);
  } finally {
    tools.slots.give(job.tenant);
  }
}

async function lookAtFiles(tools: IngestTools, place: StorePlace, job: IngestWakeUp, files: string[]): Promise<void> {
  const patience = new AbortController();
  const timer = setTimeout(() => patience.abort(new HandBack()), LONGEST_WORK);
  const signal = AbortSignal.any([patience.signal, tools.stopping]);
  try {
    for (const [index, file] of files.entries()) {
      if (signal.aborted) return await putOff(tools, job, files.slice(index), tools.now());
      if (index > 0 && tools.slots.isWantedFrom(job.tenant)) {
        return await putOff(tools, job, files.slice(index), tools.now() + SOONEST);
      }
      try {
        await lookAtFile(tools, place, file, signal);
      } catch (error) {
        // With a store in trouble, the others would fare no better.
        tools.log.warn("files of a vector store are looked at later", {
          vectorStore: job.store,
          tenant: job.tenant,
          error,
        });
        return await putOff(tools, job, files.slice(index), tools.now() + PAUSE);
      }
    }
  } finally {
    clearTimeout(timer);
  }
}

/** Throws if the queue does not take them: then Service Bus delivers the whole wake-up again. */
async function putOff({ wakeUps }: IngestTools, job: IngestWakeUp, files: string[], at: number): Promise<void> {
  const again = wakeFiles(job.tenant, job.store, files, `off/${at}`, at);
  if (!(await wakeUps.sendToIngest(again))) throw new Error("a wake-up could not be put off");
}

async function lookAtStore(tools: IngestTools, place: StorePlace, { batch }: IngestWakeUp): Promise<void> {
  try {
    if (batch === undefined) {
      await purgeStore(tools, place);
      return await clearExpired(tools, place);
    }
    const doc = await place.partition.readNewest<Doc>(batch);
    if (doc?.kind !== "file_batch" || isNewer(doc) || doc.internal.due == null) return;
    if (doc.internal.cancelled) await cancelFiles(tools, place, batch);
    else await goOn(tools, place, doc);
  } catch (error) {
    tools.log.warn("a vector store is looked at later", { vectorStore: place.storeId, tenant: place.tenant, error });
  }
}

/** Gives up the files of a wake-up that failed at every delivery, if no worker has them. */
export async function buryIngest(tools: IngestTools, message: unknown): Promise<void> {
  const job = isForNewerBuild(message) ? undefined : ingestOf(message);
  if (job?.files === undefined) return;
  const place = placeOf(tools, job.tenant, job.store);
  try {
    for (const file of job.files) {
      const held = await claim(tools, place, file);
      tools.log.error("a file's wake-up failed at every delivery", {
        file,
        vectorStore: job.store,
        tenant: job.tenant,
      });
      if (held === undefined) continue;
      await noteUse(tools.store, job.tenant, job.store, file);
      await held.end({ status: "failed", error: FILE_FAILED });
    }
  } catch (error) {
    tools.log.error("files could not be given up; they are looked at again", { vectorStore: job.store, error });
    if (!(error instanceof StoreTrouble)) return;
    // The dead-letter queue delivers its messages again at once, without end.
    await sleep(PAUSE);
    throw error;
  }
}
