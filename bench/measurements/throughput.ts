/** Completed runs per second with a model that answers at once, and where the CPU time goes. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import type { Bench, Cell, Goal, Measurement, Outcome } from "../lib/measurement.ts";
import { summary } from "../lib/quantiles.ts";
import type { Subject } from "../lib/subject.ts";
import { total } from "../throughput/cpu.ts";
import { type Answers, emptyHostCpu, onEmptyApp, takeDown } from "../throughput/empty-app.ts";
import { type Load, load } from "../throughput/load.ts";
import { FUNCTION, MODES, type Mode } from "../throughput/modes.ts";
import { profileTable, profiling } from "../throughput/profile.ts";

const CONCURRENCIES = [1, 8, 32, 128];

/** The one that the goals are for. */
const USUAL = 32;

interface Measured {
  mode: Mode;
  lanes: number;
  load: Load;
}

export const throughput: Measurement = {
  name: "throughput",
  title: "Throughput",
  worksRemotely: true,
  measure: (bench) => (bench.profile ? profiles(bench) : measure(bench)),
};

async function measure(bench: Bench): Promise<Outcome> {
  const { measured, answers } = await bench.onApp({}, async (subject) => {
    const assistant = await assistantFor(subject);
    const measured: Measured[] = [];
    bench.say("warming up");
    for (const mode of MODES.slice(0, -1)) await load(subject, assistant, mode, runsFor(bench, USUAL), USUAL);
    for (const mode of MODES) {
      for (const lanes of CONCURRENCIES) {
        bench.say(`${mode.name}, ${lanes} at a time`);
        measured.push({ mode, lanes, load: await load(subject, assistant, mode, runsFor(bench, lanes), lanes) });
      }
    }
    return { measured, answers: await takeDown(subject, assistant) };
  });
  const outcome = { tables: [speedTable(measured)], goals: speedGoals(measured), figures: [], notes: [] };
  return bench.isRemote ? outcome : withCpu(bench, outcome, measured, answers);
}

async function assistantFor(subject: Subject): Promise<string> {
  const model = subject.stack ? "instant" : await subject.modelThat("", {});
  return subject.assistant(model, [FUNCTION]);
}

function runsFor(bench: Bench, lanes: number): number {
  if (bench.isRemote) return lanes * 4;
  if (bench.quick) return lanes === 1 ? 30 : lanes * 4;
  return lanes === 1 ? 200 : 1000;
}

function speedTable(measured: Measured[]) {
  const rows = measured.map(({ mode, lanes, load: { runsPerSecond, latencies, pollsPerRun } }): Cell[] => {
    const { p50, p99 } = summary(latencies);
    return [`${mode.name}, ${lanes} at a time`, latencies.length, runsPerSecond, p50, p99, pollsPerRun];
  });
  const columns = ["runs", "measured", "runs/s", "p50 ms", "p99 ms", "polls per run"];
  return { title: "Completed runs per second", columns, rows };
}

function speedGoals(measured: Measured[]): Goal[] {
  return measured
    .filter(({ mode, lanes }) => lanes === USUAL && mode.name !== "with a tool call")
    .map(({ mode, load }) => ({
      text: `${mode.name} runs at concurrency ${USUAL}`,
      measured: load.runsPerSecond,
      unit: "runs/s",
      bound: 150,
      kind: "at least",
    }));
}

async function withCpu(bench: Bench, outcome: Outcome, measured: Measured[], answers: Answers): Promise<Outcome> {
  const rows = measured.map(({ mode, lanes, load: { cpu } }): Cell[] => {
    if (cpu === undefined) return [];
    const { host, cosmos, serviceBus, model, client } = cpu;
    return [`${mode.name}, ${lanes} at a time`, host, cosmos, serviceBus, model, client, total(cpu)];
  });
  const columns = ["CPU ms per run", "app and host", "Cosmos DB", "Service Bus", "model", "client", "in all"];
  const split = { title: "CPU time by process", columns, rows };

  const usual = measured.filter(({ lanes }) => lanes === USUAL);
  const runs = bench.quick ? 200 : 1000;
  const own: Cell[][] = [];
  const goals: Goal[] = [];
  await onEmptyApp(answers, async (subject) => {
    for (const { mode, load } of usual) {
      bench.say(`empty app, ${mode.name}`);
      const empty = await emptyHostCpu(subject, mode, runs, load.pollsPerRun);
      const host = load.cpu?.host ?? Number.NaN;
      own.push([`${mode.name}, ${USUAL} at a time`, host, empty, host - empty]);
      if (mode.name === "with a tool call") continue;
      const text = `the app's own CPU time, ${mode.name}`;
      goals.push({ text, measured: host - empty, unit: "ms per run", bound: 4, kind: "at most" });
    }
  });
  const ownColumns = ["CPU ms per run", "app and host", "empty app and host", "the app's own"];
  const ownTable = { title: "The app's own CPU time", columns: ownColumns, rows: own };
  return {
    ...outcome,
    tables: [...outcome.tables, split, ownTable],
    goals: [...outcome.goals, ...goals],
    notes: [
      "All processes, the client too, share the machine: runs/s is what its cores make of the CPU time in all, not what the app alone could do.",
      "The wake-up that guards a streamed run comes when its lease ends, after the measurement: its CPU time is not in these figures, its cost is in those of `cost`.",
    ],
  };
}

/** One load of each kind on an app that is profiled. Profiling slows the app down, so no speeds are told. */
async function profiles(bench: Bench): Promise<Outcome> {
  const tables = [];
  for (const mode of MODES) {
    bench.say(`profiling ${mode.name}`);
    const folder = mkdtempSync(path.join(tmpdir(), "threadkeep-profile-"));
    const runs = bench.quick ? 300 : 1500;
    const { period } = await bench.onApp({ env: profiling(folder) }, async (subject) =>
      load(subject, await assistantFor(subject), mode, runs, USUAL),
    );
    tables.push(profileTable(folder, period, runs, `Where the app's time goes: ${mode.name}, ${USUAL} at a time`));
    rmSync(folder, { recursive: true });
  }
  const notes = [
    "Profiled: V8 samples, by package. The lower lines are the functions with the most time of their own.",
  ];
  return { tables, goals: [], figures: [], notes };
}
