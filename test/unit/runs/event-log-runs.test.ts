import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { newThread } from "../../../src/resources/thread.ts";
import { EventDecoder } from "../../../src/runs/event-decoding.ts";
import { encodeEvents } from "../../../src/runs/event-encoding.ts";
import type { RunEvent } from "../../../src/runs/events.ts";
import type { RunDoc } from "../../../src/store/documents.ts";
import { CREATED, runDoc, THREAD } from "../documents.ts";
import { decodeLog, kept } from "./log-reader.ts";
import { type Script, scriptedRun } from "./scripted-run.ts";

const decoded = (events: RunEvent[], run: RunDoc) => decodeLog([kept(events)], run);

/** As they stand on the wire: the order of fields counts. */
const wire = (events: RunEvent[]) => events.map(({ event, data }) => `${event} ${JSON.stringify(data)}`);

const bytes = (value: unknown) => Buffer.byteLength(JSON.stringify(value));

/** A text in the pieces that a model might make of it: cuts may fall together, and into the middle of a character. */
const pieces = fc
  .tuple(
    fc.string({ unit: fc.constantFrom("a", " ", "\n", '"', "ü", "語", "😀", "👩‍👩‍👧", "\u0000"), maxLength: 30 }),
    fc.array(fc.nat(60), { maxLength: 12 }),
  )
  .map(([text, cuts]) => {
    const places = [0, ...cuts.map((cut) => Math.min(cut, text.length)).sort((a, b) => a - b), text.length];
    return places.slice(1).map((end, index) => text.slice(places[index], end));
  });

const turn: fc.Arbitrary<Script["turns"][number]> = fc.record({
  text: fc.option(pieces, { nil: undefined }),
  calls: fc.array(pieces, { maxLength: 3 }),
});

const script: fc.Arbitrary<Script> = fc.record({
  turns: fc.array(turn, { maxLength: 4 }),
  ending: fc.constantFrom("completed", "incomplete", "failed", "cancelled", "expired", undefined),
});

describe("a run's log gives back exactly what its stream said", () => {
  test("whatever the run did and however it ended", () => {
    fc.assert(
      fc.property(script, (of) => {
        const { events, run } = scriptedRun(runDoc(), of);
        expect(wire(decoded(events, run))).toEqual(wire(events));
      }),
    );
  });

  test("wherever it was cut into chunks", () => {
    fc.assert(
      fc.property(script, fc.array(fc.nat(80), { maxLength: 5 }), (of, cuts) => {
        const { events, run } = scriptedRun(runDoc(), of);
        const starts = [0, ...cuts.sort((a, b) => a - b)];
        const chunks = starts.map((start, index) => events.slice(start, starts[index + 1]));
        expect(wire(decodeLog(chunks.map(kept), run))).toEqual(wire(events));
      }),
    );
  });

  test("where its first chunks are gone, no event is told otherwise than it was: those that refer to them are left out", () => {
    fc.assert(
      fc.property(script, fc.nat(80), fc.nat(20), (of, gone, size) => {
        const { events, run } = scriptedRun(runDoc(), of);
        const later = events.slice(gone);
        const decoder = new EventDecoder();
        decoder.skip();
        const told = [later.slice(0, size), later.slice(size)].flatMap((chunk) => decoder.decode(kept(chunk), run, []));
        expect(told).toHaveLength(later.length);
        for (const [index, event] of told.entries()) {
          if (event !== undefined) expect(wire([event])).toEqual(wire(later.slice(index, index + 1)));
          else expect(bytes(later[index])).toBeGreaterThan(2_000);
        }
      }),
    );
  });

  test("a long message whose beginning is gone is left out, the next one is not", () => {
    const long = ["x".repeat(3_000), "y"];
    const { events, run } = scriptedRun(runDoc(), { turns: [{ text: long, calls: [] }], ending: "completed" });
    const begins = events.findIndex(({ event }) => event === "thread.message.created");
    const decodedAfter = (gone: number) => {
      const decoder = new EventDecoder();
      decoder.skip();
      return decoder.decode(kept(events.slice(gone)), run, []).map((event) => event?.event);
    };
    expect(decodedAfter(begins)).toEqual(events.slice(begins).map(({ event }) => event));
    const without = events
      .slice(begins + 1)
      .map(({ event }) => (event === "thread.message.completed" ? undefined : event));
    expect(decodedAfter(begins + 1)).toEqual(without);
  });

  test("with any later version of the run, also one whose metadata were changed after its end", () => {
    fc.assert(
      fc.property(script, (of) => {
        const { events, run } = scriptedRun(runDoc({ metadata: { before: "this" } }), of);
        const later = { ...run, metadata: { after: "that" }, _etag: '"2"', _ts: CREATED };
        expect(wire(decoded(events, later))).toEqual(wire(events));
      }),
    );
  });

  test("with the thread that was created for it", () => {
    const { events, run } = scriptedRun(runDoc(), { turns: [{ text: ["Hi"], calls: [] }], ending: "completed" });
    const all = [{ event: "thread.created", data: newThread({}, THREAD, CREATED) }, ...events];
    expect(wire(decoded(all, run))).toEqual(wire(all));
  });

  test("with events that no run of today has: deltas of other shapes, fields that go away", () => {
    const delta = (content: object[], id = "msg_1"): RunEvent => ({
      event: "thread.message.delta",
      data: { id, object: "thread.message.delta", delta: { content } },
    });
    const annotation = { index: 0, type: "file_citation", text: "[1]", start_index: 0, end_index: 3 };
    const events: RunEvent[] = [
      { event: "thread.message.created", data: { id: "msg_1", object: "thread.message", content: [], later: 1 } },
      delta([]),
      delta([{ index: 0, type: "text", text: { value: "", annotations: [] } }]),
      delta([{ index: 0, type: "text", text: { value: "again", annotations: [] } }]),
      delta([{ index: 0, type: "text", text: { value: "A", annotations: [annotation] } }]),
      delta([{ index: 1, type: "text", text: { value: "B" } }]),
      delta([{ index: 0, type: "image_file", image_file: { file_id: "file-1" } }]),
      delta([
        { index: 0, type: "text", text: { value: "C" } },
        { index: 1, type: "text", text: { value: "D" } },
      ]),
      delta([{ index: 0, type: "text", text: { value: "E" } }]),
      delta([{ index: 0, type: "text", text: { value: "F" } }], "msg_2"),
      { event: "thread.message.completed", data: { id: "msg_1", object: "thread.message", content: [] } },
      { event: "error", data: { message: "Sorry" } },
    ];
    expect(wire(decoded(events, runDoc()))).toEqual(wire(events));
  });

  test("of no events, nothing", () => {
    expect(encodeEvents([])).toEqual([]);
    expect(decodeLog([[]], runDoc())).toEqual([]);
  });
});

describe("a run's log is small", () => {
  const words = Array.from({ length: 500 }, (_, index) => ` word${index % 10}`);
  const answer: Script = { turns: [{ text: words, calls: [] }], ending: "completed" };

  test("an answer of 500 tokens takes less than a tenth of what its events take", () => {
    const { events } = scriptedRun(runDoc(), answer);
    expect(events.length).toBeGreaterThan(500);
    expect(bytes(encodeEvents(events))).toBeLessThan(bytes(events) / 10);
  });

  test("the answer itself stands in it once, in its pieces", () => {
    const { events } = scriptedRun(runDoc(), answer);
    const short = scriptedRun(runDoc(), { ...answer, turns: [{ text: [" word0"], calls: [] }] });
    const more = bytes(encodeEvents(events)) - bytes(encodeEvents(short.events));
    const lengths = 2 * words.length;
    expect(more).toBeLessThan(words.join("").length + lengths + 50);
  });

  test("the instructions and tools of the run do not stand in it at all", () => {
    const parameters = { type: "object", description: "x".repeat(10_000) };
    const tools = [{ type: "function" as const, function: { name: "f", parameters, strict: false } }];
    const plain = scriptedRun(runDoc(), answer);
    const heavy = scriptedRun(runDoc({ instructions: "y".repeat(10_000), tools }), answer);
    expect(bytes(encodeEvents(heavy.events))).toBe(bytes(encodeEvents(plain.events)));
    expect(wire(decoded(heavy.events, heavy.run))).toEqual(wire(heavy.events));
  });
});
