/**
 * Ids are a prefix and 24 characters of [0-9A-Za-z], as clients of the original expect them (docs/contract.md 2.2).
 * Ours sort by time: 8 characters of milliseconds, 2 of a counter, 14 random ones. The same 24 characters are an
 * object's `seq`, its place in every list; `seq` is a field of its own so that imported objects keep their old ids and
 * still get a place.
 */
import { createHash, randomBytes, randomFillSync } from "node:crypto";

export const ID_PREFIXES = {
  assistant: "asst",
  thread: "thread",
  message: "msg",
  run: "run",
  step: "step",
  call: "call",
  file: "file",
  upload: "upload",
  part: "part",
  vector_store: "vs",
  file_batch: "vsfb",
} as const;

export type IdKind = keyof typeof ID_PREFIXES;

const POSSIBLE = /^[A-Za-z0-9_-]{1,128}$/;

/**
 * Whether a document can have this id, imported ones included. Any text may stand where a client names an object, and
 * Cosmos DB refuses to look for some of it: nothing, slashes, very long texts.
 */
export const isPossibleId = (text: string) => POSSIBLE.test(text);

const DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const TIME_LENGTH = 8;
const COUNTER_LENGTH = 2;
const STAMP_LENGTH = TIME_LENGTH + COUNTER_LENGTH;
const RANDOM_LENGTH = 14;
const COUNTER_LIMIT = DIGITS.length ** COUNTER_LENGTH;

interface Stamp {
  /** milliseconds since 1970 */
  time: number;
  counter: number;
}

let last: Stamp = { time: 0, counter: 0 };

/**
 * A new place in a thread's order, later than every other that this process made and later than `after`.
 * `after` is the newest place known from elsewhere: so the order of a thread never follows a clock that runs behind.
 */
export function nextSeq(now: number, after?: string): string {
  last = later(now, last);
  // A thread that is ahead of this clock pulls only its own objects along.
  const stamp = after === undefined ? last : atLeast(last, later(0, readStamp(after)));
  return encode(stamp.time, TIME_LENGTH) + encode(stamp.counter, COUNTER_LENGTH) + randomDigits(RANDOM_LENGTH);
}

/** Files have a dash where all others have an underscore. */
const beginningOf = (kind: IdKind) => `${ID_PREFIXES[kind]}${kind === "file" ? "-" : "_"}`;

/** A new id of this kind; with `seq` the id that belongs to that place. */
export function mintId(kind: IdKind, seq: string): string {
  return beginningOf(kind) + seq;
}

/** An id for things that are never listed by age, such as tool calls. */
export function randomId(kind: IdKind): string {
  return beginningOf(kind) + randomDigits(24);
}

/** What a thread's session is called: nothing about it can be guessed. */
export const sessionId = (): string => randomBytes(16).toString("hex");

/**
 * The id of something that another object makes, whose place (`seq`) it gets: the same name gives the same id, so that
 * work which is repeated replaces what it has made before.
 */
export function derivedId(kind: IdKind, seq: string, name: string): string {
  const bytes = createHash("sha256")
    .update(JSON.stringify([seq, name]))
    .digest()
    .subarray(0, RANDOM_LENGTH);
  const digits = [...bytes].map((byte) => DIGITS.charAt(byte % DIGITS.length)).join("");
  return beginningOf(kind) + seq.slice(0, STAMP_LENGTH) + digits;
}

/**
 * The place that an id of ours was minted for, or undefined if it cannot be one of ours. Lets a list go on after an
 * object that was deleted meanwhile, as clients do that delete while they page.
 */
export function seqOfId(id: string, now: number): string | undefined {
  const seq = seqOfMintedId(id);
  if (!/^[0-9A-Za-z]{24}$/.test(seq)) return undefined;
  const { time } = readStamp(seq);
  return time > FIRST_MINT && time < now + DAY ? seq : undefined;
}

const FIRST_MINT = Date.UTC(2026, 0, 1);
const DAY = 86_400_000;

function later(now: number, ...others: Stamp[]): Stamp {
  let stamp: Stamp = { time: now, counter: 0 };
  for (const other of others) {
    if (stamp.time > other.time || (stamp.time === other.time && stamp.counter > other.counter)) continue;
    stamp =
      other.counter + 1 < COUNTER_LIMIT
        ? { time: other.time, counter: other.counter + 1 }
        : { time: other.time + 1, counter: 0 };
  }
  return stamp;
}

const atLeast = (a: Stamp, b: Stamp) => (a.time > b.time || (a.time === b.time && a.counter >= b.counter) ? a : b);

function readStamp(seq: string): Stamp {
  return { time: decode(seq.slice(0, TIME_LENGTH)), counter: decode(seq.slice(TIME_LENGTH, STAMP_LENGTH)) };
}

function encode(value: number, length: number): string {
  let text = "";
  for (let rest = value; text.length < length; rest = Math.floor(rest / DIGITS.length)) {
    text = DIGITS.charAt(rest % DIGITS.length) + text;
  }
  return text;
}

function decode(text: string): number {
  let value = 0;
  for (const digit of text) value = value * DIGITS.length + DIGITS.indexOf(digit);
  return value;
}

/** Asking the system for a few bytes costs as much as for many. */
const chance = { bytes: Buffer.alloc(4_096), used: 4_096 };

function randomByte(): number {
  if (chance.used === chance.bytes.length) {
    randomFillSync(chance.bytes);
    chance.used = 0;
  }
  return chance.bytes[chance.used++] ?? 0;
}

function randomDigits(length: number): string {
  let text = "";
  while (text.length < length) {
    const byte = randomByte();
    // 248 = 4 x 62: bytes above it would make the first digits likelier than the rest.
    if (byte < 248) text += DIGITS.charAt(byte % 62);
  }
  return text;
}

/** When an id was minted that belongs to a place: milliseconds since 1970. */
export const mintedAt = (id: string) => readStamp(seqOfMintedId(id)).time;

/** The place of an id that this app minted a moment ago. */
export const seqOfMintedId = (id: string) => id.replace(/^[a-z]*[-_]/, "");
