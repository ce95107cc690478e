/** The app under measurement, and the usual ways to talk to it. */
import OpenAI from "openai";
import type { AssistantTool } from "openai/resources/beta/assistants";
import { controlModel } from "../../local/model/control.ts";
import type { Turn } from "../../local/model/turn.ts";
import { type Stack, type StackOptions, startStack } from "../../local/stack.ts";
import { Wire } from "./wire.ts";

export const INSTRUCTIONS = "Answer briefly.";
export const QUESTION = "What is a thread, and what do people use it for?";

/** What a model is sent that is asked directly for what a run on `thread()` asks it. */
export const MESSAGES = [
  { role: "system" as const, content: INSTRUCTIONS },
  { role: "user" as const, content: QUESTION },
];

export interface Address {
  baseUrl: string;
  apiKey: string;
  /** What the deployed app's model is called. */
  model: string;
}

export class Subject {
  readonly wire: Wire;
  readonly sdk: OpenAI;
  /** Absent for a deployed app. */
  readonly stack: Stack | undefined;
  readonly #model: string;

  constructor({ baseUrl, apiKey, model }: Address, stack?: Stack) {
    this.wire = new Wire(baseUrl, apiKey);
    this.sdk = new OpenAI({ baseURL: baseUrl, apiKey, maxRetries: 0 });
    this.stack = stack;
    this.#model = model;
  }

  /** The local stack. Throws for a deployed app: the measurements that need the stack are left out for those. */
  get local(): Stack {
    if (this.stack === undefined) throw new Error("this needs the local stack");
    return this.stack;
  }

  /** A client of the model itself. Throws for a deployed app. */
  get modelClient(): OpenAI {
    const { baseUrl, key } = this.local.model;
    return new OpenAI({ baseURL: baseUrl, apiKey: key, maxRetries: 0 });
  }

  /**
   * Makes the simulated model answer to this name with this turn, every time, or with these again and again. A deployed
   * app: its model's own name.
   */
  async modelThat(name: string, turns: Turn | Turn[]): Promise<string> {
    if (this.stack === undefined) return this.#model;
    await controlModel(this.stack.model.baseUrl).script(name, [turns].flat(), { repeat: true });
    return name;
  }

  /** The id of a new assistant of that model; it may call functions of these names. */
  async assistant(model: string, functions: string[] = []): Promise<string> {
    const tools = functions.map((name) => ({ type: "function" as const, function: { name } }));
    return this.assistantWith(model, tools);
  }

  /** The same with any tools. */
  async assistantWith(model: string, tools: AssistantTool[]): Promise<string> {
    return (await this.sdk.beta.assistants.create({ model, instructions: INSTRUCTIONS, tools })).id;
  }

  /** The id of a new thread with one question on it. */
  async thread(question = QUESTION): Promise<string> {
    const messages = [{ role: "user", content: question }];
    return (await this.wire.json<{ id: string }>("POST", "threads", { messages })).id;
  }

  close(): void {
    this.wire.close();
  }
}

/** Starts a local stack, does the work on it, and stops it whatever happens. */
export async function onLocalStack<Result>(options: StackOptions, work: (subject: Subject) => Promise<Result>) {
  // Measurements are made with the simulated model, even if the shell names another.
  const stack = await startStack({ ...options, env: { ...options.env, MODEL_ENDPOINT: "" } });
  const subject = new Subject({ baseUrl: stack.baseUrl, apiKey: stack.apiKey, model: "simulated-model" }, stack);
  try {
    return await work(subject);
  } finally {
    subject.close();
    await stack.stop();
  }
}
