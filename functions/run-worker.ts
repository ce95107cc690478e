/** The queues' workers: they look at the run that a wake-up names. A wake-up that fails comes again. */
import { app } from "@azure/functions";
import { theApp } from "../src/app.ts";
import { inProcessSpan } from "../src/jobs/wake-up-spans.ts";
import { OVERFLOW_QUEUE, QUEUE } from "../src/jobs/wake-ups.ts";
import { FairWorker, overflowId } from "../src/runs/fair-worker.ts";

/** Loaded with the first wake-up: a start for a request does not wait for it. */
const worker = () => import("../src/runs/worker.ts");
const handle = async (message: unknown) => (await worker()).handleWakeUp(theApp().engine, message);

let fairWorker: FairWorker | undefined;

function theFairWorker(): FairWorker {
  const { engine, tenants } = theApp();
  fairWorker ??= new FairWorker(tenants, {
    handle,
    passOn: (job) => engine.wakeUps.sendToOverflow(job, overflowId(job, engine.now())),
  });
  return fairWorker;
}

app.serviceBusQueue("run-worker", {
  connection: "ServiceBusConnection",
  queueName: QUEUE,
  handler: (message, context) => inProcessSpan(QUEUE, context, () => theFairWorker().handle(message)),
});

app.serviceBusQueue("overflow-worker", {
  connection: "ServiceBusConnection",
  queueName: OVERFLOW_QUEUE,
  handler: (message, context) => inProcessSpan(OVERFLOW_QUEUE, context, () => handle(message)),
});
