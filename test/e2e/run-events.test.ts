import { expect, test } from "vitest";
import { newTenant, question, until } from "./harness.ts";
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
