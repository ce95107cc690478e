/** A tenant's files as they are now: one whose time is over is gone, also before the sweep has noticed. */
import { noSuchFile } from "../resources/errors.ts";
import { isPossibleId } from "../resources/ids.ts";
import type { DeletedFileDoc, FileDoc } from "../store/documents.ts";
import type { Versioned } from "../store/partition.ts";
import type { Store } from "../store/store.ts";

/** The file, or undefined if the tenant has none of this id. `now` in milliseconds. */
export async function findFile(
  store: Store,
  tenant: string,
  id: string,
  now: number,
): Promise<Versioned<FileDoc> | undefined> {
  if (!isPossibleId(id)) return undefined;
  const doc = await store.catalog(tenant).read<FileDoc | DeletedFileDoc>(id);
  return doc?.kind === "file" && !isExpired(doc, now) ? doc : undefined;
}

/** The file; throws the contract's 404. */
export async function readFile(store: Store, tenant: string, id: string, now: number): Promise<Versioned<FileDoc>> {
  const file = await findFile(store, tenant, id, now);
  if (file === undefined) throw noSuchFile(id);
  return file;
}

export const isExpired = ({ internal: { due } }: FileDoc, now: number) => due !== undefined && due <= now;
