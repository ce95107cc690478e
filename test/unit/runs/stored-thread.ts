/** A real store on this machine, and one thread in it, for what the engine decides on while it reads and writes. */
import { randomUUID } from "node:crypto";
import { startCosmos } from "../../../local/cosmos/server.ts";
import { App } from "../../../src/app.ts";
import { readConfig } from "../../../src/config.ts";
import { newThread } from "../../../src/resources/thread.ts";
import type { Engine } from "../../../src/runs/engine.ts";
import { inBatches } from "../../../src/store/batches.ts";
import type { CostMeter } from "../../../src/store/cost.ts";
import type { Doc, MessageDoc, RunDoc, StepDoc, ThreadDoc } from "../../../src/store/documents.ts";
import type { Partition, Versioned } from "../../../src/store/partition.ts";
import type { Write } from "../../../src/store/writes.ts";
import { CREATED, NOW, place, THREAD } from "../documents.ts";
import { silentLog } from "../silent-log.ts";

export interface StoredThreads {
  /** at the time of these tests' documents */
  engine: Engine;
  /** what has been asked of the store so far */
  cost: CostMeter;
  /** A thread of a tenant of its own, with these documents in it. */
  thread(docs: (MessageDoc | RunDoc | StepDoc)[], activeRun?: string): Promise<Partition>;
  close(): Promise<void>;
}

export async function startStoredThreads(): Promise<StoredThreads> {
  const cosmos = await startCosmos();
  const config = readConfig({
    COSMOS_ENDPOINT: cosmos.endpoint,
    COSMOS_KEY: cosmos.key,
    COSMOS_CREATE_CONTAINERS: "true",
    // Neither is called: nothing here drives a run or wakes one.
    MODEL_ENDPOINT: "http://127.0.0.1:1/v1",
    ServiceBusConnection: "Endpoint=sb://127.0.0.1;SharedAccessKeyName=n;SharedAccessKey=k;UseDevelopmentEmulator=true",
  });
  const app = new App(config, silentLog);
  await app.prepare();
  const engine: Engine = { ...app.engine, now: () => NOW };
  return {
    engine,
    cost: app.cost,
    async thread(docs, activeRun) {
      const tenant = randomUUID();
      const partition = engine.store.thread(tenant, THREAD);
      const pk = `${tenant}:${THREAD}`;
      const all: Doc[] = [threadDoc(activeRun ?? null), ...docs];
      const writes = all.map((doc): Write => ({ create: { ...doc, pk } }));
      for (const batch of inBatches(writes)) {
        if (!(await partition.batch(batch)).ok) throw new Error("the documents were refused");
      }
      return partition;
    },
    async close() {
      await app.close();
      await cosmos.stop();
    },
  };
}

function threadDoc(activeRun: string | null): ThreadDoc {
  return {
    ...newThread({}, THREAD, CREATED),
    pk: "",
    kind: "thread",
    internal: { sort: `thread/${place(0)}`, active_run: activeRun, last_seq: place(900), user_messages: 1 },
  };
}

export async function read<D extends Doc>(partition: Partition, id: string): Promise<Versioned<D>> {
  const doc = await partition.read<D>(id);
  if (doc === undefined) throw new Error(`${id} is not there`);
  return doc;
}
