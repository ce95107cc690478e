import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { encodeEvents } from "../../../src/runs/event-encoding.ts";
import { chunkId, logged } from "../../../src/runs/event-log.ts";
import {
  messageEvent,
  openingEvents,
  type RunEvent,
  runEvent,
  stepEvent,
  textDelta,
} from "../../../src/runs/events.ts";
import { cancelling, completedMessage, completedStep, ended } from "../../../src/runs/lifecycle.ts";
import { NOW, replyDoc, runIn } from "../documents.ts";
import { decodeLog, kept } from "./log-reader.ts";
import { calls, finish, goesOn, opens, says, turnOf, usage } from "./model-stream.ts";

const RUN = runIn("in_progress");

/** What a whole run says that writes this text. */
function story(pieces: string[]): RunEvent[] {
  const { turn, events } = turnOf([...pieces.map(says), finish("stop"), usage(20, 7)]);
  const { message, step } = turn.reply ?? {};
  if (message === undefined || step === undefined) throw new Error("the turn wrote nothing");
  return [
    ...openingEvents(RUN),
    runEvent(RUN, "in_progress"),
    ...events,
    messageEvent(completedMessage(message, NOW), "completed"),
    stepEvent(completedStep(step, NOW), "completed"),
    runEvent(ended(RUN, { status: "completed" }, NOW), "completed"),
  ];
}

const CALLS = turnOf([
  says("Wait"),
  opens(0, "call_a", "f"),
  goesOn(0, '{"a":1}'),
  calls({ index: 1, id: "call_b", function: { name: "g", arguments: "{}" } }),
  finish("tool_calls"),
]).events;

const REPLY = replyDoc("");
const changed = (fields: object): RunEvent => ({ event: "thread.created", data: { id: "thread_1", ...fields } });

describe("the log of a run gives back exactly what its stream said:", () => {
  test.each([
    ["a text", story(["Hello", " there", "!"])],
    ["an empty answer", story([])],
    ["function calls", CALLS],
    ["nothing", []],
    ["a cancelled run", [runEvent(cancelling(RUN, NOW), "cancelling")]],
    ["a text that begins anew", [textDelta(REPLY, "Hel", true), textDelta(REPLY, "Hello", true)]],
    ["an object that loses a field", [changed({ a: 1, b: { c: 2 } }), changed({ b: { c: 3 } }), changed({ a: null })]],
    ["what it does not know", [{ event: "error", data: { message: "oops" } } as RunEvent]],
  ])("%s", (_, events) => {
    expect(decodeLog([kept(events)], RUN)).toEqual(events);
  });

  test("whatever the text, and wherever it is cut, also within a character", () => {
    const pieces = fc.array(
      fc.string({ unit: fc.constantFrom("a", "é", "\ud83d", "\ude00", "\n", '"'), minLength: 1 }),
      {
        maxLength: 12,
      },
    );
    fc.assert(
      fc.property(pieces, fc.nat(30), (texts, cut) => {
        const events = story(texts);
        const chunks = [events.slice(0, cut), events.slice(cut)];
        expect(decodeLog(chunks.map(kept), RUN)).toEqual(events);
      }),
    );
  });

  test("in each chunk of a short answer by itself, and with any later version of the run", () => {
    const events = story(["Hello", " there"]);
    const later = ended(RUN, { status: "completed" }, NOW);
    for (let cut = 0; cut < events.length; cut++) {
      expect(decodeLog([kept(events.slice(cut))], later)).toEqual(events.slice(cut));
    }
  });
});

test("a long answer in small pieces takes little more room than its text", () => {
  const events = story(Array.from({ length: 2_000 }, () => "word "));
  const size = JSON.stringify(encodeEvents(events)).length;
  // The text stands in its pieces; the completed message refers to them.
  expect(size).toBeLessThan(2_000 * 5 + 2_000 * 3 + 5_000);
});

describe("a chunk of the log", () => {
  const events = story(["Hello"]);

  test("is a document of the run's partition that expires, and is found by its number", () => {
    const { chunks } = logged(RUN, events, 3_600);
    expect(chunks).toHaveLength(1);
    expect(chunks[0]).toMatchObject({ id: chunkId(RUN.id, 0), pk: RUN.pk, kind: "events", ttl: 3_600 });
    expect(decodeLog([chunks[0]?.internal.entries ?? []], RUN)).toEqual(events);
  });

  test("is counted on the run, so that the next one goes on behind it", () => {
    const first = logged(RUN, events, 3_600);
    const second = logged(first.run, events.slice(0, 2), 3_600);
    expect(first.run.internal.log).toEqual({ chunks: 1, events: events.length });
    expect(second.run.internal.log).toEqual({ chunks: 2, events: events.length + 2 });
    expect(second.chunks[0]).toMatchObject({ id: chunkId(RUN.id, 1), internal: { first: events.length } });
    expect(RUN.internal.log).toEqual({ chunks: 0, events: 0 });
  });

  test.each([
    ["there is nothing to say", [], 3_600],
    ["no log is kept", events, 0],
  ])("is not written when %s", (_, said, ttl) => {
    expect(logged(RUN, said, ttl)).toEqual({ run: RUN, chunks: [] });
  });
});
