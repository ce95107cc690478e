import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { FolderInUse, holderOf, takeFolder } from "../../../local/folder-lock.ts";

let folder: string;
beforeEach(() => {
  folder = path.join(mkdtempSync(path.join(tmpdir(), "lock-")), "data");
});
afterEach(() => rmSync(path.dirname(folder), { recursive: true }));

test("a folder that is taken is refused, with who has it and where that is reached, until it is released", () => {
  const lock = takeFolder(folder);
  expect(statSync(folder).mode & 0o777).toBe(0o700);
  expect(holderOf(folder)).toEqual({ pid: process.pid });
  lock.tell({ url: "http://127.0.0.1:7071" });
  expect(holderOf(folder)).toEqual({ pid: process.pid, url: "http://127.0.0.1:7071" });
  expect(() => takeFolder(folder)).toThrow(FolderInUse);
  lock.release();
  expect(holderOf(folder)).toBeUndefined();
  takeFolder(folder).release();
  expect(readdirSync(folder)).toEqual([]);
});

test("what a dead process left counts for nothing, and neither does a later process with its id", () => {
  mkdirSync(folder);
  const { pid = 0 } = spawn(process.execPath, ["-e", ""]);
  writeFileSync(path.join(folder, "lock-999999999-1"), '{"url":"http://127.0.0.1:1"}');
  // This process is another one than the one that wrote this: it began at another time.
  writeFileSync(path.join(folder, `lock-${process.pid}-1`), "{}");
  writeFileSync(path.join(folder, `lock-${pid}-1`), "{}");
  takeFolder(folder).release();
  expect(readdirSync(folder)).toEqual([]);
});

test("of many processes that want a folder at once, and are killed at random, one at a time has it", async () => {
  const log = path.join(path.dirname(folder), "log");
  writeFileSync(log, "");
  const program = path.join(import.meta.dirname, "contender.ts");
  const start = (times: string) => spawn(process.execPath, [program, folder, log, times], { stdio: "inherit" });
  const patient = ["15", "15", "15"].map(start);
  const ended = Promise.all(patient.map((child) => once(child, "exit")));
  const doomed = ["1000", "1000"].map(start);
  const entries = () => readFileSync(log, "utf8").trim().split("\n");
  for (const child of doomed) {
    await vi.waitFor(() => expect(entries()).toContain(`+${child.pid}`), { timeout: 15_000, interval: 5 });
    child.kill("SIGKILL");
  }
  expect(await ended).toEqual(patient.map(() => [0, null]));
  const killed = new Set(doomed.map(({ pid }) => String(pid)));
  let holder: string | undefined;
  for (const entry of entries()) {
    const pid = entry.slice(1);
    if (entry.startsWith("+")) {
      expect(holder === undefined || killed.has(holder), `${pid} has it beside ${holder}`).toBe(true);
      holder = pid;
    } else {
      expect(pid).toBe(holder);
      holder = undefined;
    }
  }
  expect(entries().filter((entry) => entry.startsWith("-")).length).toBeGreaterThanOrEqual(45);
});
