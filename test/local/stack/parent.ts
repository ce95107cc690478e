// Starts a stack and says the process ids, so that a test can kill this process and see what becomes of them.
import path from "node:path";
import { startStack } from "../../../local/stack.ts";

const stack = await startStack({ appDir: path.join(import.meta.dirname, "app"), env: { MODEL_ENDPOINT: "" } });
console.log(
  JSON.stringify(
    Object.values(stack.processes)
      .flat()
      .map((child) => child.pid),
  ),
);
