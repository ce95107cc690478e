/** Where the CPU time goes: the processes of the local stack, and this one, the client. */
import type { Stack } from "../../local/stack.ts";
import { cpuTime } from "../lib/processes.ts";
import { median } from "../lib/quantiles.ts";

/** Milliseconds. */
export interface CpuSplit {
  host: number;
  cosmos: number;
  serviceBus: number;
  model: number;
  client: number;
}

export function cpuSplit({ processes }: Stack): CpuSplit {
  const { user, system } = process.cpuUsage();
  const of = (pid: number | undefined) => (pid === undefined ? 0 : cpuTime(pid));
  return {
    host: of(processes.functions.pid),
    cosmos: of(processes.cosmos.pid),
    serviceBus: of(processes.serviceBus.pid),
    model: of(processes.model?.pid),
    client: (user + system) / 1000,
  };
}

/** The CPU time between two readings, divided by the number of runs. */
export function perRun(before: CpuSplit, after: CpuSplit, runs: number): CpuSplit {
  const used = (who: keyof CpuSplit) => (after[who] - before[who]) / runs;
  return {
    host: used("host"),
    cosmos: used("cosmos"),
    serviceBus: used("serviceBus"),
    model: used("model"),
    client: used("client"),
  };
}

export const total = ({ host, cosmos, serviceBus, model, client }: CpuSplit): number =>
  host + cosmos + serviceBus + model + client;

/** Process by process. */
export function medians(splits: CpuSplit[]): CpuSplit {
  const of = (who: keyof CpuSplit) => median(splits.map((split) => split[who]));
  return {
    host: of("host"),
    cosmos: of("cosmos"),
    serviceBus: of("serviceBus"),
    model: of("model"),
    client: of("client"),
  };
}
