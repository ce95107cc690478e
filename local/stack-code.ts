/** The part of the local stack that runs code: the local server of Azure's dynamic sessions. */
import { randomBytes } from "node:crypto";
import path from "node:path";
import type { Ready } from "./child.ts";

export interface CodeChoice {
  /** What sessions can import besides Python's own library, unless CODE_PACKAGES says; off if absent. */
  packages?: "off" | "cache" | "fetch";
  /** How many sessions there may be, unless MAX_CODE_SESSIONS says; 4 if absent. */
  maxSessions?: number;
  /** Seconds without a request after which a session ends, as in Azure if absent. */
  idle?: number;
  /** Makes the interpreter's snapshot at the start instead of at the first use. */
  isPrepared?: boolean;
  /** Ends the session that has rested the longest when there are too many, which Azure does not. */
  makesRoom?: boolean;
}

/** Where the app finds its sessions. */
export interface CodeSessionsAddress {
  endpoint: string;
  key: string;
}

const PACKAGE_MODES = ["off", "cache", "fetch"];

/** What is wrong with the variables that this part reads, in words for the user; undefined if nothing is. */
export function codeProblem({ MAX_CODE_SESSIONS: most, CODE_PACKAGES: mode }: NodeJS.ProcessEnv): string | undefined {
  if (most && !/^[1-9]\d{0,3}$/.test(most)) return `MAX_CODE_SESSIONS must be a whole number from 1, not "${most}".`;
  if (mode && !PACKAGE_MODES.includes(mode)) return `CODE_PACKAGES must be off, cache or fetch, not "${mode}".`;
  return undefined;
}

/** In a few words, for those who start the stack. */
export function codeWords({ CODE_SESSIONS_ENDPOINT: pool, CODE_PACKAGES: mode }: NodeJS.ProcessEnv): string {
  if (pool) return `sessions of ${pool}`;
  const packages: Record<string, string> = {
    off: "Python's own library only",
    cache: "and the packages that were fetched before",
  };
  return `Python in a local sandbox, ${packages[mode ?? ""] ?? "which fetches numpy and others at first use"}`;
}

/** What follows from the packages that are installed, so all stacks share it. */
export const CODE_CACHE = path.join(import.meta.dirname, "../node_modules/.cache/code-sessions");

export const newKey = () => randomBytes(16).toString("hex");

export function codeSpec(
  port: number,
  key: string,
  { packages, maxSessions, idle, isPrepared, makesRoom }: CodeChoice,
  dataDir: string | undefined,
  env: NodeJS.ProcessEnv,
  more: string[] = [],
) {
  const wheels = dataDir === undefined ? [] : ["--wheels", path.resolve(dataDir, "code-sessions")];
  const most = ["--max-sessions", env.MAX_CODE_SESSIONS || String(maxSessions ?? 4)];
  const rest = idle === undefined ? [] : ["--idle", String(idle)];
  const mode = ["--packages", env.CODE_PACKAGES || packages || "off"];
  const prepare = isPrepared ? ["--prepare"] : [];
  const room = makesRoom ? ["--make-room"] : [];
  const args = [
    "--key",
    key,
    "--cache",
    CODE_CACHE,
    ...wheels,
    ...most,
    ...rest,
    ...mode,
    ...prepare,
    ...room,
    ...more,
  ];
  return {
    name: "code-sessions",
    ports: { port },
    args: (ready: Ready) => ["local/code-sessions/main.ts", "--port", String(ready.port), ...args],
  };
}

export const codeAddress = (port: number, key: string): CodeSessionsAddress => ({
  endpoint: `http://127.0.0.1:${port}`,
  key,
});

/** An app with an identity gets a token for its sessions and needs no key. */
export function codeSettings({ endpoint, key }: CodeSessionsAddress, hasIdentity: boolean): Record<string, string> {
  return { CODE_SESSIONS_ENDPOINT: endpoint, ...(hasIdentity ? {} : { CODE_SESSIONS_KEY: key }) };
}
