import { APIError } from "openai";
import { afterEach, expect, test, vi } from "vitest";
import { consoleLog } from "../../src/log.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

/** The one line that reaches the console. */
function lineOf(write: () => void, method: "info" | "warn" | "error" = "info"): string {
  const written = vi.spyOn(console, method).mockImplementation(() => {});
  write();
  expect(written).toHaveBeenCalledTimes(1);
  return String(written.mock.lastCall?.[0]);
}

test("an entry is one line with its details", () => {
  const write = () => consoleLog.info("run ended", { run: "run_1", ms: 12, note: "two\nlines", none: undefined });
  expect(lineOf(write)).toBe('run ended run="run_1" ms=12 note="two\\nlines" none=undefined');
});

test("each level is the console's", () => {
  expect(lineOf(() => consoleLog.warn("careful"), "warn")).toBe("careful");
  expect(lineOf(() => consoleLog.error("broken"), "error")).toBe("broken");
});

test("a refusal of the model's is its name and status, not its text, which may quote a prompt", () => {
  const error = APIError.generate(
    400,
    { error: { message: "x".repeat(1_000), secret: "s3cret" } },
    undefined,
    new Headers(),
  );
  const line = lineOf(() => consoleLog.error("model call failed", { error }), "error");
  expect(line).toMatch(/^model call failed error="\w*Error 400( \[at .*\])?"$/);
});

test("a warning tells an error's causes, each by name, code and the beginning of its text", () => {
  const refused = Object.assign(new Error("connect refused"), { code: "ECONNREFUSED" });
  const error = new Error("x".repeat(1_000), { cause: refused });
  const line = lineOf(() => consoleLog.warn("careful", { error }), "warn");
  expect(line).toMatch(/^careful error="Error: x{300} <- Error ECONNREFUSED: connect refused"$/);
});

test("an error that collects others, as the Azure SDKs throw it, is told with the first of them", () => {
  const error = new AggregateError([new Error("ExpiredToken"), new Error("second")]);
  const line = lineOf(() => consoleLog.warn("not sent", { error }), "warn");
  expect(line).toBe('not sent error="AggregateError:  <- Error: ExpiredToken"');
});

test("what was not expected shows its stack, on the same line", () => {
  const line = lineOf(() => consoleLog.error("broken", { error: new TypeError("no such thing") }), "error");
  expect(line).toMatch(/^broken error="TypeError: no such thing \[at .*log\.test\.ts.*\]"$/);
});

test("JSON that could not be parsed is not quoted", () => {
  const write = () => {
    try {
      JSON.parse("a secret");
    } catch (error) {
      consoleLog.error("broken", { error });
    }
  };
  expect(lineOf(write, "error")).not.toContain("secret");
});

test("a log for one run names it in every entry", () => {
  const log = consoleLog.with({ run: "run_1" }).with({ attempt: 2 });
  expect(lineOf(() => log.info("claimed", { ms: 3 }))).toBe('claimed ms=3 run="run_1" attempt=2');
});

test("a text that looks like a stack is no part of the stack: it may quote what people wrote", () => {
  const error = new SyntaxError('Unexpected token in "\n    at my secret address');
  const line = lineOf(() => consoleLog.error("broken", { error }), "error");
  expect(line).toMatch(/^broken error="SyntaxError \[at /);
  expect(line).not.toContain("secret");
});
