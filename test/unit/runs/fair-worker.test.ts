import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { FairWorker, type TenantsWakeUp, WORKER_SLOTS } from "../../../src/runs/fair-worker.ts";

const jobOf = (tenant: string, run: number): TenantsWakeUp => ({ tenant, thread: "thread_1", run: `run_${run}` });

/** A worker of four slots whose runs end only when they are told to. */
function workerOf(tenants: number, serviceBusWorks = true) {
  const handled: string[] = [];
  const passedOn: string[] = [];
  const ends: (() => void)[] = [];
  const parts = {
    handle: (message: unknown) => {
      handled.push((message as TenantsWakeUp).tenant);
      return new Promise<void>((resolve) => ends.push(resolve));
    },
    passOn: async (job: TenantsWakeUp) => {
      if (serviceBusWorks) passedOn.push(job.tenant);
      return serviceBusWorks;
    },
  };
  return { worker: new FairWorker(tenants, parts, 4), handled, passedOn, ends };
}

test("a tenant's flood gets half of the slots, the rest of it goes on to the overflow, and others are handled", async () => {
  const { worker, handled, passedOn, ends } = workerOf(2);
  const flood = Array.from({ length: 5 }, (_, run) => worker.handle(jobOf("a", run)));
  void worker.handle(jobOf("b", 5));
  expect(handled).toEqual(["a", "a", "b"]);
  expect(passedOn).toEqual(["a", "a", "a"]);
  await Promise.all(flood.slice(2));

  ends[0]?.();
  await flood[0];
  void worker.handle(jobOf("a", 6));
  expect(handled).toEqual(["a", "a", "b", "a"]);
});

test("a tenant that is the only one gets all slots", () => {
  const { worker, handled, passedOn } = workerOf(1);
  for (let run = 0; run < 4; run++) void worker.handle(jobOf("a", run));
  expect([handled.length, passedOn.length]).toEqual([4, 0]);
});

test("a wake-up that cannot be passed on is handled where it is", async () => {
  const { worker, handled } = workerOf(2, false);
  for (let run = 0; run < 3; run++) void worker.handle(jobOf("a", run));
  await new Promise(setImmediate);
  expect(handled).toEqual(["a", "a", "a"]);
});

test("the slots are those that the host fills", () => {
  const host: unknown = JSON.parse(readFileSync("host.json", "utf8"));
  expect(host).toMatchObject({ extensions: { serviceBus: { maxConcurrentCalls: WORKER_SLOTS } } });
});
