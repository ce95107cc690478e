/** What a model call becomes that writes code, or follows what code has drawn. */
import fc from "fast-check";
import type { ChatCompletionChunk } from "openai/resources/chat/completions";
import { describe, expect, test } from "vitest";
import { PieceReader } from "../../../src/model/pieces.ts";
import { CODE_TOOL_VERSION } from "../../../src/resources/schema-version.ts";
import { inChunks, logged } from "../../../src/runs/event-log.ts";
import { messageEvent, type RunEvent, runEvent, stepEvent } from "../../../src/runs/events.ts";
import { fileLinks } from "../../../src/runs/file-links.ts";
import { completedMessage, completedStep, paused, pending } from "../../../src/runs/lifecycle.ts";
import { RunBatch } from "../../../src/runs/run-batch.ts";
import { MAX_SAID_BYTES } from "../../../src/runs/said-bytes.ts";
import { Readable } from "../../../src/runs/tools/code-outputs.ts";
import { Toolset } from "../../../src/runs/tools/toolset.ts";
import { Turn } from "../../../src/runs/turn.ts";
import type { RunDoc } from "../../../src/store/documents.ts";
import { MAX_BATCH_BYTES } from "../../../src/store/limits.ts";
import { NOW, RESERVED, runIn } from "../documents.ts";
import { decodeLog, kept } from "./log-reader.ts";
import { finish, goesOn, opens, says, usage } from "./model-stream.ts";
import { Sandbox } from "./sandbox.ts";
import { FUNCTION } from "./search-world.ts";
import { StreamReader } from "./stream-reader.ts";

const RUN: RunDoc = { ...runIn("in_progress"), tools: [FUNCTION, { type: "code_interpreter" }] };
const IMAGES = ["file-a", "file-b"];
const toolset = (run: RunDoc) => new Toolset(run, [new Sandbox().tool]);

function turnOf(chunks: ChatCompletionChunk[], { closed = true, images = [] as string[] } = {}) {
  const events: RunEvent[] = [];
  const reader = new StreamReader();
  const run = images.length === 0 ? RUN : { ...RUN, internal: { ...RUN.internal, images } };
  const sink = (event: RunEvent) => {
    events.push(structuredClone(event));
    reader.read(event);
  };
  const turn = new Turn(run, RESERVED, sink, () => NOW, toolset(run));
  turn.cite([fileLinks([{ path: "o.csv", id: "file-o" }])]);
  const pieces = new PieceReader();
  for (const each of chunks) turn.apply(pieces.read({ ...each }));
  if (closed) turn.close();
  return { turn, events, reader, names: events.map(({ event }) => event) };
}

const code = (text: string, size = 7) => {
  const json = JSON.stringify({ code: text });
  return Array.from({ length: Math.ceil(json.length / size) }, (_, n) =>
    goesOn(0, json.slice(n * size, (n + 1) * size)),
  );
};

const result = (logs: string, images: string[] = []) => ({
  kind: "ran" as const,
  ...{ logs, images, unshown: 0, files: [], lost: [], isRestarted: false },
});

const inputOf = (reader: StreamReader, index: number) => {
  const call = reader.callsOf(RESERVED.toolStep)[index];
  return call?.type === "code_interpreter" ? call.code_interpreter.input : undefined;
};

describe("a call of code", () => {
  test("is told with its code as it comes, whatever that holds and wherever it is cut", () => {
    const text = fc.string({ unit: "binary", maxLength: 60 });
    fc.assert(
      fc.property(text, fc.integer({ min: 1, max: 9 }), (written, size) => {
        const { turn, reader, events } = turnOf([opens(0, "call_c", "python"), ...code(written, size), finish("stop")]);
        expect(inputOf(reader, 0)).toBe(written);
        expect(turn.toolCalls?.step.step_details).toMatchObject({
          tool_calls: [{ id: "call_c", code_interpreter: { input: written, outputs: [] } }],
        });
        expect(decodeLog([kept(events)], RUN)).toEqual(events);
        expect(
          decodeLog(
            events.map((event) => kept([event])),
            RUN,
          ),
        ).toEqual(events);
      }),
    );
  });

  test("among functions and others keeps its place, and their pieces apart", () => {
    const chunks = [
      opens(0, "call_f", "lookup"),
      opens(1, "call_a", "python"),
      opens(2, "call_b", "python"),
      goesOn(1, '{"code":"a'),
      goesOn(2, '{"code":"b'),
      goesOn(0, '{"x":'),
      goesOn(1, 'a"}'),
      goesOn(0, "1}"),
      goesOn(2, 'b"}'),
    ];
    const { turn, events, reader } = turnOf([...chunks, finish("tool_calls")]);
    expect([inputOf(reader, 1), inputOf(reader, 2)]).toEqual(["aa", "bb"]);
    expect(turn.toolCalls?.calls).toMatchObject([{ id: "call_f", function: { arguments: '{"x":1}' } }]);
    expect(decodeLog([kept(events)], RUN)).toEqual(events);
  });

  test("under way shows what has come of its code, as a checkpoint stores it", () => {
    const { turn } = turnOf([opens(0, "call_c", "python"), goesOn(0, '{"code":"a = 1\\n')], { closed: false });
    expect(turn.documents).toMatchObject([
      { step_details: { tool_calls: [{ code_interpreter: { input: "a = 1\n" } }] } },
    ]);
    expect(turn.size).toBeGreaterThan(0);
  });

  test("that is stored is the same call in the hands of another driver", () => {
    const chunks = [opens(0, "call_c", "python"), ...code("a"), opens(1, "call_f", "lookup"), goesOn(1, '{"x":1}')];
    const { turn } = turnOf([...chunks, finish("tool_calls"), usage(20, 7)]);
    turn.storeCalls();
    const stored = JSON.parse(JSON.stringify(turn.toolCalls?.step));
    const events: RunEvent[] = [];
    const again = new Turn(
      RUN,
      RESERVED,
      (event) => events.push(event),
      () => NOW,
      toolset(RUN),
    );
    again.restore(stored);
    expect(events).toEqual([]);
    expect(again.usage).toEqual({ prompt_tokens: 20, completion_tokens: 7, total_tokens: 27 });
    expect([...again.hostedCalls.values()]).toMatchObject([
      [{ id: "call_c", name: "python", arguments: '{"code":"a"}' }],
    ]);
    expect(again.toolCalls?.calls).toEqual(turn.toolCalls?.calls);
    expect(again.toolCalls?.step).toEqual(stored);
    const done = [new Readable(100_000).done("call_c", "a", result("1", ["file-i"]))];
    for (const each of [turn, again]) each.finish(done);
    expect(again.toolCalls?.step).toEqual(JSON.parse(JSON.stringify(turn.toolCalls?.step)));
    expect(again.outputs).toEqual(turn.outputs);
    expect(again.outputs).toMatchObject([
      {
        data: {
          delta: {
            step_details: { tool_calls: [{ index: 0, code_interpreter: { outputs: [{ index: 0, logs: "1" }] } }] },
          },
        },
      },
      {
        data: {
          delta: { step_details: { tool_calls: [{ code_interpreter: { outputs: [{ index: 1, type: "image" }] } }] } },
        },
      },
    ]);
  });
});

describe("a message behind images", () => {
  test("begins with them, as soon as it begins, and its log tells the same, however long its text is", () => {
    for (const count of [1, 400]) {
      const words = Array.from({ length: count }, (_, n) => says(`${n} sandbox:/mnt/data/o.csv, and `));
      const { turn, events, reader, names } = turnOf([...words, finish("stop")], { images: IMAGES });
      expect(names.slice(4, 7)).toEqual(["thread.message.delta", "thread.message.delta", "thread.message.delta"]);
      const message = turn.reply?.message;
      if (message === undefined) throw new Error("there is no message");
      expect(message.content.map(({ type }) => type)).toEqual(["image_file", "image_file", "text"]);
      expect(message.attachments).toEqual([{ file_id: "file-o", tools: [{ type: "code_interpreter" }] }]);
      expect(reader.textOf(message.id)).toContain(`${count - 1} sandbox`);
      const all = [...events, messageEvent(completedMessage(message, NOW), "completed")];
      const plain = JSON.parse(JSON.stringify(all));
      expect(decodeLog([kept(all)], RUN)).toEqual(plain);
      const half = all.length >> 1;
      expect(decodeLog([all.slice(0, half), all.slice(half)].map(kept), RUN)).toEqual(plain);
      const { chunks } = logged(RUN, all, 60);
      expect(chunks[0]?.internal.v).toBe(CODE_TOOL_VERSION);
    }
  });

  test("has no empty text, and is there in a checkpoint before its text is", () => {
    const { turn } = turnOf([finish("stop")], { images: IMAGES });
    expect(turn.reply?.message.content).toMatchObject([{ type: "image_file" }, { type: "image_file" }]);
    const { turn: begun } = turnOf([says("a")], { images: IMAGES, closed: false });
    expect(begun.documents[1]).toMatchObject({ content: [{}, {}, { text: { value: "a" } }] });
  });

  test("leaves logs without code to older builds", () => {
    const { events } = turnOf([says("a"), finish("stop")]);
    expect(logged(RUN, events, 60).chunks[0]?.internal).not.toHaveProperty("v");
  });
});

// BATCH_CASES=2000 is the long form.
test("whatever code a model writes and whatever that puts out, the batches fit", { timeout: 600_000 }, () => {
  const unit = fc.constantFrom("a", "語", "😀", "\u0000", '"', "\\", "\n");
  const size = fc.integer({ min: 0, max: 700_000 });
  const call = fc.record({ unit, size, logs: fc.record({ unit, size }), images: fc.nat(20) });
  let largest = 0;
  fc.assert(
    fc.property(fc.array(call, { minLength: 1, maxLength: 4 }), fc.boolean(), (all, withFunction) => {
      const chunks = all.flatMap((each, index) => [
        opens(index, `call_${index}`, "python"),
        goesOn(index, JSON.stringify({ code: each.unit.repeat(each.size) })),
      ]);
      const other = withFunction ? [opens(all.length, "call_f", "lookup"), goesOn(all.length, "{}")] : [];
      const { turn, events } = turnOf([...chunks, ...other, finish("stop")]);
      expect(turn.size).toBeLessThanOrEqual(MAX_SAID_BYTES + 400 * 5);
      turn.storeCalls();
      const step = turn.toolCalls?.step;
      if (step === undefined) return;
      const groups = inChunks(events);
      for (const group of groups.slice(0, -1)) largest = Math.max(largest, bytesOf(RUN, { events: group }));
      const stored = pending(RUN, step, false);
      largest = Math.max(largest, bytesOf(stored, { documents: turn.documents, events: groups.at(-1) ?? [] }));
      const readable = new Readable(100_000);
      const hosted = [...turn.hostedCalls.values()].flat();
      turn.finish(
        hosted.map(({ id }, index) => {
          const { logs, images } = all[index] ?? { logs: { unit: "a", size: 0 }, images: 0 };
          const ids = Array.from({ length: images }, (_, n) => `file-${"0".repeat(20)}${n}`);
          return readable.done(id, codeIn(step, index), result(logs.unit.repeat(logs.size), ids));
        }),
      );
      const called = turn.toolCalls;
      if (called === undefined) return;
      const done = completedStep(called.step, NOW);
      const news = [...turn.outputs, stepEvent(done, "completed")];
      largest = Math.max(largest, bytesOf(stored, { documents: [done], stored: [done.id], events: news }));
      if (called.calls.length === 0) return;
      const pause = paused(RUN, called.step, called.calls);
      const told = [...turn.outputs, runEvent(pause, "requires_action")];
      largest = Math.max(largest, bytesOf(pause, { documents: [called.step], stored: [done.id], events: told }));
    }),
    { numRuns: Number(process.env.BATCH_CASES ?? 40) },
  );
  expect(largest).toBeGreaterThan(300_000);
  expect(largest).toBeLessThan(MAX_BATCH_BYTES);
  if (process.env.BATCH_CASES !== undefined) console.log("largest batch in bytes:", largest);
});

type Parts = ConstructorParameters<typeof RunBatch>[3];

function bytesOf(run: RunDoc, parts: Partial<Parts>): number {
  const none = { documents: [], stored: [], deleted: new Set<string>(), leftovers: [], events: [], unlocks: false };
  const { writes } = new RunBatch(run, '"etag"', 86_400, { ...none, ...parts }).build();
  return Buffer.byteLength(JSON.stringify(writes));
}

function codeIn({ step_details: details }: NonNullable<Turn["toolCalls"]>["step"], index: number): string {
  const call = details.type === "tool_calls" ? details.tool_calls[index] : undefined;
  return call?.type === "code_interpreter" ? call.code_interpreter.input : "";
}
