/** Where Deno and Pyodide are: packages of this project's, used without any install script. */
import { realpathSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import path from "node:path";
import { z } from "zod";

const { resolve } = createRequire(import.meta.url);

/** Why there is no sandbox on this machine, for people. */
export class NoSandbox extends Error {}

/** The path of Deno's executable. Throws NoSandbox where Deno has none, or where it was not installed. */
export function denoExecutable(platform: string = process.platform, arch: string = process.arch): string {
  const name = `@deno/${platform}-${arch}${platform === "linux" ? "-glibc" : ""}`;
  try {
    const folder = path.dirname(resolve(`${name}/package.json`));
    return path.join(folder, platform === "win32" ? "deno.exe" : "deno");
  } catch {
    throw new NoSandbox(
      `The package ${name} is not installed: either Deno has no build for this system (there is none for musl), or ` +
        "npm was told to omit optional packages. Without it no Python runs here; everything else works.",
    );
  }
}

/** The folder of Pyodide, without symbolic links: Deno's permissions are about real paths. */
export function pyodideFolder(): string {
  return realpathSync(path.dirname(resolve("pyodide/package.json")));
}

export async function versionOf(folder: string): Promise<string> {
  const found = z.looseObject({ version: z.string() });
  return found.parse(JSON.parse(await readFile(path.join(folder, "package.json"), "utf8"))).version;
}
