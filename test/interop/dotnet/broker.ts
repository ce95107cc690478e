/** The broker, as the checks of the .NET client of Service Bus need it: each check has a queue of its own. */
import { startControl } from "../../../local/service-bus/control.ts";
import { addressOf, type QueueOptions, ServiceBusBroker } from "../../../local/service-bus/server.ts";

const QUEUES: Record<string, QueueOptions> = {
  ...Object.fromEntries(
    ["send", "list", "batch", "large", "ids", "schedule", "cancel", "complete", "abandon", "defer", "dead", "mixed"]
      .concat(["drain", "empty", "wait", "waits", "prefetch", "delete", "peek", "processor", "stopping", "letters"])
      .concat(["busy", "held"])
      .map((name) => [name, {}]),
  ),
  duplicates: { dupWindow: 60_000 },
  last: { maxDeliveryCount: 3 },
  throwing: { maxDeliveryCount: 3 },
  short: { lockDuration: 2000 },
  lost: { lockDuration: 500 },
  slow: { lockDuration: 2000 },
  kill: { lockDuration: 2000 },
  cut: { lockDuration: 1000, dupWindow: 60_000, maxDeliveryCount: 100 },
};

/** Calls `use` with the connection string and the control's address. */
export async function withBroker<T>(use: (connection: string, control: string) => Promise<T>): Promise<T> {
  const queues = Object.entries(QUEUES).map(([name, settings]) => ({ name, ...settings }));
  const broker = await new ServiceBusBroker({ queues, tier: "standard", log: console.error }).start();
  const control = await startControl(broker, 0);
  try {
    return await use(broker.connectionString(), `http://127.0.0.1:${addressOf(control).port}`);
  } finally {
    control.close();
    control.closeAllConnections();
    await broker.stop();
  }
}
