/** Every wait has a bound that is shorter than the wait around it: docs/operations.md, "Waits". */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { parseTimeSpan } from "../../local/functions/settings.ts";
import { PATIENCE } from "../../src/api/health.ts";
import { KEYS_TIMEOUT } from "../../src/api/signing-keys.ts";
import { DISCONNECT_TIMEOUT, RELEASE_TIMEOUT } from "../../src/app.ts";
import { readConfig } from "../../src/config.ts";
import { BOUNDS } from "../../src/ingest/read/documents.ts";
import { LONGEST_WORK } from "../../src/ingest/wake.ts";
import { FIRST_SEND_TIMEOUT, SEND_TIMEOUT } from "../../src/jobs/wake-ups.ts";
import { TOKEN_TIMEOUT } from "../../src/managed-identity.ts";
import { SECOND_LOOK, TAKEOVER_GRACE } from "../../src/runs/claim.ts";
import { HEARTBEAT } from "../../src/runs/drive.ts";
import { TROUBLE_MEMORY } from "../../src/runs/sweep.ts";
import {
  CALL_TIMEOUT,
  LONGEST_PAUSE,
  QUERY_TIMEOUT,
  REQUEST_TIMEOUT,
  SHORT_PATIENCE_TIME,
  THROTTLED_WAIT,
} from "../../src/store/waits.ts";

const settings = (more: Record<string, string> = {}) =>
  readConfig({
    COSMOS_ENDPOINT: "https://a.documents.azure.com",
    MODEL_ENDPOINT: "https://m",
    ServiceBusConnection__fullyQualifiedNamespace: "n.servicebus.windows.net",
    ...more,
  }).runs;

const project = new URL("../../", import.meta.url);
const host = JSON.parse(readFileSync(new URL("host.json", project), "utf8")) as {
  functionTimeout: string;
  extensions: { serviceBus: { maxAutoLockRenewalDuration: string } };
};
const lockRenewal = parseTimeSpan(host.extensions.serviceBus.maxAutoLockRenewalDuration) ?? 0;
const queue = JSON.parse(readFileSync(new URL("local/service-bus/config.json", project), "utf8")) as object;

/** What docs/operations.md promises clients, and what the platform does. Milliseconds. */
const LONGEST_REQUEST = 15_000;
const LONGEST_HEALTH = 3_000;
const PLATFORM_GRACE = 5_000;
const SWEEP = 15_000;

const lease = settings().lease * 1_000;

test.each([
  ["a request, and 429 waited out, fit into a call", REQUEST_TIMEOUT + THROTTLED_WAIT, CALL_TIMEOUT],
  [
    "all that a client's read or write waits for",
    SHORT_PATIENCE_TIME + REQUEST_TIMEOUT + LONGEST_PAUSE,
    LONGEST_REQUEST,
  ],
  ["a query, the last page and its repetition included", QUERY_TIMEOUT, LONGEST_REQUEST],
  [
    "a run's creation, and its first wake-up",
    SHORT_PATIENCE_TIME + LONGEST_PAUSE + FIRST_SEND_TIMEOUT,
    LONGEST_REQUEST,
  ],
  [
    "the keys for a caller's token, then a run's creation and its first wake-up",
    KEYS_TIMEOUT + SHORT_PATIENCE_TIME + LONGEST_PAUSE + FIRST_SEND_TIMEOUT,
    LONGEST_REQUEST,
  ],
  ["a token of the app's identity, in a call", TOKEN_TIMEOUT, CALL_TIMEOUT],
  ["a token of the app's identity, in the first wake-up", TOKEN_TIMEOUT, FIRST_SEND_TIMEOUT],
  ["a later wake-up", SEND_TIMEOUT, FIRST_SEND_TIMEOUT],
  ["the reading of a document, in a wake-up of ingestion", BOUNDS.time * BOUNDS.patience, LONGEST_WORK],
  ["a look at the store for /healthz", PATIENCE, LONGEST_HEALTH],
  ["a beat that hangs, and the next one, within half a lease", REQUEST_TIMEOUT + HEARTBEAT, lease / 2],
  [
    "a driver is back after a hang before its run is taken over",
    REQUEST_TIMEOUT + LONGEST_PAUSE + HEARTBEAT,
    TAKEOVER_GRACE,
  ],
  ["a driver writes again, once the store works, before a second look", LONGEST_PAUSE + HEARTBEAT, SECOND_LOOK * lease],
  ["the sweep remembers trouble till its next tick", SWEEP, TROUBLE_MEMORY],
  ["stopping, before the platform ends the process", RELEASE_TIMEOUT + DISCONNECT_TIMEOUT, PLATFORM_GRACE],
  [
    "a worker keeps the wake-up of a run of the longest life",
    settings({ RUN_LIFETIME: "86400" }).lifetime * 1_000,
    lockRenewal,
  ],
  ["a worker lets go of a wake-up before the host ends the process", lockRenewal, parseTimeSpan(host.functionTimeout)],
])("%s: %i ms of %i", (_, inner, outer) => {
  expect(inner).toBeLessThan(outer ?? 0);
});

test("a wake-up that a dead worker held comes back not much later than its lease ends", () => {
  expect(JSON.stringify(queue)).toContain('"LockDuration":"PT30S"');
  expect(lease).toBeLessThan(30_000);
});
