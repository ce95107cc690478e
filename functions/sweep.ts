/** The safety net: every 15 seconds it sends a wake-up for each run whose due time has passed. */
import { app } from "@azure/functions";
import { theApp } from "../src/app.ts";
import { sweep } from "../src/runs/sweep.ts";

/** How many runs and deleted threads one tick takes on; the next tick takes on more. */
const LIMIT = 500;

app.timer("sweep", {
  schedule: "*/15 * * * * *",
  handler: () => sweep(theApp().engine, LIMIT),
});
