/** The events of a log out of the chunks that event-encoding.ts has made of them. */
import { apiObject, type RunDoc, type StepDoc } from "../store/documents.ts";
import {
  type ArgumentsEntry,
  type CallDelta,
  type CallPiece,
  type Entry,
  FIXED,
  type Fields,
  type InputEntry,
  isText,
  type ObjectEntry,
  pieces,
  type TextDelta,
  type TextEntry,
} from "./event-encoding.ts";
import { inputDelta, type RunEvent, textDelta } from "./events.ts";

/** Decodes the chunks of one log, which must be given to it in order. */
export class EventDecoder {
  /** text by message, calls of the step that was told of last: undefined where that is not known */
  readonly #texts = new Map<string, string>();
  #calls: CallPiece[] | undefined = [];
  #hasGap = false;

  /** Chunks are missing before the next one. An event that refers to what they told is left out from now on. */
  skip(): void {
    this.#texts.clear();
    this.#calls = undefined;
    this.#hasGap = true;
  }

  /**
   * The events of a chunk; undefined stands for one that this build does not know, or cannot tell. `run` is the one
   * that the events are of, in any version; `steps` are the documents that `stepsOf` asks for.
   */
  decode(entries: unknown[], run: RunDoc, steps: (StepDoc | undefined)[]): (RunEvent | undefined)[] {
    const known = new Map<string, Fields>();
    const events: (RunEvent | undefined)[] = [];
    for (const entry of entries as Entry[]) {
      for (const event of this.#eventsOf(entry, run, steps, known)) {
        if (event !== undefined) this.#listen(event);
        events.push(event);
      }
    }
    return events;
  }

  #eventsOf(
    entry: Entry,
    run: RunDoc,
    steps: (StepDoc | undefined)[],
    known: Map<string, Fields>,
  ): Iterable<RunEvent | undefined> {
    if ("text" in entry) return textDeltas(entry);
    if ("args" in entry) return argumentsDeltas(entry);
    if ("input" in entry) return inputDeltas(entry);
    if ("step" in entry) {
      const step = steps.find((each) => each?.id === entry.step);
      return [step === undefined ? undefined : { event: entry.event, data: apiObject(step) }];
    }
    if ("set" in entry) {
      const stored = { ...known.get(entry.id), ...entry.set };
      const data = this.#filled(entry, stored);
      for (const name of entry.gone ?? []) delete (data ?? stored)[name];
      known.set(entry.id, data ?? stored);
      if (data === undefined) return [undefined];
      return [{ event: entry.event, data: data.object === "thread.run" ? withFixed(data, run) : data }];
    }
    return ["data" in entry ? entry : undefined];
  }

  /** Puts back what an entry only refers to; undefined if that was in a chunk that is missing. */
  #filled({ id, told, calls }: ObjectEntry, data: Fields): Fields | undefined {
    if (told !== undefined && Array.isArray(data.content)) {
      const value = this.#textOf(id)?.slice(0, told);
      if (value === undefined) return undefined;
      const content = data.content.map((part) => (isText(part) ? { ...part, text: { ...part.text, value } } : part));
      return { ...data, content };
    }
    if (calls === undefined) return data;
    const toolCalls = this.#calls?.flatMap(({ id, function: called }) => {
      if (called === undefined) return [];
      const { name, arguments: args } = called;
      return [{ id, type: "function", function: { name, arguments: args } }];
    });
    return (
      toolCalls && {
        ...data,
        required_action: { type: "submit_tool_outputs", submit_tool_outputs: { tool_calls: toolCalls } },
      }
    );
  }

  /** What has been told of a message's text. After a gap that is only known of messages that began after it. */
  #textOf(id: string): string | undefined {
    return this.#texts.get(id) ?? (this.#hasGap ? undefined : "");
  }

  #listen({ event, data }: RunEvent): void {
    const { id } = data as { id: string };
    if (event === "thread.message.created") this.#texts.set(id, "");
    else if (event === "thread.run.step.created") this.#calls = [];
    else if (event === "thread.message.delta") {
      const text = this.#textOf(id);
      if (text !== undefined) this.#texts.set(id, text + textIn(data as TextDelta));
    } else if (event === "thread.run.step.delta") {
      for (const piece of (data as CallDelta).delta.step_details.tool_calls) this.#hearCall(piece);
    }
  }

  #hearCall(piece: CallPiece): void {
    if (this.#calls === undefined) return;
    const call = this.#calls[piece.index];
    if (call === undefined) this.#calls[piece.index] = structuredClone(piece);
    else if (call.function !== undefined) call.function.arguments += piece.function?.arguments ?? "";
  }
}

/** In the order in which a run shows its fields. */
function withFixed(data: Fields, run: RunDoc): Fields {
  const fields = Object.entries(apiObject(run)).map(([name, value]) => [name, FIXED.has(name) ? value : data[name]]);
  return Object.fromEntries(fields);
}

const textIn = ({ delta }: TextDelta) => delta.content.map(({ text }) => text?.value ?? "").join("");

function* textDeltas({ id, text, lengths, opening, part = 0 }: TextEntry): Generator<RunEvent> {
  for (const [index, value] of pieces(text, lengths).entries()) {
    yield textDelta({ id }, value, opening && index === 0, undefined, part);
  }
}

function* inputDeltas({ id, index, input, lengths }: InputEntry): Generator<RunEvent> {
  for (const value of pieces(input, lengths)) yield inputDelta({ id }, index, value);
}

function* argumentsDeltas({ id, index, args, lengths }: ArgumentsEntry): Generator<RunEvent> {
  for (const value of pieces(args, lengths)) {
    const calls = [{ index, type: "function", function: { arguments: value } }];
    const delta = { step_details: { type: "tool_calls", tool_calls: calls } };
    yield { event: "thread.run.step.delta", data: { id, object: "thread.run.step.delta", delta } };
  }
}
