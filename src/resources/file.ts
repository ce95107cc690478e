/** Files: bytes with a name and a purpose. The bytes are in Blob Storage, all the rest in the catalog. */
import { z } from "zod";
import { time } from "./common.ts";
import { badPurpose, extensionNotAllowed } from "./errors.ts";
import { extensionOf } from "./file-types.ts";

/** In the order in which the original's error names them. */
export const PURPOSES = ["fine-tune", "assistants", "batch", "user_data", "vision", "evals"] as const;
export type Purpose = (typeof PURPOSES)[number];

/** Those that only the service itself gives to files. */
const OUTPUT_PURPOSES = ["assistants_output", "batch_output", "fine-tune-results"] as const;

/** Bytes: 512 MB. */
export const MAX_FILE_BYTES = 536_870_912;

/** The store takes 30 days, and so did the original. Seconds. */
const SHORTEST_LIFE = 3_600;
const LONGEST_LIFE = 2_592_000;

/** Characters. */
export const MAX_FILENAME = 512;

export const fileObject = z.strictObject({
  id: z.string(),
  object: z.literal("file"),
  bytes: z.int(),
  created_at: time,
  expires_at: time.nullable(),
  filename: z.string(),
  purpose: z.enum([...PURPOSES, ...OUTPUT_PURPOSES]),
  status: z.enum(["uploaded", "processed", "error"]),
  status_details: z.string().nullable(),
});
export type FileObject = z.output<typeof fileObject>;

/** Not `file.deleted`, as other objects say it (the original's answer in recordings). */
export const deletedFileObject = z.strictObject({
  id: z.string(),
  object: z.literal("file"),
  deleted: z.literal(true),
});

export const expiresAfter = z.strictObject({
  anchor: z.literal("created_at"),
  seconds: z.int().min(SHORTEST_LIFE).max(LONGEST_LIFE),
});
export type ExpiresAfter = z.output<typeof expiresAfter>;

/** The purpose that a client names. Throws the contract's 400. */
export function purposeOf(text: string): Purpose {
  const purpose = PURPOSES.find((known) => known === text);
  if (purpose === undefined) throw badPurpose(text, PURPOSES);
  return purpose;
}

const ASSISTANTS_EXTENSIONS =
  "c cpp cs css csv doc docx gif go html java jpeg jpg js json md pdf php pkl png pptx py rb sh tar tex ts txt webp " +
  "xlsx xml zip";

const EXTENSIONS: Record<Purpose, string[] | undefined> = {
  assistants: ASSISTANTS_EXTENSIONS.split(" "),
  vision: ["gif", "jpeg", "jpg", "png", "webp"],
  "fine-tune": ["jsonl"],
  batch: ["jsonl"],
  evals: ["jsonl"],
  user_data: undefined,
};

/**
 * Throws the contract's 400 for a file whose name ends in what its purpose does not take. Names without an ending are
 * taken for assistants, as the original did: such a file cannot be searched, but code may read it.
 */
export function assertExtension(purpose: Purpose, filename: string): void {
  const allowed = EXTENSIONS[purpose];
  const extension = extensionOf(filename);
  if (extension === "" && purpose === "assistants") return;
  if (allowed !== undefined && !allowed.includes(extension)) throw extensionNotAllowed(extension, allowed);
}

/** Files of this purpose expire after 30 days if their client says nothing else. */
const EXPIRING: Purpose = "batch";

interface NewFile {
  id: string;
  purpose: FileObject["purpose"];
  filename: string;
  bytes: number;
  expiresAfter?: ExpiresAfter | undefined;
}

/** `createdAt` in seconds. */
export function newFile({ id, purpose, filename, bytes, expiresAfter: life }: NewFile, createdAt: number): FileObject {
  const seconds = life?.seconds ?? (purpose === EXPIRING ? LONGEST_LIFE : undefined);
  return {
    id,
    object: "file",
    bytes,
    created_at: createdAt,
    expires_at: seconds === undefined ? null : createdAt + seconds,
    filename,
    purpose,
    status: "processed",
    status_details: null,
  };
}

/**
 * The name as it is kept: the last segment of a path, without control characters. "" if nothing is left that names a
 * file.
 */
export function cleanFilename(given: string): string {
  const segment = given.slice(Math.max(given.lastIndexOf("/"), given.lastIndexOf("\\")) + 1);
  const name = segment
    .replace(/\p{Cc}/gu, "")
    .trim()
    .toWellFormed();
  return name === "." || name === ".." ? "" : name;
}
