/** Runs that run code: from the model's Python to what clients see of it, through the whole app and the real client. */
import { describe, expect, test } from "vitest";
import { callsIn, codeScene, DRAW, endsWithTest, logsIn, PIXEL_BYTES, python, textIn, upload } from "./code-scene.ts";
import { newTenant, POLL } from "./harness.ts";

describe("a run with code_interpreter", () => {
  test("runs what the model writes, shows code and output, and the model reads it", async () => {
    const tenant = newTenant();
    const scene = await codeScene(tenant, [python("2 + 2"), { text: "It is 4." }]);
    const run = await scene.poll();
    expect(run).toMatchObject({ status: "completed", last_error: null });
    const [step, last] = await scene.stepsOf(run.id);
    expect(step).toMatchObject({ type: "tool_calls", status: "completed", last_error: null });
    expect(callsIn(step)).toEqual([
      {
        id: expect.any(String),
        type: "code_interpreter",
        code_interpreter: { input: "2 + 2", outputs: [{ type: "logs", logs: "4" }] },
      },
    ]);
    expect(run.usage?.total_tokens).toBe((step?.usage?.total_tokens ?? 0) + (last?.usage?.total_tokens ?? 0));
    const [first, second] = await scene.answering.requests();
    expect(first?.body).toMatchObject({ tools: [{ type: "function", function: { name: "python" } }] });
    expect(second?.body.messages.slice(-2)).toMatchObject([
      { role: "assistant", tool_calls: [{ function: { name: "python", arguments: '{"code":"2 + 2"}' } }] },
      { role: "tool", content: "4" },
    ]);
  });
});
