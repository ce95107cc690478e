import { randomUUID } from "node:crypto";
import path from "node:path";
import OpenAI, { APIError, AzureOpenAI } from "openai";
import { afterAll, expect, inject } from "vitest";
import { controlModel } from "../../local/model/control.ts";
import type { RecordedRequest } from "../../local/model/script-book.ts";
import type { Turn } from "../../local/model/turn.ts";
import { complaint } from "./oracle.ts";
import { keyOf, TENANTS_PER_FILE, tenantName } from "./tenants.ts";

export const API_VERSION = "2024-08-01-preview";

/** The simulated model answers at once: there is no point in waiting the seconds that a client waits by itself. */
export const POLL = { pollIntervalMs: 30 };

/** A tenant that no other test uses, with the clients of the API in both forms. */
export interface Tenant {
  tenant: string;
  key: string;
  /** at /v1, with the key as a bearer token */
  openai: OpenAI;
  /** at /openai, with an api-version and the key in api-key */
  azure: AzureOpenAI;
  /** Like the global one; fails if the answer breaks the contract. */
  fetch: typeof fetch;
  /** A request that no client would send: `path` below /v1; a body that is no string is sent as JSON. */
  send(method: string, path: string, body?: unknown): Promise<Answer>;
}

export interface Answer {
  status: number;
  headers: Headers;
  body: unknown;
}

let taken = 0;

export function newTenant(): Tenant {
  const { origin, keySeed } = inject("stack");
  if (taken === TENANTS_PER_FILE) throw new Error(`A test file has ${TENANTS_PER_FILE} tenants, not more.`);
  const tenant = tenantName(path.basename(expect.getState().testPath ?? ""), taken++);
  const key = keyOf(keySeed, tenant);
  // A client that tries again by itself would hide an answer that should not have been given.
  const options = { apiKey: key, fetch: checkedFetch, maxRetries: 0 };
  return {
    tenant,
    key,
    openai: new OpenAI({ ...options, baseURL: `${origin}/v1` }),
    azure: new AzureOpenAI({ ...options, endpoint: origin, apiVersion: API_VERSION }),
    fetch: checkedFetch,
    send: (method, below, body) =>
      send(`/v1${below}`, {
        method,
        headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
        ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
      }),
  };
}

/** A request by hand; `pathAndQuery` from the root. */
export async function send(pathAndQuery: string, init: RequestInit): Promise<Answer> {
  const response = await checkedFetch(inject("stack").origin + pathAndQuery, init);
  return { status: response.status, headers: response.headers, body: await response.json() };
}

/** Both forms of the API, for tests that hold for each. */
export const FORMS = [
  { form: "OpenAI", clientOf: (tenant: Tenant): OpenAI => tenant.openai },
  { form: "Azure OpenAI", clientOf: (tenant: Tenant): OpenAI => tenant.azure },
];

const complaints: string[] = [];

const checkedFetch: typeof fetch = async (input, init) => {
  const response = await fetch(input, init);
  // Clients try out with an empty one what their platform can do.
  if (String(input).startsWith("data:")) return response;
  const type = response.headers.get("content-type") ?? "";
  // What a stream holds is for the tests of streaming to say.
  if (type.startsWith("text/event-stream")) return response;
  // A file as it is.
  if (type === "application/octet-stream" && response.ok) return response;
  const url = new URL(input instanceof Request ? input.url : input);
  const body = type.startsWith("application/json") ? await response.clone().json() : undefined;
  const wrong =
    body === undefined ? `the content type is "${type}"` : complaint(init?.method ?? "GET", url, response.status, body);
  if (wrong === undefined) return response;
  complaints.push(wrong);
  throw new Error(wrong);
};

// A test that expects an error may have swallowed a complaint.
afterAll(() => expect(complaints).toEqual([]));

/** A model that no other test uses: what it says next, and what it was asked. */
export interface ScriptedModel {
  name: string;
  script(turns: Turn[], options?: { repeat?: boolean }): Promise<void>;
  requests(): Promise<ModelRequest[]>;
}

export type ModelRequest = RecordedRequest & { body: { messages: { role: string; content: unknown }[] } };

export function model(): ScriptedModel {
  const name = `model-${randomUUID()}`;
  const control = controlModel(inject("stack").modelUrl);
  return {
    name,
    script: (turns, options) => control.script(name, turns, options),
    requests: async () => (await control.report(name)).requests as ModelRequest[],
  };
}

/** A thread with one question in it, and an assistant of a model of its own that is to answer. */
export async function question(client: OpenAI, turns: Turn[], content = "Why?") {
  const answering = model();
  await answering.script(turns);
  const [assistant, thread] = await Promise.all([
    client.beta.assistants.create({ model: answering.name }),
    client.beta.threads.create({ messages: [{ role: "user", content }] }),
  ]);
  return { model: answering, assistant, thread, run: { assistant_id: assistant.id } };
}

/** Looks again and again until there is something to see; throws after a while. */
export async function until<T>(look: () => Promise<T | undefined | false>, milliseconds = 15_000): Promise<T> {
  const end = Date.now() + milliseconds;
  for (;;) {
    const seen = await look();
    if (seen !== undefined && seen !== false) return seen;
    if (Date.now() > end) throw new Error(`The condition did not come true within ${milliseconds / 1000} s.`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

export async function all<T>(list: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of list) items.push(item);
  return items;
}

export interface Refusal {
  status: number | undefined;
  error: unknown;
}

/** What the API refused a call with; a call that works is a failed test. */
export async function refusal(call: Promise<unknown>): Promise<Refusal> {
  try {
    await call;
  } catch (error) {
    if (error instanceof APIError && error.status !== undefined) return { status: error.status, error: error.error };
    throw error;
  }
  throw new Error("The call was not refused.");
}

/** The service's form of an error. */
export function refused(
  status: number,
  message: string,
  param: string | null = null,
  code: string | null = null,
): Refusal {
  return { status, error: { message, type: "invalid_request_error", param, code } };
}

/** The gateway's form. */
export const gatewayRefused = (status: number, message: string): Refusal => ({
  status,
  error: { code: String(status), message },
});

/** An id as the API makes them. */
export const anId = (prefix: string): unknown => expect.stringMatching(new RegExp(`^${prefix}_[0-9A-Za-z]{24}$`));

/** A time as the API writes them: seconds since 1970, and of this test. */
export const aTime: unknown = expect.toSatisfy(
  (value: unknown) => Number.isInteger(value) && Math.abs(Number(value) - Date.now() / 1000) < 120,
  "seconds since 1970, about now",
);
