/** How the API refuses: in one of two shapes, and with no word from the inside of the app. */
import { expect } from "vitest";
import type { Complaint } from "./defects.ts";
import type { RawAnswer } from "./wire.ts";

/** What is wrong with a refusal; undefined if nothing is. */
export function wrongRefusal(
  { status, type, text }: RawAnswer,
  expected: Complaint | undefined,
  path: string,
): string | undefined {
  const got = `${status} ${text.slice(0, 500)}`;
  if (status < 400 || status >= 500) return got;
  if (text === "" && !reachesApp(path)) return undefined;
  if (type !== "application/json") return `of type ${type}: ${got}`;
  const error = errorIn(text);
  if (error === undefined) return `of another shape: ${got}`;
  if (expected === undefined) return undefined;
  const { message, param, code } = expected;
  const right = typeof message === "string" ? error.message === message : message.test(error.message);
  if (right && (error.param ?? null) === param && (code === null || error.code === code)) return undefined;
  return `${got}\n    instead of ${String(message).slice(0, 500)} (${param}, ${code})`;
}

/** Bytes that are no ASCII, broken encodings, zero bytes and request lines over 8 KB are refused by the host already. */
function reachesApp(path: string): boolean {
  const [bare = ""] = path.split("?");
  try {
    decodeURIComponent(bare);
    return !bare.includes("%00") && path.length < 8_000 && !/[^\x21-\x7e]/.test(path);
  } catch {
    return false;
  }
}

interface ErrorObject {
  message: string;
  param?: string | null;
  code: string | null;
}

/** The error in one of the two shapes that there are, without words from the inside of the app. */
function errorIn(text: string): ErrorObject | undefined {
  const body: unknown = JSON.parse(text);
  const service = { message: expect.any(String), type: "invalid_request_error" };
  const gateway = { message: expect.any(String), code: expect.stringMatching(/^4\d\d$/) };
  const names = Object.keys((body as { error: object }).error)
    .toSorted()
    .join();
  expect(["code,message", "code,message,param,type"]).toContain(names);
  expect(body).toEqual({ error: expect.objectContaining(names.includes("type") ? service : gateway) });
  const { error } = body as { error: ErrorObject };
  // Letters of an id may spell anything.
  const words = error.message.replaceAll(/\w+[_-][0-9A-Za-z]{8,}/g, "id");
  expect(words).not.toMatch(/\bat .*\.[jt]s|zod|cosmos|undefined is not|cannot read/i);
  return error;
}
