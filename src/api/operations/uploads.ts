import { z } from "zod";
import { blobName } from "../../blobs/blobs.ts";
import { completeUpload } from "../../files/complete.ts";
import * as uploads from "../../files/uploads.ts";
import { missingField, partTooLarge } from "../../resources/errors.ts";
import {
  completeUploadRequest,
  createUploadRequest,
  MAX_PART_BYTES,
  uploadObject,
  uploadPartObject,
} from "../../resources/upload.ts";
import { apiObject } from "../../store/documents.ts";
import { binaryString, readForm } from "../form.ts";
import { stopFor } from "../incoming.ts";
import { formOperation, operation } from "../operation.ts";
import { blobsOf } from "./files.ts";

const create = operation({
  name: "createUpload",
  summary: "Begin to upload a file of up to 8 GB in parts",
  method: "POST",
  path: "uploads",
  body: createUploadRequest,
  response: uploadObject,
  handler: async ({ app, tenant, body, now }) => {
    blobsOf(app);
    return apiObject(await uploads.createUpload(app.store, tenant, body, now));
  },
});

const addPart = formOperation({
  name: "addUploadPart",
  summary: "Upload a part of up to 64 MB",
  method: "POST",
  path: "uploads/{upload_id}/parts",
  form: z.object({ data: binaryString.describe("The part's bytes") }),
  response: uploadPartObject,
  handler: async ({ app, tenant, params: { upload_id: id }, body, now }) => {
    const blobs = blobsOf(app);
    const upload = await uploads.readPendingUpload(app.store, tenant, id, now);
    const part = uploads.newPartId(now);
    const { file } = await readForm(body, {
      field: "data",
      maxBytes: MAX_PART_BYTES,
      tooLarge: partTooLarge,
      take: (_, bytes, __, signal) => blobs.stage(blobName(tenant, upload.internal.file), part, bytes, signal),
    });
    if (file === undefined) throw missingField("data");
    return uploads.addPart(app.store, tenant, id, part, file.taken, app.now());
  },
});

const complete = operation({
  name: "completeUpload",
  summary: "Make a file of an upload's parts",
  method: "POST",
  path: "uploads/{upload_id}/complete",
  body: completeUploadRequest,
  response: uploadObject,
  handler: async ({ app, tenant, params: { upload_id: id }, body: { part_ids: parts, md5 }, connection }) => {
    const tools = { store: app.store, blobs: blobsOf(app), now: app.now };
    return apiObject(await completeUpload(tools, tenant, id, { parts, md5 }, stopFor(connection).signal));
  },
});

const cancel = operation({
  name: "cancelUpload",
  summary: "Cancel an upload",
  method: "POST",
  path: "uploads/{upload_id}/cancel",
  response: uploadObject,
  handler: async ({ app, tenant, params: { upload_id: id }, now }) => {
    blobsOf(app);
    return apiObject(await uploads.cancelUpload(app.store, tenant, id, now));
  },
});

export const uploadOperations = [create, addPart, complete, cancel];
