import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ACTIVE_STATUSES, type RunStatus, TERMINAL_STATUSES } from "../../../src/resources/run.ts";
import { cancelRun, currentRun, modifyRun, submitToolOutputs } from "../../../src/runs/commands.ts";
import { beginningOf } from "../../../src/runs/events.ts";
import { readShortLog } from "../../../src/runs/short-log.ts";
import type { RunDoc, StepDoc, ThreadDoc } from "../../../src/store/documents.ts";
import type { Partition } from "../../../src/store/partition.ts";
import {
  CREATED,
  callsStep,
  functionCall,
  messageStep,
  NOW_IN_SECONDS,
  RUN_SEQ,
  replyDoc,
  runIn,
  THREAD,
} from "../documents.ts";
import { read, type StoredThreads, startStoredThreads } from "./stored-thread.ts";

let threads: StoredThreads;
beforeAll(async () => {
  threads = await startStoredThreads();
});
afterAll(() => threads.close());

const RUN_ID = `run_${RUN_SEQ}`;
const STEP = callsStep([functionCall("call_a", null), functionCall("call_b", null, "get_time")]);

/** The run with what is open in it. */
async function stored(run: RunDoc) {
  const open = run.internal.open;
  const docs = [STEP, messageStep(), replyDoc("Hel")].filter(({ id }) => open.includes(id));
  const partition = await threads.thread([run, ...docs], run.id);
  return { partition, threadId: THREAD, runId: RUN_ID };
}

const runOf = (partition: Partition) => read<RunDoc>(partition, RUN_ID);
const lockOf = async (partition: Partition) => (await read<ThreadDoc>(partition, THREAD)).internal.active_run;

/** A run in this status that has no driver at the moment. */
function undriven(status: RunStatus): RunDoc {
  const run = runIn(status);
  return { ...run, internal: { ...run.internal, lease: null } };
}

describe("cancelling a run without a driver", () => {
  test.each([
    { status: "queued" as const, told: ["created", "queued"] },
    { status: "in_progress" as const, told: ["created", "queued", "in_progress"] },
  ])("logs first what those who watch it have been told already, when it is $status", async ({ status, told }) => {
    const run = undriven(status);
    const ref = await stored({ ...run, internal: { ...run.internal, open: [] } });
    const beginning = beginningOf(await runOf(ref.partition));
    await cancelRun(threads.engine, ref);
    const cancelled = await runOf(ref.partition);
    const { short_log: log } = cancelled.internal;
    const events = log === undefined ? [] : readShortLog(cancelled, log, []).filter((event) => event !== undefined);
    expect(events.slice(0, told.length)).toEqual(beginning);
    expect(events.map(({ event }) => event)).toEqual(
      [...told, "cancelling", "cancelled"].map((name) => `thread.run.${name}`),
    );
  });

  test.each(["queued", "requires_action"] as const)(
    "ends it at once when it is %s, and frees its thread",
    async (status) => {
      const ref = await stored(undriven(status));
      expect(await cancelRun(threads.engine, ref)).toMatchObject({
        status: "cancelling",
        cancelled_at: null,
        expires_at: CREATED + 600,
        usage: null,
      });
      expect(await runOf(ref.partition)).toMatchObject({ status: "cancelled", cancelled_at: NOW_IN_SECONDS });
      expect(await lockOf(ref.partition)).toBeNull();
    },
  );

  test("ends the step that waited for outputs with it", async () => {
    const ref = await stored(undriven("requires_action"));
    await cancelRun(threads.engine, ref);
    expect(await read<StepDoc>(ref.partition, STEP.id)).toMatchObject({
      status: "cancelled",
      cancelled_at: NOW_IN_SECONDS,
    });
  });

  // From in_progress a run passes to cancelled by way of cancelling only, and this takes it there at once: it throws.
  test("ends it at once while it waits for the model to be tried again", async () => {
    const ref = await stored(undriven("in_progress"));
    expect(await cancelRun(threads.engine, ref)).toMatchObject({ status: "cancelling" });
    expect(await runOf(ref.partition)).toMatchObject({ status: "cancelled", cancelled_at: NOW_IN_SECONDS });
  });

  test.each([...TERMINAL_STATUSES, "cancelling" as const])("is refused when it is %s", async (status) => {
    const ref = await stored({ ...runIn(status) });
    await expect(cancelRun(threads.engine, ref)).rejects.toThrow(`Cannot cancel run with status '${status}'.`);
  });
});

describe("a run whose time is over", () => {
  test.each(ACTIVE_STATUSES)("has expired for any reader when it is %s", async (status) => {
    const ref = await stored({ ...undriven(status), expires_at: NOW_IN_SECONDS });
    const run = await currentRun(threads.engine, ref);
    expect(run).toMatchObject({ status: "expired", expires_at: null, required_action: null });
    expect(await runOf(ref.partition)).toMatchObject({ status: "expired" });
    expect(await lockOf(ref.partition)).toBeNull();
  });

  test("is left to its driver while it has one", async () => {
    const ref = await stored({ ...runIn("in_progress"), expires_at: NOW_IN_SECONDS });
    expect(await currentRun(threads.engine, ref)).toMatchObject({ status: "in_progress" });
  });
});

describe("tool outputs", () => {
  const outputs = (...ids: string[]) => ({ tool_outputs: ids.map((id) => ({ tool_call_id: id, output: `of ${id}` })) });

  test("in any order complete the step and queue the run again", async () => {
    const ref = await stored(runIn("requires_action"));
    const { run } = await submitToolOutputs(threads.engine, ref, outputs("call_b", "call_a"), false);
    expect(run).toMatchObject({ status: "queued", required_action: null, started_at: CREATED + 2, usage: null });
    const step = await read<StepDoc>(ref.partition, STEP.id);
    expect(step).toMatchObject({
      status: "completed",
      completed_at: NOW_IN_SECONDS,
      usage: { total_tokens: 27 },
      step_details: { tool_calls: [{ function: { output: "of call_a" } }, { function: { output: "of call_b" } }] },
    });
  });

  test.each([
    ["too few", ["call_a"], "['call_a']"],
    ["none", [], "[]"],
    ["one of another run", ["call_a", "call_x"], "['call_a', 'call_x']"],
    ["one too many", ["call_a", "call_b", "call_x"], "['call_a', 'call_b', 'call_x']"],
    ["one twice", ["call_a", "call_a"], "['call_a', 'call_a']"],
  ])("are refused when there are %s", async (_, ids, got) => {
    const ref = await stored(runIn("requires_action"));
    await expect(submitToolOutputs(threads.engine, ref, outputs(...ids), false)).rejects.toThrow(
      `Expected tool outputs for call_ids ['call_a', 'call_b'], got ${got}`,
    );
    expect(await runOf(ref.partition)).toMatchObject({ status: "requires_action" });
  });

  test.each([...ACTIVE_STATUSES, ...TERMINAL_STATUSES].filter((status) => status !== "requires_action"))(
    "are refused when the run is %s",
    async (status) => {
      const ref = await stored(runIn(status));
      await expect(submitToolOutputs(threads.engine, ref, outputs("call_a"), false)).rejects.toThrow(
        `Runs in status "${status}" do not accept tool outputs.`,
      );
    },
  );
});

describe("a run's metadata", () => {
  test.each(ACTIVE_STATUSES)("cannot be changed while it is %s", async (status) => {
    const ref = await stored(runIn(status));
    await expect(modifyRun(threads.engine, ref, { a: "b" })).rejects.toThrow(
      `Cannot update run with status '${status}'.`,
    );
  });

  test.each(TERMINAL_STATUSES)("can be changed once it is %s", async (status) => {
    const ref = await stored(runIn(status));
    expect((await modifyRun(threads.engine, ref, { a: "b" })).metadata).toEqual({ a: "b" });
    expect((await runOf(ref.partition)).metadata).toEqual({ a: "b" });
  });
});
