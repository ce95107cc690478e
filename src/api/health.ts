/** What an operator may ask an instance: whether it is up, and what it has cost. */
import { setTimeout as sleep } from "node:timers/promises";
import type { HttpResponseInit } from "@azure/functions";
import type { App } from "../app.ts";
import { Stalls } from "./stalls.ts";

/** How long a verdict holds: callers need no key, and must not be able to ask the store for much. Milliseconds. */
const FRESH = 1_000;

/** How long the store may take. Milliseconds. */
export const PATIENCE = 2_500;

/**
 * GET /healthz: whether this instance is up, reaches its store, and can rely on what it reads there. Asks the store
 * once a second at most.
 */
export async function health(app: App): Promise<HttpResponseInit> {
  const doctor = doctors.get(app) ?? new Doctor(app);
  doctors.set(app, doctor);
  if (!(await doctor.isHealthy())) return unavailable("the store does not answer");
  const { consistency } = app.store;
  if (consistency.level === undefined) return unavailable("the account's consistency is not known yet");
  if (consistency.isTooWeak) return unavailable(`the account has ${consistency.level} consistency, which is too weak`);
  const warning = consistency.isSession ? { warning: ONLY_SESSION } : {};
  return { status: 200, jsonBody: { status: "ok", consistency: consistency.level, ...warning } };
}

const unavailable = (reason: string): HttpResponseInit => ({
  status: 503,
  jsonBody: { status: "unavailable", reason },
});

const ONLY_SESSION =
  "other instances may read later what this one has written: the account should have Strong consistency";

const doctors = new WeakMap<App, Doctor>();

class Doctor {
  readonly #app: App;
  #ping: Promise<boolean> | undefined;
  #verdict: Promise<boolean> | undefined;

  constructor(app: App) {
    this.#app = app;
  }

  isHealthy(): Promise<boolean> {
    this.#verdict ??= this.#examine();
    return this.#verdict;
  }

  async #examine(): Promise<boolean> {
    // A question that the store has not answered yet is not asked again.
    this.#ping ??= this.#askStore();
    const healthy = await Promise.race([this.#ping, sleep(PATIENCE, false, { ref: false })]);
    setTimeout(() => {
      this.#verdict = undefined;
    }, FRESH).unref();
    return healthy;
  }

  async #askStore(): Promise<boolean> {
    try {
      await this.#app.store.ping();
      return true;
    } catch (error) {
      this.#app.log.warn("not healthy", { error });
      return false;
    } finally {
      this.#ping = undefined;
    }
  }
}

let stalls: Stalls | undefined;

/**
 * GET /costs: the Cosmos DB requests of this process since its start with their charge, as the answers themselves say,
 * the messages that Service Bus took, what the process holds at the moment, and its longest stall since the last call.
 * Only where the settings allow it.
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
