/** GET /healthz needs no key: it must cost the store next to nothing, and answer though the store does not. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Stack, startStack } from "../../local/stack.ts";
import { buildIfStale } from "../e2e/build.ts";
import { until } from "../e2e/harness.ts";
import { putFaults } from "../faults/inject.ts";

let stack: Stack;

beforeAll(async () => {
  buildIfStale();
  // The sweep asks the store as well.
  stack = await startStack({ env: { "AzureWebJobs.sweep.Disabled": "true" } });
});

afterAll(() => stack?.stop());

const status = async () => (await fetch(new URL("/healthz", stack.baseUrl))).status;

const storeRequests = async () => {
  const response = await fetch(new URL("/_local/stats", stack.cosmos.endpoint));
  return ((await response.json()) as { total: { count: number } }).total.count;
};

test("callers without a key cost the store one read a second, however many they are", async () => {
  // The SDK looks at the account and the container before its first request.
  expect(await status()).toBe(200);
  const before = await storeRequests();
  const started = performance.now();
  const statuses = await Promise.all(Array.from({ length: 300 }, status));
  const seconds = (performance.now() - started) / 1000;
  expect(new Set(statuses)).toEqual(new Set([200]));
  // One may be under way at either end.
  expect((await storeRequests()) - before).toBeLessThanOrEqual(Math.ceil(seconds) + 2);
});

test("while the store hangs, callers are told 503 and do not wait for it, and 200 once it answers again", async () => {
  await putFaults(stack.cosmos.endpoint, [{ fault: "latency", rate: 1, ms: 8_000, operations: ["read"] }]);
  try {
    // The store would answer in the end, and the status be 200.
    await until(async () => (await status()) === 503);
  } finally {
    await putFaults(stack.cosmos.endpoint, []);
  }
  await until(async () => (await status()) === 200, 20_000);
}, 60_000);
