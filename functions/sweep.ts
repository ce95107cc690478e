/** The safety net: wakes runs that no worker has looked at in time. */
import { app } from "@azure/functions";
import { theApp } from "../src/app.ts";
import { sweep } from "../src/runs/sweep.ts";

/** Runs and deleted threads a tick. More than this are left for the next one. */
const LIMIT = 500;

app.timer("sweep", {
  schedule: "*/15 * * * * *",
  handler: () => sweep(theApp().engine, LIMIT),
});
