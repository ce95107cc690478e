import { z } from "zod";
import type { App } from "../../app.ts";
import { type Blobs, blobName } from "../../blobs/blobs.ts";
import { createFile } from "../../files/create.ts";
import * as files from "../../files/delete.ts";
import { readFile } from "../../files/read.ts";
import { listObject, listOf } from "../../resources/common.ts";
import { filesNotServed, fileTooLarge, missingField, noSuchFile } from "../../resources/errors.ts";
import {
  assertExtension,
  deletedFileObject,
  type ExpiresAfter,
  expiresAfter,
  type FileObject,
  fileObject,
  MAX_FILE_BYTES,
  PURPOSES,
  type Purpose,
  purposeOf,
} from "../../resources/file.ts";
import { mintId, nextSeq } from "../../resources/ids.ts";
import { apiObject, type FileDoc, filePurposeSort, fileSort } from "../../store/documents.ts";
import { BinaryStream } from "../binary.ts";
import { binaryString, type Fields, filenameIn, readForm } from "../form.ts";
import { formOperation, operation } from "../operation.ts";
import { limitOf, numberIn, page, pageQuery } from "../paging.ts";
import { validated } from "../validation.ts";

/** Where the bytes of files are; throws the 404 of a deployment that has no such place. */
export function blobsOf({ blobs }: App): Blobs {
  if (blobs === undefined) throw filesNotServed();
  return blobs;
}

const createFileForm = z.object({
  file: binaryString.describe("The file, with its name; the fields may stand before or behind it"),
  purpose: z.enum(PURPOSES),
  "expires_after[anchor]": z.literal("created_at").optional(),
  "expires_after[seconds]": z.int().optional().describe("From 3600 to 2592000"),
});

const create = formOperation({
  name: "createFile",
  summary: "Upload a file of up to 512 MB",
  method: "POST",
  path: "files",
  form: createFileForm,
  response: fileObject,
  handler: async ({ app, tenant, body, now }) => {
    const blobs = blobsOf(app);
    const id = mintId("file", nextSeq(now));
    const form = await readForm(body, {
      field: "file",
      maxBytes: MAX_FILE_BYTES,
      tooLarge: fileTooLarge,
      take: (filename, bytes, fields, signal) => {
        // What is wrong already need not be received.
        if (fields.has("purpose")) detailsOf(fields, filename);
        return blobs.receive(blobName(tenant, id), bytes, signal);
      },
    });
    const details = detailsOf(form.fields, form.file?.filename);
    if (form.file === undefined) throw missingField("file");
    return apiObject(await createFile(app.store, tenant, { id, ...details }, form.file.taken, app.now()));
  },
});

/** What the form says about the file. Throws the contract's 400s, that of the purpose first. */
function detailsOf(
  fields: Fields,
  given: string | undefined,
): { purpose: Purpose; filename: string; expiresAfter: ExpiresAfter | undefined } {
  const purpose = fields.get("purpose");
  if (purpose === undefined || purpose === "") throw missingField("purpose");
  const known = purposeOf(purpose);
  const filename = filenameIn(given, "file", fields);
  assertExtension(known, filename);
  return { purpose: known, filename, expiresAfter: expiryIn(fields) };
}

const expiry = z.object({ expires_after: expiresAfter.optional() });

/** `expires_after` comes as two fields, as clients write nested objects, or as one of JSON. */
function expiryIn(fields: Fields): ExpiresAfter | undefined {
  const [anchor, seconds] = [fields.get("expires_after[anchor]"), fields.get("expires_after[seconds]")];
  const asFields = anchor === undefined && seconds === undefined ? undefined : { anchor, seconds: numberIn(seconds) };
  const whole = fields.get("expires_after");
  return validated(expiry, { expires_after: asFields ?? (whole === undefined ? undefined : jsonIn(whole)) })
    .expires_after;
}

function jsonIn(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** The original's page: all files of most users. */
const MAX_PAGE = 10_000;

const listQuery = z.object({
  purpose: z.string().max(64).optional().describe("Only files of this purpose"),
  limit: limitOf(MAX_PAGE, MAX_PAGE),
  order: pageQuery.shape.order,
  after: pageQuery.shape.after,
});

const list = operation({
  name: "listFiles",
  summary: "List files",
  method: "GET",
  path: "files",
  query: listQuery,
  response: listObject(fileObject),
  handler: async ({ app, tenant, query: { purpose, ...query }, now }) => {
    blobsOf(app);
    const partition = app.store.catalog(tenant);
    const listing =
      purpose === undefined
        ? { partition, sort: fileSort }
        : {
            partition,
            sort: (seq: string) => filePurposeSort(purpose, seq),
            other: { field: "purpose_sort" as const, sort: fileSort },
          };
    const isAlive = ({ expires_at: end }: FileObject) => end === null || end * 1000 > now;
    let after = query.after;
    for (;;) {
      const found = await page<FileDoc>(listing, { ...query, after, before: undefined }, now);
      const alive = found.data.map((doc): FileObject => doc).filter(isAlive);
      // A page whose files have all expired would look like the end.
      if (alive.length > 0 || !found.has_more) return listOf(alive, found.has_more);
      after = found.last_id ?? undefined;
    }
  },
});

const get = operation({
  name: "getFile",
  summary: "Retrieve a file",
  method: "GET",
  path: "files/{file_id}",
  response: fileObject,
  handler: async ({ app, tenant, params: { file_id: id }, now }) => {
    blobsOf(app);
    return apiObject(await readFile(app.store, tenant, id, now));
  },
});

const getContent = operation({
  name: "getFileContent",
  summary: "Download a file",
  method: "GET",
  path: "files/{file_id}/content",
  handler: async ({ app, tenant, params: { file_id: id }, now, connection }) => {
    const blobs = blobsOf(app);
    const { filename } = await readFile(app.store, tenant, id, now);
    const stop = new AbortController();
    const blob = await blobs.open(blobName(tenant, id), { offset: 0 }, stop.signal);
    // It was deleted a moment ago.
    if (blob === undefined) throw noSuchFile(id);
    const failed = (error: unknown) => app.log.warn("a download broke off", { file: id, tenant, error });
    return new BinaryStream({ ...blob, filename, stop: () => stop.abort(), failed }, connection);
  },
});

const remove = operation({
  name: "deleteFile",
  summary: "Delete a file",
  method: "DELETE",
  path: "files/{file_id}",
  response: deletedFileObject,
  handler: async ({ app, tenant, params: { file_id: id } }) => {
    blobsOf(app);
    await files.deleteFile(app, tenant, id);
    return { id, object: "file" as const, deleted: true as const };
  },
});

export const fileOperations = [create, list, get, getContent, remove];
