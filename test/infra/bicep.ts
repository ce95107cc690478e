/** The real Bicep CLI, from NuGet: compiles, lints and formats the templates and tells what they would create. */
import { spawnSync } from "node:child_process";
import { chmodSync, readFileSync } from "node:fs";
import path from "node:path";

const PROJECT = path.join(import.meta.dirname, "bicep.csproj");

/** What NuGet calls the platforms that the CLI is published for. */
const PLATFORMS: Record<string, string> = {
  "darwin-arm64": "osx-arm64",
  "darwin-x64": "osx-x64",
  "linux-arm64": "linux-arm64",
  "linux-x64": "linux-x64",
  "win32-x64": "win-x64",
};

/** Names of everything in a snapshot depend on these. */
const PLACE = [
  ["--subscription-id", "00000000-0000-0000-0000-000000000000"],
  ["--tenant-id", "11111111-1111-1111-1111-111111111111"],
  ["--location", "swedencentral"],
  ["--deployment-name", "threadkeep"],
].flat();

export interface Answer {
  /** what the CLI printed: nothing if all is well */
  text: string;
  ok: boolean;
}

export class Bicep {
  readonly #program: string;

  constructor(program: string) {
    this.#program = program;
  }

  build(file: string, into: string): Answer {
    return this.#run("build", file, "--no-restore", "--outfile", into);
  }

  lint(file: string): Answer {
    return this.#run("lint", file, "--no-restore");
  }

  /** Formats the files of a folder in place. */
  format(folder: string): Answer {
    const [templates, parameters] = ["bicep", "bicepparam"].map((ending) =>
      this.#run("format", "--pattern", path.join(folder, "**", `*.${ending}`)),
    );
    return { text: `${templates?.text}${parameters?.text}`, ok: templates?.ok === true && parameters?.ok === true };
  }

  /** Writes NAME.snapshot.json beside NAME.bicepparam. */
  snapshot(parameters: string): Answer {
    return this.#run("snapshot", parameters, "--mode", "overwrite", ...PLACE);
  }

  #run(...args: string[]): Answer {
    // The CLI looks for libicu otherwise, which small images do not have.
    const env = { ...process.env, DOTNET_SYSTEM_GLOBALIZATION_INVARIANT: "1" };
    const { status, stdout, stderr, error } = spawnSync(this.#program, args, { env, encoding: "utf8" });
    if (error) throw error;
    return { text: stdout + stderr, ok: status === 0 };
  }
}

/** The CLI in the version of bicep.csproj, or why it cannot be had here. `folder` is for what the restore writes. */
export function findBicep(folder: string): Bicep | string {
  const platform = PLATFORMS[`${process.platform}-${process.arch}`];
  if (platform === undefined) return "the Bicep CLI is not published for this platform";
  if (spawnSync("dotnet", ["--version"]).status !== 0) return "there is no .NET SDK to get the Bicep CLI with";
  const options = ["--artifacts-path", folder, `-p:BicepPlatform=${platform}`];
  const { status, stdout } = spawnSync("dotnet", ["restore", PROJECT, ...options], { encoding: "utf8" });
  // NuGet: the source cannot be reached, or does not have the package. An SDK before .NET 10 does not know the framework.
  if (status !== 0 && /error (NU1301|NU1101|NU1102|NETSDK1045)/.test(stdout)) {
    return "the Bicep CLI cannot be had here from NuGet";
  }
  if (status !== 0) throw new Error(`The Bicep CLI could not be restored.\n${stdout}`);
  const program = path.join(packages(), `azure.bicep.commandline.${platform}`, version(), "tools", "bicep");
  const file = process.platform === "win32" ? `${program}.exe` : program;
  // NuGet keeps no permissions.
  chmodSync(file, 0o755);
  return new Bicep(file);
}

/** Where NuGet keeps packages: outside of the repository. */
function packages(): string {
  const list = ["nuget", "locals", "global-packages", "--list", "--force-english-output"];
  const { stdout } = spawnSync("dotnet", list, { encoding: "utf8" });
  const found = /global-packages: (.+)/.exec(stdout)?.[1]?.trim();
  if (found === undefined) throw new Error(`dotnet nuget locals told no folder: ${stdout}`);
  return found;
}

function version(): string {
  const found = /Version="\[(.+)\]"/.exec(readFileSync(PROJECT, "utf8"))?.[1];
  if (found === undefined) throw new Error(`${PROJECT} has no version`);
  return found;
}
