/**
 * What the model gets to read: instructions, the window of the thread, and the run's own tool calls (docs/contract.md
 * 6). Pure.
 */
import type { ChatCompletionContentPart, ChatCompletionMessageParam } from "openai/resources/chat/completions";
import type { ModelRequest } from "../model/types.ts";
import type { ChosenParameter } from "../resources/chosen.ts";
import type { Tool } from "../resources/common.ts";
import { placeOf } from "../resources/image.ts";
import type { MessageContent } from "../resources/message.ts";
import { type RunError, type RunIncompleteReason, SERVER_ERROR } from "../resources/run.ts";
import { isFunctionCall, type ToolCall } from "../resources/step.ts";
import type { RunDoc } from "../store/documents.ts";
import { type MessageDoc, type StepDoc, seqOf } from "../store/documents.ts";
import { noToolset, type Toolset } from "./tools/toolset.ts";

/** `messages` and `steps` in the thread's order; the steps are those of this run and of earlier ones. */
export function modelRequest(
  run: RunDoc,
  messages: MessageDoc[],
  steps: StepDoc[],
  toolset = noToolset(run),
): ModelRequest {
  const request: ModelRequest = {
    model: run.model,
    messages: chatMessages(run, messages, steps, toolset),
  };
  // Defaults that no client chose stay unsaid: reasoning models refuse the parameters.
  const isChosen = (name: ChosenParameter) => run.internal.chosen?.includes(name) === true;
  if (run.temperature !== 1 || isChosen("temperature")) request.temperature = run.temperature;
  if (run.top_p !== 1 || isChosen("top_p")) request.top_p = run.top_p;
  if (run.reasoning_effort !== null) request.reasoning_effort = run.reasoning_effort as "low";
  if (run.response_format !== "auto") request.response_format = run.response_format as { type: "text" };
  if (run.max_completion_tokens !== null) {
    request.max_completion_tokens = Math.max(1, run.max_completion_tokens - run.internal.usage.completion_tokens);
  }
  const tools = [...offeredFunctions(run.tools), ...toolset.definitions];
  if (tools.length > 0) {
    request.tools = tools;
    if (!run.parallel_tool_calls || isChosen("parallel_tool_calls")) {
      request.parallel_tool_calls = run.parallel_tool_calls;
    }
    const choice = toolChoice(run, toolset);
    if (choice !== undefined) request.tool_choice = choice;
  }
  return request;
}

/**
 * The budget that earlier model calls of the run have used up, if they have: it bounds their sum (docs/contract.md
 * 6.3).
 */
export function exhaustedBudget(run: RunDoc): RunIncompleteReason | undefined {
  const { turns, usage } = run.internal;
  if (turns === 0) return undefined;
  if (run.max_completion_tokens !== null && usage.completion_tokens >= run.max_completion_tokens) {
    return "max_completion_tokens";
  }
  return run.max_prompt_tokens !== null && usage.prompt_tokens >= run.max_prompt_tokens
    ? "max_prompt_tokens"
    : undefined;
}

/** Why the model need not be asked: a server would refuse the choice, or one without tools pass over it silently. */
export function impossibleChoice(run: RunDoc, toolset = noToolset(run)): RunError | undefined {
  const choice = run.tool_choice;
  if (choice === "auto" || choice === "none" || run.internal.turns > 0) return undefined;
  const isOff = run.tools.some(({ type }) => type === CODE) && toolset.nameOf(CODE) === undefined;
  if (choice === "required") return isOff && run.tools.every(({ type }) => type === CODE) ? CODE_IS_OFF : undefined;
  if (choice.type !== "function") {
    if (toolset.nameOf(choice.type) !== undefined) return undefined;
    return choice.type === CODE && isOff ? CODE_IS_OFF : noSuchTool(choice.type);
  }
  const { name } = choice.function;
  if (run.tools.some((tool) => tool.type === "function" && tool.function.name === name)) return undefined;
  return noSuchTool(`function '${name}'`);
}

/** Why stored calls cannot be done: this deployment serves no tool of the type any more. */
export const unservedError = (type: Tool["type"]): RunError => (type === CODE ? CODE_IS_OFF : SERVER_ERROR);

const CODE = "code_interpreter";

const CODE_IS_OFF: RunError = {
  code: "server_error",
  message: "The code interpreter is not set up on this deployment.",
};

const noSuchTool = (tool: string): RunError => ({
  code: "invalid_prompt",
  message: `Invalid value for 'tool_choice': the run has no ${tool} among its tools.`,
});

function offeredFunctions(tools: Tool[]): NonNullable<ModelRequest["tools"]> {
  return tools.flatMap((tool) => {
    if (tool.type !== "function") return [];
    const { name, description, parameters, strict } = tool.function;
    return [
      {
        type: "function" as const,
        function: {
          name,
          parameters,
          ...(description === undefined ? {} : { description }),
          ...(strict ? { strict } : {}),
        },
      },
    ];
  });
}

/** How many model calls of a run may call hosted tools: the next one is told to call nothing. */
export const MAX_HOSTED_TURNS = 20;

/** A forced choice holds for the first model call of a run only; with it in force for all, the run would never end. */
function toolChoice(run: RunDoc, toolset: Toolset): ModelRequest["tool_choice"] {
  const choice = run.tool_choice;
  if ((run.internal.hosted_turns ?? 0) >= MAX_HOSTED_TURNS) return "none";
  if (choice === "auto") return undefined;
  if (choice === "none") return "none";
  if (run.internal.turns > 0) return undefined;
  if (choice === "required") return "required";
  if (choice.type === "function") return choice;
  const name = toolset.nameOf(choice.type);
  return name === undefined ? undefined : { type: "function", function: { name } };
}

function chatMessages(
  run: RunDoc,
  messages: MessageDoc[],
  steps: StepDoc[],
  toolset: Toolset,
): ChatCompletionMessageParam[] {
  const entries = [
    ...messages.map((message) => ({
      seq: message.internal.prompt_seq ?? seqOf(message.internal.sort),
      chat: fromMessage(message),
    })),
    ...steps.map((step) => ({ seq: seqOf(step.internal.sort), chat: fromStep(step, run, toolset) })),
  ].sort((a, b) => (a.seq < b.seq ? -1 : 1));
  const system: ChatCompletionMessageParam[] =
    // Some clients' default is "", and some servers refuse a message without text.
    run.instructions === null || run.instructions.trim() === "" ? [] : [{ role: "system", content: run.instructions }];
  return [...system, ...entries.flatMap(({ chat }) => chat)];
}

function fromMessage(message: MessageDoc): ChatCompletionMessageParam[] {
  if (message.content.length === 0) return [];
  const text = message.content.flatMap((part) => (part.type === "text" ? [part.text.value] : [])).join("\n");
  if (message.role === "assistant") return text === "" ? [] : [{ role: "assistant", content: text }];
  if (message.content.every((part) => part.type === "text")) return [{ role: "user", content: text }];
  const content = message.content.flatMap(toPart);
  return content.length === 0 ? [] : [{ role: "user", content }];
}

/** An image by its file is named here; its bytes are put in its place when the model is asked (images.ts). */
function toPart(part: MessageContent): ChatCompletionContentPart[] {
  if (part.type === "text") return [{ type: "text", text: part.text.value }];
  const url = part.type === "image_file" ? placeOf(part.image_file.file_id) : part.image_url.url;
  const { detail } = part.type === "image_file" ? part.image_file : part.image_url;
  return [{ type: "image_url", image_url: detail === undefined ? { url } : { url, detail } }];
}

/** The model's calls and what came back; a call without an output never reaches the model, which would refuse it. */
function fromStep(step: StepDoc, run: RunDoc, toolset: Toolset): ChatCompletionMessageParam[] {
  if (step.step_details.type !== "tool_calls" || step.status !== "completed") return [];
  const exchanges = step.step_details.tool_calls.flatMap((call) => exchangeOf(call, step, run, toolset) ?? []);
  if (exchanges.length === 0) return [];
  return [
    {
      role: "assistant",
      tool_calls: exchanges.map(({ id, name, arguments: text }) => {
        const { function: ofFunction, ...ofCall } = extrasOf(step, id);
        const called = { ...(isObject(ofFunction) ? ofFunction : {}), name, arguments: text };
        return { ...ofCall, id, type: "function", function: called };
      }),
    },
    ...exchanges.map(({ id, output }) => ({ role: "tool" as const, tool_call_id: id, content: output })),
  ];
}

interface Exchange {
  id: string;
  name: string;
  arguments: string;
  output: string;
}

function exchangeOf(call: ToolCall, step: StepDoc, run: RunDoc, toolset: Toolset): Exchange | undefined {
  const { id } = call;
  if (isFunctionCall(call)) {
    const { name, arguments: text, output } = call.function;
    return output === null ? undefined : { id, name, arguments: text, output };
  }
  const record = step.internal.hosted?.find((each) => each.id === id);
  const tool = toolset.tools.find(({ type }) => type === call.type);
  // The results of a search are long: later runs do without.
  if (record === undefined || tool === undefined || (!tool.isReplayed && step.run_id !== run.id)) return undefined;
  // An earlier run may have known it by another name, which is a function's of this run.
  const name = toolset.nameOf(call.type) ?? record.name;
  return { id, name, arguments: tool.written?.(call) ?? record.arguments, output: tool.output(call, record) };
}

/** What the server gave with a call and wants back, such as a signature. */
const extrasOf = ({ internal }: StepDoc, id: string): Record<string, unknown> =>
  internal.extras?.find((extras) => extras.id === id)?.fields ?? {};

const isObject = (value: unknown): value is object => typeof value === "object" && value !== null;

/** What a window of messages may take; the newest one is in it whatever it takes. */
export interface WindowRoom {
  tokens: number;
  /** of texts and of images as data, which have next to no tokens */
  characters: number;
}

/** What a window needs to know of a message. */
interface Sized {
  internal: { tokens: number };
  content?: MessageContent[];
}

/** How many of the newest messages fit. `messages` come newest first. */
export function windowSize(messages: Sized[], room: WindowRoom): number {
  const window = new Window(room);
  messages.every((message) => window.takes(message));
  return window.size;
}

/** A window that is filled from the newest message on. */
export class Window {
  readonly #left: WindowRoom;
  #size = 0;

  constructor(room: WindowRoom) {
    this.#left = { ...room };
  }

  /** How many messages are in it. */
  get size(): number {
    return this.#size;
  }

  /** Whether the message is in the window, as all before it. */
  takes(message: Sized): boolean {
    this.#left.tokens -= message.internal.tokens;
    this.#left.characters -= charactersOf(message);
    const isIn = this.#size === 0 || (this.#left.tokens >= 0 && this.#left.characters >= 0);
    if (isIn) this.#size += 1;
    return isIn;
  }
}

export const charactersOf = ({ content = [] }: Sized): number =>
  content.reduce((sum, part) => sum + charactersIn(part), 0);

function charactersIn(part: MessageContent): number {
  if (part.type === "text") return part.text.value.length;
  return part.type === "image_url" ? part.image_url.url.length : 0;
}
