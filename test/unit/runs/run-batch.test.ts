/** What becomes of a run's batch that the store refuses: each reason has its own answer. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { messageEvent, textDelta } from "../../../src/runs/events.ts";
import { ended, endedMessage } from "../../../src/runs/lifecycle.ts";
import { type BatchParts, RunBatch, type Sent } from "../../../src/runs/run-batch.ts";
import type { MessageDoc, RunDoc, ThreadDoc } from "../../../src/store/documents.ts";
import type { Partition } from "../../../src/store/partition.ts";
import { NOW, RESERVED, RUN_SEQ, replyDoc, runIn, THREAD } from "../documents.ts";
import { read, type StoredThreads, startStoredThreads } from "./stored-thread.ts";

let threads: StoredThreads;
beforeAll(async () => {
  threads = await startStoredThreads();
});
afterAll(() => threads.close());

const RUN_ID = `run_${RUN_SEQ}`;
const EXPIRED = { status: "expired" as const };

/** A run of an older build, whose instructions stand in its own document; its log has a chunk already. */
function withInstructions(length: number): RunDoc {
  const run = runIn("in_progress");
  const internal = { ...run.internal, log: { chunks: 1, events: 5 } };
  return { ...run, instructions: "i".repeat(length), internal };
}

/** Ends a run whose message was stored as "Hel" with this text. */
async function end(partition: Partition, text: string, parts: Partial<BatchParts> = {}): Promise<Sent> {
  const { _etag: etag, ...run } = await read<RunDoc>(partition, RUN_ID);
  const message: MessageDoc = { ...endedMessage(replyDoc(text), EXPIRED, NOW), pk: run.pk };
  const events = [textDelta(message, text, true), messageEvent(message, "incomplete")];
  const all = {
    documents: [message],
    stored: [message.id],
    deleted: new Set<string>(),
    leftovers: [],
    events,
    unlocks: true,
  };
  return new RunBatch(ended(run, EXPIRED, NOW), etag, 3_600, { ...all, ...parts }).send(partition);
}

const textOf = ({ content: [part] }: MessageDoc) => (part?.type === "text" ? part.text.value : undefined);
const lockOf = async (partition: Partition) => (await read<ThreadDoc>(partition, THREAD)).internal.active_run;

test.each([
  { form: "whole", instructions: 500_000, text: 500_000, logged: true, written: 500_000 },
  { form: "without its events", instructions: 1_000_000, text: 800_000, logged: false, written: 800_000 },
  {
    form: "without what is large in its documents",
    instructions: 1_200_000,
    text: 1_000_000,
    logged: false,
    written: 3,
  },
])("the batch that ends a run fits: $form", async ({ instructions, text, logged, written }) => {
  const partition = await threads.thread([withInstructions(instructions), replyDoc("Hel")], RUN_ID);
  expect(await end(partition, "t".repeat(text))).toMatchObject({ ok: true });
  const message = await read<MessageDoc>(partition, RESERVED.message);
  expect({ status: message.status, length: textOf(message)?.length }).toEqual({
    status: "incomplete",
    length: written,
  });
  expect((await read<RunDoc>(partition, RUN_ID)).internal.log.events).toBe(logged ? 7 : 5);
  expect(await lockOf(partition)).toBeNull();
});

test("a new message that does not fit is stored shortened, since its run must end", async () => {
  const partition = await threads.thread([withInstructions(1_200_000)], RUN_ID);
  expect(await end(partition, "t".repeat(1_000_000), { stored: [] })).toMatchObject({ ok: true });
  expect(textOf(await read<MessageDoc>(partition, RESERVED.message))).toHaveLength(100_000);
  expect(await lockOf(partition)).toBeNull();
});

test("documents that are gone, and a lock that is another run's, are left out, whatever else is refused", async () => {
  const partition = await threads.thread([withInstructions(1_000)], "run_of_another");
  const leftovers = [RESERVED.messageStep, RESERVED.toolStep];
  const sent = await end(partition, "Hello", { leftovers });
  expect(sent).toMatchObject({ ok: true, run: { internal: { open: [] } } });
  expect(await partition.read(RESERVED.message)).toBeUndefined();
  expect(await lockOf(partition)).toBe("run_of_another");
});

test("what a client has set on a message meanwhile stays", async () => {
  const partition = await threads.thread([withInstructions(1_000), replyDoc("Hel")], RUN_ID);
  await partition.patchIf(RESERVED.message, "true", { "/metadata": { rating: "good" } });
  expect(await end(partition, "Hello")).toMatchObject({ ok: true });
  expect(await read<MessageDoc>(partition, RESERVED.message)).toMatchObject({
    status: "incomplete",
    metadata: { rating: "good" },
  });
});

test("a run that another process has changed is refused, and nothing of the batch is done", async () => {
  const partition = await threads.thread([withInstructions(1_000), replyDoc("Hel")], RUN_ID);
  const run = await read<RunDoc>(partition, RUN_ID);
  const documents = [{ ...replyDoc("Hello"), pk: run.pk }];
  const parts = { documents, stored: [], deleted: new Set<string>(), leftovers: [], events: [], unlocks: true };
  const sent = await new RunBatch(ended(run, EXPIRED, NOW), '"another"', 3_600, parts).send(partition);
  expect(sent).toEqual({ ok: false, failed: 0, status: 412 });
  expect(textOf(await read<MessageDoc>(partition, RESERVED.message))).toBe("Hel");
  expect(await lockOf(partition)).toBe(RUN_ID);
});
