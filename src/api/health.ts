/** What an operator may ask an instance: whether it is up, and what it has cost. */
import type { HttpResponseInit } from "@azure/functions";
import type { App } from "../app.ts";
import { Stalls } from "./stalls.ts";

/** GET /healthz: whether this instance is up and reaches its store. */
export async function health(app: App): Promise<HttpResponseInit> {
  try {
    await app.store.ping();
    return { status: 200, jsonBody: { status: "ok" } };
  } catch (error) {
    app.log.warn("not healthy", { error });
    return { status: 503, jsonBody: { status: "unavailable", reason: "the store does not answer" } };
  }
}

let stalls: Stalls | undefined;

/**
 * GET /costs: the Cosmos DB requests of this process since its start with their charge, as the answers themselves say,
 * the messages that Service Bus took, what the process holds at the moment, and its longest stall since the last call. Only where the settings allow it.
 */
export async function costs(app: App): Promise<HttpResponseInit> {
  const holds = { ...app.load.report(), runs: app.engine.drives.count };
  stalls ??= new Stalls();
  const longestStall = stalls.take();
  return {
    status: 200,
    jsonBody: { cosmos: app.cost.report(), serviceBus: { sent: app.wakeUps.sent }, holds, longestStall },
  };
}
