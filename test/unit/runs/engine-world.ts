/** The engine on a real store, queue and model of this machine; the test plays the host of its worker. */
import { randomUUID } from "node:crypto";
import { type CosmosServer, startCosmos } from "../../../local/cosmos/server.ts";
import { type RunningModel, startModel } from "../../../local/model/server.ts";
import type { Turn } from "../../../local/model/turn.ts";
import { ServiceBusBroker } from "../../../local/service-bus/server.ts";
import { App } from "../../../src/app.ts";
import { readConfig } from "../../../src/config.ts";
import { QUEUE, type WakeUp } from "../../../src/jobs/wake-ups.ts";
import type { Log } from "../../../src/log.ts";
import type { CreateRunRequest } from "../../../src/resources/run.ts";
import type { Engine } from "../../../src/runs/engine.ts";
import { type NewRun, startRun } from "../../../src/runs/start.ts";
import type { HostedTool } from "../../../src/runs/tools/hosted-tool.ts";
import { wakeUpOf } from "../../../src/runs/wake.ts";
import type { RunDoc } from "../../../src/store/documents.ts";
import type { Partition, Versioned } from "../../../src/store/partition.ts";
import { storeThread } from "../../../src/threads/create.ts";
import { draftThread } from "../../../src/threads/draft.ts";
import { assistant } from "../documents.ts";
import { silentLog } from "../silent-log.ts";

export interface EngineWorld {
  cosmos: CosmosServer;
  queue: ServiceBusBroker;
  model: RunningModel;
  app: App;
  engine: Engine;
  /** A thread with a question, and a model of its own that answers like this. */
  question(turns: Turn[]): Promise<Question>;
  stop(): Promise<void>;
}

export interface Question {
  tenant: string;
  threadId: string;
  partition: Partition;
  /** how often the model has been asked */
  calls(): number;
  /** what starts a run on the thread */
  newRun(request?: Partial<CreateRunRequest>, changes?: Partial<NewRun>): NewRun;
  /** what the model was asked, call by call */
  requests(): unknown[];
  /** Queues a run; answers with its wake-up. */
  start(request?: Partial<CreateRunRequest>, changes?: Partial<NewRun>): Promise<{ run: RunDoc; job: WakeUp }>;
  read(runId: string): Promise<Versioned<RunDoc>>;
}

export async function startEngineWorld(
  env: Record<string, string> = {},
  log: Log = silentLog,
  hosted?: HostedTool[],
): Promise<EngineWorld> {
  const [cosmos, model] = await Promise.all([startCosmos(), startModel()]);
  const queue = new ServiceBusBroker();
  queue.createQueue(QUEUE, { dupWindow: 60_000 });
  await queue.start();
  const settings = {
    COSMOS_ENDPOINT: cosmos.endpoint,
    COSMOS_KEY: cosmos.key,
    COSMOS_CREATE_CONTAINERS: "true",
    ServiceBusConnection: queue.connectionString(),
    MODEL_ENDPOINT: model.baseUrl,
    MODEL_KEY: "a-key",
    ...env,
  };
  const app = new App(readConfig(settings), log, hosted);
  await app.prepare();
  return {
    cosmos,
    queue,
    model,
    app,
    engine: app.engine,
    question: (turns) => question(app, model, turns),
    async stop() {
      await app.close();
      await Promise.all([cosmos.stop(), model.stop(), queue.stop()]);
    },
  };
}

async function question({ engine, store, now }: App, model: RunningModel, turns: Turn[]): Promise<Question> {
  const tenant = randomUUID();
  const name = `model-${tenant}`;
  model.script(name, turns);
  const { thread, messages } = await draftThread(tenant, { messages: [{ role: "user", content: "Why?" }] }, now());
  await storeThread(store, tenant, thread, messages, now);
  const partition = engine.store.thread(tenant, thread.id);
  const answering = assistant({ model: name });
  const newRun = (request: Partial<CreateRunRequest> = {}, changes: Partial<NewRun> = {}): NewRun => ({
    tenant,
    threadId: thread.id,
    assistant: answering,
    request: { assistant_id: answering.id, ...request },
    now: now(),
    before: [],
    isThreadNew: false,
    ...changes,
  });
  return {
    tenant,
    threadId: thread.id,
    partition,
    calls: () => model.requests(name).length,
    requests: () => model.requests(name).map(({ body }) => body),
    newRun,
    async start(request, changes) {
      const run = await startRun(engine, newRun(request, changes));
      return { run, job: wakeUpOf(run) };
    },
    async read(runId) {
      const run = await engine.store.with("account").thread(tenant, thread.id).read<RunDoc>(runId);
      if (run === undefined) throw new Error(`${runId} is not there`);
      return run;
    },
  };
}

/** Looks again and again until something holds; throws after a while. */
export async function until(holds: () => boolean | Promise<boolean>, milliseconds = 10_000): Promise<void> {
  for (const end = Date.now() + milliseconds; !(await holds()); ) {
    if (Date.now() > end) throw new Error(`the condition did not come true within ${milliseconds} ms`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
