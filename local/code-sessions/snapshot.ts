/**
 * The memory of an interpreter that has started, kept in a file: a start from it takes an eighth of the processor time.
 * The file's name says what made it. Pyodide's interface for this is not public; where it fails, starts are plain ones.
 */
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import { versionOf } from "./runtime.ts";
import { Sandbox, type SandboxOptions } from "./sandbox.ts";

/** What a snapshot depends on besides the versions. */
const INGREDIENTS = ["pyodide.asm.mjs", "pyodide.asm.wasm", "python_stdlib.zip", "pyodide.mjs"];
const CHILD = path.join(import.meta.dirname, "child.mjs");

/** The file of the snapshot in this folder, which is made if need be. Throws if that fails. */
export async function snapshotIn(folder: string, options: SandboxOptions): Promise<string> {
  const file = path.join(folder, await nameFor(options));
  if (await isThere(file)) return file;
  const memory = await Sandbox.snapshot({ ...options, snapshot: undefined });
  await mkdir(folder, { recursive: true, mode: 0o700 });
  // Others may be making it as well: the last one to finish wins, with the same bytes.
  const draft = `${file}.${process.pid}`;
  await writeFile(draft, memory, { mode: 0o600 });
  await rename(draft, file);
  await removeOthers(folder, file);
  return file;
}

export const forget = (file: string): Promise<void> => rm(file, { force: true });

async function nameFor({ deno, pyodide }: SandboxOptions): Promise<string> {
  const hash = createHash("sha256").update(deno);
  const files = [...INGREDIENTS.map((name) => path.join(pyodide, name)), CHILD];
  for (const file of files) hash.update(await readFile(file));
  // A Deno of another version has another size, or is another file at least.
  const { size, mtimeMs } = await stat(deno);
  hash.update(`${size} ${mtimeMs}`);
  return `pyodide-${await versionOf(pyodide)}-${hash.digest("hex").slice(0, 16)}.snapshot`;
}

/** Those of other versions. */
async function removeOthers(folder: string, kept: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (name.endsWith(".snapshot") && name !== path.basename(kept)) await forget(path.join(folder, name));
  }
}

async function isThere(file: string): Promise<boolean> {
  return stat(file).then(
    (found) => found.size > 0,
    () => false,
  );
}
