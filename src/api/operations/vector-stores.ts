import { deleted, type List, listObject } from "../../resources/common.ts";
import { vectorStoreExpired } from "../../resources/errors.ts";
import { assertStorable } from "../../resources/limits.ts";
import {
  clearingAt,
  createVectorStoreRequest,
  deletedVectorStoreObject,
  expiryOf,
  modifyVectorStoreRequest,
  shownVectorStore,
  type VectorStore,
  vectorStoreObject,
} from "../../resources/vector-store.ts";
import { type VectorStoreDoc, vectorStoreSort } from "../../store/vector-documents.ts";
import { eachOnce, storeVectorStore } from "../../stores/attach-many.ts";
import { IS_STORE } from "../../stores/counts.ts";
import * as stores from "../../stores/delete.ts";
import { draftStore } from "../../stores/draft.ts";
import { searchableFiles } from "../../stores/files.ts";
import { readVectorStore } from "../../stores/read.ts";
import type { Face } from "../auth.ts";
import { operation } from "../operation.ts";
import { page, pageQuery } from "../paging.ts";
import { blobsOf } from "./files.ts";

/** Azure OpenAI's clients expect the usage under another name, too. `now` in milliseconds. */
function shown(doc: VectorStoreDoc, face: Face, now: number): VectorStore {
  const object = shownVectorStore(doc, now);
  return face === "azure" ? { ...object, bytes: object.usage_bytes } : object;
}

const create = operation({
  name: "createVectorStore",
  summary: "Create a vector store, with files if there are any yet",
  method: "POST",
  path: "vector_stores",
  body: createVectorStoreRequest,
  response: vectorStoreObject,
  handler: async ({ app, tenant, body, now, face }) => {
    blobsOf(app);
    const { file_ids: ids = [], chunking_strategy, ...request } = body;
    const files = await searchableFiles(app.store, tenant, ids, "file_ids", now);
    const store = draftStore(tenant, request, now);
    assertStorable(store, null);
    const wanted = eachOnce(ids.map((id) => ({ file_id: id, chunking_strategy })));
    return shown(await storeVectorStore(app, store, wanted, files), face, now);
  },
});

const list = operation({
  name: "listVectorStores",
  summary: "List vector stores",
  method: "GET",
  path: "vector_stores",
  query: pageQuery,
  response: listObject(vectorStoreObject),
  handler: async ({ app, tenant, query, now, face }) => {
    blobsOf(app);
    const partition = app.store.vectorStoresOf(tenant);
    const listing = { partition, sort: (seq: string) => vectorStoreSort(tenant, seq) };
    const found = await page<VectorStoreDoc>(listing, query, now);
    const data = found.data.map((doc) => shown(doc, face, now));
    return { ...found, data } satisfies List<VectorStore>;
  },
});

const get = operation({
  name: "getVectorStore",
  summary: "Retrieve a vector store",
  method: "GET",
  path: "vector_stores/{vector_store_id}",
  response: vectorStoreObject,
  handler: async ({ app, tenant, params: { vector_store_id: id }, now, face }) => {
    blobsOf(app);
    return shown(await readVectorStore(app.store, tenant, id), face, now);
  },
});

const modify = operation({
  name: "modifyVectorStore",
  summary: "Modify a vector store's name, expiry and metadata",
  method: "POST",
  path: "vector_stores/{vector_store_id}",
  body: modifyVectorStoreRequest,
  response: vectorStoreObject,
  handler: async ({ app, tenant, params: { vector_store_id: id }, body, now, face }) => {
    blobsOf(app);
    const before = await readVectorStore(app.store, tenant, id);
    const set: Record<string, unknown> = {};
    for (const [name, value] of Object.entries(body)) if (value !== undefined) set[`/${name}`] = value;
    // One that has expired stays so: what was in it may be gone.
    const end = expiryOf(before);
    const isOver = end !== null && end * 1000 <= now;
    if (isOver && body.expires_after !== undefined) throw vectorStoreExpired(id);
    if (body.expires_after !== undefined) {
      set["/internal/due"] = clearingAt({ ...before, expires_after: body.expires_after });
    }
    const result = await app.store.vectorStore(tenant, id).patchIf<VectorStoreDoc>(id, IS_STORE, set);
    return shown("doc" in result ? result.doc : await readVectorStore(app.store, tenant, id), face, now);
  },
});

const remove = operation({
  name: "deleteVectorStore",
  summary: "Delete a vector store; its files stay",
  method: "DELETE",
  path: "vector_stores/{vector_store_id}",
  response: deletedVectorStoreObject,
  handler: async ({ app, tenant, params: { vector_store_id: id } }) => {
    blobsOf(app);
    await stores.deleteVectorStore(app, tenant, id);
    return deleted(id, "vector_store.deleted");
  },
});

export const vectorStoreOperations = [create, list, get, modify, remove];
