// `npm run dev`: like `npm start`, and every change of the sources is compiled and served at once. Only the functions
// host starts anew; the data, the queue and the model stay as they are.

import { spawn } from "node:child_process";
import { existsSync, type FSWatcher, readdirSync, watch } from "node:fs";
import path from "node:path";
import { type Child, type Exit, exitText } from "./child.ts";
import { PROJECT, readOptions } from "./options.ts";
import { type Stack, startStack } from "./stack.ts";
import { apiKeys, onRequestToStop, refuseBusyPorts, remarks, shownKey, takeDataFolder } from "./workplace.ts";

const options = readOptions("npm run dev");
const sourceFolders = ["functions", "src"];
const hostSettings = "host.json";

/** Editors write a file in several steps, and a checkout changes many: wait until it has been quiet for so long. */
const quietMs = 100;

const stopping = new AbortController();
onRequestToStop(() => void stop(0));

let stack: Stack | undefined;

async function run(): Promise<void> {
  const folder = takeDataFolder(options);
  try {
    stack = await start();
  } catch (error) {
    if (!stopping.signal.aborted) console.error(error instanceof Error ? error.message : String(error));
    process.exit(stopping.signal.aborted ? 0 : 1);
  }
  folder.tell({ url: new URL(stack.baseUrl).origin, cosmos: stack.cosmos.endpoint });
  for (const line of remarks(options)) console.log(line);
  console.log(`
Threadkeep is running at ${stack.baseUrl} with the API key ${shownKey(stack.apiKey)}.
Changes in ${[...sourceFolders, hostSettings].join(", ")} are compiled and served. Ctrl-C stops it.
`);
  await followChanges(stack);
}

/** Starts everything on the ports and the data of `npm start`, so that a client needs no other settings. */
async function start(): Promise<Stack> {
  const { ports, host, cors, dataDir } = options;
  await refuseBusyPorts(options);
  return startStack({
    ports,
    host,
    cors,
    dataDir,
    blobs: true,
    code: { packages: "fetch", isPrepared: true, makesRoom: true },
    env: { API_KEYS: await apiKeys(dataDir) },
    log: "inherit",
    onDeath,
    signal: stopping.signal,
  });
}

/** Builds and restarts after each change, one after the other; ends when the process is asked to stop. */
async function followChanges({ processes }: Stack): Promise<void> {
  const changes = new Changes(
    sourceFolders.map((folder) => path.join(PROJECT, folder)),
    path.join(PROJECT, hostSettings),
  );
  // A build with errors emits files too, and the build that mends them may emit none: the restart stays due meanwhile.
  let isStale = false;
  while (!stopping.signal.aborted) {
    const changed = await changes.next();
    const { ok, output, emitted } = await build();
    isStale ||= emitted || changed.has(hostSettings);
    if (!ok) console.error(`${output}\nThe app was not restarted: it still runs as before.`);
    else if (isStale) isStale = !(await restart(processes.functions));
  }
}

/** Resolves with false, having printed the reason, if the app did not start; the next change starts it again. */
async function restart(functions: Child): Promise<boolean> {
  const begin = Date.now();
  try {
    await functions.restart();
    console.log(`Restarted in ${Date.now() - begin} ms.`);
    return true;
  } catch (error) {
    if (!stopping.signal.aborted) console.error(error instanceof Error ? error.message : String(error));
    return false;
  }
}

/** Watches all files below some folders and one file beside them, and collects the names of those that change. */
class Changes {
  readonly #watched = new Map<string, FSWatcher>();
  #names = new Set<string>();
  #wake: (() => void) | undefined;

  constructor(folders: string[], file: string) {
    for (const folder of folders) this.#watchFolder(folder);
    watch(path.dirname(file), (_, name) => {
      if (name === path.basename(file)) this.#note(name);
    });
  }

  /**
   * A watcher for each folder: the recursive one of Node 24 on Linux follows files, and loses those that an editor
   * saves by renaming a new file over the old one.
   */
  #watchFolder(folder: string): void {
    if (this.#watched.has(folder)) return;
    const watcher = watch(folder, (_, name) => {
      this.#watchFoldersIn(folder);
      this.#note(name ?? folder);
    });
    watcher.on("error", () => this.#forget(folder));
    this.#watched.set(folder, watcher);
    this.#watchFoldersIn(folder);
  }

  #watchFoldersIn(folder: string): void {
    if (!existsSync(folder)) {
      this.#forget(folder);
      return;
    }
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      if (entry.isDirectory()) this.#watchFolder(path.join(folder, entry.name));
    }
  }

  #forget(folder: string): void {
    this.#watched.get(folder)?.close();
    this.#watched.delete(folder);
  }

  #note(name: string): void {
    this.#names.add(name);
    this.#wake?.();
  }

  /** Resolves with the names changed since the last call, once a file has changed and none has for `quietMs`. */
  async next(): Promise<Set<string>> {
    if (this.#names.size === 0) await this.#change();
    while (await this.#changesWithin(quietMs));
    const names = this.#names;
    this.#names = new Set();
    return names;
  }

  #change(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  #changesWithin(ms: number): Promise<boolean> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(false), ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve(true);
      };
    });
  }
}

/** Compiles incrementally. `emitted` says whether any file of the output is new: a changed comment restarts nothing. */
async function build(): Promise<{ ok: boolean; output: string; emitted: boolean }> {
  const compiler = path.join(PROJECT, "node_modules/typescript/bin/tsc");
  const args = [compiler, "-p", "tsconfig.build.json", "--pretty", "false", "--listEmittedFiles"];
  const child = spawn(process.execPath, args, { cwd: PROJECT, stdio: ["ignore", "pipe", "inherit"] });
  let text = "";
  child.stdout.on("data", (chunk: Buffer) => {
    text += chunk.toString();
  });
  const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
  const isEmitted = (line: string) => line.startsWith("TSFILE:");
  const lines = text.trim().split("\n");
  return {
    ok: code === 0,
    output: lines.filter((line) => !isEmitted(line)).join("\n"),
    emitted: lines.some((line) => isEmitted(line) && line.endsWith(".js")),
  };
}

/** An app that crashes is started again by the next change; without one of its servers nothing works. */
function onDeath(child: Child, exit: Exit): void {
  console.error(`${child.name} died (${exitText(exit)}).`);
  if (child.name !== "functions") void stop(1);
}

async function stop(exitCode: number): Promise<void> {
  if (stopping.signal.aborted) return;
  stopping.abort();
  // If the stack is still starting, the abort kills its processes, `startStack` rejects, and `run` ends this process.
  if (!stack) return;
  await stack.stop();
  process.exit(exitCode);
}

await run();
