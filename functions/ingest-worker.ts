/** Reads files into vector stores, and clears away what goes out of them. A wake-up that fails comes again. */
import { app } from "@azure/functions";
import { theApp } from "../src/app.ts";
import { inProcessSpan } from "../src/jobs/wake-up-spans.ts";
import { INGEST_QUEUE } from "../src/jobs/wake-ups.ts";

/** Loaded with the first wake-up: a start for a request does not wait for it. */
const worker = () => import("../src/ingest/wake.ts");

app.serviceBusQueue("ingest-worker", {
  connection: "ServiceBusConnection",
  queueName: INGEST_QUEUE,
  handler: (message, context) =>
    inProcessSpan(INGEST_QUEUE, context, async () => (await worker()).handleIngest(theApp().ingest, message)),
});

app.serviceBusQueue("ingest-dead-letters", {
  connection: "ServiceBusConnection",
  queueName: `${INGEST_QUEUE}/$DeadLetterQueue`,
  handler: async (message) => (await worker()).buryIngest(theApp().ingest, message),
});
