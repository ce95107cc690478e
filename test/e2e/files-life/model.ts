/** Files, uploads, vector stores and batches as the contract has them: what one client must see of its own. */
import type { FileCounts } from "../../../src/resources/vector-store.ts";
import type { VectorStoreFileStatus } from "../../../src/resources/vector-store-file.ts";

export interface KnownFile {
  id: string;
  purpose: string;
  filename: string;
  text: string;
  /** of its creation: that of the upload, if it was uploaded in parts */
  order: number;
  isDeleted: boolean;
}

export interface KnownUpload {
  id: string;
  bytes: number;
  filename: string;
  order: number;
  parts: { id: string; text: string }[];
  status: "pending" | "completed" | "cancelled";
  completedWith: string[];
  file: KnownFile | undefined;
}

/** A file in a store. */
export interface Attached {
  file: KnownFile;
  /** of all that was put into stores */
  order: number;
  attributes: Record<string, number>;
  batches: KnownBatch[];
  /** what has been seen, if it stays so */
  seen: VectorStoreFileStatus | undefined;
  /** The file was deleted: some time it goes out of the store by itself. */
  isFading: boolean;
}

export interface KnownBatch {
  id: string;
  store: KnownStore;
  isCancelled: boolean;
}

export interface KnownStore {
  id: string;
  name: string | null;
  metadata: Record<string, string>;
  isDeleted: boolean;
  files: Map<string, Attached>;
}

/** What ingestion makes of a file that nothing interferes with. */
export const endOf = ({ file: { text } }: Attached): VectorStoreFileStatus =>
  text.trim() === "" ? "failed" : "completed";

/** The statuses that it may have now. */
export const mayBe = (attached: Attached): VectorStoreFileStatus[] =>
  attached.seen === undefined ? ["in_progress", endOf(attached)] : [attached.seen];

const SEARCHABLE = ["txt", "md", "html"];
const extensionOf = (name: string) => name.slice(name.lastIndexOf(".") + 1).toLowerCase();

/** The refusal that there must be of putting these into a store, if there must be one. */
export function refusalOf(ids: string[], files: KnownFile[], param: string): Refusal | undefined {
  const found = ids.map((id) => files.find((file) => file.id === id && !file.isDeleted));
  const missing = [...new Set(ids.filter((_, index) => found[index] === undefined))];
  if (missing.length > 0) return refusal(404, `Files [${missing.join(", ")}] were not found`);
  const known = [...new Map(found.flatMap((file) => (file === undefined ? [] : [[file.id, file] as const]))).values()];
  const purpose = known.find((file) => !["assistants", "user_data"].includes(file.purpose))?.purpose;
  if (purpose !== undefined) {
    const message = `Invalid '${param}': purpose '${purpose}' can't be used in a vector store.`;
    return refusal(400, message, param, "invalid_value");
  }
  const refused = new Set(
    known.map(({ filename }) => extensionOf(filename)).filter((each) => !SEARCHABLE.includes(each)),
  );
  if (refused.size === 0) return undefined;
  const message = new RegExp(
    `^Files with extensions \\[\\.?\\w+(, \\.?\\w+){${refused.size - 1}}\\] are not supported for`,
  );
  return refusal(400, message, param, "unsupported_file");
}

export interface Refusal {
  status: number;
  message: string | RegExp;
  param: string | null;
  code: string | null;
}

export const refusal = (
  status: number,
  message: string | RegExp,
  param: string | null = null,
  code: string | null = null,
): Refusal => ({ status, message, param, code });

/** Whether counts are possible for these files: each of them counts once, in a status that it may have. */
export function fits(counts: FileCounts, all: Attached[]): boolean {
  const sure = all.filter(({ isFading }) => !isFading);
  const least = (status: VectorStoreFileStatus) => sure.filter((each) => mayBe(each).join() === status).length;
  const most = (status: VectorStoreFileStatus) =>
    all.filter((each) => each.isFading || mayBe(each).includes(status)).length;
  const statuses = ["in_progress", "completed", "failed", "cancelled"] as const;
  const sum = statuses.reduce((total, status) => total + counts[status], 0);
  const isInside = statuses.every((status) => counts[status] >= least(status) && counts[status] <= most(status));
  return isInside && counts.total === sum && sum >= sure.length && sum <= all.length;
}
