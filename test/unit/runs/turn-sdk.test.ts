/** The client libraries read what a turn says, the current one and the one before it. */
import { AssistantStream } from "openai/lib/AssistantStream";
import { AssistantStream as AssistantStream6 } from "openai-6/lib/AssistantStream";
import { describe, expect, test } from "vitest";
import { messageEvent, openingEvents, type RunEvent, runEvent, stepEvent } from "../../../src/runs/events.ts";
import { completedMessage, completedStep, ended, paused } from "../../../src/runs/lifecycle.ts";
import { NOW, runIn } from "../documents.ts";
import { finish, goesOn, opens, says, turnOf, usage } from "./model-stream.ts";

const RUN = runIn("in_progress");

/** As the libraries pass streams on themselves: a line of JSON an event. */
function readable(events: RunEvent[]): ReadableStream {
  return new Response(events.map((event) => `${JSON.stringify(event)}\n`).join("")).body ?? new ReadableStream();
}

const libraries = [
  ["openai 7", (events: RunEvent[]) => AssistantStream.fromReadableStream(readable(events) as never)],
  ["openai 6", (events: RunEvent[]) => AssistantStream6.fromReadableStream(readable(events) as never)],
] as const;

describe.each(libraries)("%s", (_, open) => {
  test("puts a text together and ends with the run", async () => {
    const { turn, events } = turnOf([says("Hello"), says(" there"), finish("stop"), usage(20, 7)]);
    if (turn.reply === undefined) throw new Error("the turn wrote nothing");
    const stream = open([
      ...openingEvents(RUN),
      runEvent(RUN, "in_progress"),
      ...events,
      messageEvent(completedMessage(turn.reply.message, NOW), "completed"),
      stepEvent(completedStep(turn.reply.step, NOW), "completed"),
      runEvent(ended(RUN, { status: "completed" }, NOW), "completed"),
    ]);
    const pieces: (string | undefined)[] = [];
    let whole = "";
    stream.on("textDelta", (delta) => pieces.push(delta.value));
    stream.on("textDone", (text) => {
      whole = text.value;
    });
    expect((await stream.finalRun()).status).toBe("completed");
    expect(pieces).toEqual(["Hello", " there"]);
    expect(whole).toBe("Hello there");
    expect(await stream.finalMessages()).toHaveLength(1);
    expect(await stream.finalRunSteps()).toMatchObject([{ type: "message_creation", usage: { total_tokens: 27 } }]);
  });

  test("puts parallel calls together behind a text, and ends with what is required", async () => {
    const { turn, events } = turnOf([
      says("Let me look."),
      opens(0, "call_a", "get_weather"),
      goesOn(0, '{"city":'),
      goesOn(0, '"Berlin"}'),
      opens(1, "call_b", "get_time"),
      goesOn(1, "{}"),
      finish("tool_calls"),
    ]);
    if (turn.toolCalls === undefined) throw new Error("the turn called nothing");
    const { step, calls } = turn.toolCalls;
    const stream = open([
      ...openingEvents(RUN),
      runEvent(RUN, "in_progress"),
      ...events,
      runEvent(paused(RUN, step, calls), "requires_action"),
    ]);
    const snapshots: string[] = [];
    stream.on("toolCallDelta", (_delta, snapshot) => {
      if (snapshot.type === "function") snapshots.push(`${snapshot.function.name}(${snapshot.function.arguments})`);
    });
    const run = await stream.finalRun();
    expect(run.required_action?.submit_tool_outputs.tool_calls.map((call) => call.id)).toEqual(["call_a", "call_b"]);
    expect(snapshots.at(-1)).toBe("get_time({})");
    expect(snapshots).toContain('get_weather({"city":"Berlin"})');
  });
});
