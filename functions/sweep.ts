/** The safety net: wakes runs, purges and vector stores' files that are overdue. */
import { app } from "@azure/functions";
import { theApp } from "../src/app.ts";
import { SweepMemory } from "../src/jobs/sweep-memory.ts";

/** Runs a tick, as many purges, and as many documents of vector stores. More than these are left for the next tick. */
const LIMIT = 500;

const runs = new SweepMemory();
const stores = new SweepMemory();

app.timer("sweep", {
  schedule: "*/15 * * * * *",
  handler: async () => {
    const { engine, ingest } = theApp();
    const [{ sweep }, { sweepStores }] = await Promise.all([
      import("../src/runs/sweep.ts"),
      import("../src/ingest/sweep.ts"),
    ]);
    const results = await Promise.allSettled([sweep(engine, LIMIT, runs), sweepStores(ingest, LIMIT, stores)]);
    for (const result of results) if (result.status === "rejected") throw result.reason;
  },
});
