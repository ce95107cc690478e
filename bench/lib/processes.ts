/** What processes use, as the Linux kernel counts it. */
import { readFileSync } from "node:fs";

/** The kernel's clock ticks are hundredths of a second on every Linux that Node runs on. */
const MS_PER_TICK = 10;

/** Where user and system time stand in /proc/PID/stat, counted after the command's name, which may hold blanks. */
const USER_TIME = 11;
const SYSTEM_TIME = 12;

/** CPU time that all threads of a process have used so far, in milliseconds. Throws if the process is gone. */
export function cpuTime(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[USER_TIME]) + Number(fields[SYSTEM_TIME])) * MS_PER_TICK;
}
