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

test("an error is its name, its status and the beginning of its text, not its stack or what it carries", () => {
  const error = APIError.generate(
    429,
    { error: { message: "x".repeat(1_000), secret: "s3cret" } },
    undefined,
    new Headers(),
  );
  const line = lineOf(() => consoleLog.error("model call failed", { error }), "error");
  expect(line).toMatch(/^model call failed error="\w*Error 429: 429 x+"$/);
  expect(line.length).toBeLessThan(400);
});
