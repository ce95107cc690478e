/** What explains a repeated model call, and what does not. */
import { describe, expect, test } from "vitest";
import type { ModelCall } from "../../../local/model/script-book.ts";
import { explain } from "./explain.ts";
import { type BlowKind, Ledger } from "./ledger.ts";

const START = Date.parse("2026-01-01T00:00:00Z");

/** `at` in seconds */
const call = (at: number, project: string, more: Partial<ModelCall> = {}): ModelCall => ({
  model: "steady#1",
  path: "/v1/chat/completions",
  time: new Date(START + at * 1000).toISOString(),
  project,
  toolMessages: 0,
  ...more,
});

function ledgerWith(...blows: { kind: BlowKind; instance: string; from: number; to?: number }[]): Ledger {
  const ledger = new Ledger();
  for (const { kind, instance, from, to = from } of blows) {
    ledger.blows.push({ kind, instance, from: START + from * 1000, to: START + to * 1000 });
  }
  return ledger;
}

const told = (calls: ModelCall[], ledger = new Ledger(), skews: Record<string, number> = {}) => {
  const { needed, explained, unexplained } = explain(calls, { ledger, skews, lease: 4_000 });
  return { needed, explained, unexplained };
};

describe("a repeated call", () => {
  test("is explained by what the model's script said", () => {
    const calls = [call(0, "a", { told: "error" }), call(1, "a", { told: "cut" }), call(2, "b")];
    expect(told(calls)).toEqual({ needed: 1, explained: { error: 1, cut: 1 }, unexplained: 0 });
  });

  test("is explained by what befell its instance between the two", () => {
    const kill = { kind: "kill" as const, instance: "a", from: 1 };
    expect(told([call(0, "a"), call(4, "b")], ledgerWith(kill))).toMatchObject({ explained: { kill: 1 } });
    const freeze = { kind: "freeze" as const, instance: "a", from: -1, to: 1 };
    expect(told([call(0, "a"), call(4, "b")], ledgerWith(freeze))).toMatchObject({ explained: { freeze: 1 } });
  });

  test.each([
    ["another instance", { kind: "kill" as const, instance: "b", from: 1 }],
    ["its instance long before", { kind: "kill" as const, instance: "a", from: -2 }],
    ["its instance afterwards", { kind: "kill" as const, instance: "a", from: 5 }],
  ])("is not explained by a blow to %s", (_what, blow) => {
    expect(told([call(0, "a"), call(4, "b")], ledgerWith(blow))).toMatchObject({ explained: {}, unexplained: 1 });
  });

  test("is one: a kill does not explain two", () => {
    const kill = { kind: "kill" as const, instance: "a", from: 1 };
    const calls = [call(0, "a"), call(4, "b"), call(6, "c")];
    expect(told(calls, ledgerWith(kill))).toEqual({ needed: 1, explained: { kill: 1 }, unexplained: 1 });
  });

  test("is needed when functions have given their outputs, and then the old kill explains nothing more", () => {
    const kill = { kind: "kill" as const, instance: "a", from: 1 };
    const calls = [call(0, "a"), call(4, "b", { toolMessages: 1 }), call(6, "c", { toolMessages: 1 })];
    expect(told(calls, ledgerWith(kill))).toEqual({ needed: 2, explained: {}, unexplained: 1 });
  });

  test("is explained by clocks only where they differ by half a lease", () => {
    const calls = [call(0, "a"), call(4, "b")];
    expect(told(calls, new Ledger(), { a: -1_000, b: 1_000 })).toMatchObject({ explained: { clocks: 1 } });
    expect(told(calls, new Ledger(), { a: 1_000, b: -1_000 })).toMatchObject({ unexplained: 1 });
    expect(told(calls, new Ledger(), { a: -400, b: 400 })).toMatchObject({ unexplained: 1 });
  });
});

test("a call that nothing explains is told with its story and the siege that it falls into", () => {
  const ledger = new Ledger();
  ledger.sieges.push({ name: "throttled", from: START + 1_000, to: START + 2_000 });
  const { complaints } = explain([call(0, "a", { closed: new Date(START + 500).toISOString() }), call(3, "b")], {
    ledger,
    skews: {},
    lease: 4_000,
  });
  expect(complaints).toEqual([
    "steady#1 was asked 2 times, 1 without a reason: a from -3.00 to -2.50 s (answered), b from 0.00 to ? s (answered); the store was throttled, or had been",
  ]);
});
