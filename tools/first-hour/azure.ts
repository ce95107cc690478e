/** A real account: the settings of its queues come from Service Bus itself. */
import { type QueueProperties, ServiceBusAdministrationClient } from "@azure/service-bus";
import type { Config } from "../../src/config.ts";
import { identity } from "../../src/identity.ts";
import type { QueueSettings, Surroundings } from "./place.ts";

/** Reading queues needs the right to manage them: Azure Service Bus Data Owner, or a key with Manage. */
export function azure(config: Config): Surroundings {
  const { serviceBus } = config;
  const client =
    "connectionString" in serviceBus
      ? new ServiceBusAdministrationClient(serviceBus.connectionString)
      : new ServiceBusAdministrationClient(serviceBus.namespace, identity(config));
  return { share: 1, queueSettings: async (queue) => settingsOf(await client.getQueue(queue)) };
}

function settingsOf(queue: QueueProperties): QueueSettings {
  const { requiresDuplicateDetection, duplicateDetectionHistoryTimeWindow: window } = queue;
  return {
    lockDuration: millisecondsOf(queue.lockDuration),
    maxDeliveryCount: queue.maxDeliveryCount,
    duplicateWindow: requiresDuplicateDetection ? millisecondsOf(window) : 0,
    timeToLive: millisecondsOf(queue.defaultMessageTimeToLive),
  };
}

const UNITS = [86_400, 3_600, 60, 1];

/** Of an ISO 8601 duration in days, hours, minutes and seconds. Throws if it is none. */
export function millisecondsOf(duration: string): number {
  const match = /^P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?$/.exec(duration);
  if (match === null) throw new Error(`${duration} is no duration`);
  return UNITS.reduce((sum, seconds, index) => sum + Number(match[index + 1] ?? 0) * seconds * 1000, 0);
}
