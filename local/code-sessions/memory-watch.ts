/** Looks at the memory of a process again and again, since no limit of the runtime's covers all of it. */
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";

/** Reading a file of /proc is cheap; `ps` is a process of its own. Milliseconds. */
const INTERVAL = process.platform === "linux" ? 50 : 250;

const KILOBYTE = 1024;

/** Calls `exceeded` once the process has more than `limit` bytes in memory. Returns what ends the watch. */
export function watchMemory(pid: number, limit: number, exceeded: () => void): () => void {
  // Windows has no cheap way to ask: there the caps of the runtime are all.
  if (process.platform === "win32") return () => {};
  const look = (bytes: number) => {
    if (bytes > limit) exceeded();
  };
  const timer = setInterval(() => {
    if (process.platform === "linux") look(residentBytes(pid));
    else execFile("ps", ["-o", "rss=", "-p", String(pid)], (_, text) => look(Number(text) * KILOBYTE));
  }, INTERVAL);
  return () => clearInterval(timer);
}

/** 0 for a process that is gone. Linux only. */
export function residentBytes(pid: number): number {
  try {
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) * KILOBYTE || 0;
  } catch {
    return 0;
  }
}
