import { once } from "node:events";
import { writeFileSync } from "node:fs";
import net from "node:net";
import { join } from "node:path";
import { expect, test } from "vitest";
import { connect, connectionStringOf, launch, only, startBrokerProcess, temporaryDirectory, until } from "./support.ts";

/** What a broker says that refuses to start. */
async function refusal(...args: string[]): Promise<{ code: number; output: string }> {
  const { child, output } = launch(...args);
  const [code] = await once(child, "close");
  return { code, output: output() };
}

function configFile(properties: object, more: object = {}): string {
  const path = join(temporaryDirectory(), "config.json");
  const namespace = { Name: "sbemulatorns", Queues: [{ Name: "orders", Properties: properties }], ...more };
  writeFileSync(path, JSON.stringify({ UserConfig: { Namespaces: [namespace] } }));
  return path;
}

test("it says when it is ready, to people and to its parent, and serves the queues of the project", async () => {
  const { port, controlPort, output } = await startBrokerProcess();
  await until(() => output().includes(`service-bus ready on Endpoint=sb://127.0.0.1:${port};`));
  const response = await fetch(`http://127.0.0.1:${controlPort}/_local/queues`);
  const { queues } = (await response.json()) as { queues: { name: string }[] };
  expect(queues.map(({ name }) => name)).toEqual(["runs", "runs-overflow", "ingest"]);
});

test("on SIGTERM it finishes what is under way and exits with 0", async () => {
  const { child, port } = await startBrokerProcess();
  const sender = connect(connectionStringOf(port)).createSender("runs");
  await sender.sendMessages({ body: 1 });
  const exit = once(child, "exit");
  const last = sender.sendMessages({ body: 2 });
  await last;
  child.kill("SIGTERM");
  expect(await exit).toEqual([0, null]);
});

test("it exits when its parent goes away", async () => {
  const { child } = await startBrokerProcess();
  const exit = once(child, "exit");
  child.disconnect();
  expect(await exit).toEqual([0, null]);
});

test("a port in use is named in a plain message", async () => {
  const holder = net.createServer().listen(0, "127.0.0.1");
  await once(holder, "listening");
  const { port } = holder.address() as net.AddressInfo;
  for (const option of ["--port", "--control-port"]) {
    expect(await refusal(option, String(port))).toEqual({ code: 1, output: `service-bus: port ${port} is in use\n` });
  }
  holder.close();
});

test("lock durations that the real service would refuse need --lenient", async () => {
  const { code, output } = await refusal("--lock-duration", "1");
  expect({ code, output }).toMatchObject({ code: 1 });
  expect(output).toContain("the lock duration must be from 5 s to 5 min");

  const { port } = await startBrokerProcess("--lock-duration", "0.2", "--lenient");
  const client = connect(connectionStringOf(port));
  await client.createSender("runs").sendMessages({ body: 1 });
  const receiver = client.createReceiver("runs", { maxAutoLockRenewalDurationInMs: 0 });
  await receiver.receiveMessages(1);
  expect(only(await receiver.receiveMessages(1)).deliveryCount).toBe(1);
});

test("a configuration that asks for what the broker does not do is refused by name", async () => {
  const sessions = await refusal("--config", configFile({ RequiresSession: true }));
  expect(sessions.output).toContain("Sessions are not supported");
  const topics = await refusal("--config", configFile({}, { Topics: [{ Name: "t" }] }));
  expect(topics.output).toContain("Topics are not supported");
  const unknown = await refusal("--config", configFile({ MaxSizeInMegabytes: 1 }));
  expect(unknown.output).toContain("MaxSizeInMegabytes");
  expect([sessions.code, topics.code, unknown.code]).toEqual([1, 1, 1]);
});
