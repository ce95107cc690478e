/**
 * Processes die without a word and wake-ups get lost: runs complete all the same, and say nothing twice. The lease and
 * the queue's lock are short here, so that no test waits for minutes.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import OpenAI from "openai";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { controlModel } from "../../local/model/control.ts";
import type { Turn } from "../../local/model/turn.ts";
import { type Stack, startStack } from "../../local/stack.ts";
import { buildIfStale } from "../e2e/build.ts";
import { POLL, until } from "../e2e/harness.ts";

/** Seconds. */
const LEASE = 2;
const LOCK_DURATION = 3;
/** How long a wake-up may be under way before the sweep sends another: each active run has a due time. */
const WAKE_UP_GRACE = 15_000;
const LONG = 60_000;

/** Long enough to be killed in, and to be seen half-written before that. */
const SLOW: Turn = { text: Array.from({ length: 60 }, (_, number) => `word${number} `), tokenMs: 100 };

function startShortLived(dataDir?: string): Promise<Stack> {
  buildIfStale();
  return startStack({
    ...(dataDir === undefined ? {} : { dataDir }),
    lockDuration: LOCK_DURATION,
    env: { RUN_LEASE: String(LEASE) },
    // Of answers that no script gives: after a restart, the simulated model has forgotten its scripts.
    modelDelays: { firstTokenMs: 0, tokenMs: 50 },
  });
}

/** A run on a thread of its own; the model's name is its own, too. */
async function startRun(stack: Stack, turns: Turn[]) {
  const client = new OpenAI({ baseURL: stack.baseUrl, apiKey: stack.apiKey });
  const { assistants, threads } = client.beta;
  const model = `model-${crypto.randomUUID()}`;
  const control = controlModel(stack.model.baseUrl);
  await control.script(model, turns);
  const assistant = await assistants.create({ model });
  const thread = await threads.create({ messages: [{ role: "user", content: "Why?" }] });
  const run = await threads.runs.create(thread.id, { assistant_id: assistant.id });
  const inThread = { thread_id: thread.id };
  return {
    threads,
    thread,
    run,
    requests: async () => (await control.report(model)).requests,
    answers: async () => (await threads.messages.list(thread.id, { run_id: run.id })).data,
    now: () => threads.runs.retrieve(run.id, inThread),
    ended: () => until(async () => (await threads.runs.retrieve(run.id, inThread)).expires_at === null, LONG),
  };
}

type StartedRun = Awaited<ReturnType<typeof startRun>>;

const halfWritten = (run: StartedRun) => until(async () => (await run.answers())[0]?.status === "in_progress");

/** One message in one step, and a thread that takes what comes next. */
async function expectOneAnswer({ threads, thread, run, now, answers }: StartedRun, text: unknown): Promise<void> {
  expect(await now()).toMatchObject({ status: "completed", last_error: null, expires_at: null });
  const messages = await answers();
  expect(messages).toMatchObject([
    { status: "completed", role: "assistant", content: [{ type: "text", text: { value: text, annotations: [] } }] },
  ]);
  const steps = await threads.runs.steps.list(run.id, { thread_id: thread.id });
  expect(steps.data).toMatchObject([
    { status: "completed", step_details: { message_creation: { message_id: messages[0]?.id } } },
  ]);
  await threads.messages.create(thread.id, { role: "user", content: "And then?" });
  const again = await threads.runs.createAndPoll(thread.id, { assistant_id: run.assistant_id }, POLL);
  expect(again.status).toBe("completed");
}

describe.concurrent("processes that are killed", () => {
  let dataDir: string;
  let stack: Stack;
  beforeAll(async () => {
    dataDir = mkdtempSync(path.join(tmpdir(), "threadkeep-restart-"));
    stack = await startShortLived(dataDir);
  });
  afterAll(async () => {
    await stack.stop();
    rmSync(dataDir, { recursive: true });
  });

  test("a run whose worker is killed while it answers is completed by the next one", {
    timeout: LONG,
    concurrent: false,
  }, async () => {
    const { functions } = stack.processes;
    const run = await startRun(stack, [SLOW, { text: "Because." }]);
    await halfWritten(run);

    await functions.kill("SIGKILL");
    await functions.start();

    await run.ended();
    expect(await run.requests()).toHaveLength(2);
    await expectOneAnswer(run, "Because.");
  });

  test("a run survives that everything is killed at once", { timeout: LONG, concurrent: false }, async () => {
    const { cosmos, serviceBus, model, functions } = stack.processes;
    const servers = [cosmos, serviceBus, model].filter((server) => server !== undefined);
    const run = await startRun(stack, [SLOW]);
    await halfWritten(run);

    await Promise.all([functions, ...servers].map((each) => each.kill("SIGKILL")));
    await Promise.all(servers.map((server) => server.start()));
    await functions.start();

    await run.ended();
    await expectOneAnswer(run, expect.stringContaining('It read your message number 1: "Why?"'));
  });
});

describe.concurrent("wake-ups that go wrong", () => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await startShortLived();
  });
  afterAll(() => stack.stop());

  /** The fault befalls the next wake-up and no other; answers with whether it has. */
  async function inject(fault: string): Promise<() => Promise<boolean>> {
    const url = `${stack.serviceBus.controlUrl}/_local/faults`;
    await fetch(url, { method: "PUT", body: JSON.stringify([{ fault, rate: 1, times: 1, queue: "runs" }]) });
    return async () => {
      const rules = (await (await fetch(url)).json()) as { struck: number }[];
      return rules[0]?.struck === 1;
    };
  }

  test("a run whose wake-up comes twice asks the model once and answers once", {
    timeout: LONG,
    concurrent: false,
  }, async () => {
    const hasStruck = await inject("double");
    const run = await startRun(stack, [{ text: ["Be", "cause."], tokenMs: 500 }]);

    await run.ended();

    expect(await hasStruck()).toBe(true);
    expect(await run.requests()).toHaveLength(1);
    await expectOneAnswer(run, "Because.");
  });

  test("a run whose wake-up was lost is found by the sweep", { timeout: LONG, concurrent: false }, async () => {
    const hasStruck = await inject("drop");
    const run = await startRun(stack, [{ text: "Because." }]);
    await until(hasStruck);
    const { origin } = new URL(stack.baseUrl);
    const due = Date.now() + WAKE_UP_GRACE;

    await until(async () => {
      // The timer would do it, too, a little later.
      if (Date.now() > due) await fetch(`${origin}/admin/functions/sweep`, { method: "POST" });
      return (await run.requests()).length > 0;
    }, LONG);

    await run.ended();
    await expectOneAnswer(run, "Because.");
  });
});
