/** What the tests of a framework share: its tenant, and models that say what a test wants. */
import { randomUUID } from "node:crypto";
import { inject } from "vitest";
import { controlModel } from "../../local/model/control.ts";
import type { Turn } from "../../local/model/turn.ts";
import { type Framework, keyOf } from "./setup.ts";

export const tenantOf = (framework: Framework) => ({
  origin: inject("origin"),
  baseURL: `${inject("origin")}/v1`,
  apiKey: keyOf(framework),
});

/** A model that no other test uses. The API takes any name; frameworks want one that they know, in their types. */
export async function modelThatSays<Name extends string = string>(...turns: Turn[]): Promise<Name> {
  const name = `model-${randomUUID()}`;
  await controlModel(inject("modelUrl")).script(name, turns);
  return name as Name;
}

/** What the model got to read as the outputs of its calls, in its last request. */
export async function outputsRead(model: string): Promise<unknown[]> {
  const { requests } = await controlModel(inject("modelUrl")).report(model);
  const last = requests.at(-1)?.body as { messages: { role: string; content: unknown }[] } | undefined;
  return last?.messages.filter(({ role }) => role === "tool").map(({ content }) => content) ?? [];
}

export const PARALLEL: Turn = {
  toolCalls: [
    { id: "call_a", name: "get_weather", arguments: { city: "Oslo" } },
    { id: "call_b", name: "get_weather", arguments: { city: "Rome" } },
  ],
};

/** As servers answer that call a function without parameters. */
export const EMPTY_ARGUMENTS: Turn = { toolCalls: [{ id: "call_c", name: "get_time", arguments: "" }] };

export const FAILURE: Turn = {
  status: 400,
  error: { message: "This model cannot do that.", type: "invalid_request_error" },
};

export const GET_WEATHER = {
  type: "function" as const,
  function: {
    name: "get_weather",
    parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
  },
};

export const GET_TIME = { type: "function" as const, function: { name: "get_time" } };
