import { isObject, type Json, type JsonObject, mapStrings } from "./json.ts";

/** One event of a stream; `data` is a string if it is no JSON, as the last one's `[DONE]`. */
export interface ServerEvent {
  event: string;
  data: Json;
}

/** Throws if a frame is not as the API sends it: a line with the name, then one with the data (docs/contract.md 4). */
export function parseEvents(text: string): ServerEvent[] {
  const frames = text.split("\n\n").map(withoutComments);
  return frames.filter((frame) => frame !== "").map(parseFrame);
}

/** Comments keep a connection alive; clients skip them. */
const withoutComments = (frame: string) =>
  frame
    .split("\n")
    .filter((line) => !line.startsWith(":"))
    .join("\n");

function parseFrame(frame: string): ServerEvent {
  const [, event, data] = /^event: (\S+)\ndata: (.*)$/.exec(frame) ?? [];
  if (event === undefined || data === undefined) throw new Error(`Not a frame of an event stream: ${frame}`);
  return { event, data: data.startsWith("{") ? JSON.parse(data) : data };
}

export const isDelta = ({ event }: ServerEvent) => event.endsWith(".delta");

/**
 * Deltas of one kind that follow one another as a single event: how a model's answer is cut into pieces is the model's
 * affair. What stays is the shape of the first, the shapes that come after it, and the texts put together.
 */
export function foldDeltas(events: ServerEvent[]): ServerEvent[] {
  const groups: ServerEvent[][] = [];
  for (const event of events) {
    const last = groups.at(-1);
    if (isDelta(event) && last?.[0]?.event === event.event) last.push(event);
    else groups.push([event]);
  }
  return groups.flatMap(([first, ...rest]) => {
    if (first === undefined) return [];
    return isDelta(first) ? [{ event: first.event, data: folded(first, rest) }] : [first];
  });
}

/** The texts that a client puts together from deltas. */
const PIECES = new Set(["value", "arguments"]);

function folded(first: ServerEvent, rest: ServerEvent[]): JsonObject {
  const shapes = new Map(rest.map(({ data }) => [JSON.stringify(shapeOf(data)), shapeOf(data)]));
  const texts: Record<string, string> = {};
  for (const { data } of [first, ...rest]) collectPieces(data, "", texts);
  return { first: shapeOf(first.data), rest: [...shapes.values()], texts };
}

const shapeOf = (data: Json) => mapStrings(data, (text, key) => (PIECES.has(key) ? "" : text));

/** Adds each piece to the text at its place; elements of an array are told apart by their `index`. */
function collectPieces(value: Json, place: string, texts: Record<string, string>): void {
  if (Array.isArray(value)) {
    for (const item of value) collectPieces(item, `${place}[${isObject(item) ? item.index : ""}]`, texts);
  } else if (isObject(value)) {
    for (const [key, inner] of Object.entries(value)) {
      if (PIECES.has(key) && typeof inner === "string") texts[place] = (texts[place] ?? "") + inner;
      else collectPieces(inner, `${place}/${key}`, texts);
    }
  }
}
