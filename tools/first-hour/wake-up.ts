/** A wake-up that the checks may send: its run does not exist, so a worker that takes it looks and is done. */
import type { ServiceBusMessage } from "@azure/service-bus";
import type { WakeUp } from "../../src/jobs/wake-ups.ts";

/** Milliseconds. */
const TIME_TO_LIVE = 7_200_000;

export function wakeUpForNoRun(name: string, id: string): ServiceBusMessage {
  const body: WakeUp = { tenant: name, thread: `thread_${id}`, run: `run_${id}`, look: true };
  return { body, messageId: `${name}/${id}`, contentType: "application/json", timeToLive: TIME_TO_LIVE };
}
