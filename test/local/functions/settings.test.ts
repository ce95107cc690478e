import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, expect, it, onTestFinished, vi } from "vitest";
import { parseTimeSpan, readHostSettings } from "../../../local/functions/settings.ts";

const MINUTE = 60_000;

afterEach(() => vi.unstubAllEnvs());

async function settingsOf(hostJson: unknown) {
  const folder = await mkdtemp(path.join(tmpdir(), "host-settings-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  if (hostJson !== undefined) await writeFile(path.join(folder, "host.json"), JSON.stringify(hostJson));
  return readHostSettings(folder);
}

it("what host.json leaves out has the host's defaults", async () => {
  expect(await settingsOf(undefined)).toEqual({
    routePrefix: "api",
    functionTimeoutMs: 30 * MINUTE,
    maxRequestBody: 100 * 1024 * 1024,
    serviceBus: {
      maxConcurrentCalls: 16,
      autoCompleteMessages: true,
      maxAutoLockRenewalMs: 5 * MINUTE,
      maxMessageBatchSize: 1000,
      prefetchCount: 0,
    },
  });
});

it("names are read without regard to case, and numbers and flags may be text", async () => {
  const serviceBus = { MaxConcurrentCalls: "8", autocompletemessages: "False", PREFETCHCOUNT: 3 };
  const settings = await settingsOf({ FunctionTimeout: "00:10:00", Extensions: { servicebus: serviceBus } });
  expect(settings.functionTimeoutMs).toBe(10 * MINUTE);
  expect(settings.serviceBus).toMatchObject({ maxConcurrentCalls: 8, autoCompleteMessages: false, prefetchCount: 3 });
});

it("settings of the environment go before host.json", async () => {
  vi.stubEnv("AzureFunctionsJobHost__extensions__serviceBus__maxConcurrentCalls", "2");
  vi.stubEnv("AzureFunctionsJobHost__functionTimeout", "-1");
  vi.stubEnv("FUNCTIONS_REQUEST_BODY_SIZE_LIMIT", "1000");
  const settings = await settingsOf({
    functionTimeout: "00:10:00",
    extensions: { serviceBus: { maxConcurrentCalls: 9 } },
  });
  expect(settings).toMatchObject({ functionTimeoutMs: Number.POSITIVE_INFINITY, maxRequestBody: 1000 });
  expect(settings.serviceBus.maxConcurrentCalls).toBe(2);
});

it.each([
  [
    { functionTimeout: "24:00:00" },
    'host.json: functionTimeout must be a TimeSpan such as 00:05:00 or 1.00:00:00, not "24:00:00".',
  ],
  [
    { extensions: { serviceBus: { maxConcurrentCalls: "many" } } },
    'host.json: extensions:serviceBus:maxConcurrentCalls must be a whole number, not "many".',
  ],
  [
    { extensions: { serviceBus: { autoCompleteMessages: "yes" } } },
    'host.json: extensions:serviceBus:autoCompleteMessages must be true or false, not "yes".',
  ],
])("a value that .NET would not take is refused by name: %o", async (hostJson, message) => {
  await expect(settingsOf(hostJson)).rejects.toThrow(message);
});

it("the app's functionTimeout is longer than any run may live", async () => {
  const { functionTimeoutMs } = await readHostSettings(path.join(import.meta.dirname, "../../.."));
  const longestRun = 86_400_000;
  expect(functionTimeoutMs).toBeGreaterThan(longestRun);
});

it("a TimeSpan may have days and fractions", () => {
  expect(parseTimeSpan("1.00:10:00")).toBe(1450 * MINUTE);
  expect(parseTimeSpan("00:00:00.5")).toBe(500);
  expect(parseTimeSpan("5 minutes")).toBeUndefined();
});
