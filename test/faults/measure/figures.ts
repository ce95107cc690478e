/** What the measurements have in common: figures, and a look into the processes and servers of a stack. */
import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

const mean = (values: readonly number[]) => values.reduce((total, value) => total + value, 0) / values.length;

/** By how much a row of values climbs from one to the next: of the line that fits them best. */
export function slope(values: readonly number[]): number {
  const [middle, average] = [(values.length - 1) / 2, mean(values)];
  const rise = values.map((value, index) => (index - middle) * (value - average));
  const run = values.map((_, index) => (index - middle) ** 2);
  return values.length < 2 ? 0 : mean(rise) / mean(run);
}

/** What `look` finds at last; throws after so many milliseconds. */
export async function until<T>(look: () => Promise<T | undefined | false>, milliseconds: number): Promise<T> {
  for (const end = Date.now() + milliseconds; ; await sleep(LOOK_INTERVAL)) {
    const seen = await look();
    if (seen !== undefined && seen !== false) return seen;
    if (Date.now() > end) throw new Error(`nothing came within ${milliseconds / 1000} s`);
  }
}

const LOOK_INTERVAL = 200;

export interface ProcessUse {
  /** resident memory, in MB */
  rss: number;
  /** anonymous private memory, in MB: without the program's text and shared libraries, mostly the heap */
  heap: number;
  /** open file descriptors */
  fds: number;
  /** processor time so far, in seconds */
  cpu: number;
}

/** What Linux tells of a process from outside. */
export function useOf(pid: number): ProcessUse {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const megabytes = (name: string) => Number(status.match(new RegExp(`^${name}:\\s+(\\d+) kB`, "m"))?.[1] ?? 0) / 1024;
  // After the name in parentheses, which may hold spaces: utime and stime are the 14th and 15th fields of all.
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  const ticks = Number(fields[11]) + Number(fields[12]);
  return {
    rss: megabytes("VmRSS"),
    heap: megabytes("RssAnon"),
    fds: readdirSync(`/proc/${pid}/fd`).length,
    cpu: ticks / TICKS_A_SECOND,
  };
}

/** USER_HZ, the same on every Linux that Node runs on. */
const TICKS_A_SECOND = 100;
