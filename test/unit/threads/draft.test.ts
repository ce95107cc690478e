import { describe, expect, test } from "vitest";
import { seqOf, UNDERSTOOD } from "../../../src/store/documents.ts";
import { draftMessages, draftThread } from "../../../src/threads/draft.ts";
import { unlockedBefore } from "../../../src/threads/lock.ts";
import { NOW, NOW_IN_SECONDS, place } from "../documents.ts";

describe("a new thread", () => {
  const messages = [
    { role: "user" as const, content: "One" },
    { role: "assistant" as const, content: "Two" },
    { role: "user" as const, content: "Three" },
  ];

  test("holds its messages in the order given, though all were created in the same second", async () => {
    const { thread, messages: docs } = await draftThread("acme", { messages }, NOW);
    expect(docs.map((doc) => doc.content)).toEqual(
      ["One", "Two", "Three"].map((value) => [{ type: "text", text: { value, annotations: [] } }]),
    );
    const places = docs.map((doc) => doc.internal.sort);
    expect(places).toEqual([...places].sort());
    expect(new Set(places).size).toBe(3);
    expect(thread.internal.last_seq).toBe(seqOf(places.at(-1) ?? ""));
    expect(docs.map((doc) => doc.created_at)).toEqual([NOW_IN_SECONDS, NOW_IN_SECONDS, NOW_IN_SECONDS]);
  });

  test("is one partition of its tenant's", async () => {
    const { thread, messages: docs } = await draftThread("acme", { messages }, NOW);
    expect(thread.pk).toBe(`acme:${thread.id}`);
    for (const doc of docs) expect(doc).toMatchObject({ pk: thread.pk, thread_id: thread.id, kind: "message" });
  });

  test("is free for messages and runs, and counts what its users have asked", async () => {
    const empty = (await draftThread("acme", {}, NOW)).thread;
    expect(empty.internal).toMatchObject({ active_run: null, user_messages: 0 });
    expect(empty.internal.last_seq).toBe(seqOf(empty.internal.sort));
    const answered = (await draftThread("acme", { messages: messages.slice(1, 2) }, NOW)).thread;
    expect(answered.internal.user_messages).toBe(0);
    expect((await draftThread("acme", { messages }, NOW)).thread.internal.user_messages).toBe(2);
  });
});

test("messages are counted when they are written, and come after what is there", async () => {
  const after = place(1);
  const { docs, lastSeq } = await draftMessages(
    "acme",
    "thread_1",
    [{ role: "user", content: "hello world" }],
    0,
    after,
  );
  expect(docs[0]?.internal.tokens).toBe(2 + 4);
  expect(lastSeq > after).toBe(true);
  expect(docs[0]?.id).toBe(`msg_${lastSeq}`);
});

test("no messages leave the place where it is", async () => {
  expect(await draftMessages("acme", "thread_1", [], NOW, place(1))).toEqual({ docs: [], lastSeq: place(1) });
});

test("something new is taken if no run holds the thread, nothing newer is there, and this build understands the thread", () => {
  expect(unlockedBefore(place(9))).toBe(
    `c.internal.active_run = null AND c.internal.last_seq < '${place(9)}' AND ${UNDERSTOOD}`,
  );
});
