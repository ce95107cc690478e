import { describe, expect, test } from "vitest";
import { pollAfter } from "../../../src/api/poll-after.ts";
import { type ACTIVE_STATUSES, TERMINAL_STATUSES } from "../../../src/resources/run.ts";
import { apiObject } from "../../../src/store/documents.ts";
import { CREATED, runDoc } from "../documents.ts";

const HEADER = "openai-poll-after-ms";
const at = (seconds: number) => (CREATED + seconds) * 1000;
const run = (status: (typeof ACTIVE_STATUSES | typeof TERMINAL_STATUSES)[number]) => apiObject(runDoc({ status }));

describe("who asks for a run that goes on by itself is told when to ask again:", () => {
  test.each([
    [0, "100"],
    [1, "100"],
    [3, "300"],
    [10, "1000"],
    [500, "1000"],
    // a clock that runs behind the one that created the run
    [-5, "100"],
  ])("after %i s, in %s ms", (age, wait) => {
    for (const status of ["queued", "in_progress", "cancelling"] as const) {
      expect(pollAfter("getRun", run(status), at(age))).toEqual({ [HEADER]: wait });
    }
  });
});

test("a run that has ended, or waits for its client, need not be asked for again", () => {
  for (const status of [...TERMINAL_STATUSES, "requires_action" as const]) {
    expect(pollAfter("getRun", run(status), at(1)), status).toEqual({});
  }
});

test("other answers tell nothing about it", () => {
  expect(pollAfter("createRun", run("queued"), at(1))).toEqual({});
  expect(pollAfter("getThread", { id: "thread_1" }, at(1))).toEqual({});
});
