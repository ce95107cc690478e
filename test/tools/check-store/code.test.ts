/** What the check of the store finds in threads that run code. */
import { afterAll, beforeAll, expect, test } from "vitest";
import type { StepDoc } from "../../../src/store/documents.ts";
import { startWorld, type World } from "../../local/cosmos/harness.ts";
import { checkDocuments } from "./checking.ts";
import { allDocs, answeredThread, type GoodThread } from "./good-threads.ts";

let world: World;
beforeAll(async () => {
  world = await startWorld();
});
afterAll(() => world.stop());

const CALL = { id: "call_c", type: "code_interpreter" as const, code_interpreter: { input: "1", outputs: [] } };

/** Beside the calls of functions, code that has run. */
function withCode(record: object | undefined): (thread: GoodThread) => void {
  return ({ calls }) => {
    const { step_details: details } = calls;
    if (details.type === "tool_calls") details.tool_calls.push(CALL);
    if (record !== undefined) Object.assign(calls.internal, { hosted: [record] });
  };
}

const RECORD = { id: "call_c", name: "python", arguments: "", output: "1" };
/** The answer's first two letters are a link, whose place is told as wrong as this. */
function linking(by: number, isAttached: boolean): (thread: GoodThread) => void {
  return ({ answer }) => {
    const [part] = answer.content;
    if (part?.type !== "text") throw new Error("the answer has no text");
    const place = { text: part.text.value.slice(0, 2), start_index: by, end_index: by + 2 };
    const annotations = [{ type: "file_path" as const, ...place, file_path: { file_id: "file-1" } }];
    answer.content = [{ type: "text", text: { ...part.text, annotations } }];
    if (isAttached) answer.attachments = [{ file_id: "file-1", tools: [{ type: "code_interpreter" }] }];
  };
}

const session = (fields: object) => (thread: GoodThread) =>
  void Object.assign(thread.thread.internal, { code_session: { id: "0".repeat(32), files: [], ...fields } });
const FILE = { path: "a", id: "file-1", bytes: 1, at: 1 };

/** Only what this rule finds: what else is wrong then is not told twice. */
async function found(change: (thread: GoodThread) => void): Promise<string[]> {
  const docs = answeredThread();
  change(docs);
  const { violations } = await checkDocuments(world, allDocs(docs), {});
  return violations.filter(({ rule }) => rule === "code").map(({ detail }) => detail);
}

test.each([
  ["code that has run", withCode(RECORD)],
  ["a session and a file", session({ files: [FILE] })],
])("%s is in order", async (_, change) => {
  expect(await found(change)).toEqual([]);
});

test.each<[string, (thread: GoodThread) => void, string]>([
  ["an unknown result", withCode(undefined), "is completed, and does not know what came of call_c"],
  [
    "a result without words",
    withCode({ ...RECORD, output: undefined }),
    "is completed, and does not know what came of call_c",
  ],
  [
    "a run that ended with calls",
    ({ run }) => void Object.assign(run.internal, { pending: "tools" }),
    "is completed, and has calls to be done",
  ],
  [
    "a run that ended with images",
    ({ run }) => void Object.assign(run.internal, { images: ["file-1"] }),
    "is completed, and has images to show",
  ],
  ["a session with a name", session({ id: "thread_1" }), "names its session by something that is not random"],
  ["a file twice", session({ files: [FILE, FILE] }), "knows a file of its session twice"],
])("%s is found", async (_, change, detail) => {
  expect(await found(change)).toContain(detail);
});

test("annotations must stand where they say, and their files be attached", async () => {
  expect(await found(linking(0, true))).toEqual([]);
  expect(await found(linking(1, true))).toEqual(["has an annotation of a text that stands elsewhere"]);
  expect(await found(linking(0, false))).toEqual(["links 1 files, and has 0 attached"]);
});

test("calls that are to be done must be known, in the one step that is open", async () => {
  const pending = (hosted: StepDoc["internal"]["hosted"]) =>
    found(({ run, calls }) => {
      Object.assign(run, { status: "in_progress" });
      Object.assign(run.internal, { pending: "tools", open: [calls.id] });
      Object.assign(calls, { status: "in_progress" });
      withCode(undefined)({ calls } as GoodThread);
      Object.assign(calls.internal, { hosted });
    });
  expect(await pending([{ id: "call_c", name: "python", arguments: "" }])).toEqual([]);
  expect(await pending([])).toEqual(["does not know who is to do its call call_c"]);
});
