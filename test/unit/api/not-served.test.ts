/** What answers say of tools that no pool serves. */
import { expect, test } from "vitest";
import { warningOf } from "../../../src/api/not-served.ts";

const CODE = { type: "code_interpreter" };
const warning = (names: string) => ({ "x-threadkeep-warning": `not set up here, so runs go without it: ${names}` });

test.each([
  ["an assistant with the tool", { tools: [{ type: "function" }, CODE] }, warning("code_interpreter")],
  ["a file for it", { attachments: [{ tools: [CODE] }] }, warning("attachments for the code_interpreter")],
  ["other tools", { tools: [{ type: "file_search" }], attachments: [{ tools: [{ type: "file_search" }] }] }, {}],
  ["a list", { data: [] }, {}],
])("%s", (_, answer, expected) => expect(warningOf(answer)).toEqual(expected));
