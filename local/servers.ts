// `npm run servers`: what the app needs, without the app, until Ctrl-C. For `func start`, a debugger, or tests.

import path from "node:path";
import { parseArgs } from "node:util";
import { exitText } from "./child.ts";
import { type Servers, startServers } from "./servers-stack.ts";
import { apiKeys, chosenPorts, fail, PROJECT, refuseBusyPorts, stopWithParent } from "./workplace.ts";

const { values: options } = parseArgs({
  options: { data: { type: "string", default: path.join(PROJECT, ".local") } },
});

let starting: Promise<Servers> | undefined;
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => void stop(0));
stopWithParent(() => void stop(0));

const { functions: _, ...ports } = chosenPorts();
await refuseBusyPorts({ ...ports, functions: 0 });
starting = startServers({
  ports,
  dataDir: options.data,
  apiKeys: await apiKeys(options.data),
  onDeath: (child, exit) => {
    console.error(`${child.name} died (${exitText(exit)}).`);
    void stop(1);
  },
});
const { settings } = await starting.catch((error: unknown) =>
  fail(error instanceof Error ? error.message : String(error)),
);
console.log(`
Cosmos DB, Service Bus, the model and Azurite are running. Ctrl-C stops them.
For \`func start\`, put this into local.settings.json (\`npm run start:func\` does all of it):

${JSON.stringify({ IsEncrypted: false, Values: settings }, undefined, 2)}
`);

async function stop(exitCode: number): Promise<void> {
  const servers = await starting?.catch(() => undefined);
  await servers?.stop();
  process.exit(exitCode);
}
