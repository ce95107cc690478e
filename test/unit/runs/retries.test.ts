import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { App } from "../../../src/app.ts";
import { readConfig } from "../../../src/config.ts";
import type { ModelTrouble } from "../../../src/model/trouble.ts";
import { reserveIds } from "../../../src/runs/claim.ts";
import { retryDelay } from "../../../src/runs/settle.ts";
import type { RunDoc } from "../../../src/store/documents.ts";
import { CREATED, NOW, place, runIn } from "../documents.ts";
import { silentLog } from "../silent-log.ts";

/** An engine that is only asked for its settings and its clock. */
function engine(attempts = 4) {
  const config = readConfig({
    COSMOS_ENDPOINT: "http://127.0.0.1:1",
    COSMOS_KEY: "AAAA",
    MODEL_ENDPOINT: "http://127.0.0.1:1/v1",
    MODEL_MAX_ATTEMPTS: String(attempts),
    ServiceBusConnection: "Endpoint=sb://127.0.0.1",
  });
  return { ...new App(config, silentLog).engine, now: () => NOW };
}

const trouble = (changes: Partial<ModelTrouble> = {}): ModelTrouble => ({
  error: { code: "server_error", message: "Sorry, something went wrong." },
  retryable: true,
  retryAfter: undefined,
  ...changes,
});
const RUN = runIn("in_progress");

/** The run, while a driver makes this attempt of its model call. */
const inAttempt = (attempts: number): RunDoc => ({ ...RUN, internal: { ...RUN.internal, attempts } });

describe("a model call that failed is repeated", () => {
  test("after pauses that double, up to a minute", () => {
    const delays = [1, 2, 3, 6, 7, 19].map((attempt) => retryDelay(engine(20), inAttempt(attempt), trouble()));
    expect(delays).toEqual([1_000, 2_000, 4_000, 32_000, 60_000, 60_000]);
  });

  test("when the model says, if it does", () => {
    expect(retryDelay(engine(), inAttempt(1), trouble({ retryAfter: 7_500 }))).toBe(7_500);
  });

  test("until it has been tried as often as the settings allow", () => {
    expect(retryDelay(engine(3), inAttempt(2), trouble())).toBe(2_000);
    expect(retryDelay(engine(3), inAttempt(3), trouble())).toBeUndefined();
    expect(retryDelay(engine(1), inAttempt(1), trouble())).toBeUndefined();
  });

  test("not if the run would have expired by then", () => {
    const left = (CREATED + 600) * 1000 - NOW;
    expect(retryDelay(engine(), inAttempt(1), trouble({ retryAfter: left - 1 }))).toBe(left - 1);
    expect(retryDelay(engine(), inAttempt(1), trouble({ retryAfter: left }))).toBeUndefined();
  });

  test("not if it would fail again", () => {
    expect(retryDelay(engine(), inAttempt(1), trouble({ retryable: false }))).toBeUndefined();
  });
});

test("what a model call may write gets its places in advance: message step, message, calls' step, behind what is there", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: NOW * 2 }), (now) => {
      const { messageStep, message, toolStep } = reserveIds(now, place(10));
      expect([messageStep, message, toolStep].map((id) => id.split("_")[0])).toEqual(["step", "msg", "step"]);
      const places = [place(10), messageStep, message, toolStep].map((id) => id.split("_").at(-1) ?? "");
      expect(places).toEqual([...new Set(places)].sort());
    }),
  );
});
