import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { type RetryOptions, ServiceBusClient, type ServiceBusReceivedMessage } from "@azure/service-bus";
import { onTestFinished } from "vitest";
import { type BrokerOptions, ServiceBusBroker } from "../../../local/service-bus/server.ts";

const MAIN = fileURLToPath(new URL("../../../local/service-bus/main.ts", import.meta.url));

/** A broker in this process, for one test. */
export async function startBroker(options: BrokerOptions = {}): Promise<ServiceBusBroker> {
  const broker = await new ServiceBusBroker(options).start();
  onTestFinished(() => broker.stop());
  return broker;
}

/** A client of the real SDK, for one test. */
export function connect(connectionString: string, retryOptions: RetryOptions = { maxRetries: 0 }): ServiceBusClient {
  const client = new ServiceBusClient(connectionString, { retryOptions: { timeoutInMs: 5000, ...retryOptions } });
  onTestFinished(() => client.close());
  return client;
}

export function connectionStringOf(port: number): string {
  return (
    `Endpoint=sb://127.0.0.1:${port};SharedAccessKeyName=RootManageSharedAccessKey;` +
    "SharedAccessKey=SAS_KEY_VALUE;UseDevelopmentEmulator=true;"
  );
}

/** Waits until a condition holds; fails by the test's own time limit. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await delay(5);
}

/** The one message that a receive was expected to bring. */
export function only(messages: ServiceBusReceivedMessage[]): ServiceBusReceivedMessage {
  const [message] = messages;
  if (!message || messages.length > 1) throw new Error(`Expected one message, got ${messages.length}.`);
  return message;
}

export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), "service-bus-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

export interface BrokerProcess {
  child: ChildProcess;
  port: number;
  controlPort: number;
  /** Everything that it has printed to stdout. */
  output: () => string;
}

/** The command line on free ports; killed at the end of the test if it still runs. */
export function launch(...args: string[]): { child: ChildProcess; output: () => string } {
  const child = fork(MAIN, ["--port", "0", "--control-port", "0", ...args], {
    stdio: ["ignore", "pipe", "pipe", "ipc"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream?.on("data", (chunk) => (output += chunk));
  onTestFinished(() => void child.kill("SIGKILL"));
  return { child, output: () => output };
}

/** The command line, once it is ready. */
export async function startBrokerProcess(...args: string[]): Promise<BrokerProcess> {
  const { child, output } = launch(...args);
  const [message] = await Promise.race([
    once(child, "message"),
    once(child, "exit").then(() => {
      throw new Error(`The broker did not start: ${output()}`);
    }),
  ]);
  return { child, output, port: message.port, controlPort: message.controlPort };
}

/** `kill -9`, and gone. */
export async function killHard({ child }: BrokerProcess): Promise<void> {
  const exit = once(child, "exit");
  child.kill("SIGKILL");
  await exit;
}
