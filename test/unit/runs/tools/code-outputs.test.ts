/** What is left of much that code has put out. */
import { expect, test } from "vitest";
import { jsonBytes } from "../../../../src/runs/json-size.ts";
import { type Done, MAX_LOG_BYTES, MAX_READ_BYTES, Readable } from "../../../../src/runs/tools/code-outputs.ts";

const MUCH = 1_000_000;
const ran = (logs: string, more: Partial<Extract<Done, { kind: "ran" }>> = {}): Done => ({
  kind: "ran",
  logs,
  images: [],
  unshown: 0,
  files: [],
  lost: [],
  isRestarted: false,
  ...more,
});

function doneOf(readable: Readable, result: Done) {
  const { call, record } = readable.done("call", "code", result);
  if (call.type !== "code_interpreter") throw new Error("the call is none of code");
  const [output] = call.code_interpreter.outputs;
  return { logs: output?.type === "logs" ? output.logs : "", read: record.output ?? "" };
}

test("of text whose characters take several bytes clients see the end as well, and how much is missing", () => {
  const { logs } = doneOf(new Readable(MUCH), ran(`${"日".repeat(90_000)}\nZeroDivisionError: division by zero\n`));
  expect(jsonBytes(logs)).toBeLessThanOrEqual(MAX_LOG_BYTES);
  expect(jsonBytes(logs)).toBeGreaterThan(MAX_LOG_BYTES / 2);
  expect(logs).toMatch(/^日+\n… \d+ characters left out …\n日+\nZeroDivisionError: division by zero\n$/);
});

test("the calls of a model call share their room; what is said about a call comes before its logs", () => {
  const readable = new Readable(MUCH);
  const results = Array.from({ length: 20 }, (_, n) =>
    doneOf(readable, ran("é".repeat(50_000), { files: [{ path: `${n}.csv`, size: 1 }] })),
  );
  const bytes = (texts: string[]) => texts.reduce((sum, text) => sum + jsonBytes(text), 0);
  expect(bytes(results.map(({ logs }) => logs))).toBeLessThanOrEqual(MAX_LOG_BYTES);
  expect(bytes(results.map(({ read }) => read))).toBeLessThan(1.1 * MAX_READ_BYTES);
  const [first, , , fourth] = results;
  expect(first?.read).toMatch(/^é{8000}\n… 34000 characters left out …\né{8000}\n\[files: .*0\.csv \(1 bytes\)\]$/);
  expect(fourth?.read).toMatch(/^é+\n… \d+ characters left out …\né+\n\[files: .*3\.csv \(1 bytes\)\]$/);
  expect(results.at(-1)).toEqual({ logs: "", read: "[left out: too much has been put out]" });
});

test("paths without end leave room for the logs", () => {
  const files = Array.from({ length: 20 }, (_, n) => ({ path: `${"p".repeat(4_000)}${n}`, size: 1 }));
  const { read } = doneOf(new Readable(MUCH), ran("4", { files, lost: files }));
  expect(read).toMatch(/^4\n\[too many or too large to be linked: \/mnt\/data\/p+… \(1 bytes\), /);
  expect(read.length).toBeLessThan(10_000);
});
