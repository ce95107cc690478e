/** What the stories about the `openai` library share: its clients in both forms, and threads to run. */
import type OpenAI from "openai";
import { expect, inject } from "vitest";
import type { Turn } from "../../../local/model/turn.ts";
import { API_VERSION, model, newTenant, type ScriptedModel, type Tenant } from "../harness.ts";

/** A version of the library. */
export type Library = typeof import("openai");

type FunctionTool = OpenAI.Beta.FunctionTool;

export interface Form {
  form: string;
  /** A client that does not try again by itself: that would hide an answer that was wrong. */
  connect: (options?: { maxRetries?: number; fetch?: typeof fetch; apiKey?: string }) => OpenAI;
}

/** As OpenAI's own service is called, and as Azure's is. */
export function formsOf(library: Library): Form[] {
  const { origin } = inject("stack");
  // There are more stories than tenants; they keep to assistants and threads of their own.
  let tenant: Tenant | undefined;
  const connected = (options: object) => {
    tenant ??= newTenant();
    return { apiKey: tenant.key, fetch: tenant.fetch, maxRetries: 0, ...options };
  };
  return [
    {
      form: "OpenAI",
      connect: (options = {}) => new library.OpenAI({ ...connected(options), baseURL: `${origin}/v1` }),
    },
    {
      form: "AzureOpenAI",
      connect: (options = {}) =>
        new library.AzureOpenAI({ ...connected(options), endpoint: origin, apiVersion: API_VERSION }),
    },
  ];
}

export interface Conversation {
  assistant: OpenAI.Beta.Assistant;
  thread: OpenAI.Beta.Thread;
  model: ScriptedModel;
  /** the body of a request for a run */
  run: { assistant_id: string };
}

/** A thread with a question, and an assistant whose model will take these turns. */
export async function conversation(client: OpenAI, turns: Turn[], tools: FunctionTool[] = []): Promise<Conversation> {
  const answering = model();
  await answering.script(turns);
  const assistant = await client.beta.assistants.create({ model: answering.name, instructions: "Help.", tools });
  const thread = await client.beta.threads.create({ messages: [{ role: "user", content: "How warm is it?" }] });
  return { assistant, thread, model: answering, run: { assistant_id: assistant.id } };
}

export const WEATHER: FunctionTool = {
  type: "function",
  function: {
    name: "weather",
    description: "The weather of a city",
    parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
  },
};

/** Two calls in one turn, their arguments in pieces as models send them. */
export const TWO_CALLS: Turn = {
  toolCalls: [
    { id: "call_lima", name: "weather", pieces: ['{"city":', '"Lima"}'] },
    { id: "call_oslo", name: "weather", pieces: ['{"city":', '"Oslo"}'] },
  ],
};

export const OUTPUTS = [
  { tool_call_id: "call_lima", output: "22 degrees" },
  { tool_call_id: "call_oslo", output: "3 degrees" },
];

/** A turn that does not end by itself. */
export const ENDLESS: Turn = { hang: true };

export const textOf = (message: OpenAI.Beta.Threads.Message | undefined): string =>
  (message?.content ?? []).map((part) => (part.type === "text" ? part.text.value : `[${part.type}]`)).join("");

export const callsOf = (step: OpenAI.Beta.Threads.Runs.RunStep | undefined) =>
  step?.step_details.type === "tool_calls" ? step.step_details.tool_calls : [];

/** What a call was refused with. */
export function thrown(call: Promise<unknown>): Promise<unknown> {
  return call.then(
    () => expect.fail("The call was not refused."),
    (error: unknown) => error,
  );
}
