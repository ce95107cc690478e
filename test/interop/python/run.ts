/**
 * `npm run test:python`: every example of the original's reference pages, verbatim but for its ids, and the README's
 * snippet, through old and new versions of OpenAI's Python library. What cannot be had is told in one line each.
 *
 * LIBRARIES: folders, comma separated, that hold the library with all that it needs, one version each, as PYTHONPATH has
 * them: used by the python3 of PYTHON instead of what pip installs.
 */
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { type Stack, startStack } from "../../../local/stack.ts";
import { exampleOfReadme, examplesOfPages, pagesExist } from "./examples.ts";
import { type Ids, SCENES, World } from "./scenes.ts";

/** From the time of the pages to the newest. */
const VERSIONS = ["openai~=1.42.0", "openai~=1.57.0", "openai>=2,<3", "openai"];

/** Milliseconds. */
const INSTALL_TIMEOUT = 120_000;
const EXAMPLE_TIMEOUT = 60_000;

/** Examples that run beside each other. */
const AT_A_TIME = 3;

/** What the examples take for granted: the first one of each page imports it, or makes it. */
const PRELUDE = "import os\n";
const CONVERSATION = `from types import SimpleNamespace
from openai import AzureOpenAI
client = AzureOpenAI(api_key=os.getenv("AZURE_OPENAI_API_KEY"), api_version="2024-08-01-preview",
                     azure_endpoint=os.getenv("AZURE_OPENAI_ENDPOINT"))
thread, assistant = SimpleNamespace(id="thread_abc123"), SimpleNamespace(id="asst_abc123")
`;

interface Outcome {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** A version of the library that is here: an interpreter, and what its environment needs to find the library. */
interface Installation {
  python: string;
  env: Record<string, string>;
}

type Installed = Installation | { problem: "no registry" | "no such version" };

/** A Python with this version of the library, in a folder, or why there is none. */
function install(folder: string, version: string): Installed {
  const venv = path.join(folder, version.replace(/[^a-z0-9.]/g, "-"));
  const made = spawnSync("python3", ["-m", "venv", venv], { encoding: "utf8", timeout: INSTALL_TIMEOUT });
  if (made.status !== 0) return { problem: "no registry" };
  const python = path.join(venv, process.platform === "win32" ? "Scripts/python.exe" : "bin/python");
  const pip = ["-m", "pip", "install", "--quiet", "--retries", "0", "--timeout", "15"];
  // Before 1.56 the library hands an argument to httpx that 0.28 does not take any more.
  const packages = version.startsWith("openai~=1.4") ? [version, "httpx<0.28"] : [version];
  const { status, stderr } = spawnSync(python, [...pip, ...packages], { encoding: "utf8", timeout: INSTALL_TIMEOUT });
  if (status === 0) return { python, env: {} };
  return { problem: /connection|from versions: none/i.test(stderr) ? "no registry" : "no such version" };
}

function execute(python: string, code: string, env: Record<string, string>): Promise<Outcome> {
  const child = spawn(python, ["-"], { env: { ...process.env, ...env }, timeout: EXAMPLE_TIMEOUT });
  const outcome: Outcome = { code: null, stdout: "", stderr: "" };
  child.stdout.setEncoding("utf8").on("data", (text) => {
    outcome.stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text) => {
    outcome.stderr += text;
  });
  child.stdin.end(code);
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (exit) => resolve({ ...outcome, code: exit }));
  });
}

const withIds = (text: string, ids: Ids) =>
  Object.entries(ids).reduce((result, [placeholder, id]) => result.replaceAll(placeholder, id), text);

interface Example {
  name: string;
  code(): Promise<string>;
  prints: RegExp;
}

function examples(stack: Stack): Example[] {
  const world = new World(stack);
  const ofReadme: Example = {
    name: "README.md",
    code: async () => exampleOfReadme().replace("http://127.0.0.1:7071/v1", stack.baseUrl),
    prints: /^completed .*What is a thread\?/,
  };
  if (!pagesExist()) {
    console.log("Python: the examples of the reference pages are skipped, as the pages are not here.");
    return [ofReadme];
  }
  const ofPages = examplesOfPages().map((text, index): Example => {
    const scene = SCENES.find(({ calls }) => text.includes(calls));
    if (scene === undefined) throw new Error(`Nothing is prepared for this example:\n${text}`);
    const before = PRELUDE + (text.includes("AzureOpenAI(") || text.includes("OpenAI()") ? "" : CONVERSATION);
    const code = async () => withIds(before + text, await scene.prepare(world));
    return { name: `example ${index + 1}, ${scene.calls})`, code, prints: scene.prints };
  });
  return [ofReadme, ...ofPages];
}

async function failures(
  { python, env: own }: Installation,
  version: string,
  all: Example[],
  stack: Stack,
): Promise<number> {
  const env = {
    ...own,
    AZURE_OPENAI_API_KEY: stack.apiKey,
    AZURE_OPENAI_ENDPOINT: new URL(stack.baseUrl).origin,
    OPENAI_API_KEY: stack.apiKey,
    OPENAI_BASE_URL: stack.baseUrl,
    THREADKEEP_KEY: stack.apiKey,
    PYTHONWARNINGS: "ignore",
  };
  const waiting = [...all];
  let failed = 0;
  const runner = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const { code, stdout, stderr } = await execute(python, await next.code(), env);
      if (code === 0 && next.prints.test(stdout.trimEnd())) continue;
      failed += 1;
      console.error(`Python: ${version}: ${next.name} failed (exit code ${code}).\n${stdout}${stderr}`);
    }
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, runner));
  return failed;
}

/** The versions that can be had, one after the other. */
function* installations(folder: string): Generator<Installation> {
  const { LIBRARIES, PYTHON = "python3" } = process.env;
  if (LIBRARIES !== undefined) {
    for (const each of LIBRARIES.split(",")) yield { python: PYTHON, env: { PYTHONPATH: each } };
    return;
  }
  for (const version of VERSIONS) {
    const installed = install(folder, version);
    if (!("problem" in installed)) {
      yield installed;
      continue;
    }
    if (installed.problem === "no registry") {
      console.log("Python: skipped, as python3 or a registry for its packages is not here.");
      return;
    }
    console.log(`Python: ${version} is skipped, as pip cannot install it here.`);
  }
}

const folder = mkdtempSync(path.join(tmpdir(), "threadkeep-python-"));
const stack = await startStack({ log: "quiet" });
try {
  const all = examples(stack);
  const done = new Set<string>();
  for (const installed of installations(folder)) {
    const { stdout, stderr } = await execute(
      installed.python,
      "import openai; print(openai.__version__)",
      installed.env,
    );
    const number = stdout.trim();
    if (number === "") throw new Error(`There is no library that Python can import.\n${stderr}`);
    // The newest of all may be the newest of its major version, too.
    if (done.has(number)) continue;
    done.add(number);
    const failed = await failures(installed, number, all, stack);
    console.log(`Python: openai ${number}: ${all.length - failed} of ${all.length} examples are right.`);
    if (failed > 0) process.exitCode = 1;
  }
} finally {
  await stack.stop();
  rmSync(folder, { recursive: true, force: true });
}
