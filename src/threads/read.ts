/** Whether a thread exists. A mark in its place, of a deleted or half-written thread, is no thread. */
import { noThreadFound, updating } from "../resources/errors.ts";
import { type DeletedThreadDoc, isNewer, type ThreadDoc } from "../store/documents.ts";
import type { Partition, Versioned } from "../store/partition.ts";

/** The thread; throws the contract's 404. */
export async function readThread(partition: Partition, threadId: string): Promise<Versioned<ThreadDoc>> {
  const thread = await partition.read<ThreadDoc | DeletedThreadDoc>(threadId);
  if (thread?.kind !== "thread") throw noThreadFound(threadId);
  return thread;
}

/** The thread, for writing to it; throws the contract's 404, or 503 if only a newer build understands it. */
export async function readThreadToWrite(partition: Partition, threadId: string): Promise<Versioned<ThreadDoc>> {
  const thread = await readThread(partition, threadId);
  if (isNewer(thread)) throw updating(1);
  return thread;
}

export async function threadExists(partition: Partition, threadId: string): Promise<boolean> {
  return (await partition.read<ThreadDoc | DeletedThreadDoc>(threadId))?.kind === "thread";
}

/** Throws the contract's 404 if there is no such thread (any more). */
export async function assertThreadExists(partition: Partition, threadId: string): Promise<void> {
  if (!(await threadExists(partition, threadId))) throw noThreadFound(threadId);
}
