/**
 * The worker: does what is due for the run that a wake-up names. If it throws, Service Bus delivers the wake-up again.
 */
import { app } from "@azure/functions";
import { theApp } from "../src/app.ts";
import { QUEUE } from "../src/jobs/wake-ups.ts";
import { handleWakeUp } from "../src/runs/worker.ts";

app.serviceBusQueue("run-worker", {
  connection: "ServiceBusConnection",
  queueName: QUEUE,
  handler: (message) => handleWakeUp(theApp().engine, message),
});
