/**
 * Wake-ups of the queue `ingest`: "look at these files of this vector store", "at this batch", "at this store". Each
 * names several files, since putting a wake-up off costs as much as sending it, and a flood of files is put off again
 * and again.
 */
import { z } from "zod";
import { isNewerVersion } from "../resources/schema-version.ts";
import type { WakeUpToSend } from "./wake-ups.ts";

/** Files that one wake-up names at the most. */
export const FILES_A_WAKE_UP = 20;

const ingestWakeUp = z.looseObject({
  v: z.number().optional(),
  kind: z.literal("ingest"),
  tenant: z.string().min(1),
  store: z.string().min(1),
  /** ids of files in the store */
  files: z.array(z.string().min(1)).optional(),
  /** id of a batch some of whose files are not in the store yet */
  batch: z.string().min(1).optional(),
});
export type IngestWakeUp = z.output<typeof ingestWakeUp>;

/** The wake-up, unless only a newer build understands the message. */
export function ingestOf(message: unknown): IngestWakeUp | undefined {
  const { data } = ingestWakeUp.safeParse(message);
  return data === undefined || isNewerVersion(data) ? undefined : data;
}

/** `occasion`: the same files have the same wake-ups on it. `at` in milliseconds since 1970. */
export function wakeFiles(
  tenant: string,
  store: string,
  files: string[],
  occasion: string | number,
  at?: number,
): WakeUpToSend[] {
  const wakeUps: WakeUpToSend[] = [];
  for (let from = 0; from < files.length; from += FILES_A_WAKE_UP) {
    const some = files.slice(from, from + FILES_A_WAKE_UP);
    const job: IngestWakeUp = { kind: "ingest", tenant, store, files: some };
    wakeUps.push({ job, id: `${store}/${some.join()}/${occasion}`, at });
  }
  return wakeUps;
}

export const wakeBatch = (tenant: string, store: string, batch: string, occasion: string | number): WakeUpToSend => ({
  job: { kind: "ingest", tenant, store, batch } satisfies IngestWakeUp,
  id: `${store}/${batch}/${occasion}`,
});

/** For a store that was deleted or has expired. `at` in milliseconds. */
export const wakeStore = (tenant: string, store: string, occasion: string | number, at?: number): WakeUpToSend => ({
  job: { kind: "ingest", tenant, store } satisfies IngestWakeUp,
  id: `${store}/store/${occasion}`,
  at,
});
