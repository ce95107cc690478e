import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { RunStatus } from "../../../src/resources/run.ts";
import { cancelRun, currentRun, type RunRef } from "../../../src/runs/commands.ts";
import { endUndriven } from "../../../src/runs/end-undriven.ts";
import type { MessageDoc, RunDoc, StepDoc, ThreadDoc } from "../../../src/store/documents.ts";
import {
  callsStep,
  functionCall,
  messageStep,
  NOW_IN_SECONDS,
  RESERVED,
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

async function stored(run: RunDoc, docs: (MessageDoc | StepDoc)[]): Promise<RunRef> {
  const partition = await threads.thread([run, ...docs], run.id);
  return { partition, threadId: THREAD, runId: RUN_ID };
}

/** Half-written, by a driver that is dead. */
const halfWritten = (changes: Partial<RunDoc> = {}): RunDoc => {
  const run = { ...runIn("in_progress"), ...changes };
  return { ...run, internal: { ...run.internal, lease: null } };
};

const lockOf = async ({ partition }: RunRef) => (await read<ThreadDoc>(partition, THREAD)).internal.active_run;

test("what a dead driver had saved of its message counts for the windows of later runs", async () => {
  const ref = await stored(halfWritten(), [
    messageStep(),
    replyDoc("one two three four five six seven eight nine ten"),
  ]);
  await cancelRun(threads.engine, ref);
  const message = await read<MessageDoc>(ref.partition, RESERVED.message);
  expect(message).toMatchObject({ status: "incomplete", incomplete_details: { reason: "run_cancelled" } });
  expect(message.internal.tokens).toBeGreaterThanOrEqual(10);
});

test.each([
  ["message", RESERVED.message, "before"],
  ["message", RESERVED.message, "while"],
  ["step", RESERVED.messageStep, "before"],
] as const)("a run ends whose %s is gone (%s: deleted %s it is ended), and that stays gone", async (_, id, when) => {
  const ref = await stored(halfWritten(), [messageStep(), replyDoc("Hel")]);
  const run = await read<RunDoc>(ref.partition, RUN_ID);
  const { partition } = ref;
  if (when === "before") await partition.delete(id);
  const ending = endUndriven(threads.engine, partition, run, { status: "expired" });
  if (when === "while") await partition.delete(id);
  expect(await ending).toMatchObject({ status: "expired", internal: { open: [] } });
  expect(await partition.read(id)).toBeUndefined();
  expect(await lockOf(ref)).toBeNull();
});

test("a run ends whose thread is locked by another one, and leaves that lock alone", async () => {
  const partition = await threads.thread([halfWritten(), messageStep(), replyDoc("Hel")], "run_of_another");
  const ref = { partition, threadId: THREAD, runId: RUN_ID };
  await cancelRun(threads.engine, ref);
  expect(await read<RunDoc>(partition, RUN_ID)).toMatchObject({ status: "cancelled" });
  expect(await lockOf(ref)).toBe("run_of_another");
});

/** Of JSON, as older builds let them in: the instructions stand in the run itself. */
const MEGABYTE = "x".repeat(1_000_000);
const NEARLY = "y".repeat(900_000);

/** A run as an older build has left it, with documents that no batch of today could hold twice. */
function large(status: RunStatus): { run: RunDoc; docs: (MessageDoc | StepDoc)[] } {
  const step = callsStep([
    { ...functionCall("call_1", null), function: { name: "f", arguments: NEARLY, output: null } },
  ]);
  const reply = replyDoc(MEGABYTE + NEARLY);
  const run = runIn(status);
  const large = { ...run, instructions: MEGABYTE, internal: { ...run.internal, lease: null } };
  if (status !== "requires_action") return { run: large, docs: [messageStep(), reply] };
  const call = { id: "call_1", type: "function" as const, function: { name: "f", arguments: NEARLY } };
  const action = { type: "submit_tool_outputs" as const, submit_tool_outputs: { tool_calls: [call] } };
  return { run: { ...large, required_action: action }, docs: [step] };
}

describe.each(["requires_action", "in_progress", "queued"] as const)(
  "a run of an older build that is %s and far too large",
  (status) => {
    const { run, docs } = large(status);
    const open = docs.filter(({ id }) => run.internal.open.includes(id));

    test("is shown", async () => {
      const ref = await stored(run, open);
      expect(await currentRun(threads.engine, ref)).toMatchObject({ status, instructions: MEGABYTE });
    });

    test("expires", async () => {
      const ref = await stored({ ...run, expires_at: NOW_IN_SECONDS }, open);
      expect(await currentRun(threads.engine, ref)).toMatchObject({ status: "expired", instructions: MEGABYTE });
      expect(await lockOf(ref)).toBeNull();
      for (const { id } of open) expect(await ref.partition.read(id)).not.toMatchObject({ status: "in_progress" });
    });

    test("is cancelled", async () => {
      const ref = await stored(run, open);
      await cancelRun(threads.engine, ref);
      expect(await read<RunDoc>(ref.partition, RUN_ID)).toMatchObject({ status: "cancelled" });
      expect(await lockOf(ref)).toBeNull();
    });
  },
);
