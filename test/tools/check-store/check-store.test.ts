/** A store in which everything is right, and one thing broken by hand: the checker names it. */

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { SCHEMA_VERSION } from "../../../src/resources/schema-version.ts";
import { apiObject, type DeletedThreadDoc, type Doc, deletedSort } from "../../../src/store/documents.ts";
import type { Report } from "../../../tools/check-store/check-store.ts";
import type { CheckOptions } from "../../../tools/check-store/rule.ts";
import { RULES } from "../../../tools/check-store/thread.ts";
import { startWorld, type World } from "../../local/cosmos/harness.ts";
import { CREATED, KEY, messageDoc, NOW, place, THREAD } from "../../unit/documents.ts";
import { checkDocuments } from "./checking.ts";
import { allDocs, answeredThread, type GoodThread, secondAnswer, TTL, waitingThread } from "./good-threads.ts";

let world: World;
beforeAll(async () => {
  world = await startWorld();
});
afterAll(() => world.stop());

const check = (docs: Doc[], options: Partial<CheckOptions> = {}) => checkDocuments(world, docs, options);

const rulesOf = ({ violations }: Report) => [...new Set(violations.map(({ rule }) => rule))];

const LONG_AFTER = (CREATED + 700) * 1000;

describe("a store in which nothing is wrong", () => {
  test.each([
    { status: "completed" as const },
    { status: "cancelled" as const },
    { status: "expired" as const },
    { status: "incomplete" as const, reason: "max_completion_tokens" as const },
    { status: "failed" as const, error: { code: "server_error", message: "Sorry." } },
  ])("with a run that is $status, has no violations", async (ending) => {
    const report = await check(allDocs(answeredThread(ending)));
    expect(report.violations).toEqual([]);
    expect(report).toMatchObject({ threads: 1, documents: 9, runs: { [ending.status]: 1 } });
  });

  test("with a run that waits for its client, has no violations until the run expires", async () => {
    const { chunks, ...docs } = waitingThread();
    const all = [...Object.values(docs), ...chunks];
    expect((await check(all)).violations).toEqual([]);
    expect(rulesOf(await check(all, { now: LONG_AFTER }))).toEqual(["due"]);
  });

  test("has no violations when its event logs are so old that Cosmos DB has begun to delete them", async () => {
    const docs = answeredThread();
    docs.chunks.shift();
    expect((await check(allDocs(docs), { now: NOW + TTL * 1000 })).violations).toEqual([]);
    expect(rulesOf(await check(allDocs(docs)))).toEqual(["events"]);
  });

  test("may miss what a failed try had told, as the next one did not need it", async () => {
    const ending = { status: "completed" as const };
    expect((await check(allDocs(answeredThread(ending, "claimed again")))).violations).toEqual([]);
    expect(rulesOf(await check(allDocs(answeredThread(ending, "not claimed again"))))).toEqual(["events"]);
  });

  test("may hold more than this build knows: fields, and threads of a newer version", async () => {
    const docs = answeredThread();
    Object.assign(docs.question, { more: 1 });
    Object.assign(docs.question.internal, { more: 1 });
    expect(await check(allDocs(docs))).toMatchObject({ violations: [], newer: 0 });
    // What it says is for the newer build to judge, but for its lock and what is due.
    const newer = answeredThread();
    Object.assign(newer.run.internal, { v: SCHEMA_VERSION + 1 });
    Object.assign(newer.answer, { content: "another form" });
    const stranger = { id: "x_1", pk: KEY, kind: "x", internal: { v: SCHEMA_VERSION + 1 } } as unknown as Doc;
    expect(await check([...allDocs(newer), stranger])).toMatchObject({ violations: [], newer: 1 });
    newer.thread.internal.active_run = newer.run.id;
    expect(rulesOf(await check(allDocs(newer)))).toEqual(["lock"]);
  });

  test("with a log that begins with the thread, as that of a streamed run which was created with it", async () => {
    const docs = answeredThread();
    const [first] = docs.chunks;
    const opening = { event: "thread.created", data: apiObject(docs.thread) };
    first?.internal.entries.unshift(opening);
    for (const chunk of docs.chunks.slice(1)) chunk.internal.first += 1;
    docs.run.internal.log.events += 1;
    expect((await check(allDocs(docs))).violations).toEqual([]);
    Object.assign(opening.data, { id: "thread_other" });
    expect(rulesOf(await check(allDocs(docs)))).toEqual(["events"]);
  });

  test("may miss a message if clients delete messages", async () => {
    const { answer: _answer, chunks, ...docs } = answeredThread();
    const report = await check([...Object.values(docs), ...chunks], { messagesAreDeleted: true });
    expect(report.violations).toEqual([]);
  });
});

/** Changes one document, or adds or leaves out some. */
type Break = (good: GoodThread) => Doc[] | undefined;

const BROKEN: [what: string, rule: string, broken: Break][] = [
  ["an answer is missing", "answer", (t) => allDocs(t).filter((doc) => doc !== t.answer)],
  ["a run has answered twice", "answer", (t) => [...allDocs(t), ...secondAnswer(t).slice(0, 1)]],
  ["a second answer has a step of its own", "order", (t) => [...allDocs(t), ...secondAnswer(t)]],
  [
    "a run that has ended has calls to be done",
    "code",
    ({ run }) => void Object.assign(run.internal, { pending: "tools" }),
  ],
  ["a step is missing", "answer", (t) => allDocs(t).filter((doc) => doc !== t.step)],
  [
    "a completed run ends with a function call",
    "answer",
    (t) => allDocs(t).filter((d) => d !== t.step && d !== t.answer),
  ],
  ["a thread stays locked", "lock", ({ thread, run }) => void Object.assign(thread.internal, { active_run: run.id })],
  [
    "a thread is locked by a run that is missing",
    "lock",
    ({ thread }) => void Object.assign(thread.internal, { active_run: `run_${place(99)}` }),
  ],
  [
    "a thread has lost count of its users' messages",
    "lock",
    ({ thread }) => void Object.assign(thread.internal, { user_messages: 0 }),
  ],
  [
    "a message stays in_progress",
    "message",
    ({ answer }) => {
      answer.status = "in_progress";
      answer.completed_at = null;
    },
  ],
  [
    "a message is completed without a time",
    "message",
    ({ answer }) => void Object.assign(answer, { completed_at: null }),
  ],
  [
    "a message is cut off by what did not happen",
    "message",
    ({ answer }) => {
      Object.assign(answer, { status: "incomplete", completed_at: null, incomplete_at: CREATED + 31 });
      answer.incomplete_details = { reason: "run_cancelled" };
    },
  ],
  ["a message lacks a field", "message", ({ answer }) => void Reflect.deleteProperty(answer, "attachments")],
  [
    "a part of a message has a field that the API does not know",
    "message",
    ({ answer }) => void Object.assign(answer.content[0] ?? {}, { x: 1 }),
  ],
  [
    "a step stays in_progress",
    "step",
    ({ step }) => {
      Object.assign(step, { status: "in_progress", completed_at: null, usage: null });
    },
  ],
  [
    "a step expired in a completed run",
    "step",
    ({ step }) => {
      Object.assign(step, { status: "expired", completed_at: null, expired_at: CREATED + 31 });
    },
  ],
  [
    "a finished function call has no output",
    "step",
    ({ calls: { step_details: details } }) => {
      const [call] = details.type === "tool_calls" ? details.tool_calls : [];
      if (call?.type === "function") call.function.output = null;
    },
  ],
  ["a run that ended can still expire", "run", ({ run }) => void Object.assign(run, { expires_at: CREATED + 600 })],
  [
    "a run failed without an error",
    "run",
    ({ run }) => {
      Object.assign(run, { status: "failed", completed_at: null, failed_at: CREATED + 31 });
    },
  ],
  ["a run completed before it began", "run", ({ run }) => void Object.assign(run, { completed_at: CREATED - 60 })],
  [
    "a run that ended has an owner",
    "run",
    ({ run }) => void Object.assign(run.internal, { lease: { owner: "worker-1", until: NOW } }),
  ],
  [
    "a run that ended names an open message",
    "run",
    ({ run, answer }) => void Object.assign(run.internal, { open: [answer.id] }),
  ],
  ["a run that ended is to be looked at", "due", ({ run }) => void Object.assign(run.internal, { due: NOW })],
  [
    "a run shows more than it used",
    "usage",
    ({ run }) => void Object.assign(run, { usage: { ...run.internal.usage, total_tokens: 99 } }),
  ],
  [
    "a step shows less than it used",
    "usage",
    ({ step }) => void Object.assign(step, { usage: { ...step.internal.usage, prompt_tokens: 1 } }),
  ],
  [
    "a run used more than its steps",
    "usage",
    ({ step }) => {
      step.internal.usage = { ...step.internal.usage, total_tokens: 0 };
      step.usage = step.internal.usage;
    },
  ],
  [
    "a document is of another thread",
    "place",
    ({ question }) => void Object.assign(question, { thread_id: "thread_other" }),
  ],
  ["a run is of another tenant", "place", ({ run }) => void Object.assign(run.internal, { tenant: "evil" })],
  [
    "a message is of a run that does not exist",
    "place",
    ({ answer }) => void Object.assign(answer, { run_id: "run_other" }),
  ],
  [
    "something unknown lies in a thread",
    "place",
    (t) => [...allDocs(t), { id: "x", pk: KEY, kind: "x" } as unknown as Doc],
  ],
  [
    "two messages have one place",
    "order",
    ({ question, answer }) => {
      question.internal.sort = answer.internal.sort;
    },
  ],
  [
    "an answer is listed before its question",
    "order",
    ({ answer }) => void Object.assign(answer.internal, { sort: `message/${place(2)}` }),
  ],
  ["a message was added while a run was active", "order", (t) => [...allDocs(t), messageDoc({}, 15)]],
  [
    "the thread does not know its newest",
    "order",
    ({ thread }) => void Object.assign(thread.internal, { last_seq: place(5) }),
  ],
  ["a piece of the event log is missing", "events", ({ chunks }) => void chunks.splice(1, 1)],
  [
    "the log goes on after its end",
    "events",
    (t) => {
      const [chunk] = t.chunks;
      return chunk === undefined ? [] : [...allDocs(t), { ...chunk, id: `${t.run.id}:events:9` }];
    },
  ],
  ["the log skips an event", "events", ({ chunks }) => void Object.assign(chunks[2]?.internal ?? {}, { first: 0 })],
  [
    "the log tells another text",
    "events",
    ({ answer }) => {
      answer.content = [{ type: "text", text: { value: "It rains.", annotations: [] } }];
    },
  ],
  ["the log tells another time", "events", ({ step }) => void Object.assign(step, { completed_at: CREATED + 33 })],
  [
    "the log does not know of the end",
    "events",
    ({ chunks, run }) => {
      chunks.pop();
      run.internal.log = { chunks: 2, events: 7 };
    },
  ],
];

test("each rule is shown to fail", () => {
  // `form` in unreadable.test.ts, `deleted` below.
  const shown = new Set([...BROKEN.map(([, rule]) => rule), "form", "deleted"]);
  expect(Object.keys(RULES).filter((rule) => !shown.has(rule))).toEqual([]);
});

test("a store whose app is stopped has nothing overdue, and keeps the other rules", async () => {
  const { chunks, ...docs } = waitingThread();
  const all = [...Object.values(docs), ...chunks];
  expect((await check(all, { now: LONG_AFTER, isStopped: true })).violations).toEqual([]);
  docs.thread.internal.active_run = null;
  expect(rulesOf(await check(all, { now: LONG_AFTER, isStopped: true }))).toEqual(["lock"]);
});

describe("the checker finds that", () => {
  test.each(BROKEN)("%s", async (_, rule, broken) => {
    const thread = answeredThread();
    const docs = broken(thread) ?? allDocs(thread);
    expect(rulesOf(await check(docs))).toContain(rule);
  });

  test("a run is stuck in the queue", async () => {
    const { run, chunks: _chunks, calls: _calls, ...docs } = waitingThread();
    Object.assign(run, { status: "queued", started_at: null, required_action: null });
    run.internal = { ...run.internal, open: [], due: NOW - 11_000, log: { chunks: 0, events: 0 } };
    const report = await check([run, ...Object.values(docs)]);
    expect(report.violations).toMatchObject([{ rule: "due", id: run.id, detail: "is queued and overdue for 11 s" }]);
  });

  test("an active run does not hold its thread", async () => {
    const { chunks, ...docs } = waitingThread();
    docs.thread.internal.active_run = null;
    expect(rulesOf(await check([...Object.values(docs), ...chunks]))).toEqual(["lock"]);
  });

  test("an active run will never be looked at", async () => {
    const { chunks, ...docs } = waitingThread();
    delete docs.run.internal.due;
    expect(rulesOf(await check([...Object.values(docs), ...chunks]))).toEqual(["due"]);
  });

  test("a run's thread is missing", async () => {
    const docs = allDocs(answeredThread()).filter((doc) => doc.kind !== "thread");
    const { violations } = await check(docs);
    expect(violations).toMatchObject([{ rule: "place", id: THREAD, detail: "the thread is missing" }]);
  });

  test("nothing but messages is left of a thread", async () => {
    const docs = allDocs(answeredThread()).filter((doc) => doc.kind === "message" && doc.run_id === null);
    const { violations } = await check(docs);
    expect(docs).toHaveLength(1);
    expect(violations).toMatchObject([{ rule: "place", id: THREAD, detail: "the thread is missing" }]);
  });

  test.each(["sort", "due, as older builds wrote it"])("a deletion was never finished, by its %s", async (which) => {
    const internal = { tenant: "acme", sort: deletedSort(NOW) };
    const older = { tenant: "acme", due: NOW } as unknown as typeof internal;
    const docs = [...withoutThread(allDocs(answeredThread())), mark(which === "sort" ? internal : older)];
    expect((await check(docs)).violations).toEqual([]);
    expect(rulesOf(await check(docs, { now: LONG_AFTER }))).toEqual(["due"]);
  });

  test("a run could go on though its thread is deleted", async () => {
    const { chunks, ...docs } = waitingThread();
    const left = [...withoutThread(Object.values(docs)), ...chunks];
    const report = await check([...left, mark({ tenant: "acme", sort: deletedSort(NOW) })]);
    expect(report.violations).toMatchObject([{ rule: "deleted", id: docs.run.id }]);
  });
});

const withoutThread = (docs: Doc[]) => docs.filter((doc) => doc.kind !== "thread");
const mark = (internal: DeletedThreadDoc["internal"]): Doc => ({
  id: THREAD,
  pk: KEY,
  kind: "deleted_thread",
  internal,
});
