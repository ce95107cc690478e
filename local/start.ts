// `npm start`: the app on local servers, until Ctrl-C. Data and the API key stay in .local/ between two starts.

import { randomBytes } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { parseArgs } from "node:util";
import { type Child, type Exit, exitText } from "./child.ts";
import { isPortFree, portHolder } from "./ports.ts";
import { type Stack, type StackPorts, startStack } from "./stack.ts";

const PROJECT = path.dirname(import.meta.dirname);
const { env } = process;

/** Slow enough to see an answer being streamed. */
const MODEL_DELAYS = { firstTokenMs: 200, tokenMs: 20 };
const GRACE_SECONDS = 5;
const PARENT_POLL_MS = 250;
const LINES_OF_THE_DEAD = 10;

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

if (env.npm_lifecycle_event) stopWithParent();

const ports = chosenPorts();
await refuseBusyPorts(ports);
try {
  stack = await startStack({
    ports,
    dataDir: options.data,
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

/** Every port and the variable that changes it. */
function chosenPorts(): StackPorts {
  const serviceBus = portFrom("SERVICE_BUS_PORT", 5672);
  return {
    cosmos: portFrom("COSMOS_PORT", 8081),
    serviceBus,
    serviceBusControl: serviceBus === 0 ? 0 : serviceBus + 1,
    model: portFrom("MODEL_PORT", 4010),
    functions: portFrom("PORT", 7071),
  };
}

function portFrom(variable: string, usual: number): number {
  const text = env[variable] || String(usual);
  const port = Number(text);
  if (Number.isInteger(port) && port >= 0 && port < 65_535) return port;
  fail(`${variable} must be a port number, not "${text}".`);
}

async function refuseBusyPorts(chosen: StackPorts): Promise<void> {
  const wanted: [string, number, string][] = [
    ["The app", chosen.functions, "PORT"],
    ["Cosmos DB", chosen.cosmos, "COSMOS_PORT"],
    ["Service Bus", chosen.serviceBus, "SERVICE_BUS_PORT"],
    ["Service Bus's control", chosen.serviceBusControl, "SERVICE_BUS_PORT"],
  ];
  if (!env.MODEL_ENDPOINT) wanted.push(["The simulated model", chosen.model, "MODEL_PORT"]);
  const problems: string[] = [];
  for (const [server, port, variable] of wanted) {
    if (port === 0 || (await isPortFree(port))) continue;
    const holder = await portHolder(port);
    const held = holder ? `process ${holder.pid} (${holder.command})` : "another process";
    problems.push(`${server} needs port ${port}, but ${held} uses it. Set ${variable} to move it.`);
  }
  if (problems.length > 0) fail(problems.join("\n"));
}

/** The caller's keys, or one that is made at the first start and kept for the owner of the files only. */
async function apiKeys(dataDir: string): Promise<string> {
  if (env.API_KEYS) return env.API_KEYS;
  const file = path.join(dataDir, "api-key");
  const kept = (await readFile(file, "utf8").catch(() => "")).trim();
  if (kept !== "") return `local:${kept}`;
  const key = `tk-${randomBytes(20).toString("hex")}`;
  await mkdir(dataDir, { recursive: true });
  await writeFile(file, `${key}\n`, { mode: 0o600 });
  return `local:${key}`;
}

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
    [`${child.name} died (${exitText(exit)}). Its last lines:`, ...child.lastLines.slice(-LINES_OF_THE_DEAD)].join(
      "\n",
    ),
  );
  exitCode = 1;
  await stop();
}

/** A terminal and npm may both pass the same Ctrl-C on: the second asks for nothing new. */
async function stop(): Promise<void> {
  if (stopping.signal.aborted) return;
  stopping.abort();
  // Without a stack, what has been started so far is killed by the signal, and the start ends this process.
  if (!stack) return;
  await stack.stop();
  process.exit(exitCode);
}

/** npm passes SIGTERM to the shell between it and us, and that shell ends without passing it on. */
function stopWithParent(): void {
  const parent = process.ppid;
  const watch = setInterval(() => {
    if (process.ppid !== parent) void stop();
  }, PARENT_POLL_MS);
  watch.unref();
}

function fail(message: string): never {
  console.error(message);
  process.exit(1);
}
