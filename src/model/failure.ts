/** What the log tells of a model call that failed: enough to find out why, without a word of a user's or a key. */
import type { Details } from "../log.ts";
import { contentTypeOf } from "./error-body.ts";
import { isFields } from "./pieces.ts";
import { hasNoChatCompletions } from "./trouble.ts";
import { BrokenAnswer } from "./types.ts";

export function failureDetails(error: unknown): Details {
  const details: Details = {};
  const status = fieldOf(error, "status");
  if (typeof status === "number") details.status = status;
  const cause = causeCode(error);
  if (cause !== undefined) details.cause = cause;
  const type = answeredType(error);
  if (type !== undefined) details.content_type = type;
  if (hasNoChatCompletions(error)) {
    details.hint = "the address answers, but not with chat completions: check the path of MODEL_ENDPOINT";
  }
  return details;
}

/** The code of the first error in the chain that has one: ECONNREFUSED, ENOTFOUND, CERT_HAS_EXPIRED. */
function causeCode(error: unknown): string | undefined {
  let next: unknown = error;
  for (let depth = 0; depth < 5 && next !== undefined; depth++) {
    const code = fieldOf(next, "code");
    if (typeof code === "string" && /^[A-Z][A-Z0-9_]+$/.test(code)) return code;
    next = fieldOf(next, "cause");
  }
  return undefined;
}

function answeredType(error: unknown): string | undefined {
  if (error instanceof BrokenAnswer) return error.contentType;
  const body = fieldOf(error, "error");
  if (isFields(body) && typeof body.contentType === "string") return body.contentType;
  const headers = fieldOf(error, "headers");
  return headers instanceof Headers ? contentTypeOf(headers) : undefined;
}

const fieldOf = (value: unknown, name: string): unknown =>
  typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined;
