/** What requests are told that no operation answers, and what answers say of tools that no pool serves. */
import { expect, test } from "vitest";
import { refusalOfPath, warningOf } from "../../../src/api/not-served.ts";

const CODE = { type: "code_interpreter" };
const warning = (names: string) => ({ "x-threadkeep-warning": `not set up here, so runs go without it: ${names}` });

test.each([
  ["an assistant with the tool", { tools: [{ type: "function" }, CODE] }, warning("code_interpreter")],
  ["a file for it", { attachments: [{ tools: [CODE] }] }, warning("attachments for the code_interpreter")],
  ["other tools", { tools: [{ type: "file_search" }], attachments: [{ tools: [{ type: "file_search" }] }] }, {}],
  ["a list", { data: [] }, {}],
])("%s", (_, answer, expected) => expect(warningOf(answer)).toEqual(expected));

const SAYS_BASE = "There is nothing at this path. A client's base URL ends in /v1 (OpenAI)";
const SAYS_OTHERS = "Threadkeep serves the Assistants API only";

test.each([
  ["/assistants", SAYS_BASE],
  ["/v1/v1/threads", SAYS_BASE],
  ["/openai/v1/assistants", SAYS_BASE],
  ["/openai/v1/chat/completions", SAYS_BASE],
  ["/api/projects/mine/v1/threads/thread_1", SAYS_BASE],
  ["/v1/chat/completions", SAYS_OTHERS],
  ["/v1/v1", "Resource not found"],
  ["/v1/unknown/threads", "Resource not found"],
  ["/unknown", "Resource not found"],
])("%s", (path, beginning) => {
  const { status, body } = refusalOfPath(path);
  expect(status).toBe(404);
  expect(JSON.stringify(body)).toContain(beginning);
});
