/**
 * Whether packages that sessions may import can be fetched and used here: `node local/code-sessions/try-packages.ts`.
 * Needs the internet, and ends with 1 if something does not work.
 */
import { randomBytes } from "node:crypto";
import path from "node:path";
import { z } from "zod";
import { API_VERSION, startCodeSessions } from "./server.ts";

const PROJECT = path.join(import.meta.dirname, "../..");
/** Seconds; packages are fetched meanwhile. */
const PATIENCE = 220;

/** Each a cell that is worth "ok". */
const TRIALS: Record<string, string> = {
  numpy: "import numpy as np\n'ok' if np.arange(6).reshape(2, 3).sum() == 15 else 'wrong'",
  pandas: `import io, pandas as pd
table = pd.read_csv(io.StringIO("city,people\\nBern,134\\nKiel,247\\n"))
'ok' if table.people.sum() == 381 else 'wrong'`,
  matplotlib: `import io, matplotlib.pyplot as plt
plt.plot([1, 4, 9])
picture = io.BytesIO()
plt.savefig(picture, format="png")
'ok' if picture.getvalue().startswith(b"\\x89PNG") else 'wrong'`,
  pillow: "from PIL import Image\n'ok' if Image.new('RGB', (2, 3)).size == (2, 3) else 'wrong'",
  scipy: "from scipy import stats\n'ok' if abs(stats.norm.cdf(0) - 0.5) < 1e-9 else 'wrong'",
  "scikit-learn": `from sklearn.linear_model import LinearRegression
'ok' if abs(LinearRegression().fit([[0], [1]], [0, 2]).coef_[0] - 2) < 1e-9 else 'wrong'`,
  sympy: "import sympy\n'ok' if sympy.diff('x**2', 'x') == sympy.sympify('2*x') else 'wrong'",
};

const told = z.object({
  status: z.string(),
  error: z.object({ error: z.object({ message: z.string() }) }).optional(),
  result: z.object({ stderr: z.string(), executionResult: z.unknown() }).optional(),
});
const metadata = z.object({ preInstalledPackages: z.array(z.object({ name: z.string(), version: z.string() })) });

const key = randomBytes(16).toString("hex");
const server = await startCodeSessions({
  key,
  cache: path.join(PROJECT, "node_modules/.cache/code-sessions"),
  wheelFolder: path.join(PROJECT, ".local/code-sessions"),
  packages: "fetch",
  keepsSpare: false,
});
const url = (operation: string) =>
  `${server.endpoint}/${operation}?${new URLSearchParams({ "api-version": API_VERSION, identifier: "trial" })}`;
const headers = { authorization: `Bearer ${key}` };

const { preInstalledPackages: packages } = metadata.parse(await (await fetch(url("metadata"), { headers })).json());
console.log(`To be had: ${packages.map(({ name, version }) => `${name} ${version}`).join(", ") || "nothing"}`);
for (const [name, code] of Object.entries(TRIALS)) {
  const begin = performance.now();
  const outcome = await outcomeOf(code);
  console.log(`${name.padEnd(14)} ${outcome} (${Math.round(performance.now() - begin)} ms)`);
  if (outcome !== "ok") process.exitCode = 1;
}
await server.stop();

async function outcomeOf(code: string): Promise<string> {
  const order = { codeInputType: "Inline", executionType: "Synchronous", code, timeoutInSeconds: PATIENCE };
  const response = await fetch(url("executions"), { method: "POST", headers, body: JSON.stringify(order) });
  const { result, error } = told.parse(await response.json());
  if (result?.executionResult === "ok") return "ok";
  return error?.error.message ?? result?.stderr.trim().split("\n").at(-1) ?? "no answer";
}
