/** Streams that no server has thought of: the rows of the tables, changed at random, the same for the same seed. */
import { CALL_CONTENT_ROWS } from "./call-content-rows.ts";
import { CALL_ROWS } from "./call-rows.ts";
import { ENDING_ROWS } from "./ending-rows.ts";
import type { Reply } from "./raw-model.ts";
import { TEXT_ROWS } from "./text-rows.ts";

type Random = () => number;

/** Numbers from 0 to 1 that follow from a seed (the public-domain generator mulberry32). */
function randomFrom(seed: number): Random {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

const below = (random: Random, end: number) => Math.floor(random() * end);
const oneOf = <T>(random: Random, items: readonly T[]): T => items[below(random, items.length)] as T;

/** Bodies of answers with status 200. */
const BODIES = [...TEXT_ROWS, ...CALL_ROWS, ...CALL_CONTENT_ROWS, ...ENDING_ROWS]
  .map(({ sends }) => (typeof sends === "string" ? { body: sends } : sends))
  .filter(({ status, body }) => status === undefined && typeof body === "string")
  .map(({ body }) => String(body));

const TYPES = ["text/event-stream", "application/json", "text/html", "", "application/x-ndjson"];

export function mutatedReply(seed: number): Reply {
  const random = randomFrom(seed);
  let frames = oneOf(random, BODIES).split(/(?<=\n\n)/);
  for (let change = below(random, 4); change >= 0; change--) frames = oneOf(random, FRAME_CHANGES)(frames, random);
  let body = Buffer.from(frames.join(""));
  if (random() < 0.25) body = oneOf(random, BYTE_CHANGES)(body, random);
  const cut = below(random, body.length + 1);
  return {
    headers: { "content-type": random() < 0.8 ? "text/event-stream" : oneOf(random, TYPES) },
    body: random() < 0.5 ? [body] : [body.subarray(0, cut), body.subarray(cut)],
    ...(random() < 0.1 && { ending: "cut" }),
  };
}

const FRAME_CHANGES: ((frames: string[], random: Random) => string[])[] = [
  (frames, random) => frames.toSpliced(below(random, frames.length), 1),
  (frames, random) => {
    const at = below(random, frames.length);
    return frames.toSpliced(at, 0, frames[at] ?? "");
  },
  (frames, random) => {
    const [moved = ""] = frames.splice(below(random, frames.length), 1);
    return frames.toSpliced(below(random, frames.length + 1), 0, moved);
  },
  (frames, random) => frames.toSpliced(below(random, frames.length + 1), 0, oneOf(random, STRAY_FRAMES)),
  (frames, random) => frames.toSpliced(below(random, frames.length + 1), 0, oneOf(random, BODIES)),
  changedValue,
  changedValue,
  changedValue,
  changedValue,
];

const STRAY_FRAMES = [
  "data: {half\n\n",
  "data: null\n\n",
  "data:\n\n",
  "data: [DONE]\n\n",
  'data: {"error":{"message":"stray"}}\n\n',
  "event: error\ndata: stray\n\n",
  ": comment\n\n",
  "retry: 1\nid: 7\n\n",
  "<html>\n\n",
  "\n\n\n",
];

/** Something within a chunk becomes something else, or goes away. */
function changedValue(frames: string[], random: Random): string[] {
  const at = below(random, frames.length);
  const data = /^data: (\{.*\})\n\n$/s.exec(frames[at] ?? "")?.[1];
  if (data === undefined) return frames;
  try {
    const holder: { chunk: unknown } = { chunk: JSON.parse(data) };
    changeWithin(holder, "chunk", random);
    return frames.with(at, `data: ${JSON.stringify(holder.chunk)}\n\n`);
  } catch {
    return frames;
  }
}

function changeWithin(holder: object, key: string, random: Random): void {
  const value: unknown = Reflect.get(holder, key);
  const keys = typeof value === "object" && value !== null ? Object.keys(value) : [];
  if (keys.length > 0 && random() < 0.85) changeWithin(value as object, oneOf(random, keys), random);
  else if (random() < 0.2) Reflect.deleteProperty(holder, key);
  else Reflect.set(holder, key, structuredClone(oneOf(random, ODD_VALUES)));
}

const ODD_VALUES: unknown[] = [
  null,
  "",
  " ",
  "x",
  "0",
  "\ud800",
  "\u0000\u2028",
  "stop",
  "length",
  "tool_calls",
  "[DONE]",
  '{"a":',
  "{}",
  "long ".repeat(2_000),
  0,
  1,
  -1,
  0.5,
  1e308,
  1e20,
  true,
  false,
  [],
  {},
  [[]],
  [null],
  { text: "part", type: "text" },
  [{ type: "text", text: ["deep"] }],
  [{ index: 0, id: "z", function: { name: "z", arguments: {} } }],
  [{ index: 0, delta: { content: "again" }, finish_reason: "stop" }],
  { message: "an object" },
  { __proto__: null, constructor: "x", toString: 1 },
];

const BYTE_CHANGES: ((body: Buffer, random: Random) => Buffer<ArrayBuffer>)[] = [
  (body, random) => Buffer.from(body.subarray(0, below(random, body.length + 1))),
  (body, random) => {
    const changed = Buffer.from(body);
    if (changed.length > 0) changed[below(random, changed.length)] = below(random, 256);
    return changed;
  },
  (body, random) => {
    const at = below(random, body.length + 1);
    const stray = Buffer.from(Array.from({ length: 1 + below(random, 8) }, () => below(random, 256)));
    return Buffer.concat([body.subarray(0, at), stray, body.subarray(at)]);
  },
  (body) => Buffer.from(body.toString().replaceAll("\n", "\r\n")),
  (body) => Buffer.from(`\ufeff${body.toString()}`),
];
