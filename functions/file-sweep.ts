/** The safety nets of files: those that expired or whose deletion was not finished, and blobs that no file has. */
import { app } from "@azure/functions";
import { theApp } from "../src/app.ts";

const sweeps = () => import("../src/files/sweep.ts");

/** Files a tick. More than these are left for the next tick. */
const LIMIT = 500;

if (theApp().blobs !== undefined) {
  app.timer("file-sweep", {
    schedule: "10 * * * * *",
    handler: async () => (await sweeps()).sweepFiles(theApp().engine, LIMIT),
  });

  app.timer("orphan-sweep", {
    schedule: "40 17 3 * * *",
    handler: async () => void (await (await sweeps()).sweepOrphans(theApp().engine)),
  });
}
