/** Takes the wake-ups that Service Bus has given up on, fails their runs and frees their threads. */
import { app } from "@azure/functions";
import { theApp } from "../src/app.ts";
import { inProcessSpan } from "../src/jobs/wake-up-spans.ts";
import { OVERFLOW_QUEUE, QUEUE } from "../src/jobs/wake-ups.ts";

/** Loaded with the first of them. */
const worker = () => import("../src/runs/worker.ts");
const bury = async (message: unknown) => (await worker()).buryWakeUp(theApp().engine, message);

for (const [name, queue] of [
  ["dead-letters", QUEUE],
  ["overflow-dead-letters", OVERFLOW_QUEUE],
] as const) {
  app.serviceBusQueue(name, {
    connection: "ServiceBusConnection",
    queueName: `${queue}/$DeadLetterQueue`,
    handler: (message, context) => inProcessSpan(`${queue}/$DeadLetterQueue`, context, () => bury(message)),
  });
}
