/** What runs hold of files that code has made, on their way to storage: all of them together have a bound. */
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import type { CellResult, CodeSession } from "../../../../src/code/session.ts";
import { CodeFiles } from "../../../../src/runs/tools/code-files.ts";
import type { RunDoc } from "../../../../src/store/documents.ts";
import { ran, Sandbox } from "../sandbox.ts";

const MEGABYTE = 1_048_576;
const LARGE = 25 * MEGABYTE;
const PNG = Buffer.concat([Buffer.from("89504e470d0a1a0a", "hex"), Buffer.alloc(2 * MEGABYTE)]);

type Done = Extract<CellResult, { kind: "done" }>;

const never = new AbortController().signal;
const wrote = (path: string, size: number) => ran("", { files: [{ path, size }] }) as Done;

/** Counts the bytes between a read and the end of its storing. */
function world() {
  const sandbox = new Sandbox();
  sandbox.contents.set("large", Buffer.alloc(LARGE));
  sandbox.contents.set("small", Buffer.from("1"));
  sandbox.contents.set("1.png", PNG);
  const held = { now: 0, most: 0 };
  const inner = sandbox.pool.open({ id: "s", isUsed: false } as never) as CodeSession;
  const session: CodeSession = {
    ...inner,
    read: async (path, most, signal) => {
      const bytes = await inner.read(path, most, signal);
      held.now += bytes?.length ?? 0;
      held.most = Math.max(held.most, held.now);
      return bytes;
    },
  };
  const stored: number[] = [];
  const sources = {
    ...sandbox.sources,
    save: async (tenant: string, id: string, bytes: Uint8Array, signal: AbortSignal) => {
      await sleep(bytes.length > MEGABYTE ? 20 : 0);
      await sandbox.sources.save(tenant, id, bytes, signal);
      stored.push(bytes.length);
      held.now -= bytes.length;
    },
  };
  const filesOf = (run: number) => {
    const internal = { tenant: "t", reserved: { toolStep: `step_${String(run).padStart(24, "0")}` } };
    return new CodeFiles(sources, { id: `run_${run}`, internal } as RunDoc);
  };
  return { session, held, stored, filesOf };
}

test("large files of many runs are held a few at a time, and small ones do not wait for them", async () => {
  const { session, held, stored, filesOf } = world();
  const large = Array.from({ length: 12 }, (_, run) =>
    filesOf(run).take(session, "call_1", wrote("large", LARGE), never),
  );
  const small = filesOf(99).take(session, "call_1", wrote("small", 1), never);
  expect((await small).written).toMatchObject([{ path: "small", bytes: 1 }]);
  expect(stored).toEqual([1]);
  for (const { written, lost } of await Promise.all(large)) {
    expect(written).toMatchObject([{ path: "large", bytes: LARGE }]);
    expect(lost).toEqual([]);
  }
  expect(held).toEqual({ now: 0, most: expect.any(Number) });
  expect(held.most).toBeLessThanOrEqual(64 * MEGABYTE + 1);
});

test("a run that ends while it waits for room leaves it to others", async () => {
  const { session, stored, filesOf } = world();
  const first = [1, 2].map((run) => filesOf(run).take(session, "call_1", wrote("large", LARGE), never));
  const ending = new AbortController();
  const waiting = filesOf(3).take(session, "call_1", wrote("large", LARGE), ending.signal);
  ending.abort(new Error("the run has ended"));
  await expect(waiting).rejects.toThrow("the run has ended");
  await Promise.all(first);
  await filesOf(4).take(session, "call_1", wrote("large", LARGE), never);
  expect(stored).toHaveLength(3);
});

test("a figure of some megabytes is one, too", async () => {
  const { session, stored, filesOf } = world();
  const { images } = await filesOf(1).take(session, "call_1", ran("", { images: ["1.png"] }) as Done, never);
  expect(images).toHaveLength(1);
  expect(stored).toEqual([PNG.length]);
});
