/** What our model has to say so that a recording can happen again: the answers that the recorded model gave. */
import type { Turn, TurnToolCall } from "../../local/model/turn.ts";
import { isObject, type Json, listAt, textAt } from "./json.ts";
import { type Exchange, polledRun, type Recording } from "./recordings.ts";
import type { ServerEvent } from "./server-events.ts";
import { searchesIn, textsIn } from "./uploaded.ts";

/** The time that a model takes when the recording looks on: what it saw of the run must not be over when we look. */
const THINKING_MS = 1_500;

/** The turns of a recording's runs, in the order in which they were taken. */
export function scriptOf({ exchanges }: Recording): Turn[] {
  const usages = stepUsages(exchanges);
  const told = new Set<string>();
  return exchanges.flatMap((exchange) => {
    if (exchange.answer.events !== undefined) {
      const search = searchOf(exchange.answer.events.map(({ data }) => data));
      return [...search, streamedTurn(exchange.answer.events, usages)];
    }
    const steps = exchanges.flatMap(({ answer }) => listAt(answer.json, "data"));
    const search = polledRun(exchange) === undefined ? [] : searchOf(steps.filter(isOfRun(exchange.answer.json)));
    const turn = polledRun(exchange) === undefined ? undefined : polledTurn(exchange.answer.json, exchanges);
    if (search.length > 0 && turn !== undefined && !told.has(JSON.stringify(turn))) {
      told.add(JSON.stringify(turn));
      const said = steps.filter(isOfRun(exchange.answer.json)).find((step) => searchesIn(step).length === 0);
      return [...search, { ...turn, usage: usageOf(said ?? null) ?? LEAST_USAGE }];
    }
    const key = JSON.stringify(turn);
    if (turn === undefined || told.has(key)) return [];
    told.add(key);
    return [turn];
  });
}

const isOfRun = (run: Json) => (step: Json) =>
  textAt(step, "object") === "thread.run.step" && textAt(step, "run_id") === textAt(run, "id");

/** The model call that searched, if one did. What it searched for is not told. */
function searchOf(objects: Json[]): Turn[] {
  const step = objects.find((object) => searchesIn(object).length > 0 && usageOf(object) !== undefined);
  const [call] = step === undefined ? [] : searchesIn(step);
  if (step === undefined || call === undefined) return [];
  // With the words of what it found, our model finds it, too.
  const asked = { name: "file_search", arguments: { queries: textsIn(step).slice(0, 1) } };
  const usage = usageOf(step);
  return [{ toolCalls: [{ id: textAt(call, "id") ?? "", ...asked }], ...(usage && { usage }) }];
}

/** A stream shows one call of the model that is not a search, in the pieces in which it came. */
function streamedTurn(events: ServerEvent[], usages: Map<string, Turn["usage"]>): Turn {
  const text = events.flatMap(({ data }) =>
    listAt(data, "delta", "content").map((part) => textAt(part, "text", "value")),
  );
  const calls: TurnToolCall[] = [];
  for (const { data } of events) {
    const pieces = listAt(data, "delta", "step_details", "tool_calls");
    for (const piece of pieces) if (textAt(piece, "type") === "function") addCallPiece(calls, piece);
  }
  const steps = events.filter(({ event }) => event === "thread.run.step.created");
  const usage = usages.get(textAt(steps.at(-1)?.data, "id") ?? "");
  return {
    ...(text.length > 0 ? { text: text.filter((piece) => piece !== undefined) } : {}),
    ...(calls.length > 0 ? { toolCalls: calls } : {}),
    ...(usage ? { usage } : {}),
  };
}

function addCallPiece(calls: TurnToolCall[], piece: Json): void {
  const id = textAt(piece, "id");
  if (id !== undefined) calls.push({ id, name: textAt(piece, "function", "name") ?? "", pieces: [] });
  const text = textAt(piece, "function", "arguments");
  if (text) calls.at(-1)?.pieces?.push(text);
}

/** What the model had done when a run was found waiting for tool outputs, or complete. */
function polledTurn(run: Json, exchanges: Exchange[]): Turn | undefined {
  if (!isObject(run)) return undefined;
  const calls = listAt(run, "required_action", "submit_tool_outputs", "tool_calls");
  if (calls.length > 0) {
    return { toolCalls: calls.map(callOf), usage: LEAST_USAGE, firstTokenMs: THINKING_MS };
  }
  const usage = usageOf(run);
  if (run.status !== "completed" || usage === undefined) return undefined;
  return {
    text: answerOf(run.id, exchanges),
    usage: without(usage, pausesOf(run.id, exchanges)),
    firstTokenMs: THINKING_MS,
  };
}

/**
 * The recording tells only the sum of a run's usage: the last turn has all but this of each turn before. Nothing at all
 * would be counted by the app.
 */
const LEAST_USAGE = { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 };

const without = (usage: Required<NonNullable<Turn["usage"]>>, turns: number) => ({
  prompt_tokens: usage.prompt_tokens - turns * LEAST_USAGE.prompt_tokens,
  completion_tokens: usage.completion_tokens - turns * LEAST_USAGE.completion_tokens,
  total_tokens: usage.total_tokens - turns * LEAST_USAGE.total_tokens,
});

/** How often the run was seen waiting for the outputs of other calls. */
function pausesOf(runId: Json | undefined, exchanges: Exchange[]): number {
  const seen = exchanges.filter(({ answer }) => isObject(answer.json) && answer.json.id === runId);
  const waiting = seen.map(({ answer }) => listAt(answer.json, "required_action", "submit_tool_outputs", "tool_calls"));
  return new Set(waiting.filter((calls) => calls.length > 0).map((calls) => JSON.stringify(calls))).size;
}

const callOf = (call: Json): TurnToolCall => ({
  id: textAt(call, "id") ?? "",
  name: textAt(call, "function", "name") ?? "",
  arguments: textAt(call, "function", "arguments") ?? "",
});

/** The run's message, from whichever list shows it. */
function answerOf(runId: Json | undefined, exchanges: Exchange[]): string {
  const objects = exchanges.flatMap(({ answer }) => listAt(answer.json, "data"));
  const message = objects.find(
    (object) => isObject(object) && object.object === "thread.message" && object.run_id === runId,
  );
  return listAt(message, "content")
    .map((part) => textAt(part, "text", "value") ?? "")
    .join("");
}

function stepUsages(exchanges: Exchange[]): Map<string, Turn["usage"]> {
  const objects = exchanges.flatMap(({ answer }) => (answer.events ?? []).map(({ data }) => data));
  const steps = objects.filter((object) => textAt(object, "object") === "thread.run.step");
  return new Map(steps.map((step) => [textAt(step, "id") ?? "", usageOf(step)]));
}

function usageOf(object: Json): Required<NonNullable<Turn["usage"]>> | undefined {
  if (!isObject(object) || !isObject(object.usage)) return undefined;
  const { prompt_tokens, completion_tokens, total_tokens } = object.usage;
  return {
    prompt_tokens: Number(prompt_tokens),
    completion_tokens: Number(completion_tokens),
    total_tokens: Number(total_tokens),
  };
}
