/** The first wake-up of an instance waits for more than a send: its connection must be opened. */
import net, { type AddressInfo } from "node:net";
import { afterEach, expect, test } from "vitest";
import { ServiceBusBroker } from "../../../local/service-bus/server.ts";
import { readConfig } from "../../../src/config.ts";
import { QUEUE, SEND_TIMEOUT, WakeUps } from "../../../src/jobs/wake-ups.ts";

const stops: (() => unknown)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

/** A broker, and wake-ups that reach it by a network that takes so long to connect. */
async function farQueue(milliseconds: number) {
  const broker = new ServiceBusBroker();
  broker.createQueue(QUEUE, {});
  await broker.start();
  const direct = broker.connectionString();
  const port = Number(/:(\d+)/.exec(direct)?.[1]);
  let connections = 0;
  const far = net.createServer((client) => {
    connections += 1;
    client.pause();
    client.on("error", () => client.destroy());
    const timer = setTimeout(() => {
      const server = net.connect(port, "127.0.0.1");
      server.on("error", () => client.destroy());
      client.on("close", () => server.destroy());
      client.pipe(server).pipe(client);
    }, milliseconds);
    client.on("close", () => clearTimeout(timer));
  });
  await new Promise<void>((resolve) => far.listen(0, "127.0.0.1", resolve));
  const failures: unknown[] = [];
  const wakeUps = new WakeUps(
    readConfig({
      COSMOS_ENDPOINT: "http://127.0.0.1:1",
      COSMOS_KEY: "key",
      MODEL_ENDPOINT: "http://127.0.0.1:1/v1",
      ServiceBusConnection: direct.replace(`:${port}`, `:${(far.address() as AddressInfo).port}`),
    }),
    (error) => failures.push(error),
  );
  stops.push(
    () => broker.stop(),
    () => new Promise((resolve) => far.close(resolve)),
    () => wakeUps.close(),
  );
  return { broker, wakeUps, failures, connections: () => connections };
}

const job = { tenant: "t", thread: "thread_1", run: "run_1" };

test("a connection that takes longer than a send does not lose the first wake-up", async () => {
  const { wakeUps, failures, broker } = await farQueue(SEND_TIMEOUT + 1_000);
  expect(await wakeUps.send(job, "first")).toBe(true);
  expect(failures).toEqual([]);
  expect(broker.queues[0]?.totals.sent).toBe(1);
}, 20_000);

test("warming up opens the connection, and sends nothing", async () => {
  const { wakeUps, broker, connections } = await farQueue(0);
  await wakeUps.warm();
  expect(connections()).toBe(1);
  expect(await wakeUps.send(job, "first")).toBe(true);
  expect(connections()).toBe(1);
  expect(broker.queues[0]?.totals.sent).toBe(1);
});
