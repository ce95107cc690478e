/** The .NET programs: built outside of the repository, and run one at a time. */
import { spawn, spawnSync } from "node:child_process";
import path from "node:path";
import { createInterface } from "node:readline";

export type Program = "service-bus" | "openai-assistants" | "openai-early-assistants" | "azure-assistants";

export interface Counts {
  passed: number;
  failed: number;
}

const SOLUTION = path.join(import.meta.dirname, "interop.slnx");
const OLDEST_SDK = 10;
const SUMMARY = /^(\d+) passed, (\d+) failed$/;

/** Why the programs cannot be built on this machine; undefined if they can. */
export function hindrance(): string | undefined {
  const { status, stdout } = spawnSync("dotnet", ["--version"], { encoding: "utf8" });
  if (status !== 0) return "there is no .NET SDK";
  const version = stdout.trim();
  return Number.parseInt(version, 10) >= OLDEST_SDK ? undefined : `the .NET SDK ${version} is older than ${OLDEST_SDK}`;
}

/** Builds all of them into the folder. False if NuGet does not have their packages; throws if they do not compile. */
export async function build(folder: string): Promise<boolean> {
  const options = ["--configuration", "Release", "--artifacts-path", folder, "-p:RestoreLockedMode=true"];
  // A build server that goes on running would keep the pipe open.
  const args = ["build", SOLUTION, ...options, "-m:1", "-nodeReuse:false", "-p:UseSharedCompilation=false"];
  const child = spawn("dotnet", args, { stdio: ["ignore", "pipe", "inherit"] });
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output += text;
  });
  const code = await ended(child);
  if (code === 0) return true;
  // NuGet: the source cannot be reached, or does not have the package.
  if (/error NU(1301|1101|1102)/.test(output)) return false;
  throw new Error(`The .NET programs could not be built.\n${output}`);
}

/** Runs a built program and shows its lines. A program that ends without its counts has failed once more. */
export async function run(folder: string, program: Program, args: string[]): Promise<Counts> {
  const file = path.join(folder, "bin", program, "release", program);
  const child = spawn(file, args, { stdio: ["ignore", "pipe", "inherit"] });
  let counts: Counts | undefined;
  createInterface(child.stdout).on("line", (line) => {
    console.log(line);
    const [, passed, failed] = SUMMARY.exec(line) ?? [];
    if (failed !== undefined) counts = { passed: Number(passed), failed: Number(failed) };
  });
  const code = await ended(child);
  if (counts !== undefined && (code === 0 || counts.failed > 0)) return counts;
  console.log(`FAILED  ${program} ended with ${code}`);
  return { passed: counts?.passed ?? 0, failed: 1 };
}

function ended(child: ReturnType<typeof spawn>): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve(code ?? 1));
  });
}
