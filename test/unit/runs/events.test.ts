import { expect, test } from "vitest";
import { callDelta, messageEvent, noSink, runEvent, stepEvent, textDelta } from "../../../src/runs/events.ts";
import { apiObject } from "../../../src/store/documents.ts";
import { callsStep, messageStep, replyDoc, runIn } from "../documents.ts";

test("an event is named after the object and its status, and carries the whole object as the API shows it", () => {
  const run = runIn("in_progress");
  expect(runEvent(run, "in_progress")).toEqual({ event: "thread.run.in_progress", data: apiObject(run) });
  expect(runEvent(run, "created").event).toBe("thread.run.created");
  expect(runEvent(run, "requires_action").event).toBe("thread.run.requires_action");
  const step = messageStep();
  expect(stepEvent(step, "completed")).toEqual({ event: "thread.run.step.completed", data: apiObject(step) });
  const message = replyDoc("Hel");
  expect(messageEvent(message, "incomplete")).toEqual({ event: "thread.message.incomplete", data: apiObject(message) });
});

test("no event shows what the store keeps for itself", () => {
  const events = [
    runEvent(runIn("in_progress"), "in_progress"),
    stepEvent(messageStep(), "created"),
    messageEvent(replyDoc("Hel"), "created"),
  ];
  for (const { data } of events) expect(JSON.stringify(data)).not.toMatch(/"(pk|kind|internal|_etag)":/);
});

test("only the first piece of a text carries its empty annotations", () => {
  const part = (first: boolean) => {
    const { event, data } = textDelta(replyDoc(""), "Hello", first);
    expect(event).toBe("thread.message.delta");
    return data;
  };
  const delta = (text: object) => ({
    id: replyDoc("").id,
    object: "thread.message.delta",
    delta: { content: [{ index: 0, type: "text", text }] },
  });
  expect(part(true)).toEqual(delta({ value: "Hello", annotations: [] }));
  expect(part(false)).toEqual(delta({ value: "Hello" }));
});

test("only the first piece of a call carries its id, its name and that there is no output", () => {
  const step = callsStep([]);
  const delta = (call: object) => ({
    event: "thread.run.step.delta",
    data: {
      id: step.id,
      object: "thread.run.step.delta",
      delta: { step_details: { type: "tool_calls", tool_calls: [call] } },
    },
  });
  expect(callDelta(step, 1, { id: "call_a", name: "f", arguments: "" })).toEqual(
    delta({ index: 1, id: "call_a", type: "function", function: { name: "f", arguments: "", output: null } }),
  );
  expect(callDelta(step, 1, { arguments: "{}" })).toEqual(
    delta({ index: 1, type: "function", function: { arguments: "{}" } }),
  );
});

test("a run without watchers says nothing", () => {
  expect(noSink(runEvent(runIn("queued"), "queued"))).toBeUndefined();
});
