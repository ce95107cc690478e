/** Completed runs per second with a model that answers at once, and where the CPU time goes. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Bench, Cell, Goal, Measurement, Outcome } from "../lib/measurement.ts";
import { median, summary } from "../lib/quantiles.ts";
import type { Subject } from "../lib/subject.ts";
import { medians, total } from "../throughput/cpu.ts";
import { emptyHostCpu, onEmptyApp, takeDown } from "../throughput/empty-app.ts";
import { type Load, load } from "../throughput/load.ts";
import { FUNCTION, GUARDS_DONE, MODES, type Mode, WITH_TOOL_CALL } from "../throughput/modes.ts";
import { profileTable, profiling } from "../throughput/profile.ts";

const CONCURRENCIES = [1, 8, 32, 128];

/** The one that the goals are for. */
const USUAL = 32;

/** How often each load is measured, minutes apart; the tables show medians, since the machine's speed changes. */
const ROUNDS = 3;

interface Measured {
  mode: Mode;
  lanes: number;
  loads: Load[];
  /** CPU time per run of a host whose app does nothing, right after each load. Milliseconds. */
  emptyHost: number[];
}

export const throughput: Measurement = {
  name: "throughput",
  title: "Throughput",
  worksRemotely: true,
  measure: (bench) => (bench.profile ? profiles(bench) : measure(bench)),
};

async function measure(bench: Bench): Promise<Outcome> {
  const measured = await bench.onApp({}, async (subject) => {
    const assistant = await assistantFor(subject);
    bench.say("warming up");
    for (const mode of MODES) await load(subject, assistant, mode, runsFor(bench, USUAL), USUAL);
    if (bench.isRemote) return inRounds(bench, subject, assistant, undefined);
    const answers = await takeDown(subject, assistant);
    return onEmptyApp(answers, async (empty) => {
      for (const mode of MODES) await emptyHostCpu(empty, mode, runsFor(bench, USUAL), 1);
      return inRounds(bench, subject, assistant, empty);
    });
  });
  const outcome = { tables: [speedTable(measured)], goals: [], figures: [], notes: [] };
  // The goals are for a model that answers at once.
  return bench.isRemote ? outcome : withCpu({ ...outcome, goals: speedGoals(measured) }, measured);
}

async function inRounds(bench: Bench, subject: Subject, assistant: string, empty: Subject | undefined) {
  const measured = MODES.flatMap((mode) =>
    CONCURRENCIES.map((lanes): Measured => ({ mode, lanes, loads: [], emptyHost: [] })),
  );
  const rounds = bench.quick || bench.isRemote ? 1 : ROUNDS;
  for (let round = 1; round <= rounds; round++) {
    if (round > 1) await sleep(GUARDS_DONE);
    for (const { mode, lanes, loads, emptyHost } of measured) {
      bench.say(`round ${round} of ${rounds}: ${mode.name}, ${lanes} at a time`);
      const runs = runsFor(bench, lanes);
      const seen = await load(subject, assistant, mode, runs, lanes);
      loads.push(seen);
      if (empty && lanes === USUAL) emptyHost.push(await emptyHostCpu(empty, mode, runs, seen.pollsPerRun));
    }
  }
  return measured;
}

async function assistantFor(subject: Subject): Promise<string> {
  const model = subject.stack ? "instant" : await subject.modelThat("", {});
  return subject.assistant(model, [FUNCTION]);
}

function runsFor(bench: Bench, lanes: number): number {
  if (bench.isRemote) return lanes * 4;
  if (bench.quick) return lanes === 1 ? 30 : lanes * 4;
  return lanes === 1 ? 60 : 400;
}

const named = ({ mode, lanes }: Measured) => `${mode.name}, ${lanes} at a time`;
const medianOf = (loads: Load[], figure: "runsPerSecond" | "pollsPerRun") => median(loads.map((each) => each[figure]));

function speedTable(measured: Measured[]) {
  const rows = measured.map((each): Cell[] => {
    const { loads } = each;
    const latencies = loads.flatMap((load) => load.latencies);
    const { p50, p99 } = summary(latencies);
    const speed = medianOf(loads, "runsPerSecond");
    return [named(each), latencies.length, speed, p50, p99, medianOf(loads, "pollsPerRun")];
  });
  const columns = ["runs", "measured", "runs/s", "p50 ms", "p99 ms", "polls per run"];
  return { title: "Completed runs per second", columns, rows };
}

/** What the goals are for: the usual concurrency, without tool calls. */
const isUsual = ({ mode, lanes }: Measured) => lanes === USUAL && mode !== WITH_TOOL_CALL;

function speedGoals(measured: Measured[]): Goal[] {
  return measured.filter(isUsual).map(({ mode, loads }) => ({
    text: `${mode.name} runs at concurrency ${USUAL}`,
    measured: medianOf(loads, "runsPerSecond"),
    unit: "runs/s",
    bound: 150,
    kind: "at least",
  }));
}

function withCpu(outcome: Outcome, measured: Measured[]): Outcome {
  const rows = measured.map((each): Cell[] => {
    const split = splitOf(each);
    const { host, cosmos, serviceBus, model, client } = split;
    return [named(each), host, cosmos, serviceBus, model, client, total(split)];
  });
  const columns = ["CPU ms per run", "app and host", "Cosmos DB", "Service Bus", "model", "client", "in all"];

  const ownRows = measured
    .filter(({ emptyHost }) => emptyHost.length > 0)
    .map((each): Cell[] => [named(each), splitOf(each).host, median(each.emptyHost), ownCpu(each)]);
  const ownColumns = ["CPU ms per run", "app and host", "empty app and host", "the app's own"];
  const goals = measured.filter(isUsual).map((each): Goal => {
    const text = `the app's own CPU time, ${each.mode.name}`;
    return { text, measured: ownCpu(each), unit: "ms per run", bound: 4, kind: "at most" };
  });
  return {
    ...outcome,
    tables: [
      ...outcome.tables,
      { title: "CPU time by process", columns, rows },
      { title: "The app's own CPU time", columns: ownColumns, rows: ownRows },
    ],
    goals: [...outcome.goals, ...goals],
    notes: [
      `Medians of rounds through all of them (${measured[0]?.loads.length}); the latencies are those of all rounds.`,
      "All processes, the client too, share the machine: runs/s is what its cores make of the CPU time in all, not what the app alone could do.",
      "The wake-up that guards a streamed run comes when its lease ends, after the measurement: its CPU time is not in these figures, its cost is in those of `cost`.",
    ],
  };
}

const splitOf = ({ loads }: Measured) => medians(loads.flatMap(({ cpu }) => cpu ?? []));

/** The median of the differences, each of two measurements one right after the other. */
function ownCpu({ loads, emptyHost }: Measured): number {
  return median(loads.map(({ cpu }, round) => (cpu?.host ?? Number.NaN) - (emptyHost[round] ?? Number.NaN)));
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
