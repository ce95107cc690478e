/** Walks through the container `catalog`, and reports what is wrong with the documents of files and uploads. */
import type { Container } from "@azure/cosmos";
import type { Doc, FileDoc, UploadDoc } from "../../src/store/documents.ts";
import { filePurposeSort, fileSort, isNewer, seqOf } from "../../src/store/documents.ts";
import type { CheckOptions } from "./rule.ts";

export interface CatalogViolation {
  rule: "catalog";
  pk: string;
  id: string;
  detail: string;
}

type CatalogCheck = Pick<CheckOptions, "tolerance" | "isStopped"> & { now?: () => number };

/** Documents a page of the query. */
const PAGE = 1_000;

/** Every document of the catalogs of all tenants, one page in memory at a time. A store without a catalog has none. */
export async function checkCatalog(container: Container, check: CatalogCheck): Promise<CatalogViolation[]> {
  try {
    return await violationsIn(container, check);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === 404) return [];
    throw error;
  }
}

async function violationsIn(container: Container, check: CatalogCheck): Promise<CatalogViolation[]> {
  const violations: CatalogViolation[] = [];
  const pages = container.items.query<Doc>("SELECT * FROM c", { maxItemCount: PAGE }).getAsyncIterator();
  for await (const { resources } of pages) {
    for (const doc of resources) {
      const details = isNewer({ internal: doc.internal ?? {} }) ? [] : detailsOf(doc, check);
      violations.push(...details.map((detail) => ({ rule: "catalog" as const, pk: doc.pk, id: doc.id, detail })));
    }
  }
  return violations;
}

function detailsOf(doc: Doc, check: CatalogCheck): string[] {
  switch (doc.kind) {
    case "assistant":
    // The rules of vector stores look at it.
    case "use":
      return [];
    case "file":
      return [...ofFile(doc), ...overdue(doc.internal.due, check)];
    case "deleted_file":
      return overdue(doc.internal.due, check);
    case "upload":
      return ofUpload(doc);
    default:
      return [`is a ${doc.kind}, which is none of the catalog's`];
  }
}

function ofFile({ pk, bytes, purpose, created_at: created, expires_at: expires, internal }: FileDoc): string[] {
  const wrong: string[] = [];
  if (internal.tenant !== pk) wrong.push(`says that it belongs to ${internal.tenant}`);
  if (bytes < 1) wrong.push(`has ${bytes} bytes`);
  if (internal.sort !== fileSort(seqOf(internal.sort))) wrong.push(`has the place ${internal.sort}`);
  if (internal.purpose_sort !== filePurposeSort(purpose, seqOf(internal.sort))) {
    wrong.push(`has the place ${internal.purpose_sort} among those of ${purpose}`);
  }
  if (internal.due !== (expires === null ? undefined : expires * 1000)) wrong.push("is not due when it expires");
  if (expires !== null && expires <= created) wrong.push("expired before it was created");
  return wrong;
}

function ofUpload({ status, bytes, file, internal }: UploadDoc): string[] {
  const wrong: string[] = [];
  const parts = Object.keys(internal.parts);
  if (parts.length > internal.part_count) wrong.push(`has ${parts.length} parts, but counts ${internal.part_count}`);
  if ((status === "completed") !== (file !== undefined)) wrong.push(`is ${status} with${file ? "" : "out"} a file`);
  if (file === undefined) return wrong;
  const sum = (internal.claim?.parts ?? []).reduce((total, id) => total + (internal.parts[id]?.bytes ?? 0), 0);
  if (file.id !== internal.file) wrong.push(`became ${file.id}, and was to become ${internal.file}`);
  if (sum !== bytes || file.bytes !== bytes) wrong.push(`has ${bytes} bytes, its parts ${sum}, its file ${file.bytes}`);
  return wrong;
}

/** How long the deletion of a file may be under way before the sweep looks: it looks once a minute. Milliseconds. */
const SWEEP = 60_000;

function overdue(due: number | undefined, { now = Date.now, tolerance, isStopped }: CatalogCheck): string[] {
  const late = now() - (due ?? Number.POSITIVE_INFINITY);
  return isStopped || late < tolerance + 2 * SWEEP ? [] : [`has been due for ${Math.round(late / 1000)} s`];
}
