/** Logs of runs that say much: what is large stands in them once, or only by reference, and comes back all the same. */
import fc from "fast-check";
import { expect, test } from "vitest";
import type { RunStep } from "../../../src/resources/step.ts";
import { encodeEvents } from "../../../src/runs/event-encoding.ts";
import { inChunks, MAX_CHUNK_BYTES } from "../../../src/runs/event-log.ts";
import type { RunEvent } from "../../../src/runs/events.ts";
import type { StepDoc } from "../../../src/store/documents.ts";
import { runDoc, stepDoc } from "../documents.ts";
import { decodeLog, kept } from "./log-reader.ts";
import { type Script, scriptedRun } from "./scripted-run.ts";

const wire = (events: RunEvent[]) => events.map(({ event, data }) => `${event} ${JSON.stringify(data)}`);

/** Texts of up to 60,000 characters in pieces of very different lengths: some beyond what the log copies, some not. */
const pieces = fc.array(
  fc
    .tuple(fc.constantFrom("a", "é", "語", "😀", "\ud83d", '"', "\u0000"), fc.constantFrom(1, 40, 900, 3_000, 12_000))
    .map(([unit, times]) => unit.repeat(times)),
  { minLength: 1, maxLength: 5 },
);

const script: fc.Arbitrary<Script> = fc.record({
  turns: fc.array(
    fc.record({ text: fc.option(pieces, { nil: undefined }), calls: fc.array(pieces, { maxLength: 3 }) }),
    {
      maxLength: 3,
    },
  ),
  ending: fc.constantFrom("completed", "incomplete", "failed", "cancelled", "expired", undefined),
});

/** The steps of a run as they are in the store in the end. */
function stepsIn(events: RunEvent[]): StepDoc[] {
  const last = new Map<string, StepDoc>();
  for (const { event, data } of events) {
    if (!event.startsWith("thread.run.step.") || event.endsWith(".delta")) continue;
    const step = data as RunStep;
    last.set(step.id, { ...stepDoc(step.step_details), ...step });
  }
  return [...last.values()];
}

test("whatever a run says and calls, its log gives back exactly its events, wherever it is cut into chunks", () => {
  fc.assert(
    fc.property(script, fc.array(fc.nat(60), { maxLength: 4 }), (of, cuts) => {
      const { events, run } = scriptedRun(runDoc(), of);
      const starts = [0, ...cuts.sort((a, b) => a - b)];
      const chunks = starts.map((start, index) => events.slice(start, starts[index + 1]));
      expect(wire(decodeLog(chunks.map(kept), run, stepsIn(events)))).toEqual(wire(events));
    }),
    { numRuns: 150 },
  );
});

test("the chunks that the app makes are whole, in order, and each of more than one event fits", () => {
  fc.assert(
    fc.property(fc.array(script, { minLength: 1, maxLength: 4 }), (scripts) => {
      const all = scripts.map((of) => scriptedRun(runDoc(), of));
      const events = all.flatMap((each) => each.events);
      const groups = inChunks(events);
      expect(groups.flat()).toEqual(events);
      for (const group of groups) {
        if (group.length > 1)
          expect(Buffer.byteLength(JSON.stringify(encodeEvents(group)))).toBeLessThan(MAX_CHUNK_BYTES);
      }
    }),
    { numRuns: 60 },
  );
});

test("a text, and arguments that a run waits with, stand in the log once", () => {
  const text = ["語".repeat(5_000), "é".repeat(9_000)];
  const { events } = scriptedRun(runDoc(), { turns: [{ text, calls: [text] }], ending: "completed" });
  const bytes = Buffer.byteLength(JSON.stringify(encodeEvents(events)));
  expect(bytes).toBeLessThan(2 * Buffer.byteLength(text.join("")) + 10_000);
});
