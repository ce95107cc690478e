/** The queue's worker: looks at the run that a wake-up names. A wake-up that fails comes again. */
import { app } from "@azure/functions";
import { theApp } from "../src/app.ts";
import { QUEUE, wakeUp } from "../src/jobs/wake-ups.ts";
import { wake } from "../src/runs/advance.ts";

app.serviceBusQueue("run-worker", {
  connection: "ServiceBusConnection",
  queueName: QUEUE,
  handler: async (message) => wake(theApp().engine, wakeUp.parse(message)),
});
