/** The queue's worker: looks at the run that a wake-up names. A wake-up that fails comes again. */
import { app } from "@azure/functions";
import { theApp } from "../src/app.ts";
import { QUEUE } from "../src/jobs/wake-ups.ts";
import { handleWakeUp } from "../src/runs/worker.ts";

app.serviceBusQueue("run-worker", {
  connection: "ServiceBusConnection",
  queueName: QUEUE,
  handler: (message) => handleWakeUp(theApp().engine, message),
});
