/** A small slice of the fault harness; `npm run test:faults` is the long form. */
import { expect, test } from "vitest";
import { buildIfStale } from "../e2e/build.ts";
import { runCampaign } from "./harness/campaign.ts";
import { summary } from "./harness/report.ts";

/** Of a failure, set it again to see the same choices made. */
const SEED = Number(process.env.SEED ?? 1);

test("processes die, connections break, messages get lost: every run ends, once, and its thread is free", {
  timeout: 200_000,
}, async () => {
  buildIfStale();
  // A lost wake-up costs half a minute, and has a test of its own.
  const faults = { peace: 900, lost: 0, siege: 2_500, skew: 500 };
  const patience = { patience: 4_000, quiet: 90_000, sweep: 5_000 };
  const report = await runCampaign({ seed: SEED, runs: 60, lanes: 30, ...faults, ...patience });
  console.log(summary(report));
  expect(report.problems).toEqual([]);
  expect(report.acknowledged).toBeGreaterThan(30);
  expect(report.endings.completed).toBeGreaterThan(15);
});
