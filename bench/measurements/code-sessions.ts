/**
 * Sessions of the local server that runs code: how soon the first cell of a session has its value, what a start costs, what
 * a session takes while it rests, and how soon one that goes on for too long is gone.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { residentBytes } from "../../local/code-sessions/memory-watch.ts";
import { Reaper } from "../../local/code-sessions/reaper.ts";
import { denoExecutable, pyodideFolder } from "../../local/code-sessions/runtime.ts";
import { LIMITS, Sandbox, type SandboxOptions } from "../../local/code-sessions/sandbox.ts";
import { API_VERSION, type CodeSessions, startCodeSessions } from "../../local/code-sessions/server.ts";
import { snapshotIn } from "../../local/code-sessions/snapshot.ts";
import type { Bench, Cell, Measurement, Outcome } from "../lib/measurement.ts";
import { cpuTime } from "../lib/processes.ts";
import { quantile } from "../lib/quantiles.ts";

const KEY = "bench";
const SESSIONS = 4;
/** Milliseconds that resting sessions are looked at. */
const REST = 3000;
const MEGABYTE = 1_000_000;
const SPARE_POLL_MS = 20;

export const codeSessions: Measurement = {
  name: "code-sessions",
  title: "Local sessions that run code",
  worksRemotely: false,
  measure,
};

async function measure(bench: Bench): Promise<Outcome> {
  const cache = mkdtempSync(path.join(tmpdir(), "code-bench-"));
  try {
    const starts = await measureStarts(bench, cache);
    const server = await startCodeSessions({ key: KEY, cache, maxSessions: SESSIONS });
    const used = await measureUse(bench, server).finally(() => server.stop());
    return outcomeOf(starts, used);
  } finally {
    rmSync(cache, { recursive: true, force: true });
  }
}

interface Starts {
  plain: Taken;
  snapshot: Taken;
}

/** Milliseconds: medians. */
interface Taken {
  wall: number;
  cpu: number;
}

async function measureStarts({ quick, say }: Bench, cache: string): Promise<Starts> {
  const reaper = new Reaper();
  const options: SandboxOptions = {
    ...{ deno: denoExecutable(), pyodide: pyodideFolder(), reaper, limits: LIMITS },
    ...{ snapshot: undefined, cache: undefined, lockFile: undefined, packages: {} },
    provide: async () => false,
  };
  try {
    say("starts from the beginning");
    const plain = await startsOf(options, quick ? 1 : 3);
    say("starts from the snapshot");
    const snapshot = await startsOf({ ...options, snapshot: await snapshotIn(cache, options) }, quick ? 3 : 11);
    return { plain, snapshot };
  } finally {
    reaper.stop();
  }
}

async function startsOf(options: SandboxOptions, count: number): Promise<Taken> {
  const [walls, cpus]: [number[], number[]] = [[], []];
  for (let done = 0; done < count; done++) {
    const begin = performance.now();
    const sandbox = await Sandbox.start(options);
    walls.push(performance.now() - begin);
    cpus.push(cpuTime(sandbox.pid));
    sandbox.kill("closed");
    await sandbox.exited;
  }
  return { wall: quantile(walls, 0.5), cpu: quantile(cpus, 0.5) };
}

interface Use {
  firstWithSpare: number;
  warm: number[];
  /** milliseconds of all sessions while they rest */
  restingCpu: number;
  /** bytes of all sessions together */
  resident: number;
  killedAfter: number;
}

async function measureUse({ quick, say }: Bench, server: CodeSessions): Promise<Use> {
  const { endpoint } = server;
  await cell(endpoint, "session-0", "1 + 1");
  say("cells");
  const warm: number[] = [];
  for (let done = 0; done < (quick ? 20 : 200); done++) warm.push(await cell(endpoint, "session-0", "1 + 1"));
  const firsts: number[] = [];
  for (let number = 1; number < SESSIONS; number++) {
    const { starts } = await server.stats();
    // The spare one begins after the first use of the one before.
    while ((await server.stats()).starts.snapshot <= number) await sleep(SPARE_POLL_MS);
    firsts.push(await cell(endpoint, `session-${number}`, "1 + 1"));
    if (starts.fallback > 0) throw new Error("a start fell back to the plain one");
  }
  say("rest");
  const pids = (await server.stats()).sessions.map(({ pid }) => pid);
  const cpu = () => pids.reduce((sum, pid) => sum + cpuTime(pid), 0);
  const before = cpu();
  await sleep(REST);
  const restingCpu = cpu() - before;
  const resident = pids.reduce((sum, pid) => sum + residentBytes(pid), 0);
  const killedAfter = (await cell(endpoint, "session-1", "while True: pass", 1)) - 1000;
  return { firstWithSpare: quantile(firsts, 0.5), warm, restingCpu, resident, killedAfter };
}

/** Milliseconds until the answer. */
async function cell(endpoint: string, identifier: string, code: string, timeoutInSeconds = 60): Promise<number> {
  const query = new URLSearchParams({ "api-version": API_VERSION, identifier });
  const order = { codeInputType: "Inline", executionType: "Synchronous", code, timeoutInSeconds };
  const begin = performance.now();
  const response = await fetch(`${endpoint}/executions?${query}`, {
    method: "POST",
    headers: { authorization: `Bearer ${KEY}` },
    body: JSON.stringify(order),
  });
  const text = await response.text();
  if (response.status !== 200) throw new Error(`an execution was answered with ${response.status} ${text}`);
  return performance.now() - begin;
}

const rounded = (value: number) => (value < 10 ? Math.round(value * 10) / 10 : Math.round(value));

function outcomeOf({ plain, snapshot }: Starts, use: Use): Outcome {
  const warm = quantile(use.warm, 0.5);
  const rows: Cell[][] = [
    ["start from the beginning", rounded(plain.wall), rounded(plain.cpu)],
    ["start from the snapshot", rounded(snapshot.wall), rounded(snapshot.cpu)],
    ["first cell of a session, with a spare one", rounded(use.firstWithSpare), ""],
    ["a cell, warm: p50", rounded(warm), ""],
    ["a cell, warm: p95", rounded(quantile(use.warm, 0.95)), ""],
    [`${SESSIONS} sessions that rest for ${REST / 1000} s`, "", use.restingCpu],
    ["answer after the time of an execution was over", rounded(use.killedAfter), ""],
  ];
  return {
    tables: [{ title: "Milliseconds", columns: ["", "wall", "processor"], rows }],
    goals: [
      { text: "a warm cell", measured: warm, unit: "ms", bound: 30, kind: "at most" },
      { text: "first cell, with a spare one", measured: use.firstWithSpare, unit: "ms", bound: 60, kind: "at most" },
      {
        text: "start from the snapshot",
        measured: snapshot.cpu / plain.cpu,
        unit: "of plain",
        bound: 0.2,
        kind: "at most",
      },
      { text: "processor of sessions that rest", measured: use.restingCpu, unit: "ms", bound: 0, kind: "at most" },
      { text: "killed after its time", measured: use.killedAfter, unit: "ms", bound: 200, kind: "at most" },
      {
        text: `memory of ${SESSIONS} sessions`,
        measured: Math.round(use.resident / MEGABYTE),
        unit: "MB",
        bound: 1000,
        kind: "at most",
      },
    ],
    figures: [],
    notes: ["Memory is the sum of what each process has resident: pages of Deno's program count once for each."],
  };
}
