/** The safety nets of files: what is overdue gets another wake-up, and blobs that no file has are deleted. */
import type { ListedBlob } from "../blobs/blobs.ts";
import { seqOfId } from "../resources/ids.ts";
import { type Doc, fileSort } from "../store/documents.ts";
import type { Store } from "../store/store.ts";
import { type FileTools, fileWakeUp } from "./delete.ts";

/**
 * The sweep sends one wake-up in this time for each file: wake-ups of the same moment have the same id. Milliseconds.
 */
const MOMENT = 60_000;

/** Sends wake-ups for up to `limit` files that have expired, or were deleted and left something. */
export async function sweepFiles({ store, wakeUps, log, now }: FileTools, limit: number): Promise<void> {
  const time = now();
  const overdue = await store.overdueFiles(time, limit);
  if (overdue.length === 0) return;
  const moment = Math.floor(time / MOMENT);
  await wakeUps.sendAll(
    overdue.map(({ tenant, id, due }) => ({ ...fileWakeUp(tenant, id, due), id: `${id}/sweep/${moment}` })),
  );
  log.info("sweep woke overdue files", { number: overdue.length });
}

/** A blob younger than this may belong to a file that is just being created, or to an upload. Milliseconds. */
const ORPHAN_AGE = 86_400_000;

/** Blobs that are looked at together. */
const PAGE = 500;

/**
 * Deletes the blobs that have been there for a day though no file has them: code has written them and no message has
 * linked them, or a process died between writing the bytes and the file's document. `before` (milliseconds): only blobs
 * that were last written before. Answers with their number.
 */
export async function sweepOrphans(tools: FileTools, before = tools.now() - ORPHAN_AGE): Promise<number> {
  const { blobs, store, log } = tools;
  let count = 0;
  if (blobs === undefined) return count;
  for await (const page of blobs.pages(PAGE)) {
    for (const orphan of await orphansIn(
      store,
      page.filter(({ modifiedAt }) => modifiedAt < before),
    )) {
      await blobs.delete(orphan);
      count += 1;
    }
  }
  // Mostly what code has written and no message has linked.
  if (count > 0) log.info("blobs of no file were deleted", { number: count });
  return count;
}

async function orphansIn(store: Store, blobs: ListedBlob[]): Promise<string[]> {
  const orphans: string[] = [];
  const byTenant = Map.groupBy(blobs, ({ name }) => name.slice(0, name.indexOf("/")));
  for (const [tenant, ofTenant] of byTenant) {
    const known = await knownFiles(store, tenant, ofTenant.map(fileOf));
    for (const blob of ofTenant) {
      const file = fileOf(blob);
      // One whose id tells no place in the list may be there all the same: as may a mark of a deleted one.
      if (!known.has(file) && (await store.catalog(tenant).readNewest<Doc>(file)) === undefined)
        orphans.push(blob.name);
    }
  }
  return orphans;
}

/** What follows the tenant, up to the ending of blobs that are made from the file's. */
const fileOf = ({ name }: Pick<ListedBlob, "name">) => name.slice(name.indexOf("/") + 1).replace(/\..*$/, "");

/** Those of the files that are in the list, with one query: blobs come in the order of their files' ids. */
async function knownFiles(store: Store, tenant: string, files: string[]): Promise<Set<string>> {
  const seqs = files.flatMap((id) => seqOfId(id, Number.MAX_SAFE_INTEGER) ?? []).sort();
  const [first, last] = [seqs[0], seqs.at(-1)];
  if (first === undefined || last === undefined) return new Set();
  // Both ends of a range are excluded.
  const range = { above: fileSort(first.slice(0, -1)), below: `${fileSort(last)}~` };
  const docs = await store.catalog(tenant).list({ range, descending: false, limit: 2 * PAGE });
  return new Set(docs.map(({ id }) => id));
}
