/**
 * What assistants and threads may use: vector stores that exist, those that are created with them, and those that files
 * go into which are attached to messages. A store is created before the object that names it: if the process dies in
 * between, it is a store that is not used.
 */

import type { ToolResources } from "../resources/common.ts";
import { filesNotFound, noSuchCodeFile, notForCode, onlyOneOf, tooManyCodeFiles } from "../resources/errors.ts";
import type { FileObject } from "../resources/file.ts";
import type { CreateMessageRequest } from "../resources/message.ts";
import { MAX_CODE_FILES, type NewToolResources } from "../resources/tool-resources.ts";
import type { ExpiresAfterActivity } from "../resources/vector-store.ts";
import type { FileToAttach } from "../resources/vector-store-file.ts";
import type { FileDoc } from "../store/documents.ts";
import { attachFile } from "./attach.ts";
import { attachBatch, eachOnce, storeVectorStore } from "./attach-many.ts";
import { draftStore } from "./draft.ts";
import { filesOf, searchableFiles } from "./files.ts";
import { readVectorStore } from "./read.ts";
import type { StoreTools } from "./tools.ts";

/** Stores that are made for a thread. */
export const THREAD_EXPIRY: ExpiresAfterActivity = { anchor: "last_active_at", days: 7 };

/** Files that messages bring along, by the tools that are to use them. */
export interface Attachments {
  search: string[];
  code: string[];
}

/** Throws the 404 of the first store that there is not, or the 400 of a file that code cannot use. */
export async function assertResourcesExist(
  tools: StoreTools,
  tenant: string,
  { file_search: search, code_interpreter: code }: ToolResources,
): Promise<void> {
  const stores = search?.vector_store_ids ?? [];
  await Promise.all([
    ...stores.map((id) => readVectorStore(tools.store, tenant, id)),
    assertCodeFiles(tools, tenant, code?.file_ids ?? []),
  ]);
}

/** What code may use: data, images, and what other code has written. */
const CODE_PURPOSES: FileObject["purpose"][] = ["assistants", "assistants_output", "vision", "user_data"];

async function assertCodeFiles({ store, now }: StoreTools, tenant: string, ids: string[]): Promise<void> {
  if (ids.length === 0) return;
  const files = await filesOf(store, tenant, ids, now());
  for (const id of ids) {
    const file = files.get(id);
    if (file === undefined) throw noSuchCodeFile(id);
    if (!CODE_PURPOSES.includes(file.purpose)) {
      throw notForCode(file.purpose, "tool_resources.code_interpreter.file_ids");
    }
  }
}

/** Throws the contract's 404 for a file that there is not, or the 400 for one that its tool cannot use. */
export async function attachmentsOf(
  { store, now }: StoreTools,
  tenant: string,
  messages: CreateMessageRequest[],
): Promise<Attachments> {
  const all = messages.flatMap(({ attachments }) => attachments ?? []);
  if (all.length === 0) return { search: [], code: [] };
  const idsFor = (type: "file_search" | "code_interpreter") => [
    ...new Set(all.filter(({ tools }) => tools.some((tool) => tool.type === type)).map(({ file_id: id }) => id)),
  ];
  const [search, code] = [idsFor("file_search"), idsFor("code_interpreter")];
  const ids = [...new Set(all.map(({ file_id: id }) => id))];
  const found = await filesOf(store, tenant, ids, now());
  const missing = ids.filter((id) => !found.has(id));
  if (missing.length > 0) throw filesNotFound(missing);
  for (const id of code) {
    const { purpose = "assistants" } = found.get(id) ?? {};
    if (!CODE_PURPOSES.includes(purpose)) throw notForCode(purpose, "attachments");
  }
  await searchableFiles(store, tenant, search, "attachments", now());
  return { search, code };
}

/** What a new assistant or thread is to use, with its store created. `expiry`: of that store. Throws 400s and 404s. */
export async function createdResources(
  tools: StoreTools,
  tenant: string,
  wanted: NewToolResources,
  { search, code }: Attachments = { search: [], code: [] },
  expiry: ExpiresAfterActivity | undefined = undefined,
): Promise<ToolResources> {
  const { file_search: given, code_interpreter: codeGiven } = wanted;
  const [made] = given?.vector_stores ?? [];
  const [named] = given?.vector_store_ids ?? [];
  if (made !== undefined && named !== undefined) {
    throw onlyOneOf("tool_resources.file_search", "vector_stores", "vector_store_ids");
  }
  await assertCodeFiles(tools, tenant, codeGiven?.file_ids ?? []);
  const resources: ToolResources = {};
  const codeFiles = withCodeFiles(codeGiven?.file_ids, code);
  if (codeFiles !== undefined) resources.code_interpreter = { file_ids: codeFiles };
  if (named !== undefined) {
    await assertResourcesExist(tools, tenant, { file_search: { vector_store_ids: [named] } });
    await attachAll(tools, tenant, named, search);
  }
  const wantsStore = made !== undefined || (named === undefined && search.length > 0);
  const id = wantsStore ? await createStore(tools, tenant, made, search, expiry) : named;
  if (id !== undefined || given !== undefined) {
    resources.file_search = { vector_store_ids: id === undefined ? [] : [id] };
  }
  return resources;
}

type MadeStore = NonNullable<NonNullable<NewToolResources["file_search"]>["vector_stores"]>[number];

/** Creates a store for an assistant or a thread; its id. */
export async function createStore(
  tools: StoreTools,
  tenant: string,
  made: MadeStore | undefined,
  attached: string[],
  expiry: ExpiresAfterActivity | undefined,
): Promise<string> {
  const { file_ids: ids = [], chunking_strategy, metadata } = made ?? {};
  const now = tools.now();
  const param = "tool_resources.file_search.vector_stores[0].file_ids";
  const [own, others] = [
    await searchableFiles(tools.store, tenant, ids, param, now),
    await searchableFiles(tools.store, tenant, attached, "attachments", now),
  ];
  const wanted: FileToAttach[] = [
    ...ids.map((file_id) => ({ file_id, chunking_strategy })),
    ...attached.map((file_id) => ({ file_id })),
  ];
  const store = draftStore(tenant, { metadata, expires_after: expiry }, now);
  const files = new Map<string, FileDoc>([...own, ...others]);
  await storeVectorStore(tools, store, eachOnce(wanted), files);
  return store.id;
}

/** Puts files into a store that exists. */
export async function attachAll(tools: StoreTools, tenant: string, storeId: string, ids: string[]): Promise<void> {
  const [only] = ids;
  if (only === undefined) return;
  if (ids.length === 1) {
    await attachFile(tools, tenant, storeId, { file_id: only });
    return;
  }
  const files = await searchableFiles(tools.store, tenant, ids, "attachments", tools.now());
  await attachBatch(
    tools,
    tenant,
    storeId,
    ids.map((file_id) => ({ file_id })),
    files,
  );
}

/** Throws the 400 for too many. Undefined: there is nothing to say about the code interpreter. */
export function withCodeFiles(before: string[] | undefined, more: string[]): string[] | undefined {
  if (before === undefined && more.length === 0) return undefined;
  const all = [...new Set([...(before ?? []), ...more])];
  if (all.length > MAX_CODE_FILES) throw tooManyCodeFiles(MAX_CODE_FILES, all.length);
  return all;
}
