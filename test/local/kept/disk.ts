import { execFileSync, spawnSync } from "node:child_process";
import { closeSync, ftruncateSync, mkdtempSync, openSync, readdirSync, rmSync, statSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

/** A disk that a test can fill. */
export interface Disk {
  /** Whether the disk as a whole gets full, or each file for itself. */
  kind: "tmpfs" | "limit";
  folder: string;
  /** From now on these processes can write about `left` bytes more to a file, and no process much more. */
  fill(pids: number[], left: number): void;
  free(pids: number[]): void;
  remove(): void;
}

const SIZE = "64m";
const CHUNK = Buffer.alloc(256 * 1024);
const BALLAST = "ballast";

/** A small file system of its own where this user may mount one, else a limit on the size of files; or neither. */
export function smallDisk(): Disk | undefined {
  const folder = mkdtempSync(path.join(tmpdir(), "disk-"));
  const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", `size=${SIZE},mode=700`, "tmpfs", folder]).status === 0;
  if (mounted) return tmpfs(folder);
  if (spawnSync("prlimit", ["--version"]).status === 0) return limitedFiles(folder);
  rmSync(folder, { recursive: true });
  return undefined;
}

export const NO_SMALL_DISK = "skipped: neither a tmpfs can be mounted nor prlimit be used to fill a disk";

function tmpfs(folder: string): Disk {
  const ballast = path.join(folder, BALLAST);
  return {
    kind: "tmpfs",
    folder,
    fill(_, left) {
      const file = openSync(ballast, "w");
      let size = 0;
      try {
        for (;;) size += writeSync(file, CHUNK);
      } catch {
        // Full.
      }
      ftruncateSync(file, Math.max(0, size - left));
      closeSync(file);
    },
    free: () => rmSync(ballast, { force: true }),
    remove() {
      execFileSync("umount", ["-l", folder]);
      rmSync(folder, { recursive: true });
    },
  };
}

function limitedFiles(folder: string): Disk {
  const limit = (pids: number[], bytes: string) => {
    for (const pid of pids) spawnSync("prlimit", ["--pid", String(pid), `--fsize=${bytes}:`]);
  };
  return {
    kind: "limit",
    folder,
    fill: (pids, left) => limit(pids, String(largestIn(folder) + left)),
    free: (pids) => limit(pids, "unlimited"),
    remove: () => rmSync(folder, { recursive: true }),
  };
}

function largestIn(folder: string): number {
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" });
  return Math.max(0, ...files.map((file) => statSync(path.join(folder, file), { throwIfNoEntry: false })?.size ?? 0));
}
