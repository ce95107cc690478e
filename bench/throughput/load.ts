/** Many runs of one kind at a time, measured. */
import { inLanes } from "../lib/lanes.ts";
import type { Subject } from "../lib/subject.ts";
import { type CpuSplit, cpuSplit, perRun } from "./cpu.ts";
import type { Mode } from "./modes.ts";
import { Pollster } from "./pollster.ts";

export interface Load {
  runsPerSecond: number;
  /** Milliseconds from creating a run to knowing that it has completed. */
  latencies: number[];
  pollsPerRun: number;
  /** Milliseconds of CPU time per run; absent for a deployed app. */
  cpu: CpuSplit | undefined;
  /** When it began and ended, on the clock of `process.hrtime` and of CPU profiles. Microseconds. */
  period: [from: number, to: number];
}

/** `mode.complete` on threads of their own, so many at a time, after a warm-up at the same concurrency. */
export async function load(
  subject: Subject,
  assistant: string,
  mode: Mode,
  runs: number,
  lanes: number,
): Promise<Load> {
  const warmUp = Math.min(lanes * 4, runs);
  const threads = await prepareThreads(subject, mode, warmUp + runs);
  const pollster = new Pollster(lanes);
  const one = async (index: number): Promise<number> => {
    const started = performance.now();
    await mode.complete(subject.wire, threads[index] ?? "", assistant, pollster);
    return performance.now() - started;
  };
  await inLanes(warmUp, lanes, async (index) => void (await one(index)));
  const earlierLooks = pollster.looks.length;
  const latencies: number[] = [];
  const before = subject.stack && cpuSplit(subject.stack);
  const from = now();
  await inLanes(runs, lanes, async (index) => void latencies.push(await one(warmUp + index)));
  const to = now();
  return {
    runsPerSecond: runs / ((to - from) / 1e6),
    latencies,
    pollsPerRun: (pollster.looks.length - earlierLooks) / runs,
    cpu: before && perRun(before, cpuSplit(subject.local), runs),
    period: [from, to],
  };
}

const now = (): number => Number(process.hrtime.bigint() / 1000n);

async function prepareThreads(subject: Subject, mode: Mode, count: number): Promise<string[]> {
  const ids: string[] = [];
  await inLanes(count, 16, async () => void ids.push(await subject.thread(mode.question)));
  return ids;
}
