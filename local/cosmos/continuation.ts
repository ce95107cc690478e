import { createHash } from "node:crypto";
import { badRequest, unsupported } from "./errors.ts";
import type { Interval } from "./ranges.ts";
import type { Json, Value } from "./sql/values.ts";

/**
 * Where a query goes on. It says what the last result was, not how many there were, so items that come or go between
 * two pages neither repeat nor hide others.
 */
export interface Continuation {
  /** The values that the last result is sorted by. */
  values: Value[];
  /** What tells it from results with the same values: an item's sequence number, or a canonical text. */
  tie: number | string;
  /** How many results of this item (a JOIN can make several) are done; 0 for all. */
  rows: number;
  /** How many results all pages so far had, for TOP and LIMIT. */
  taken: number;
}

/** Where a query goes on that visits one physical partition after the other: in which part, and where in that. */
export interface Walk extends Interval {
  inner: string | undefined;
}

export const encodeWalk = ({ min, max, inner = "" }: Walk) => `${min}.${max}.${inner}`;

/** Throws 400 for a token that is not one of these. */
export function decodeWalk(token: string): Walk {
  const [min, max, inner, more] = token.split(".");
  if (min === undefined || max === undefined || inner === undefined || more !== undefined || !(min < max)) {
    throw badRequest("Invalid Continuation Token");
  }
  return { min, max, inner: inner === "" ? undefined : inner };
}

/** A header must hold it, and Node takes 16 KB of headers. */
const MAX_LENGTH = 8 * 1024;

/** A short name for a query and the order that it runs in: a token is of no use to another one. */
export const fingerprint = (...parts: string[]) =>
  createHash("sha256").update(parts.join("\0")).digest("base64url").slice(0, 12);

export function encodeContinuation({ values, tie, rows, taken }: Continuation, query: string): string {
  const boxed = values.map((value) => (value === undefined ? [] : [value]));
  const token = Buffer.from(JSON.stringify([query, boxed, tie, rows, taken])).toString("base64url");
  if (token.length > MAX_LENGTH)
    throw unsupported("paging through results that are sorted or made distinct by values over 6 KB");
  return token;
}

/** Throws 400 for a token that is not ours or belongs to another query. */
export function decodeContinuation(token: string, query: string): Continuation {
  let parts: unknown;
  try {
    parts = JSON.parse(Buffer.from(token, "base64url").toString());
  } catch {
    parts = undefined;
  }
  if (!Array.isArray(parts)) throw badRequest("Invalid Continuation Token");
  const [owner, boxed, tie, rows, taken]: unknown[] = parts;
  if (owner !== query) throw badRequest("Invalid Continuation Token: it belongs to another query.");
  const tied = typeof tie === "number" || typeof tie === "string";
  if (!Array.isArray(boxed) || !tied || typeof rows !== "number" || typeof taken !== "number") {
    throw badRequest("Invalid Continuation Token");
  }
  return { values: boxed.map((box: Json[]) => box[0]), tie, rows, taken };
}
