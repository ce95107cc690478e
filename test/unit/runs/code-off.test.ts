/** Runs with code_interpreter where no pool runs code. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { advance } from "../../../src/runs/advance.ts";
import { assistant } from "../documents.ts";
import { type EngineWorld, startEngineWorld } from "./engine-world.ts";

let world: EngineWorld;
beforeAll(async () => {
  world = await startEngineWorld();
});
afterAll(() => world.stop());

async function run(tool_choice: "auto" | { type: "code_interpreter" }) {
  const asked = await world.question([{ text: "Without." }]);
  const answering = assistant({ model: `model-${asked.tenant}`, tools: [{ type: "code_interpreter" }] });
  const { run: started, job } = await asked.start({ tool_choice }, { assistant: answering });
  await advance(world.engine, job);
  return { asked, run: await asked.read(started.id) };
}

test("go on without it", async () => {
  expect(world.app.runsCode).toBe(false);
  const { asked, run: ended } = await run("auto");
  expect(ended.status).toBe("completed");
  expect(asked.requests()[0]).not.toHaveProperty("tools");
});

test("fail in words if they must use it, and no model is asked", async () => {
  const { asked, run: ended } = await run({ type: "code_interpreter" });
  expect(ended).toMatchObject({
    status: "failed",
    last_error: { code: "server_error", message: "The code interpreter is not set up on this deployment." },
  });
  expect(asked.calls()).toBe(0);
});
