/** How fresh the account's reads are: what the app does about it, and what it tells its operator. */
import { ConsistencyLevel } from "@azure/cosmos";
import { afterEach, expect, test } from "vitest";
import { type CosmosServer, startCosmos } from "../../../local/cosmos/server.ts";
import type { Settings } from "../../../local/cosmos/settings.ts";
import { health } from "../../../src/api/health.ts";
import { App } from "../../../src/app.ts";
import { readConfig } from "../../../src/config.ts";
import type { Log } from "../../../src/log.ts";
import { storeThread } from "../../../src/threads/create.ts";
import { draftThread } from "../../../src/threads/draft.ts";

const stops: (() => unknown)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

const errors: string[] = [];
const log: Log = {
  info: () => {},
  warn: () => {},
  error: (message) => void errors.push(message),
  with: () => log,
};

function appOf({ endpoint, key }: CosmosServer, creates = true): App {
  const app = new App(
    readConfig({
      COSMOS_ENDPOINT: endpoint,
      COSMOS_KEY: key,
      COSMOS_CREATE_CONTAINERS: String(creates),
      ServiceBusConnection: "Endpoint=sb://127.0.0.1:1;SharedAccessKeyName=n;SharedAccessKey=k",
      MODEL_ENDPOINT: "http://127.0.0.1:1/v1",
    }),
    log,
  );
  stops.push(() => app.close());
  return app;
}

async function storeWith(settings: Partial<Settings>): Promise<CosmosServer> {
  errors.length = 0;
  const server = await startCosmos({ settings });
  stops.push(() => server.stop());
  return server;
}

test.each([ConsistencyLevel.Strong, ConsistencyLevel.BoundedStaleness])(
  "%s is what clients need: nothing to tell",
  async (consistency) => {
    const app = appOf(await storeWith({ consistency }));
    await app.prepare();
    expect(await health(app)).toEqual({ status: 200, jsonBody: { status: "ok", consistency } });
    expect(errors).toEqual([]);
  },
);

test.each([ConsistencyLevel.Eventual, ConsistencyLevel.ConsistentPrefix])(
  "%s: the app refuses",
  async (consistency) => {
    const app = appOf(await storeWith({ consistency }));
    await expect(app.prepare()).rejects.toThrow(`has ${consistency} consistency`);
    expect(await health(app)).toMatchObject({ status: 503 });
  },
);

test("Session: the log and /healthz say what that means, and an instance reads what it has written", async () => {
  // A replica that stays behind for as long as this test takes.
  const app = appOf(await storeWith({ consistency: ConsistencyLevel.Session, lagMs: 60_000 }));
  await app.prepare();
  expect(errors).toEqual([expect.stringContaining("Session consistency, not Strong")]);
  expect(await health(app)).toMatchObject({ status: 200, jsonBody: { warning: expect.stringContaining("Strong") } });

  const draft = await draftThread("t", { messages: [{ role: "user", content: "Hi" }] }, app.now());
  await storeThread(app.store, "t", draft.thread, draft.messages, app.now);
  const partition = app.store.thread("t", draft.thread.id);
  expect(await partition.read(draft.thread.id)).toMatchObject({ id: draft.thread.id });
  expect(await partition.ids(10)).toHaveLength(2);
  const range = { above: "thread/", below: "thread/~" };
  const { docs } = await app.store.threadsOf("t").page({ range, descending: true, limit: 10 });
  expect(docs.length).toBeLessThanOrEqual(1);
});

test("an account that cannot be read at the start: not healthy until it can", async () => {
  const server = await storeWith({});
  await appOf(server).prepare();
  const app = appOf(server, false);
  server.setFaults([{ fault: "503", operations: ["metadata"], times: 10 }]);
  await app.prepare();
  server.setFaults([]);
  expect(await health(app)).toMatchObject({
    status: 503,
    jsonBody: { reason: expect.stringContaining("not known yet") },
  });
  await app.prepare();
  expect(app.store.consistency.level).toBe(ConsistencyLevel.Strong);
});
