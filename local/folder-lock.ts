/**
 * One process at a time works on a folder of data. Each process that wants the folder makes a file of its own in it,
 * named after its id and its start, and then looks for files of others: of two, at least one sees the other. A file is
 * empty until its process has the folder. The file of a process that has died, killed or not, counts for nothing. The
 * processes of other machines and containers count as dead: they cannot be seen.
 */

import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";

/** What a process that has a folder tells others of itself. */
export interface Tenure {
  /** Where its app answers: `http://127.0.0.1:7071`. */
  url?: string;
  /** Where its Cosmos DB server answers. */
  cosmos?: string;
}

export interface Holder extends Tenure {
  pid: number;
}

const LOCK = /^lock-(\d+)-(\d+)$/;
const POLL_MS = 5;

/** Another process has the folder, or is about to. */
export class FolderInUse extends Error {
  readonly holder: Holder;

  constructor(folder: string, holder: Holder) {
    super(`${folder} is in use by process ${holder.pid}`);
    this.holder = holder;
  }
}

/**
 * Takes a folder, which it makes if need be. While another process has it, blocks this process for up to `patienceMs`;
 * then throws FolderInUse.
 */
export function takeFolder(folder: string, patienceMs = 0): FolderLock {
  const end = Date.now() + patienceMs;
  for (;;) {
    try {
      return attempt(folder);
    } catch (error) {
      if (!(error instanceof FolderInUse) || error.holder.pid === process.pid || Date.now() >= end) throw error;
      pause(10 * POLL_MS);
    }
  }
}

function attempt(folder: string): FolderLock {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const file = path.join(folder, `lock-${process.pid}-${startOf(process.pid) ?? 0}`);
  claim(folder, file);
  try {
    waitForTurn(folder);
    writeFileSync(file, "{}");
    return new FolderLock(file);
  } catch (error) {
    rmSync(file, { force: true });
    throw error;
  }
}

/** A folder that this process has, until it releases it or ends. */
export class FolderLock {
  readonly #file: string;
  readonly #release = () => this.release();

  constructor(file: string) {
    this.#file = file;
    process.once("exit", this.#release);
  }

  /** Tells processes that want the folder, too, where this one is reached. */
  tell(tenure: Tenure): void {
    writeFileSync(this.#file, JSON.stringify(tenure));
  }

  release(): void {
    process.off("exit", this.#release);
    rmSync(this.#file, { force: true });
  }
}

/** The process that has a folder, or undefined. */
export function holderOf(folder: string): Holder | undefined {
  return claimsIn(folder).find(({ holds }) => holds)?.holder;
}

function claim(folder: string, file: string): void {
  try {
    writeFileSync(file, "", { flag: "wx", mode: 0o600 });
  } catch (error) {
    const exists = error instanceof Error && "code" in error && error.code === "EEXIST";
    throw exists ? new FolderInUse(folder, { pid: process.pid }) : error;
  }
}

/** Of several processes that want the folder at the same moment, the one with the lowest id gets it. */
function waitForTurn(folder: string): void {
  for (;;) {
    const others = claimsIn(folder).filter(({ holder }) => holder.pid !== process.pid);
    const first = others.find(({ holds }) => holds) ?? others.find(({ holder }) => holder.pid < process.pid);
    if (first) throw new FolderInUse(folder, first.holder);
    if (others.length === 0) return;
    // They withdraw as soon as they see this process, unless they had looked before it came.
    pause(POLL_MS);
  }
}

interface Claim {
  holder: Holder;
  holds: boolean;
}

/** The claims of processes that are alive. Removes those of the dead, whose names no other process can have. */
function claimsIn(folder: string): Claim[] {
  const claims: Claim[] = [];
  for (const name of namesIn(folder)) {
    const [, id, start] = LOCK.exec(name) ?? [];
    if (id === undefined) continue;
    const pid = Number(id);
    const file = path.join(folder, name);
    if (!isRunning(pid, Number(start))) rmSync(file, { force: true });
    else {
      const text = textOf(file);
      // It may have been released since the folder was listed.
      if (text !== undefined) claims.push({ holds: text !== "", holder: { ...tenureIn(text), pid } });
    }
  }
  return claims;
}

function textOf(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}

/** Empty while the file is being written. */
function tenureIn(text: string): Tenure {
  try {
    return JSON.parse(text) as Tenure;
  } catch {
    return {};
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

const ZOMBIE = "Z";

/** Whether the process that began at this time still runs, and is not a later one with the same id. */
function isRunning(pid: number, start: number): boolean {
  const known = startOf(pid);
  // Systems may hide the processes of other users: whether there is one with this id is all that they tell.
  return known === undefined ? isThere(pid) : known === start;
}

/**
 * When a process began, in a unit of the system's own; 0 if the system does not say, undefined if it shows no such
 * process.
 */
function startOf(pid: number): number | undefined {
  if (process.platform === "win32") return isThere(pid) ? 0 : undefined;
  if (process.platform === "linux") return startOnLinux(pid);
  const { stdout } = spawnSync("ps", ["-o", "lstart=", "-p", String(pid)], { encoding: "utf8" });
  return stdout ? Date.parse(stdout.trim()) || 0 : undefined;
}

/** /proc/PID/stat: `pid (command) state ppid …`, with the start as its 22nd value. The command may hold anything. */
function startOnLinux(pid: number): number | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    const values = text.slice(text.lastIndexOf(")") + 2).split(" ");
    return values[0] === ZOMBIE ? Number.NaN : Number(values[19]);
  } catch {
    return undefined;
  }
}

function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // The process of another user.
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}

function pause(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
}
