/** The safety net: wakes runs and purges that are overdue. */
import { app } from "@azure/functions";
import { theApp } from "../src/app.ts";
import { sweep } from "../src/runs/sweep.ts";
import { SweepMemory } from "../src/runs/sweep-memory.ts";

/** Runs a tick, and as many purges. More than these are left for the next tick. */
const LIMIT = 500;

const memory = new SweepMemory();

app.timer("sweep", {
  schedule: "*/15 * * * * *",
  handler: () => sweep(theApp().engine, LIMIT, memory),
});
