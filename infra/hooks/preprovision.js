/**
 * azd runs this before it creates anything: makes the first API key, and says early what Azure would say late.
 * Plain JavaScript, because azd would load a compiler for a .ts file from the network.
 */
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

const { API_KEYS, AZURE_ENV_NAME, AZURE_KEY_VAULT_NAME, CHAT_MODEL, EMBEDDING_MODEL, MODEL_ENDPOINT, MODEL_KEY } =
  process.env;
const isPipeline = process.env.CI === "true" || process.env.TF_BUILD === "True";

if (!CHAT_MODEL && !MODEL_ENDPOINT) {
  stop(
    "Which model is to answer? One of these, then again:\n" +
      "  azd env set CHAT_MODEL <name>                  a model of its own in Azure OpenAI\n" +
      "  azd env set MODEL_ENDPOINT https://…/v1        a model that you have; with a key: azd env set MODEL_KEY …",
  );
}

if (!CHAT_MODEL && !MODEL_KEY && !isAzure(MODEL_ENDPOINT)) {
  console.log("MODEL_KEY is not set: the app calls MODEL_ENDPOINT without a key.");
}

if (!EMBEDDING_MODEL) {
  console.log(
    "EMBEDDING_MODEL is not set: files cannot be searched. azd env set EMBEDDING_MODEL text-embedding-3-small",
  );
}

// Where there is a vault already, it keeps its keys.
if (!API_KEYS && !AZURE_KEY_VAULT_NAME) {
  if (isPipeline) {
    stop("API_KEYS is not set. Give it to the pipeline as a secret: a key that it made would be lost when it ends.");
  }
  saveKey(`default:tk-${randomBytes(32).toString("base64url")}`);
  console.log("Made an API key for the tenant 'default'. To see it: azd env get-value API_KEYS");
}

/** In a file that only this user can read: arguments of a process are visible to others. */
function saveKey(apiKeys) {
  const folder = mkdtempSync(path.join(tmpdir(), "threadkeep-"));
  try {
    const file = path.join(folder, "keys.env");
    writeFileSync(file, `API_KEYS="${apiKeys}"\n`, { mode: 0o600 });
    const environment = AZURE_ENV_NAME ? ["--environment", AZURE_ENV_NAME] : [];
    execFileSync("azd", ["env", "set", "--file", file, ...environment], { stdio: ["ignore", "ignore", "inherit"] });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function isAzure(endpoint) {
  return /^https:\/\/[^/]+\.(openai\.azure\.com|cognitiveservices\.azure\.com|services\.ai\.azure\.com)(\/|$)/.test(
    endpoint,
  );
}

function stop(reason) {
  console.error(reason);
  process.exit(1);
}
