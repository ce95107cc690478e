/** The app's own identity: what the store and the queue see of it, and what becomes of requests when it gets no token. */
import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type CosmosServer, startCosmos } from "../../local/cosmos/server.ts";
import type { Behaviour } from "../../local/identity/behaviour.ts";
import { type IdentityServer, startIdentity } from "../../local/identity/server.ts";
import { ServiceBusBroker } from "../../local/service-bus/server.ts";
import { readConfig } from "../../src/config.ts";
import { identity, NoToken } from "../../src/identity.ts";
import { QUEUE, WakeUps } from "../../src/jobs/wake-ups.ts";
import { connectCosmos } from "../../src/store/cosmos.ts";
import { CostMeter } from "../../src/store/cost.ts";
import { StoreHealth, StoreTrouble } from "../../src/store/trouble.ts";
import { trust } from "../lib/trust.ts";

const SERVICE_BUS = "https://servicebus.azure.net/";

const SYSTEM = randomUUID();
const USER = randomUUID();
/** The library keeps a process's tokens by identity: those who are to get tokens of their own kind. */
const [RENEWED, LATE, REFUSED, SLOW] = [randomUUID(), randomUUID(), randomUUID(), randomUUID()];
const STRANGER = randomUUID();

let directory: IdentityServer;
let cosmos: CosmosServer;
let broker: ServiceBusBroker;

beforeAll(async () => {
  const userAssigned = [USER, RENEWED, LATE, REFUSED, SLOW];
  directory = await startIdentity({
    tenantId: randomUUID(),
    secret: "s",
    systemAssigned: SYSTEM,
    userAssigned,
  });
  process.env.IDENTITY_ENDPOINT = `${directory.authority}/msi/token`;
  process.env.IDENTITY_HEADER = "s";
  cosmos = await startCosmos({ https: true, issuer: directory.authority });
  broker = await new ServiceBusBroker({ tls: true, issuer: directory.authority, queues: [{ name: QUEUE }] }).start();
  trust(cosmos.certificate);
  trust(broker.certificate);
});

beforeEach(() => directory.behave({}));

afterAll(async () => {
  await cosmos?.stop();
  await broker?.stop();
  await directory?.stop();
});

/** The settings of an app without a key. A client id of its own keeps a test from the tokens of others. */
const configOf = (clientId?: string) =>
  readConfig({
    COSMOS_ENDPOINT: cosmos.endpoint,
    ServiceBusConnection__fullyQualifiedNamespace: `127.0.0.1:${broker.port}`,
    MODEL_ENDPOINT: "http://127.0.0.1:1/v1",
    IDENTITY_ENDPOINT: process.env.IDENTITY_ENDPOINT,
    AZURE_CLIENT_ID: clientId,
  });

function storeOf(clientId?: string) {
  const connection = connectCosmos(configOf(clientId), new CostMeter(), new StoreHealth(Date.now));
  return { read: () => connection.readConsistency(), close: () => connection.close() };
}

function queueOf(clientId?: string) {
  const failures: unknown[] = [];
  const wakeUps = new WakeUps(configOf(clientId), (error) => failures.push(error));
  let sent = 0;
  const send = () => wakeUps.send({ tenant: "t", thread: "thread_1", run: "run_1" }, `${clientId}-${sent++}`);
  return { send, failures, close: () => wakeUps.close() };
}

interface TokenRequest {
  resource: string;
  clientId?: string;
  status: number;
}

async function requests(): Promise<TokenRequest[]> {
  const response = await fetch(`${directory.authority}/_local/requests`);
  return ((await response.json()) as { tokens: TokenRequest[] }).tokens;
}

/** An error and all that it came from. */
function causes(error: unknown): unknown[] {
  if (!(error instanceof Error)) return [];
  const parts: unknown[] = error instanceof AggregateError ? error.errors : [];
  return [error, ...[error.cause, ...parts].flatMap(causes)];
}

/** The NoToken that a failure tells of. */
async function noToken(work: Promise<unknown>): Promise<string> {
  const error: unknown = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  const found = causes(error).find((each) => each instanceof NoToken);
  return found instanceof NoToken ? found.message : `no NoToken but ${error}`;
}

describe.each([
  ["system-assigned", undefined],
  ["user-assigned", USER],
])("the %s identity", (_, clientId) => {
  test("is let in by the store and the queue", async () => {
    const [store, queue] = [storeOf(clientId), queueOf(clientId)];
    expect(await store.read()).toBe("Strong");
    expect(await queue.send()).toBe(true);
    expect(queue.failures).toEqual([]);
    const own = (await requests()).filter((request) => request.clientId === clientId);
    const resources = [...new Set(own.map(({ resource }) => resource))].sort();
    expect(resources).toEqual([cosmos.endpoint, SERVICE_BUS].sort());
    store.close();
    await queue.close();
  });
});

test("an identity that the app does not have is told in one line, with the setting that names it", async () => {
  const store = storeOf(STRANGER);
  const reason = "No User Assigned or Delegated Managed Identity found for specified ClientId/ResourceId/PrincipalId.";
  expect(await noToken(store.read())).toBe(
    `the identity AZURE_CLIENT_ID=${STRANGER} got no token for ${cosmos.endpoint}/.default: ${reason}`,
  );
  await expect(store.read()).rejects.toThrow(StoreTrouble);
  const queue = queueOf(STRANGER);
  expect(await queue.send()).toBe(false);
  expect(String(queue.failures[0])).toContain(reason);
  store.close();
  await queue.close();
});

describe("tokens", () => {
  // The libraries renew a token two minutes before its end.
  test("are renewed before they end, for the store and for the queue", async () => {
    directory.behave({ lifetime: 121 });
    const [store, queue] = [storeOf(RENEWED), queueOf(RENEWED)];
    expect(await queue.send()).toBe(true);
    const count = async (resource: string) =>
      (await requests()).filter((each) => each.clientId === RENEWED && each.resource === resource).length;
    await expect.poll(async () => (await store.read()) && count(cosmos.endpoint)).toBeGreaterThan(1);
    await expect.poll(() => count(SERVICE_BUS)).toBeGreaterThan(1);
    expect(await queue.send()).toBe(true);
    expect(queue.failures).toEqual([]);
    store.close();
    await queue.close();
  }, 20_000);

  test("that have ended are trouble, and it is over with the next good one", async () => {
    directory.behave({ lifetime: -10 });
    const [store, queue] = [storeOf(LATE), queueOf(LATE)];
    await expect(store.read()).rejects.toThrow(StoreTrouble);
    expect(await queue.send()).toBe(false);
    expect(causes(queue.failures[0]).map(String).join()).toContain("ExpiredToken");
    directory.behave({});
    expect(await store.read()).toBe("Strong");
    expect(await queue.send()).toBe(true);
    store.close();
    await queue.close();
  });
});

describe("an identity endpoint", () => {
  test.each<[string, Behaviour, string]>([
    ["that answers 500", { status: 500 }, "Unavailable."],
    ["that answers 429", { status: 429 }, "Unavailable."],
    ["that never answers", { hang: true }, "Network unreachable."],
  ])("%s is trouble for a bounded time, and good again when it answers", async (_, behaviour, reason) => {
    const credential = identity(configOf(SLOW));
    const scope = `https://${randomUUID()}.example.org/.default`;
    directory.behave(behaviour);
    expect(await noToken(credential.getToken(scope))).toContain(reason);
    directory.behave({ delayMs: 200 });
    expect(await credential.getToken(scope)).toHaveProperty("token");
  });
});

test("nothing of a token is in the error of a request that was refused", async () => {
  directory.behave({ lifetime: -10 });
  const store = storeOf(REFUSED);
  const error: unknown = await store.read().catch((thrown: unknown) => thrown);
  expect(causes(error).map(String).join()).not.toMatch(/eyJ[\w-]{10}/);
  store.close();
});
