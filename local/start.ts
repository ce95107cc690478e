// `npm start`: the app on local servers, until Ctrl-C. Data and the API key stay in .local/ between two starts.

import { type Child, type Exit, exitText } from "./child.ts";
import { askEndpoint, type Finding, missingEmbeddingModel } from "./endpoint.ts";
import { fail } from "./fail.ts";
import { readOptions } from "./options.ts";
import { SEEN_DELAYS } from "./server-specs.ts";
import { type Stack, startStack } from "./stack.ts";
import { codeWords } from "./stack-code.ts";
import { apiKeys, onRequestToStop, refuseBusyPorts, remarks, shownKey, takeDataFolder } from "./workplace.ts";

const GRACE_SECONDS = 5;
/** Lines of output shown of a server that died. */
const LAST_LINES = 10;

const { MODEL_ENDPOINT: endpoint, MODEL_KEY: key, MODEL_API_VERSION: apiVersion, MODEL_NAMES: names } = process.env;
const { EMBEDDING_MODEL: embeddingModel, EMBEDDING_ENDPOINT: embeddingEndpoint } = process.env;

const options = readOptions("npm start");
const stopping = new AbortController();
let stack: Stack | undefined;
let exitCode = 0;
onRequestToStop(() => void stop());

const folder = takeDataFolder(options);
await refuseBusyPorts(options);
const asked = endpoint
  ? askEndpoint({ endpoint, key: key || undefined, apiVersion: apiVersion || undefined })
  : undefined;
try {
  stack = await startStack({
    ports: options.ports,
    host: options.host,
    cors: options.cors,
    dataDir: options.dataDir,
    blobs: true,
    code: { packages: "fetch", isPrepared: true, makesRoom: true },
    appDir: options.appDir,
    env: { API_KEYS: await apiKeys(options.dataDir) },
    modelDelays: SEEN_DELAYS,
    graceSeconds: GRACE_SECONDS,
    log: "inherit",
    onDeath: (child, exit) => void reportDeath(child, exit),
    signal: stopping.signal,
  });
} catch (error) {
  if (stopping.signal.aborted) process.exit(exitCode);
  fail(error instanceof Error ? error.message : String(error));
}
folder.tell({ url: new URL(stack.baseUrl).origin, cosmos: stack.cosmos.endpoint });
console.log(welcome(stack, await asked));

function welcome({ baseUrl, apiKey, model }: Stack, finding: Finding | undefined): string {
  const simulated = "simulated model (set MODEL_ENDPOINT and MODEL_KEY to use a real one)";
  const real = `${model.baseUrl} ${finding?.text}`;
  const key = apiKey || "YOUR_KEY";
  const notes = [...remarks(options), ...aboutEmbeddings(finding)].map((line) => `${line}\n`);
  return `
Threadkeep is running. Ctrl-C stops it.

  Base URL  ${baseUrl}
  API key   ${shownKey(apiKey)}
  Model     ${finding ? real : simulated}
  Code      ${codeWords(process.env)}
${notes.length > 0 ? `\n${notes.join("")}` : ""}
Create an assistant:

curl ${baseUrl}/assistants -H "Authorization: Bearer ${key}" -H "Content-Type: application/json" \\
  -d '{"model": "${modelName(finding)}", "name": "Tutor", "instructions": "Answer in one sentence."}'
`;
}

/** Embeddings that have an endpoint of their own are not looked for. */
function aboutEmbeddings(finding: Finding | undefined): string[] {
  if (!finding || !endpoint || !embeddingModel || (embeddingEndpoint && embeddingEndpoint !== endpoint)) return [];
  const line = missingEmbeddingModel({ endpoint, models: finding.models }, embeddingModel);
  return line === undefined ? [] : [line];
}

/** One that is likely to work: a name that the settings map, or that the endpoint knows. */
function modelName(finding: Finding | undefined): string {
  if (!finding) return "simulated-model";
  const [mapped = ""] = (names ?? "").split("=");
  const usual = "gpt-4o-mini";
  return mapped.trim() || (finding.models.includes(usual) ? usual : finding.models[0]) || usual;
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
