/** Takes the wake-ups that Service Bus has given up on, fails their runs and frees their threads. */
import { app } from "@azure/functions";
import { theApp } from "../src/app.ts";
import { QUEUE } from "../src/jobs/wake-ups.ts";
import { buryWakeUp } from "../src/runs/worker.ts";

app.serviceBusQueue("dead-letters", {
  connection: "ServiceBusConnection",
  queueName: `${QUEUE}/$DeadLetterQueue`,
  handler: (message) => buryWakeUp(theApp().engine, message),
});
