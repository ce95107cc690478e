/** The reckoning: a thread, its messages, and each run with its steps, streams and log must agree with each other. */
import { expect } from "vitest";
import type { List } from "../../../src/resources/common.ts";
import type { Message } from "../../../src/resources/message.ts";
import { isTerminal, type Run } from "../../../src/resources/run.ts";
import type { RunStep } from "../../../src/resources/step.ts";
import { all, type Tenant } from "../harness.ts";
import { EventLaws } from "./event-laws.ts";
import { expectOrder, segmentsOf } from "./event-order.ts";
import { expectRun, expectWork } from "./expected.ts";
import type { RunModel } from "./run-model.ts";
import { type ServerEvent, wholeLog } from "./run-reader.ts";
import type { ThreadModel } from "./thread-model.ts";

/** Compares everything while no run is under way; learns the ids of messages that were not known before. */
export async function settle(tenant: Tenant, thread: ThreadModel): Promise<void> {
  const { threads } = tenant.openai.beta;
  const inThread = { thread_id: thread.id };
  const [stored, messages, runs] = await Promise.all([
    threads.retrieve(thread.id),
    all(threads.messages.list(thread.id, { order: "asc", limit: 7 })) as Promise<unknown> as Promise<Message[]>,
    all(threads.runs.list(thread.id, { order: "asc", limit: 3 })) as Promise<unknown> as Promise<Run[]>,
  ]);
  expect(stored.metadata).toEqual(thread.metadata);
  expect(runs.map((run) => run.id)).toEqual(thread.runs.map((run) => run.id));
  for (const [index, run] of runs.entries()) {
    const model = thread.runs[index];
    if (model === undefined) continue;
    model.see(run.status);
    expectRun(run, model);
    const steps = (await all(
      threads.runs.steps.list(run.id, { ...inThread, order: "asc", limit: 4 }),
    )) as unknown as RunStep[];
    learnReplies(model, steps);
    expectWork({ run, steps, messages: repliesOf(model, messages) }, model);
  }
  expectMessages(messages, thread);
}

/** A run's replies by its steps: each message step stands for exactly one message. */
function learnReplies(run: RunModel, steps: RunStep[]): void {
  for (const { step_details: details } of steps) {
    if (details.type !== "message_creation") continue;
    run.learnReply(details.message_creation.message_id);
  }
}

/** The messages of a run as they are, or as they were when they were deleted. */
function repliesOf(run: RunModel, messages: Message[]): Message[] {
  const stored = messages.filter((message) => message.run_id === run.id);
  const deleted = run.replies.map((reply) => reply.deleted).filter((message) => message !== undefined);
  return [...stored, ...deleted].toSorted((a, b) => (a.id < b.id ? -1 : 1));
}

function expectMessages(messages: Message[], thread: ThreadModel): void {
  const known = thread.messages.filter((message) => message.deleted === undefined);
  expect(messages.map(({ role }) => role)).toEqual(known.map(({ role }) => role));
  for (const [index, message] of messages.entries()) {
    const expected = known[index];
    if (expected === undefined) continue;
    expected.id ??= message.id;
    expect(message).toMatchObject({ id: expected.id, metadata: expected.metadata, thread_id: thread.id });
    if (message.run_id === null) expect(message).toMatchObject(asAdded(expected.content));
  }
}

const asAdded = (content: string) => ({
  assistant_id: null,
  status: "completed",
  content: [{ type: "text", text: { value: content, annotations: [] } }],
});

// ---------------------------------------------------------------- streams and logs

/** Connections that one log is read over, at most. */
const PIECES = 6;

/** Every stream of a run that has ended, its log, and what is stored of it say the same. */
export async function settleEvents(
  tenant: Tenant,
  thread: ThreadModel,
  model: RunModel,
  smallest: number,
): Promise<void> {
  const path = `/threads/${thread.id}/runs/${model.id}/stream`;
  const log = await wholeLog(tenant, path);
  const isWhole = log.every(({ id }, index) => id === index);
  const lostMessage = model.replies.some(({ deleted }) => deleted !== undefined);
  expect(isWhole || lostMessage, "a log has gaps only where a message was deleted").toBe(true);
  const size = Math.max(smallest, Math.ceil(log.length / PIECES));
  const pieces = await wholeLog(tenant, path, size);
  expect(pieces, `the log read in pieces of ${size}`).toEqual(log);
  const { watcher } = model;
  if (watcher !== undefined) {
    await watcher.done;
    if (watcher.error !== undefined) throw watcher.error;
    const ids = new Set(log.map(({ id }) => id));
    const stillLogged = watcher.events.filter(({ id }) => isWhole || ids.has(id));
    expect(stillLogged, "what was heard live is what was logged").toEqual(log);
  }
  if (!isWhole) return;
  await expectStreams(log, model);
  expectOrder(log, model);
  await expectLastWords(tenant, thread, model, EventLaws.of(log));
}

async function expectStreams(log: ServerEvent[], model: RunModel): Promise<void> {
  const told = segmentsOf(log);
  for (const [number, { reader }] of model.segments.entries()) {
    if (reader === undefined) continue;
    await reader.done;
    if (reader.error !== undefined) throw reader.error;
    const events = (told[number] ?? []).map(({ event, data }) => ({ event, data }));
    const heard = reader.events.map(({ event, data }) => ({ event, data }));
    expect(heard, "a stream says what the log says").toEqual(
      reader.isComplete ? events : events.slice(0, heard.length),
    );
    expect(reader.events.every(({ id }) => id === undefined)).toBe(true);
  }
}

/** The last event of each object is what a GET returns, but for what a client has changed since. */
async function expectLastWords(tenant: Tenant, thread: ThreadModel, model: RunModel, said: EventLaws): Promise<void> {
  const base = `/threads/${thread.id}`;
  const get = async (path: string) => (await tenant.send("GET", base + path)).body;
  const run = (await get(`/runs/${model.id}`)) as Run;
  expect(isTerminal(run.status)).toBe(true);
  expect({ ...said.run, metadata: model.metadata }).toEqual(run);
  const { data: steps } = (await get(`/runs/${model.id}/steps?order=asc&limit=100`)) as List<RunStep>;
  expect([...said.steps.values()].map((step) => ({ ...step, expires_at: null }))).toEqual(steps);
  const stored = (await get(`/messages?order=asc&limit=100&run_id=${model.id}`)) as List<Message>;
  const known = model.replies.filter((message) => message.deleted === undefined);
  const metadataOf = new Map(known.map(({ id, metadata }) => [id, metadata]));
  const messages = [...said.messages.values()]
    .filter(({ id }) => metadataOf.has(id))
    .map((message) => ({ ...message, metadata: metadataOf.get(message.id) }));
  expect(messages).toEqual(stored.data);
}
