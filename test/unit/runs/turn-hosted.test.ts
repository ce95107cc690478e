/** What a model call becomes that calls hosted tools, or cites what they have found. */
import fc from "fast-check";
import type { ChatCompletionChunk } from "openai/resources/chat/completions";
import { describe, expect, test } from "vitest";
import { PieceReader } from "../../../src/model/pieces.ts";
import type { HostedToolCall } from "../../../src/resources/step.ts";
import { fileCitations } from "../../../src/runs/citations.ts";
import { inChunks } from "../../../src/runs/event-log.ts";
import { messageEvent, type RunEvent, runEvent } from "../../../src/runs/events.ts";
import { completedMessage, paused } from "../../../src/runs/lifecycle.ts";
import { RunBatch } from "../../../src/runs/run-batch.ts";
import { MAX_SAID_BYTES } from "../../../src/runs/said-bytes.ts";
import { MAX_RESULT_BYTES } from "../../../src/runs/tools/file-search.ts";
import { Toolset } from "../../../src/runs/tools/toolset.ts";
import { Turn } from "../../../src/runs/turn.ts";
import { MAX_BATCH_BYTES } from "../../../src/store/limits.ts";
import { NOW, RESERVED, runIn } from "../documents.ts";
import { Library } from "./library.ts";
import { decodeLog, kept } from "./log-reader.ts";
import { finish, goesOn, opens, says, usage } from "./model-stream.ts";
import { FILES, FUNCTION } from "./search-world.ts";
import { StreamReader } from "./stream-reader.ts";

const RUN = { ...runIn("in_progress"), tools: [FUNCTION, FILES] };
const MARKERS = [fileCitations((search, index) => (search === 4 && index < 3 ? `file-${index}` : undefined))];

function hosted(chunks: ChatCompletionChunk[], { closed = true, cites = true } = {}) {
  const events: RunEvent[] = [];
  const reader = new StreamReader();
  const sink = (event: RunEvent) => {
    events.push(structuredClone(event));
    reader.read(event);
  };
  const turn = new Turn(RUN, RESERVED, sink, () => NOW, new Toolset(RUN, [new Library().tool]));
  if (cites) turn.cite(MARKERS);
  const pieces = new PieceReader();
  for (const each of chunks) turn.apply(pieces.read({ ...each }));
  if (closed) turn.close();
  return { turn, events, reader, names: events.map(({ event }) => event) };
}

const SEARCH = [opens(0, "call_s", "file_search"), goesOn(0, '{"queries":["a"]}')];
const searchCall = (id: string) => ({
  id,
  type: "file_search",
  file_search: { ranking_options: { ranker: "default_2024_08_21", score_threshold: 0 }, results: [] },
});

describe("a call of a hosted tool", () => {
  test("is told once, whole and without its arguments, and is no call for the client", () => {
    const { turn, events, reader } = hosted([...SEARCH, finish("tool_calls"), usage(3, 4)]);
    expect(events.map(({ event }) => event)).toEqual([
      "thread.run.step.created",
      "thread.run.step.in_progress",
      "thread.run.step.delta",
    ]);
    expect(JSON.stringify(events)).not.toContain("queries");
    expect(reader.callsOf(RESERVED.toolStep)).toEqual([searchCall("call_s")]);
    expect(turn.toolCalls?.calls).toEqual([]);
    expect([...turn.hostedCalls.values()]).toEqual([
      [{ id: "call_s", name: "file_search", arguments: '{"queries":["a"]}' }],
    ]);
  });

  test("among functions has its own index, whatever comes first", () => {
    for (const order of [
      [0, 1],
      [1, 0],
    ]) {
      const opened = [opens(order[0] ?? 0, "call_s", "file_search"), opens(order[1] ?? 0, "call_f", "lookup")];
      const chunks = order[0] === 0 ? opened : opened.toReversed();
      const { turn, reader } = hosted([...chunks, finish("tool_calls")]);
      const calls = reader.callsOf(RESERVED.toolStep);
      expect(calls.map(({ id }) => id)).toEqual(order[0] === 0 ? ["call_s", "call_f"] : ["call_f", "call_s"]);
      expect(turn.toolCalls?.calls.map(({ id }) => id)).toEqual(["call_f"]);
    }
  });

  test("that is done shows its results, and keeps for the model what it wrote", () => {
    const { turn } = hosted([...SEARCH, finish("tool_calls")]);
    const results = [{ file_id: "file-1", file_name: "a.txt", score: 1, attributes: {}, content: [] }];
    const options = { ranker: "default_2024_08_21" as const, score_threshold: 0 };
    const done = { id: "call_s", type: "file_search" as const, file_search: { ranking_options: options, results } };
    turn.finish([{ call: done, record: { n: 4 } }]);
    expect(turn.toolCalls?.step).toMatchObject({
      status: "in_progress",
      step_details: { tool_calls: [done] },
      internal: { hosted: [{ id: "call_s", name: "file_search", arguments: '{"queries":["a"]}', n: 4 }] },
    });
  });
});

describe("a citation", () => {
  test("is told whole and alone, however it comes", () => {
    const text = "A😀【4:0†a.txt】. B【【4:2†c d.txt】【9:0†no】";
    fc.assert(
      fc.property(fc.array(fc.nat(text.length), { maxLength: 12 }), (cuts) => {
        const ends = [...cuts, text.length].sort((a, b) => a - b);
        const parts = ends.map((end, index) => text.slice(ends[index - 1] ?? 0, end)).filter((part) => part !== "");
        const { turn, reader } = hosted([...parts.map(says), finish("stop")]);
        expect(reader.textOf(RESERVED.message)).toBe(text);
        const [part] = turn.reply?.message.content ?? [];
        const annotations = part?.type === "text" ? part.text.annotations : [];
        const points = Array.from(text);
        expect(annotations.map((each) => points.slice(each.start_index, each.end_index).join(""))).toEqual([
          "【4:0†a.txt】",
          "【4:2†c d.txt】",
        ]);
      }),
    );
  });

  test("that has begun is not said yet, nor does it open a message", () => {
    const { turn, events } = hosted([says("【4:0†a")], { closed: false });
    expect(events).toEqual([]);
    expect([turn.size, turn.hasBegun, turn.documents]).toEqual([0, false, []]);
    turn.forget();
    expect(turn.words).toEqual([""]);
  });

  test.each(["stop", "length", "content_filter"] as const)(
    "that is half when the answer ends by %s is text",
    (reason) => {
      const { turn, reader } = hosted([says("Tacos【4:0†a"), finish(reason)]);
      expect(reader.textOf(RESERVED.message)).toBe("Tacos【4:0†a");
      expect(turn.reply?.message.content).toMatchObject([{ text: { value: "Tacos【4:0†a", annotations: [] } }]);
    },
  );

  test("that is half when its drive ends is text", () => {
    const { turn } = hosted([says("Tacos【4:0†a")], { closed: false });
    expect(turn.reply?.message.content).toMatchObject([{ text: { value: "Tacos" } }]);
    turn.endText();
    expect(turn.reply?.message.content).toMatchObject([{ text: { value: "Tacos【4:0†a" } }]);
  });

  test("that is half when calls begin ends its message as text", () => {
    const { names, reader } = hosted([says("【4:0"), ...SEARCH, finish("tool_calls")]);
    expect(reader.textOf(RESERVED.message)).toBe("【4:0");
    expect(names.indexOf("thread.message.completed")).toBeLessThan(names.lastIndexOf("thread.run.step.created"));
  });

  test("is stored with each checkpoint", () => {
    const { turn } = hosted([says("Tacos【4:0†a.txt】 and")], { closed: false });
    expect(turn.documents).toMatchObject([
      {},
      { status: "in_progress", content: [{ text: { annotations: [{ text: "【4:0†a.txt】", start_index: 5 }] } }] },
    ]);
  });

  test("is text in a run that has found nothing", () => {
    const { turn } = hosted([says("【4:0†a.txt】"), finish("stop")], { cites: false });
    expect(turn.reply?.message.content).toMatchObject([{ text: { value: "【4:0†a.txt】", annotations: [] } }]);
  });

  test("counts for the bound of what a call may say", () => {
    const { turn } = hosted(Array.from({ length: 900 }, () => says("【4:0†a.txt】")));
    const [part] = turn.reply?.message.content ?? [];
    const bytes = Buffer.byteLength(JSON.stringify(part));
    expect(bytes).toBeGreaterThan(100_000);
    expect(turn.size).toBeGreaterThan(bytes);
    expect(turn.size).toBeLessThanOrEqual(MAX_SAID_BYTES);
  });

  test("and its search fit into the batch that pauses their run, however much was found and said", () => {
    const { turn, events } = hosted([
      ...Array.from({ length: 900 }, () => says("【4:0†a.txt】")),
      ...SEARCH,
      opens(1, "call_f", "lookup"),
      goesOn(1, '"'.repeat(MAX_SAID_BYTES)),
      finish("tool_calls"),
    ]);
    expect(turn.isFull).toBe(true);
    const text = "x".repeat(MAX_RESULT_BYTES);
    const results = [{ file_id: "f", file_name: "n", score: 1, attributes: {}, content: [{ type: "text", text }] }];
    const found = searchCall("call_s");
    const done = { ...found, file_search: { ...found.file_search, results } } as HostedToolCall;
    turn.finish([{ call: done, record: { n: 4 } }]);
    const called = turn.toolCalls;
    if (called === undefined) throw new Error("there are no calls");
    const pause = paused(RUN, called.step, called.calls);
    const last = inChunks(events).at(-1) ?? [];
    const batch = new RunBatch(pause, '"etag"', 86_400, {
      documents: turn.documents,
      stored: [],
      deleted: new Set(),
      leftovers: [],
      events: [...last, runEvent(pause, "requires_action")],
      unlocks: false,
      thread: { searches: 1 },
    });
    expect(Buffer.byteLength(JSON.stringify(batch.build().writes))).toBeLessThan(MAX_BATCH_BYTES);
  });

  test("comes back from the log, also with a text that is only referred to", () => {
    const chunks = [...Array.from({ length: 300 }, (_, n) => says(`${n} words【4:1†b.txt】`)), finish("stop")];
    const { turn, events } = hosted(chunks);
    const message = turn.reply?.message;
    if (message === undefined) throw new Error("there is no message");
    const all = [...events, messageEvent(completedMessage(message, NOW), "completed")];
    expect(decodeLog([kept(all)], RUN)).toEqual(JSON.parse(JSON.stringify(all)));
    const halves = [all.slice(0, 200), all.slice(200)];
    expect(decodeLog(halves.map(kept), RUN)).toEqual(JSON.parse(JSON.stringify(all)));
  });
});
