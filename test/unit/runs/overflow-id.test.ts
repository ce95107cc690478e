import { expect, test } from "vitest";
import { purgeJob } from "../../../src/jobs/wake-ups.ts";
import { overflowId } from "../../../src/runs/fair-worker.ts";

test("purges of two threads, passed on at the same moment, are no duplicates of each other", () => {
  const ids = ["thread_1", "thread_2"].map((thread) => overflowId(purgeJob("acme", thread, 1), 1_000));
  expect(new Set(ids).size).toBe(2);
});
