import { CosmosClient } from "@azure/cosmos";
import { expect, inject, test } from "vitest";
import { newTenant, POLL, question, type Tenant, until } from "./harness.ts";
import { ask, RunReader, WHOLE, wholeLog } from "./life/run-reader.ts";

const named = (reader: RunReader) => reader.events.map(({ event }) => event);
const pathOf = (threadId: string, runId: string) => `/threads/${threadId}/runs/${runId}/stream`;

test("who watches a background run hears that it has begun before anything is written of it", async () => {
  const tenant = newTenant();
  const { runs } = tenant.openai.beta.threads;
  const { thread, run: request } = await question(tenant.openai, [{ hang: true }]);
  const { id } = await runs.create(thread.id, request);

  const watcher = RunReader.followLog(tenant, pathOf(thread.id, id), WHOLE);
  const begun = ["thread.run.created", "thread.run.queued", "thread.run.in_progress"];
  // Long before its driver renews its lease, which is the first that it writes.
  await until(async () => watcher.events.length >= begun.length, 5_000);
  expect(named(watcher)).toEqual(begun);
  expect(watcher.events.at(-1)?.data).toEqual(await runs.retrieve(id, { thread_id: thread.id }));

  await runs.cancel(id, { thread_id: thread.id });
  await watcher.done;
  expect(named(watcher)).toEqual([...begun, "thread.run.cancelling", "thread.run.cancelled"]);
  expect(await wholeLog(tenant, pathOf(thread.id, id))).toEqual(watcher.events);
});

test("who watches a run that was created with its thread and is streamed hears of the thread first, as its stream did", async () => {
  const tenant = newTenant();
  const { run: request } = await question(tenant.openai, [{ text: "Because.", firstTokenMs: 400 }]);
  const stop = new AbortController();
  const body = { ...request, thread: { messages: [{ role: "user", content: "Why?" }] }, stream: true };
  const response = await ask(tenant, "POST", "/threads/runs", body, stop.signal);
  const stream = RunReader.of(response, stop, null);
  await until(async () => stream.events.length >= 2);
  const run = stream.events[1]?.data as { id: string; thread_id: string };

  const watched = await wholeLog(tenant, pathOf(run.thread_id, run.id));
  await stream.done;

  expect(named(stream).slice(0, 2)).toEqual(["thread.created", "thread.run.created"]);
  expect(watched.map(({ event, data }) => ({ event, data, id: undefined }))).toEqual(stream.events);
});

test("who watches a run whose first events have expired hears those after them while it goes on", async () => {
  const tenant = newTenant();
  const { runs } = tenant.openai.beta.threads;
  const calls = { toolCalls: [{ id: "call_1", name: "lookup", arguments: "{}" }] };
  const { thread, run: request } = await question(tenant.openai, [calls, { hang: true }]);
  const tools = [{ type: "function" as const, function: { name: "lookup" } }];
  const { id } = await runs.createAndPoll(thread.id, { ...request, tools }, POLL);
  const path = pathOf(thread.id, id);
  const number = await eventsUntilPause(tenant, path);
  const outputs = [{ tool_call_id: "call_1", output: "42" }];
  await runs.submitToolOutputs(id, { thread_id: thread.id, tool_outputs: outputs });

  const threads = new CosmosClient(inject("stack").cosmos).database("threadkeep").container("threads");
  await threads.item(`${id}:events:0`, `${tenant.tenant}:${thread.id}`).delete();

  const watcher = RunReader.followLog(tenant, path, WHOLE);
  const left = ["thread.run.step.completed", "thread.run.queued"];
  // The model never answers: the run is not over.
  await until(async () => watcher.events.length >= left.length, 5_000);
  expect(named(watcher).slice(0, 2)).toEqual(left);
  expect(watcher.events[0]?.id).toBe(number);

  await runs.cancel(id, { thread_id: thread.id });
  await watcher.done;
  expect(named(watcher).slice(-2)).toEqual(["thread.run.cancelling", "thread.run.cancelled"]);
  // Its log lacks what an unexpired one has: the check of the store after all tests would tell of that.
  await tenant.openai.beta.threads.delete(thread.id);
  await until(async () => (await leftOf(tenant, thread.id)) === 0, 10_000);
});

/** How many documents the store still has of a thread. */
async function leftOf({ tenant }: Tenant, threadId: string): Promise<number> {
  const cosmos = new CosmosClient(inject("stack").cosmos);
  const partitionKey = `${tenant}:${threadId}`;
  const threads = cosmos.database("threadkeep").container("threads");
  const { resources } = await threads.items
    .query("SELECT c.id FROM c WHERE c.kind != 'deleted_thread'", { partitionKey })
    .fetchAll();
  cosmos.dispose();
  return resources.length;
}

/** How many events a paused run has told. */
async function eventsUntilPause(tenant: Tenant, path: string): Promise<number> {
  const stop = new AbortController();
  const reader = RunReader.of(await ask(tenant, "GET", path, undefined, stop.signal), stop, null);
  await reader.done;
  expect(named(reader).at(-1)).toBe("thread.run.requires_action");
  return reader.events.length;
}
