// `npm start`: the app on local servers, until Ctrl-C. Data and the API key stay in .local/ between two starts.

import path from "node:path";
import { parseArgs } from "node:util";
import { type Child, type Exit, exitText } from "./child.ts";
import { type Stack, startStack } from "./stack.ts";
import { apiKeys, chosenPorts, fail, PROJECT, refuseBusyPorts, stopWithParent } from "./workplace.ts";

/** Slow enough to see an answer being streamed. */
const MODEL_DELAYS = { firstTokenMs: 200, tokenMs: 20 };
const GRACE_SECONDS = 5;
/** Lines of output shown of a server that died. */
const LAST_LINES = 10;

const { values: options } = parseArgs({
  options: {
    data: { type: "string", default: path.join(PROJECT, ".local") },
    app: { type: "string", default: PROJECT },
  },
});

const stopping = new AbortController();
let stack: Stack | undefined;
let exitCode = 0;
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => void stop());

stopWithParent(() => void stop());

const ports = chosenPorts();
await refuseBusyPorts(ports);
try {
  stack = await startStack({
    ports,
    dataDir: options.data,
    blobs: true,
    appDir: options.app,
    env: { API_KEYS: await apiKeys(options.data) },
    modelDelays: MODEL_DELAYS,
    graceSeconds: GRACE_SECONDS,
    log: "inherit",
    onDeath: (child, exit) => void reportDeath(child, exit),
    signal: stopping.signal,
  });
} catch (error) {
  if (stopping.signal.aborted) process.exit(exitCode);
  fail(error instanceof Error ? error.message : String(error));
}
console.log(welcome(stack));

function welcome({ baseUrl, apiKey, model }: Stack): string {
  const simulated = "simulated model (set MODEL_ENDPOINT and MODEL_KEY to use a real one)";
  const modelName = model.isSimulated ? "simulated-model" : "gpt-4o-mini";
  return `
Threadkeep is running. Ctrl-C stops it.

  Base URL  ${baseUrl}
  API key   ${apiKey}
  Model     ${model.isSimulated ? simulated : model.baseUrl}

Create an assistant:

curl ${baseUrl}/assistants -H "Authorization: Bearer ${apiKey}" -H "Content-Type: application/json" \\
  -d '{"model": "${modelName}", "name": "Tutor", "instructions": "Answer in one sentence."}'
`;
}

async function reportDeath(child: Child, exit: Exit): Promise<void> {
  console.error(
    [`${child.name} died (${exitText(exit)}). Its last lines:`, ...child.lastLines.slice(-LAST_LINES)].join("\n"),
  );
  exitCode = 1;
  await stop();
}

/** Ignores a second call: both the terminal and npm may pass on the same Ctrl-C. */
async function stop(): Promise<void> {
  if (stopping.signal.aborted) return;
  stopping.abort();
  // If the stack is still starting, the abort kills its processes, `startStack` rejects, and that ends this process.
  if (!stack) return;
  await stack.stop();
  process.exit(exitCode);
}
