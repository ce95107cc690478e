/** azd runs this when the app is deployed: waits until it is healthy, and says how to call it. Shows no key. */
import { setTimeout as sleep } from "node:timers/promises";

const { API_KEYS, AZURE_FUNCTION_NAME, AZURE_KEY_VAULT_NAME, CHAT_MODEL, THREADKEEP_BASE_URL } = process.env;

/** Roles of a new identity may take some minutes to be known everywhere. Milliseconds. */
const PATIENCE = Number(process.env.THREADKEEP_PATIENCE_MS || 300_000);
const PAUSE = Math.min(5_000, PATIENCE / 10);

if (!THREADKEEP_BASE_URL) {
  console.error("THREADKEEP_BASE_URL is not set: run azd provision first, or azd env refresh.");
  process.exit(1);
}

const healthUrl = new URL("/healthz", THREADKEEP_BASE_URL);
const trouble = await untilHealthy(Date.now() + PATIENCE);
console.log(howToCall());
if (trouble !== undefined) {
  console.error(
    `\nThe app is deployed, but ${healthUrl} does not answer 200 yet: ${trouble}\n` +
      `See "Troubleshooting" in docs/deploy.md, and the log of ${AZURE_FUNCTION_NAME ?? "the app"}: azd monitor --logs`,
  );
  process.exit(1);
}

/** What is wrong at the deadline, if anything is. */
async function untilHealthy(deadline) {
  for (;;) {
    const wrong = await look();
    if (wrong === undefined || Date.now() >= deadline) return wrong;
    await sleep(PAUSE);
  }
}

async function look() {
  try {
    const response = await fetch(healthUrl, { signal: AbortSignal.timeout(10_000) });
    return response.ok ? undefined : `${response.status} ${(await response.text()).slice(0, 300)}`;
  } catch (error) {
    return error.cause?.message ?? error.message;
  }
}

function howToCall() {
  const inVault = `the secret api-keys of the vault ${AZURE_KEY_VAULT_NAME}`;
  const where = API_KEYS ? `azd env get-value API_KEYS   (tenant:key; also ${inVault})` : `${inVault} (tenant:key)`;
  const key = API_KEYS ? "$(azd env get-value API_KEYS | cut -d: -f2 | cut -d, -f1)" : "<key>";
  return `
  base URL    ${THREADKEEP_BASE_URL}
  API key     ${where}

  curl ${THREADKEEP_BASE_URL}/assistants -H "Authorization: Bearer ${key}" \\
    -H "Content-Type: application/json" -d '{"model": "${CHAT_MODEL || "<model>"}"}'
`;
}
