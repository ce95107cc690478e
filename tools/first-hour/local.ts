/** The local servers as a place to check: what only the operator can do in Azure, they do by themselves. */
import { setTimeout as sleep } from "node:timers/promises";
import { controlModel } from "../../local/model/control.ts";
import type { Stack } from "../../local/stack.ts";
import { readConfig } from "../../src/config.ts";
import type { PlaceOptions, QueueSettings, Surroundings } from "./place.ts";

/** The tenant of the app's key. */
export const LOCAL_TENANT = "first-hour";

/** What the app must be started with. */
export const localSettings = (key: string): Record<string, string> => ({
  API_KEYS: `${LOCAL_TENANT}:${key}`,
  SHOW_COSTS: "true",
});

/** The local servers keep no promise about load. */
const SHARE = 0.05;

interface ControlledQueue {
  name: string;
  settings: { lockDuration: number; maxDeliveryCount: number; dupWindow: number; defaultTtl?: number };
}

/** From the broker's control address. Throws if there is no such queue. */
export async function localQueueSettings(controlUrl: string, queue: string): Promise<QueueSettings> {
  const response = await fetch(new URL("/_local/queues", controlUrl));
  const { queues } = (await response.json()) as { queues: ControlledQueue[] };
  const found = queues.find(({ name }) => name === queue);
  if (found === undefined) throw new Error(`there is no queue ${queue}`);
  const { lockDuration, maxDeliveryCount, dupWindow, defaultTtl } = found.settings;
  return { lockDuration, maxDeliveryCount, duplicateWindow: dupWindow, timeToLive: defaultTtl };
}

/** The stack must have been started with `localSettings`. */
export function localPlace(stack: Stack): PlaceOptions {
  const { cosmos, serviceBus, model, codeSessions, processes } = stack;
  const config = readConfig({
    API_KEYS: `${LOCAL_TENANT}:${stack.apiKey}`,
    COSMOS_ENDPOINT: cosmos.endpoint,
    COSMOS_KEY: cosmos.key,
    ServiceBusConnection: serviceBus.connectionString,
    MODEL_ENDPOINT: model.baseUrl,
    MODEL_KEY: model.key,
    CODE_SESSIONS_ENDPOINT: codeSessions?.endpoint,
    CODE_SESSIONS_KEY: codeSessions?.key,
  });
  const surroundings: Surroundings = {
    share: SHARE,
    queueSettings: (queue) => localQueueSettings(serviceBus.controlUrl, queue),
    restartApp: () => processes.functions.restart(),
    async blockStore(milliseconds) {
      await putFaults(cosmos.endpoint, [{ fault: "503" }]);
      await sleep(milliseconds);
      await putFaults(cosmos.endpoint, []);
    },
  };
  if (model.isSimulated) {
    surroundings.scriptModel = (name, turn) => controlModel(model.baseUrl).script(name, [turn], { repeat: true });
  }
  const app = { url: stack.baseUrl, key: stack.apiKey };
  return { config, app, model: model.isSimulated ? "simulated-model" : "gpt-4o-mini", surroundings };
}

async function putFaults(endpoint: string, rules: object[]): Promise<void> {
  const url = new URL("/_local/faults", endpoint);
  const { ok, status } = await fetch(url, { method: "PUT", body: JSON.stringify(rules) });
  if (!ok) throw new Error(`the local Cosmos DB took no faults: ${status}`);
}
