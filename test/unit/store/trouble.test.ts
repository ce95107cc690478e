/** What counts as trouble that passes, and what is final; and that the SDK does not try again by itself. */
import { expect, test } from "vitest";
import { readConfig } from "../../../src/config.ts";
import { connectCosmos } from "../../../src/store/cosmos.ts";
import { CostMeter } from "../../../src/store/cost.ts";
import { StoreBusy, StoreHealth, StoreTrouble, troubleOf } from "../../../src/store/trouble.ts";

const withStatus = (code: unknown, substatus?: number) => Object.assign(new Error("no"), { code, substatus });
const named = (name: string) => Object.assign(new Error("no token"), { name });

test.each([400, 404, 409, 412, 413])("%i is final", (status) => {
  expect(troubleOf(withStatus(status))).toBeUndefined();
  expect(troubleOf(new Error("a batch failed", { cause: withStatus(status) }))).toBeUndefined();
});

test.each([
  ["401", withStatus(401)],
  ["403/3", withStatus(403, 3)],
  ["404/1002", withStatus(404, 1002)],
  ["408", withStatus(408)],
  ["410", withStatus(410)],
  ["449", withStatus(449)],
  ["500", withStatus(500)],
  ["502", withStatus(502)],
  ["503", withStatus(503)],
  ["504", withStatus(504)],
  ["a time-out", withStatus("TimeoutError")],
  ["no such host", withStatus("ENOTFOUND")],
  ["a connection that could not be made", withStatus("REQUEST_SEND_ERROR")],
  ["a certificate that is not trusted", withStatus("DEPTH_ZERO_SELF_SIGNED_CERT")],
  ["a body that is no JSON", new SyntaxError("Unexpected token <")],
  ["an empty body", new TypeError("Cannot read properties of null (reading 'message')")],
  ["no token", named("AuthenticationError")],
  ["no identity", named("CredentialUnavailableError")],
  ["none of the identities", named("AggregateAuthenticationError")],
])("%s is trouble", (_, error) => {
  expect(troubleOf(error)).toBeInstanceOf(StoreTrouble);
  expect(troubleOf(error)).not.toBeInstanceOf(StoreBusy);
});

test("429 is a store that is too busy", () => {
  expect(troubleOf(withStatus(429))).toBeInstanceOf(StoreBusy);
});

test("trouble that the SDK wraps stays trouble", () => {
  const trouble = new StoreTrouble("the store did not do a request", withStatus(404, 1002));
  expect(troubleOf(new Error("Batch request error", { cause: trouble }))).toBe(trouble);
});

test("a host that is not found is asked for once, though endpoint discovery is on", async () => {
  const config = readConfig({
    COSMOS_ENDPOINT: "https://no-such-account.invalid",
    COSMOS_KEY: "key",
    ServiceBusConnection: "Endpoint=sb://127.0.0.1:1;SharedAccessKeyName=n;SharedAccessKey=k",
    MODEL_ENDPOINT: "http://127.0.0.1:1/v1",
  });
  const meter = new CostMeter();
  const connection = connectCosmos(config, meter, new StoreHealth(Date.now));
  try {
    await expect(connection.readConsistency()).rejects.toBeInstanceOf(StoreTrouble);
    const requests = Object.values(meter.report()).reduce((sum, cost) => sum + cost.requests, 0);
    expect(requests).toBeLessThanOrEqual(2);
  } finally {
    connection.close();
  }
});

test("a call that never ends is given up", async () => {
  const never = new Promise<object>(() => undefined);
  await expect(new StoreHealth(Date.now).answer(never, 10)).rejects.toBeInstanceOf(StoreTrouble);
});
