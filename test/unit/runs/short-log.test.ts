import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { newThread } from "../../../src/resources/thread.ts";
import { logged } from "../../../src/runs/event-log.ts";
import { endingEvents, openingEvents, type RunEvent, runEvent } from "../../../src/runs/events.ts";
import { type Ending, ended, endedMessage, endedStep } from "../../../src/runs/lifecycle.ts";
import { readShortLog } from "../../../src/runs/short-log.ts";
import type { MessageDoc, RunDoc, StepDoc } from "../../../src/store/documents.ts";
import { CREATED, NOW, RESERVED, runIn, THREAD } from "../documents.ts";
import { finish, goesOn, opens, says, turnOf, usage } from "./model-stream.ts";

/** As they stand on the wire: the order of fields counts. */
const wire = (events: (RunEvent | undefined)[]) =>
  events.map((event) => (event === undefined ? "gone" : `${event.event} ${JSON.stringify(event.data)}`));

const TTL = 3_600;

const ENDINGS: Ending[] = [
  { status: "completed" },
  { status: "incomplete", reason: "max_completion_tokens" },
  { status: "failed", error: { code: "server_error", message: "Sorry, something went wrong." } },
  { status: "cancelled" },
  { status: "expired" },
];

interface Story {
  run: RunDoc;
  documents: (StepDoc | MessageDoc)[];
  events: RunEvent[];
}

/** A run that ends with its first write; `beginsWithThread`: the request that streams it has created its thread. */
function story(
  chunks: Parameters<typeof turnOf>[0],
  ending: Ending,
  beginsWithThread: boolean,
  metadata: object,
): Story {
  const begun: RunDoc = { ...runIn("in_progress"), metadata: { ...metadata } };
  const { turn, events } = turnOf(chunks, { closed: ending.status === "completed" });
  const documents = turn.documents.map((doc) =>
    doc.kind === "step" ? endedStep(doc, ending, NOW) : endedMessage(doc, ending, NOW),
  );
  const told = new Set(turn.documents.filter(({ status }) => status !== "in_progress").map(({ id }) => id));
  const before: RunDoc = ending.status === "cancelled" ? { ...begun, status: "cancelling" } : begun;
  const run = ended(before, ending, NOW);
  const news = endingEvents(
    before,
    run,
    documents.filter(({ id }) => !told.has(id)),
  );
  const thread: RunEvent[] = beginsWithThread
    ? [{ event: "thread.created", data: newThread({ metadata: { of: "the thread" } }, THREAD, CREATED) }]
    : [];
  return {
    run,
    documents,
    events: [...thread, ...openingEvents(begun), runEvent(begun, "in_progress"), ...events, ...news],
  };
}

const pieces = fc.array(
  fc.string({ unit: fc.constantFrom("a", "é", "語", "😀", "\ud83d", "\n", '"', "\u0000"), minLength: 1, maxLength: 6 }),
  { maxLength: 20 },
);

const anyStory = fc
  .record({
    text: fc.option(pieces, { nil: undefined }),
    functions: fc.array(pieces, { maxLength: 2 }),
    ending: fc.constantFrom(...ENDINGS),
    beginsWithThread: fc.boolean(),
    metadata: fc.constantFrom({}, { a: "b" }),
  })
  .map(({ text, functions, ending, beginsWithThread, metadata }) => {
    // A run that completes has called nothing: with calls it pauses, and its log has a chunk.
    const made = ending.status === "completed" ? [] : functions;
    const chunks = [
      ...(text ?? []).map(says),
      ...made.flatMap((args, index) => [
        opens(index, `call_${index}`, "f"),
        ...args.map((piece) => goesOn(index, piece)),
      ]),
      finish("stop"),
      usage(20, 7),
    ];
    return story(chunks, ending, beginsWithThread, metadata);
  });

/** The run as its last batch stores it, and the documents as the store gives them back. */
function stored({ run, documents, events }: Story) {
  const { run: written, chunks } = logged(run, events, TTL, documents);
  const { short_log: log } = written.internal;
  const back = JSON.parse(JSON.stringify({ written, documents })) as { written: RunDoc; documents: Story["documents"] };
  return { log, chunks, run: back.written, documents: back.documents };
}

describe("the log in the document of a run that ended with its first write gives back exactly what its stream said", () => {
  test("whatever the run did and however it ended", () => {
    let short = 0;
    fc.assert(
      fc.property(anyStory, (each) => {
        const { log, chunks, run, documents } = stored(each);
        expect(chunks).toHaveLength(log === undefined ? 1 : 0);
        expect(run.internal.log.events).toBe(each.events.length);
        if (log === undefined) return;
        short += 1;
        expect(wire(readShortLog(run, log, documents))).toEqual(wire(each.events));
      }),
      { numRuns: 500 },
    );
    // Otherwise this has tested nothing.
    expect(short).toBeGreaterThan(100);
  });

  test("also after clients have changed the metadata of run and message", () => {
    fc.assert(
      fc.property(anyStory, (each) => {
        const { log, run, documents } = stored(each);
        if (log === undefined) return;
        const later = { metadata: { rating: "good" } };
        const changed = documents.map((doc) => (doc.kind === "message" ? { ...doc, ...later } : doc));
        expect(wire(readShortLog({ ...run, ...later }, log, changed))).toEqual(wire(each.events));
      }),
    );
  });

  test("but what it told of a message that was deleted, whose text it does not hold", () => {
    fc.assert(
      fc.property(anyStory, (each) => {
        const { log, run, documents } = stored(each);
        if (log === undefined) return;
        const left = documents.map((doc) => (doc.kind === "message" ? undefined : doc));
        const expected = each.events.map((event) => (event.event.startsWith("thread.message") ? undefined : event));
        expect(wire(readShortLog(run, log, left))).toEqual(wire(expected));
      }),
    );
  });
});

test("the log holds no text", () => {
  const { log } = stored(
    story([says("A secret"), says(" of mine."), finish("stop")], { status: "completed" }, false, {}),
  );
  expect(log).toBeDefined();
  expect(JSON.stringify(log)).not.toMatch(/secret|mine/);
});

test.each([
  [
    "functions were called: their arguments stand nowhere else in their pieces",
    [opens(0, "call_1", "f"), goesOn(0, "{}"), finish("length")],
  ],
  ["it would be long", [...Array.from({ length: 2_000 }, () => says("a ")), finish("stop")]],
])("there is a chunk instead when %s", (_, chunks) => {
  const { log, chunks: written } = stored(
    story(chunks, { status: "incomplete", reason: "max_completion_tokens" }, false, {}),
  );
  expect(log).toBeUndefined();
  expect(written).toHaveLength(1);
});

test("there is a chunk instead when the message's text is not what was told of it", () => {
  const { run, documents, events } = story([says("Hello"), finish("stop")], { status: "completed" }, false, {});
  const longer = documents.map((doc) =>
    doc.kind === "message"
      ? { ...doc, content: [{ type: "text" as const, text: { value: "Hello there", annotations: [] } }] }
      : doc,
  );
  expect(logged(run, events, TTL, longer).chunks).toHaveLength(1);
  expect(documents.map(({ id }) => id)).toContain(RESERVED.message);
});
