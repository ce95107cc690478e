/** Which of a tenant's files a vector store may hold. */
import { isExpired } from "../files/read.ts";
import { filesNotFound, notForStores } from "../resources/errors.ts";
import type { FileObject } from "../resources/file.ts";
import { refusedExtensions } from "../resources/file-types.ts";
import { isPossibleId } from "../resources/ids.ts";
import type { Doc, FileDoc } from "../store/documents.ts";
import type { Partition } from "../store/partition.ts";
import type { Store } from "../store/store.ts";

/** Ids in one query. */
const A_QUERY = 100;

const PURPOSES: FileObject["purpose"][] = ["assistants", "user_data"];

/** The tenant's files of these ids, by id. `now` in milliseconds. */
export async function filesOf(store: Store, tenant: string, ids: string[], now: number): Promise<Map<string, FileDoc>> {
  const found = await docsOf(store.catalog(tenant), ids);
  const files = found.filter((doc): doc is FileDoc & { _etag: string } => doc.kind === "file" && !isExpired(doc, now));
  return new Map(files.map((doc) => [doc.id, doc]));
}

/** Those documents of a partition that there are. */
export async function docsOf(partition: Partition, ids: string[]) {
  const known = [...new Set(ids)].filter(isPossibleId);
  const found: (Doc & { _etag: string })[] = [];
  const [only] = known;
  if (known.length === 1 && only !== undefined) {
    const doc = await partition.read<Doc>(only);
    return doc === undefined ? [] : [doc];
  }
  for (let from = 0; from < known.length; from += A_QUERY) {
    found.push(...(await partition.readAll<Doc>(known.slice(from, from + A_QUERY))));
  }
  return found;
}

/**
 * The files of these ids, each once; throws the 404 that names all that there are not, or the 400 of one that cannot be
 * searched. `param` is where the request names them.
 */
export async function searchableFiles(
  store: Store,
  tenant: string,
  ids: string[],
  param: string,
  now: number,
): Promise<Map<string, FileDoc>> {
  const files = await filesOf(store, tenant, ids, now);
  const missing = [...new Set(ids)].filter((id) => !files.has(id));
  if (missing.length > 0) throw filesNotFound(missing);
  for (const { purpose } of files.values()) if (!PURPOSES.includes(purpose)) throw notForStores(purpose, param);
  const refused = refusedExtensions(
    [...files.values()].map(({ filename }) => filename),
    param,
  );
  if (refused !== undefined) throw refused;
  return files;
}
