/** The broker's command line. */
import { writeFileSync } from "node:fs";
import type { Server } from "node:http";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { UnusableJournal, type WriteRefused } from "../journal-file.ts";
import { readConfig, type Tier } from "./config.ts";
import { startControl } from "./control.ts";
import { SERVICE_IDLE_LIMITS } from "./idleness.ts";
import { addressOf, ServiceBusBroker } from "./server.ts";

const HELP = `node local/service-bus/main.ts [options]

A local broker that speaks AMQP 1.0 as Azure Service Bus queues do.

  --port N               AMQP, default 5672; 0 takes a free one
  --control-port N       HTTP, default 5300: queues, messages and injected faults under /_local/
  --config FILE          queues, in the form of the official emulator's Config.json
  --data DIR             keep the queues in a journal there; without it they live in memory
  --compact-from BYTES   the smallest journal that is ever shortened, default 4 MB
  --lock-duration S      seconds, instead of the configured lock duration of every queue
  --tier NAME            standard (messages up to 256 KB), the default, or premium (1 MB)
  --link-idle S          seconds after which an unused link is ended, default 600
  --lenient              allow settings that the real service would refuse
  --tls                  AMQP over TLS, which clients with tokens of identities want
  --certificate FILE     with --tls: write the certificate to trust to this file
  --issuer URL           the local identity server, whose tokens are taken
  --seed N               for the choices of injected faults
`;

/** The arguments cannot be followed: a message for people, no stack. */
class UsageError extends Error {}

function readArguments() {
  const { values } = parseArgs({
    options: {
      port: { type: "string", default: "5672" },
      "control-port": { type: "string", default: "5300" },
      config: { type: "string", default: fileURLToPath(new URL("config.json", import.meta.url)) },
      data: { type: "string" },
      "compact-from": { type: "string" },
      "lock-duration": { type: "string" },
      tier: { type: "string", default: "standard" },
      "link-idle": { type: "string", default: "600" },
      lenient: { type: "boolean", default: false },
      tls: { type: "boolean", default: false },
      certificate: { type: "string" },
      issuer: { type: "string" },
      seed: { type: "string", default: "1" },
      help: { type: "boolean", default: false },
    },
  });
  const lockSeconds = values["lock-duration"];
  const compactFrom = values["compact-from"];
  return {
    help: values.help,
    port: numberOf("--port", values.port),
    controlPort: numberOf("--control-port", values["control-port"]),
    config: values.config,
    data: values.data,
    compactFrom: compactFrom === undefined ? undefined : numberOf("--compact-from", compactFrom),
    lockDuration: lockSeconds === undefined ? undefined : Math.round(numberOf("--lock-duration", lockSeconds) * 1000),
    tier: tierOf(values.tier),
    idleLimits: { ...SERVICE_IDLE_LIMITS, link: Math.round(numberOf("--link-idle", values["link-idle"]) * 1000) },
    lenient: values.lenient,
    tls: values.tls,
    certificate: values.certificate,
    issuer: values.issuer,
    seed: numberOf("--seed", values.seed),
  };
}

function numberOf(name: string, text: string): number {
  const number = Number(text);
  if (text.trim() === "" || !(number >= 0)) throw new UsageError(`${name} must be a number, not "${text}"`);
  return number;
}

function tierOf(name: string): Tier {
  if (name === "standard" || name === "premium") return name;
  throw new UsageError(`--tier must be standard or premium, not "${name}"`);
}

/** Says which port is taken; other errors as they are. */
async function listening<T>(port: number, start: Promise<T>): Promise<T> {
  try {
    return await start;
  } catch (error) {
    const inUse = error instanceof Error && "code" in error && error.code === "EADDRINUSE";
    throw inUse ? new UsageError(`port ${port} is in use`) : error;
  }
}

/** Whatever is wrong with what the user has written comes out as a message. */
function plainly<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

/** No client has been told of what the disk did not take: for them the broker has died before. */
function endWithout({ message }: WriteRefused): never {
  console.error(`service-bus: ${message}. The broker ends; nothing that it has acknowledged is lost.`);
  process.exit(1);
}

async function main(): Promise<void> {
  const options = plainly(readArguments);
  if (options.help) {
    process.stdout.write(HELP);
    return;
  }
  const config = plainly(() => readConfig(options.config, options));
  const queues = config.map(({ name, settings }) => ({ name, ...settings }));
  const { port, data: dataDir, compactFrom, seed, tier, idleLimits, tls, issuer } = options;
  const broker = new ServiceBusBroker({
    queues,
    port,
    dataDir,
    compactFrom,
    seed,
    tier,
    idleLimits,
    tls,
    issuer,
    log: (...what) => console.error(...what),
    refused: endWithout,
  });
  let control: Server | undefined;

  let stopping = false;
  const stop = async () => {
    if (stopping) return;
    stopping = true;
    control?.close();
    control?.closeAllConnections();
    await broker.stop();
    process.exit(0);
  };
  process.on("SIGTERM", stop);
  process.on("SIGINT", stop);
  // The parent is gone, maybe killed: no process is left that could stop this one.
  process.on("disconnect", stop);
  if (process.connected === false) await stop(); // it went while this process was loading

  await listening(port, broker.start());
  control = await listening(options.controlPort, startControl(broker, options.controlPort));
  if (options.certificate !== undefined) writeFileSync(options.certificate, broker.certificate ?? "");
  console.log(`service-bus ready on ${broker.connectionString()}`);
  if (process.connected) process.send?.({ ready: true, port: broker.port, controlPort: addressOf(control).port });
}

try {
  await main();
} catch (error) {
  const isPlain = error instanceof UsageError || error instanceof UnusableJournal;
  console.error(isPlain ? `service-bus: ${error.message}` : error);
  process.exit(1);
}
