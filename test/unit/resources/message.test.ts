import { describe, expect, test } from "vitest";
import { createMessageRequest, newMessage, newReply, textContent } from "../../../src/resources/message.ts";
import { CREATED, runDoc, THREAD } from "../documents.ts";

const create = (request: object) =>
  newMessage(createMessageRequest.parse({ role: "user", content: "Hi", ...request }), "msg_1", THREAD, CREATED);

describe("a message that a client adds", () => {
  test("is complete at once, with every field", () => {
    expect(create({})).toEqual({
      id: "msg_1",
      object: "thread.message",
      created_at: CREATED,
      assistant_id: null,
      thread_id: THREAD,
      run_id: null,
      status: "completed",
      incomplete_details: null,
      completed_at: CREATED,
      incomplete_at: null,
      role: "user",
      content: [{ type: "text", text: { value: "Hi", annotations: [] } }],
      attachments: [],
      metadata: {},
    });
  });

  test("belongs to no assistant and no run, also in the assistant's role", () => {
    expect(create({ role: "assistant" })).toMatchObject({ role: "assistant", assistant_id: null, run_id: null });
  });

  test("stores text parts with their annotations, and images as they are", () => {
    const image = { type: "image_url", image_url: { url: "http://example.com/a.png", detail: "low" } };
    expect(create({ content: [{ type: "text", text: "Look:" }, image] }).content).toEqual([
      { type: "text", text: { value: "Look:", annotations: [] } },
      image,
    ]);
  });

  test("keeps its metadata and attachments, without tools if they name none", () => {
    const attachment = { file_id: "file-1", tools: [{ type: "file_search" }] };
    expect(create({ metadata: { a: "b" }, attachments: [attachment, { file_id: "file-2" }] })).toMatchObject({
      metadata: { a: "b" },
      attachments: [attachment, { file_id: "file-2", tools: [] }],
    });
    expect(create({ metadata: null, attachments: null })).toMatchObject({ metadata: {}, attachments: [] });
  });
});

test("a message that a run writes begins empty, in progress, and belongs to the run and its assistant", () => {
  const run = runDoc();
  expect(newReply(run, "msg_2", CREATED)).toEqual({
    id: "msg_2",
    object: "thread.message",
    created_at: CREATED,
    assistant_id: run.assistant_id,
    thread_id: THREAD,
    run_id: run.id,
    status: "in_progress",
    incomplete_details: null,
    completed_at: null,
    incomplete_at: null,
    role: "assistant",
    content: [],
    attachments: [],
    metadata: {},
  });
});

test("two texts never share their annotations", () => {
  expect(textContent("a")).toEqual({ type: "text", text: { value: "a", annotations: [] } });
  const [a, b] = [textContent("a"), textContent("a")];
  if (a.type === "text" && b.type === "text") expect(a.text.annotations).not.toBe(b.text.annotations);
});
