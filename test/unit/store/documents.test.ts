import { describe, expect, test } from "vitest";
import {
  apiObject,
  assistantSort,
  catalogKey,
  messageSort,
  runSort,
  seqOf,
  stepSort,
  threadKey,
  threadSort,
} from "../../../src/store/documents.ts";
import { LAST_SEQ, wholeRange } from "../../../src/store/ranges.ts";
import { KEY, messageDoc, place, runDoc, THREAD } from "../documents.ts";

describe("a document as the API shows it", () => {
  test("is without everything that the store needs, and with all the rest", () => {
    const fromStore = { _rid: "r", _self: "s", _etag: "e", _attachments: "a", _ts: 1, ttl: 60 };
    const shown = apiObject({ ...runDoc(), ...fromStore });
    expect(Object.keys(shown).sort()).toEqual(
      Object.keys(runDoc())
        .filter((name) => !["pk", "kind", "internal"].includes(name))
        .sort(),
    );
    expect(shown).toMatchObject({ object: "thread.run", status: "queued", required_action: null });
  });

  test("keeps what a client called as we call our own, one level below", () => {
    const metadata = { pk: "1", internal: "2", _etag: "3" };
    expect(apiObject({ ...messageDoc(), metadata }).metadata).toEqual(metadata);
  });

  test("leaves the document as it is", () => {
    const doc = messageDoc();
    apiObject(doc);
    expect(doc).toEqual(messageDoc());
  });
});

test("the partition of a thread belongs to one tenant", () => {
  expect(threadKey("acme", THREAD)).toBe(KEY);
  expect(threadKey("acme", THREAD)).not.toBe(threadKey("globex", THREAD));
  expect(catalogKey("acme")).not.toBe(catalogKey("globex"));
});

describe("the place in a list", () => {
  const sorts = {
    assistant: assistantSort,
    thread: (seq: string) => threadSort("acme", seq),
    "thread of another tenant": (seq: string) => threadSort("acme-2", seq),
    message: messageSort,
    run: runSort,
    step: (seq: string) => stepSort("run_1", seq),
    "step of another run": (seq: string) => stepSort("run_10", seq),
  };
  const kinds = Object.entries(sorts);

  test.each(kinds)("of a %s gives back its seq", (_, sort) => {
    expect(seqOf(sort(place(7)))).toBe(place(7));
  });

  test.each(kinds)("of a %s keeps the order of the seqs", (_, sort) => {
    expect(sort(place(7)) < sort(place(8))).toBe(true);
  });

  test.each(kinds)(
    "of a %s lies in the list of its kind, from the first id to the last, and in no other",
    (kind, sort) => {
      const places = ["0".repeat(24), place(7), "z".repeat(24)].map(sort);
      for (const [other, otherSort] of kinds) {
        const { above, below } = wholeRange(otherSort);
        for (const each of places) expect(each > above && each < below, `${kind} in ${other}`).toBe(kind === other);
      }
    },
  );

  test("has an end behind every id", () => {
    expect("z".repeat(24) < LAST_SEQ).toBe(true);
  });
});
