/** What the log tells of a model call that failed: enough to find out why, without a word of a user's or a key. */
import { causeCode, type Details, fieldOf } from "../log.ts";
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

function answeredType(error: unknown): string | undefined {
  if (error instanceof BrokenAnswer) return error.contentType;
  const body = fieldOf(error, "error");
  if (isFields(body) && typeof body.contentType === "string") return body.contentType;
  const headers = fieldOf(error, "headers");
  return headers instanceof Headers ? contentTypeOf(headers) : undefined;
}
