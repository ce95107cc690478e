import fc from "fast-check";
import { expect, test } from "vitest";
import { MAX_TOOL_CALLS } from "../../../src/resources/limits.ts";
import { inChunks, MAX_CHUNK_BYTES } from "../../../src/runs/event-log.ts";
import { endingEvents, messageEvent, runEvent, stepEvent } from "../../../src/runs/events.ts";
import { type Ending, ended, endedMessage, endedStep, paused } from "../../../src/runs/lifecycle.ts";
import { type BatchParts, RunBatch } from "../../../src/runs/run-batch.ts";
import { MAX_SAID_BYTES } from "../../../src/runs/said-bytes.ts";
import type { MessageDoc, RunDoc, StepDoc } from "../../../src/store/documents.ts";
import { MAX_BATCH_BYTES } from "../../../src/store/limits.ts";
import { withoutSnapshot } from "../../../src/store/snapshots.ts";
import type { Write } from "../../../src/store/writes.ts";
import { NOW, runDoc, runIn } from "../documents.ts";
import { calls, finish, goesOn, opens, piece, says, turnOf } from "./model-stream.ts";

/** Characters that take one to six bytes of JSON, and half of a surrogate pair. */
const unit = fc.constantFrom("a", "é", "語", "😀", "\u0000", '"', "\\", "\n", "\ud83d");

/** A text of up to 700,000 characters in up to 2,000 pieces. */
const said = fc
  .record({ unit, length: fc.integer({ min: 0, max: 700_000 }), pieces: fc.integer({ min: 1, max: 2_000 }) })
  .map(({ unit: each, length, pieces }) => {
    const size = Math.max(1, Math.ceil(length / pieces));
    const count = Math.ceil(length / size);
    return Array.from({ length: count }, () => each.repeat(size));
  });

const functionCalls = fc.array(said, { maxLength: 4 });

/** The largest metadata that the API takes: 16 pairs of 64 and 512 characters, six bytes each. */
const METADATA = Object.fromEntries(
  Array.from({ length: 16 }, (_, index) => [
    String.fromCharCode(index + 1).repeat(64),
    String.fromCharCode(index + 1).repeat(512),
  ]),
);

/** A run whose instructions are the longest, and stand in its snapshot. */
function largestRun(): RunDoc {
  const run = runIn("in_progress");
  const internal = { ...run.internal, snapshot: `snapshot_${"x".repeat(43)}` };
  return { ...run, metadata: METADATA, instructions: "語".repeat(256_000), model: "語".repeat(256), internal };
}

/** Of a batch as it is sent. */
function bytesOf(run: RunDoc, parts: Partial<BatchParts>): number {
  const none = { documents: [], stored: [], deleted: new Set<string>(), leftovers: [], events: [], unlocks: false };
  const { writes } = new RunBatch(run, '"etag"', 86_400, { ...none, ...parts }).build();
  const sent = (write: Write) => ("put" in write ? { ...write, put: withoutSnapshot(write.put) } : write);
  return Buffer.byteLength(JSON.stringify(writes.map(sent)));
}

const ENDINGS: Ending[] = [
  { status: "completed" },
  { status: "incomplete", reason: "max_completion_tokens" },
  { status: "failed", error: { code: "server_error", message: "x".repeat(2_000) } },
  { status: "cancelled" },
  { status: "expired" },
];

const endedDoc = (doc: StepDoc | MessageDoc, ending: Ending) =>
  doc.kind === "step" ? endedStep(doc, ending, NOW) : endedMessage(doc, ending, NOW);

// BATCH_CASES=2000 is the long form.
test("whatever a run holds and a model says, the batches that end, pause, release and expire the run fit", {
  timeout: 600_000,
}, () => {
  const largest = { said: 0, end: 0, pause: 0, release: 0, expire: 0 };
  fc.assert(
    fc.property(said, functionCalls, fc.constantFrom(...ENDINGS), fc.boolean(), (text, ofCalls, ending, stored) => {
      const chunks = [
        ...text.map(says),
        ...ofCalls.flatMap((pieces, index) => [
          opens(index, `call_${index}`, "語".repeat(64)),
          ...pieces.map((piece) => goesOn(index, piece)),
        ]),
        finish("stop"),
      ];
      const { turn, events } = turnOf(chunks);
      expect(turn.size).toBeLessThanOrEqual(MAX_SAID_BYTES + 400);
      const run = largestRun();
      const { documents } = turn;
      const names = documents.map(({ id }) => id);
      const groups = inChunks(events);
      for (const group of groups.slice(0, -1)) {
        expect(bytesOf(run, { events: group })).toBeLessThan(MAX_BATCH_BYTES);
      }
      const last = groups.at(-1) ?? [];
      const already = stored ? names : [];

      const before: RunDoc = ending.status === "cancelled" ? { ...run, status: "cancelling" } : run;
      const end = ended(before, ending, NOW);
      const endDocs = documents.map((doc) => endedDoc(doc, ending));
      const news = endingEvents(run, end, endDocs);
      largest.end = Math.max(
        largest.end,
        bytesOf(end, { documents: endDocs, stored: already, events: [...last, ...news], unlocks: true }),
      );
      largest.release = Math.max(largest.release, bytesOf(run, { documents, stored: already, events: last }));
      const called = turn.toolCalls;
      if (called !== undefined) {
        const pause = paused(run, called.step, called.calls);
        const parts = { documents, stored: already, events: [...last, runEvent(pause, "requires_action")] };
        largest.pause = Math.max(largest.pause, bytesOf(pause, parts));
      }
      const expired = ended(run, { status: "expired" }, NOW);
      const expiredDocs = documents.map((doc) => endedDoc(doc, { status: "expired" }));
      const told = endingEvents(run, expired, expiredDocs);
      const parts = { documents: expiredDocs, stored: names, events: told, unlocks: true, sameContents: true };
      largest.expire = Math.max(largest.expire, bytesOf(expired, parts));
      largest.said = Math.max(largest.said, turn.size);
    }),
    { numRuns: Number(process.env.BATCH_CASES ?? 60) },
  );
  expect(largest.end).toBeLessThan(MAX_BATCH_BYTES);
  expect(largest.pause).toBeLessThan(MAX_BATCH_BYTES);
  expect(largest.release).toBeLessThan(MAX_BATCH_BYTES);
  // Nothing but statuses is written of a run that has no driver.
  expect(largest.expire).toBeLessThan(200_000);
  if (process.env.BATCH_CASES !== undefined) console.log("largest batches in bytes:", largest);
});

test("the longest text at once and the longest arguments at once reach the bound, and their batches fit", () => {
  for (const pieces of [[says("a".repeat(2_000_000))], [opens(0, "call_1", "f"), goesOn(0, '"'.repeat(2_000_000))]]) {
    const { turn, events } = turnOf(pieces, { closed: false });
    expect(turn.isFull).toBe(true);
    turn.cutOff();
    turn.close();
    const ending: Ending = { status: "incomplete", reason: "max_completion_tokens" };
    const run = largestRun();
    const documents = turn.documents.map((doc) => endedDoc(doc, ending));
    const all = [...events, ...documents.map(told), runEvent(ended(run, ending, NOW), "incomplete")];
    expect(bytesOf(ended(run, ending, NOW), { documents, events: all, unlocks: true })).toBeLessThan(MAX_BATCH_BYTES);
  }
});

const told = (doc: StepDoc | MessageDoc) =>
  doc.kind === "step" ? stepEvent(doc, doc.status) : messageEvent(doc, doc.status);

test("what a call says beyond the bound is cut between characters, and no more calls are taken", () => {
  const emoji = "😀".repeat(MAX_SAID_BYTES);
  const { turn } = turnOf([says(`x${emoji}`), opens(0, "call_1", "f"), calls({ index: 1, id: "call_2" })], {
    closed: false,
  });
  expect(turn.isFull).toBe(true);
  expect(turn.toolCalls).toBeUndefined();
  const text = turn.reply?.message.content[0];
  const value = text?.type === "text" ? text.text.value : "";
  expect(value.isWellFormed()).toBe(true);
  expect(Buffer.byteLength(value)).toBeGreaterThan(MAX_SAID_BYTES - 5);
});

test("a model may not call more functions in one turn than outputs may be submitted for", () => {
  const opening = Array.from({ length: MAX_TOOL_CALLS }, (_, index) => opens(index, `call_${index}`, "f"));
  const { turn } = turnOf([...opening, goesOn(MAX_TOOL_CALLS - 1, "{}")], { closed: false });
  expect(turn.isFull).toBe(false);
  turn.apply(piece(opens(MAX_TOOL_CALLS, "one_more", "f")));
  expect(turn.isFull).toBe(true);
  expect(turn.toolCalls?.calls).toHaveLength(MAX_TOOL_CALLS);
});

test("a log that is too long for one chunk is cut into several, in order", () => {
  const { events } = turnOf([...Array.from({ length: 50 }, () => says("語".repeat(5_000))), finish("stop")]);
  const doubled = [...events, ...events];
  const groups = inChunks(doubled);
  expect(groups.length).toBeGreaterThan(1);
  expect(groups.flat()).toEqual(doubled);
  for (const group of groups) expect(bytesOf(runDoc(), { events: group })).toBeLessThan(MAX_CHUNK_BYTES + 10_000);
});
