import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { seqOf } from "../../../src/store/documents.ts";
import type { Write } from "../../../src/store/partition.ts";
import { draftMessages, draftThread, inBatches, unlockedBefore } from "../../../src/store/threads.ts";
import { messageDoc, NOW, NOW_IN_SECONDS, place } from "../documents.ts";

/** What the store takes in one transaction. */
const MAX_BATCH_WRITES = 100;
const MAX_BATCH_BYTES = 2_000_000;

const remove = (id: string): Write => ({ delete: id });
/** A write of about so many bytes. */
const write = (bytes: number): Write => remove("x".repeat(bytes));
const bytesOf = (writes: Write[]) => writes.reduce((sum, each) => sum + Buffer.byteLength(JSON.stringify(each)), 0);

describe("writes are put into batches", () => {
  test("none into none", () => {
    expect(inBatches([])).toEqual([]);
  });

  test("a hundred into one, one more into the next", () => {
    const writes = (count: number) => Array.from({ length: count }, (_, i) => remove(`msg_${i}`));
    expect(inBatches(writes(100)).map((batch) => batch.length)).toEqual([100]);
    expect(inBatches(writes(101)).map((batch) => batch.length)).toEqual([100, 1]);
    expect(inBatches(writes(250)).map((batch) => batch.length)).toEqual([100, 100, 50]);
  });

  test("of no more than the store takes at a time", () => {
    const batches = inBatches(Array.from({ length: 10 }, () => write(500_000)));
    expect(batches.map((batch) => batch.length)).toEqual([3, 3, 3, 1]);
  });

  test("counted in bytes, not in characters", () => {
    const japanese: Write = { create: messageDoc({ content: "あ".repeat(250_000) }) };
    expect(inBatches([japanese, japanese, japanese]).map((batch) => batch.length)).toEqual([2, 1]);
  });

  test("a write that is too large by itself into one of its own", () => {
    const batches = inBatches([write(10), write(MAX_BATCH_BYTES + 1), write(10)]);
    expect(batches.map((batch) => batch.length)).toEqual([1, 1, 1]);
  });

  test("in their order, none lost, each batch within both limits", () => {
    const small = { arbitrary: fc.nat(50), weight: 40 };
    const large = { arbitrary: fc.integer({ min: 0, max: 900_000 }), weight: 1 };
    const sizes = fc.array(fc.oneof(small, large), { maxLength: 250 });
    fc.assert(
      fc.property(sizes, (bytes) => {
        const writes = bytes.map((size, i) => remove(`${i}/${"x".repeat(size)}`));
        const batches = inBatches(writes);
        expect(batches.flat()).toEqual(writes);
        for (const batch of batches) {
          expect(batch.length).toBeGreaterThan(0);
          expect(batch.length).toBeLessThanOrEqual(MAX_BATCH_WRITES);
          if (batch.length > 1) expect(bytesOf(batch)).toBeLessThanOrEqual(MAX_BATCH_BYTES);
        }
      }),
      { numRuns: 20 },
    );
  });
});

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

  test("is free for messages and runs, and says whether anybody has asked something", async () => {
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

test("something new is taken on the condition that no run holds the thread and nothing newer is there", () => {
  expect(unlockedBefore(place(9))).toBe(`c.internal.active_run = null AND c.internal.last_seq < '${place(9)}'`);
});
