import { listObject } from "../../resources/common.ts";
import { missingField, onlyOneOf } from "../../resources/errors.ts";
import { createFileBatchRequest, fileBatchObject } from "../../resources/file-batch.ts";
import { type FileToAttach, vectorStoreFileObject } from "../../resources/vector-store-file.ts";
import type { VectorStoreFileDoc } from "../../store/vector-documents.ts";
import { attachBatch, eachOnce } from "../../stores/attach-many.ts";
import { cancelBatch } from "../../stores/cancel.ts";
import { searchableFiles } from "../../stores/files.ts";
import { readFileBatch, readLiveStore, shownBatch } from "../../stores/read.ts";
import { operation } from "../operation.ts";
import { existing, page } from "../paging.ts";
import { blobsOf } from "./files.ts";
import { attachedListing, attachedQuery } from "./vector-store-files.ts";

/** Throws the 400 for a request that names files in both ways, or in none. */
function filesIn(body: ReturnType<typeof createFileBatchRequest.parse>): FileToAttach[] {
  const { file_ids: ids, files, ...rest } = body;
  if (ids !== undefined && files !== undefined) throw onlyOneOf("files", "file_ids", "files");
  if (ids === undefined && files === undefined) throw missingField("file_ids");
  return eachOnce(files ?? (ids ?? []).map((id) => ({ file_id: id, ...rest })));
}

const create = operation({
  name: "createFileBatch",
  summary: "Put files into a vector store together",
  method: "POST",
  path: "vector_stores/{vector_store_id}/file_batches",
  body: createFileBatchRequest,
  response: fileBatchObject,
  handler: async ({ app, tenant, params: { vector_store_id: storeId }, body, now }) => {
    blobsOf(app);
    const wanted = filesIn(body);
    const ids = wanted.map(({ file_id: id }) => id);
    await readLiveStore(app.store, tenant, storeId, now);
    const param = body.files === undefined ? "file_ids" : "files";
    const files = await searchableFiles(app.store, tenant, ids, param, now);
    return shownBatch(await attachBatch(app, tenant, storeId, wanted, files));
  },
});

const get = operation({
  name: "getFileBatch",
  summary: "Retrieve a batch of files",
  method: "GET",
  path: "vector_stores/{vector_store_id}/file_batches/{batch_id}",
  response: fileBatchObject,
  handler: async ({ app, tenant, params: { vector_store_id: storeId, batch_id: id } }) => {
    blobsOf(app);
    return shownBatch(await readFileBatch(app.store, tenant, storeId, id));
  },
});

const cancel = operation({
  name: "cancelFileBatch",
  summary: "Cancel those files of a batch that are in progress",
  method: "POST",
  path: "vector_stores/{vector_store_id}/file_batches/{batch_id}/cancel",
  response: fileBatchObject,
  handler: async ({ app, tenant, params: { vector_store_id: storeId, batch_id: id } }) => {
    blobsOf(app);
    return cancelBatch(app, tenant, storeId, id);
  },
});

const list = operation({
  name: "listFilesInBatch",
  summary: "List the files of a batch",
  method: "GET",
  path: "vector_stores/{vector_store_id}/file_batches/{batch_id}/files",
  query: attachedQuery,
  response: listObject(vectorStoreFileObject),
  handler: async ({ app, tenant, params, query: { filter, ...query }, now }) => {
    blobsOf(app);
    const { vector_store_id: storeId, batch_id: id } = params;
    const listing = attachedListing(app.store.vectorStore(tenant, storeId), filter, id);
    return existing(readFileBatch(app.store, tenant, storeId, id), page<VectorStoreFileDoc>(listing, query, now));
  },
});

export const fileBatchOperations = [create, get, cancel, list];
