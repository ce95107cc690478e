import { describe, expect, test } from "vitest";
import { existing, pageQuery } from "../../../src/api/paging.ts";
import { validated } from "../../../src/api/validation.ts";
import { listOf } from "../../../src/resources/common.ts";
import { noThreadFound } from "../../../src/resources/errors.ts";

describe("the query of a list", () => {
  test("asks for the 20 newest if it says nothing", () => {
    expect(validated(pageQuery, {})).toEqual({ limit: 20, order: "desc" });
  });

  test("is read from texts", () => {
    expect(validated(pageQuery, { limit: "7", order: "asc", after: "msg_1", before: "msg_2" })).toEqual({
      limit: 7,
      order: "asc",
      after: "msg_1",
      before: "msg_2",
    });
  });

  test("may hold what other lists know, and what Azure wants", () => {
    expect(validated(pageQuery, { "api-version": "v1", "include[]": "x" })).toEqual({ limit: 20, order: "desc" });
  });

  test.each(["", "ten", "1.5", "1e1", " 5", "0x10", "NaN", "-1", "0", "101", "99999999999999999999"])(
    "refuses a limit of %j and names it",
    (limit) => {
      expect(() => validated(pageQuery, { limit })).toThrow("'limit'");
    },
  );
});

describe("a list shows", () => {
  const [first, second] = [{ id: "msg_1" }, { id: "msg_2" }];

  test("the ids at its ends and whether there is more", () => {
    expect(listOf([first, second], true)).toEqual({
      object: "list",
      data: [first, second],
      first_id: "msg_1",
      last_id: "msg_2",
      has_more: true,
    });
  });

  test("null for both ends when it is empty", () => {
    expect(listOf([], false)).toEqual({ object: "list", data: [], first_id: null, last_id: null, has_more: false });
  });
});

describe("a list within a parent", () => {
  const gone = noThreadFound("thread_1");

  test("is given when the parent is there", async () => {
    expect(await existing(Promise.resolve("thread"), Promise.resolve([1]))).toEqual([1]);
  });

  test("tells that there is no such parent before anything else, whichever is known first", async () => {
    const bad = new Error("bad cursor");
    await expect(existing(Promise.reject(gone), Promise.reject(bad))).rejects.toBe(gone);
    const slowly = new Promise((_, reject) => setImmediate(() => reject(gone)));
    await expect(existing(slowly, Promise.reject(bad))).rejects.toBe(gone);
  });

  test("tells what is wrong with the list when the parent is there", async () => {
    const bad = new Error("bad cursor");
    await expect(existing(Promise.resolve("thread"), Promise.reject(bad))).rejects.toBe(bad);
  });
});
