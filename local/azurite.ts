/**
 * Azurite's blob service as a server of the local stack: on 127.0.0.1, without telemetry. It tells the process that
 * started it when it listens, and ends with it.
 *
 *   node local/azurite.ts --port 10000 --data DIR        port 0 takes a free one; in memory without --data
 */
import { subscribe } from "node:diagnostics_channel";
import { mkdirSync } from "node:fs";
import { createRequire } from "node:module";
import type { AddressInfo, Server } from "node:net";
import { parseArgs } from "node:util";

const { values } = parseArgs({ options: { port: { type: "string", default: "10000" }, data: { type: "string" } } });

if (values.data !== undefined) mkdirSync(values.data, { recursive: true });
const store = values.data === undefined ? ["--inMemoryPersistence"] : ["--location", values.data];
// SDKs that are newer than Azurite ask for versions of the API that it does not know; it serves what it can.
const fixed = ["--blobHost", "127.0.0.1", "--silent", "--disableTelemetry", "--skipApiVersionCheck"];
process.argv = [process.execPath, "azurite-blob", ...fixed, "--blobPort", values.port, ...store];

// Azurite prints its port, and what it does besides. Like the other servers this one says a single line; errors go on.
const say = console.log;
console.log = () => {};
subscribe("tracing:net.server.listen:asyncEnd", (message) => {
  const { port } = (message as { server: Server }).server.address() as AddressInfo;
  say(`blobs ready on http://127.0.0.1:${port}`);
  process.send?.({ ready: true, port });
});

/** What Azurite may take to write what it holds. Milliseconds. */
const LONGEST_STOP = 3_000;

// Azurite closes its service on these signals, once it has started. It listens to its parent as well, which would keep
// the process alive.
for (const signal of ["SIGTERM", "SIGINT"] as const) {
  process.on(signal, () => {
    if (process.connected) process.disconnect();
    setTimeout(() => process.exit(0), LONGEST_STOP).unref();
  });
}
process.once("disconnect", () => process.kill(process.pid, "SIGTERM"));

createRequire(import.meta.url)("azurite/dist/src/blob/main.js");
