/**
 * Files that messages bring into a thread that exists. The thread's store is made with the first of them. All of it is
 * done before the messages are written: a message that is refused after all leaves files that can be searched, and
 * nothing else.
 */

import type { ToolResources } from "../resources/common.ts";
import { overloaded } from "../resources/errors.ts";
import type { CreateMessageRequest } from "../resources/message.ts";
import type { CreateThreadRequest } from "../resources/thread.ts";
import type { ThreadDoc } from "../store/documents.ts";
import type { Versioned } from "../store/partition.ts";
import { deleteVectorStore } from "../stores/delete.ts";
import {
  attachAll,
  attachmentsOf,
  createdResources,
  createStore,
  THREAD_EXPIRY,
  withCodeFiles,
} from "../stores/resources.ts";
import type { StoreTools } from "../stores/tools.ts";
import { MAX_ATTEMPTS, type StaleLock } from "./lock.ts";
import { assertThreadExists, readThreadToWrite } from "./read.ts";

/** Throws the contract's 404 or 400. Leaves a thread alone that a run holds: the messages will be refused. */
export async function attachToThread(
  tools: StoreTools,
  tenant: string,
  threadId: string,
  messages: CreateMessageRequest[],
  isStale: StaleLock,
): Promise<void> {
  const attachments = await attachmentsOf(tools, tenant, messages);
  if (attachments.search.length + attachments.code.length === 0) return;
  const partition = tools.store.thread(tenant, threadId);
  let made: string | undefined;
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const thread = await readThreadToWrite(partition, threadId);
    const { active_run: run } = thread.internal;
    if (run !== null && !(await isStale(run))) {
      if (made !== undefined) await deleteVectorStore(tools, tenant, made);
      return;
    }
    const known = thread.tool_resources.file_search?.vector_store_ids[0];
    // Throws before anything is made.
    const codeFiles = withCodeFiles(thread.tool_resources.code_interpreter?.file_ids, attachments.code);
    if (known !== undefined) await attachAll(tools, tenant, known, attachments.search);
    else if (attachments.search.length > 0) {
      made ??= await createStore(tools, tenant, undefined, attachments.search, THREAD_EXPIRY);
    }
    const next = withResources(thread, codeFiles, known ?? made);
    const result = await partition.batch([{ put: next, ifMatch: thread._etag }]);
    if (!result.ok && result.status === 404) break;
    if (!result.ok) continue;
    // Another request has made a store for the thread at the same moment.
    if (made !== undefined && known !== undefined) await deleteVectorStore(tools, tenant, made);
    return;
  }
  if (made !== undefined) await deleteVectorStore(tools, tenant, made);
  await assertThreadExists(partition, threadId);
  throw overloaded(1);
}

function withResources(
  thread: Versioned<ThreadDoc>,
  codeFiles: string[] | undefined,
  storeId: string | undefined,
): ThreadDoc {
  return {
    ...thread,
    tool_resources: {
      ...(codeFiles === undefined ? {} : { code_interpreter: { file_ids: codeFiles } }),
      ...(storeId === undefined ? {} : { file_search: { vector_store_ids: [storeId] } }),
    },
  };
}

/** What a new thread may use, with the store that it brings along or that its messages need. Throws 400s and 404s. */
export async function resourcesOfThread(
  tools: StoreTools,
  tenant: string,
  { tool_resources: wanted = {}, messages = [] }: CreateThreadRequest,
): Promise<ToolResources> {
  return createdResources(tools, tenant, wanted, await attachmentsOf(tools, tenant, messages), THREAD_EXPIRY);
}
