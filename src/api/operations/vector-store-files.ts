import { z } from "zod";
import { deleted, listObject } from "../../resources/common.ts";
import {
  createVectorStoreFileRequest,
  deletedVectorStoreFileObject,
  modifyVectorStoreFileRequest,
  VECTOR_STORE_FILE_STATUSES,
  type VectorStoreFileStatus,
  vectorStoreFileObject,
} from "../../resources/vector-store-file.ts";
import { apiObject } from "../../store/documents.ts";
import type { Partition } from "../../store/partition.ts";
import {
  attachedSort,
  attachedStatusSort,
  detachedSort,
  type VectorStoreFileDoc,
} from "../../store/vector-documents.ts";
import { attachFile, placeOf } from "../../stores/attach.ts";
import { detachFile } from "../../stores/detach.ts";
import { readAttached, readVectorStore } from "../../stores/read.ts";
import { setAttributes } from "../../stores/relabel.ts";
import { operation } from "../operation.ts";
import { existing, type Listing, page, pageQuery } from "../paging.ts";
import { blobsOf } from "./files.ts";

const create = operation({
  name: "createVectorStoreFile",
  summary: "Put a file into a vector store",
  method: "POST",
  path: "vector_stores/{vector_store_id}/files",
  body: createVectorStoreFileRequest,
  response: vectorStoreFileObject,
  handler: async ({ app, tenant, params: { vector_store_id: storeId }, body }) => {
    blobsOf(app);
    return apiObject(await attachFile(app, tenant, storeId, body));
  },
});

export const attachedQuery = pageQuery.extend({
  filter: z.enum(VECTOR_STORE_FILE_STATUSES).optional().describe("Only files of this status"),
});

/** Files in a store, those of one status in an order of their own. */
export function attachedListing(
  partition: Partition,
  filter: VectorStoreFileStatus | undefined,
  batchId?: string,
): Listing {
  if (filter === undefined) return { partition, sort: attachedSort, marks: detachedSort, batchId };
  const sort = (seq: string) => attachedStatusSort(filter, seq);
  return { partition, sort, marks: detachedSort, batchId, other: { field: "status_sort", sort: attachedSort } };
}

const list = operation({
  name: "listVectorStoreFiles",
  summary: "List the files in a vector store",
  method: "GET",
  path: "vector_stores/{vector_store_id}/files",
  query: attachedQuery,
  response: listObject(vectorStoreFileObject),
  handler: async ({ app, tenant, params: { vector_store_id: id }, query: { filter, ...query }, now }) => {
    blobsOf(app);
    const listing = attachedListing(app.store.vectorStore(tenant, id), filter);
    return existing(readVectorStore(app.store, tenant, id), page<VectorStoreFileDoc>(listing, query, now));
  },
});

const get = operation({
  name: "getVectorStoreFile",
  summary: "Retrieve a file in a vector store",
  method: "GET",
  path: "vector_stores/{vector_store_id}/files/{file_id}",
  response: vectorStoreFileObject,
  handler: async ({ app, tenant, params: { vector_store_id: storeId, file_id: id } }) => {
    blobsOf(app);
    return apiObject(await readAttached(app.store, tenant, storeId, id));
  },
});

const modify = operation({
  name: "modifyVectorStoreFile",
  summary: "Replace the attributes of a file in a vector store",
  method: "POST",
  path: "vector_stores/{vector_store_id}/files/{file_id}",
  body: modifyVectorStoreFileRequest,
  response: vectorStoreFileObject,
  handler: async ({ app, tenant, params: { vector_store_id: storeId, file_id: id }, body: { attributes } }) => {
    blobsOf(app);
    return setAttributes(app, placeOf(app, tenant, storeId), id, attributes);
  },
});

const remove = operation({
  name: "deleteVectorStoreFile",
  summary: "Take a file out of a vector store; the file itself stays",
  method: "DELETE",
  path: "vector_stores/{vector_store_id}/files/{file_id}",
  response: deletedVectorStoreFileObject,
  handler: async ({ app, tenant, params: { vector_store_id: storeId, file_id: id } }) => {
    blobsOf(app);
    await detachFile(app, placeOf(app, tenant, storeId), id);
    return deleted(id, "vector_store.file.deleted");
  },
});

export const vectorStoreFileOperations = [create, list, get, modify, remove];
