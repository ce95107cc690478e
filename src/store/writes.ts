/**
 * Writes as the app and the SDK want them, their results, and the marks that tell which batch has written a document.
 */
import { BulkOperationType, type JSONObject, type OperationInput, type PatchOperation } from "@azure/cosmos";
import { type Doc, WRITTEN_AS } from "./documents.ts";
import { withoutSnapshot } from "./snapshots.ts";

/** One write of a batch. */
export type Write =
  | { create: Doc }
  | { put: Doc; ifMatch?: string | undefined }
  | { patch: string; set?: Record<string, unknown>; add?: Record<string, number>; condition?: string }
  | { delete: string; ifMatch?: string };

/**
 * `failed` is the index of the write that was refused, -1 if the batch was refused as a whole, and `status` says why:
 * 404 (no such document), 409 (exists already), 412 (another version, or the condition does not hold), 413 (too large).
 * Then nothing of the batch was done.
 */
export type BatchResult = { ok: true; etags: string[] } | Refusal;
export interface Refusal {
  ok: false;
  failed: number;
  status: number;
}

export function toOperation(write: Write): OperationInput {
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

/**
 * A document as the SDK's types want it: without the system fields that a read brought along, with a schema version,
 * and a run without what its snapshot holds.
 */
function json(doc: Doc): JSONObject & { id: string } {
  const own: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(withoutSnapshot(doc))) if (!name.startsWith("_")) own[name] = value;
  own.internal = { v: WRITTEN_AS[doc.kind], ...Object(own.internal) };
  return own as JSONObject & { id: string };
}

/** Field of `internal` that names the batch or patch that wrote a document last. */
export const MARK = "written_by";

/** Which write's document is to carry a batch's mark: the run's, whose new etag its driver needs, or the first. */
export function carrierOf(writes: Write[]): number {
  const kinds = writes.map((write) =>
    "create" in write ? write.create.kind : "put" in write ? write.put.kind : undefined,
  );
  const run = kinds.indexOf("run");
  return run >= 0 ? run : kinds.findIndex((kind) => kind !== undefined && kind !== "events");
}

/** Marks the document of a create or put; answers with its id. */
export function markOperation(operation: OperationInput | undefined, mark: string): string | undefined {
  if (operation === undefined || !("resourceBody" in operation)) return undefined;
  const body = operation.resourceBody;
  if (typeof body !== "object" || body === null || !("internal" in body)) return undefined;
  Object.assign(body, { internal: { ...Object(body.internal), [MARK]: mark } });
  return String(Reflect.get(body, "id"));
}

export const carries = (doc: Doc, mark: string) => Reflect.get(doc.internal, MARK) === mark;

export const setOperations = (set: Record<string, unknown>): PatchOperation[] =>
  Object.entries(set).map(([path, value]) => ({ op: "set", path, value }));

export const addOperations = (add: Record<string, number>): PatchOperation[] =>
  Object.entries(add).map(([path, value]) => ({ op: "incr", path, value }));
