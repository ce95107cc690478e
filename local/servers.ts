// `npm run servers`: what the app needs, without the app, until Ctrl-C. For `func start`, a debugger, or tests.

import { exitText } from "./child.ts";
import { fail } from "./fail.ts";
import { readOptions } from "./options.ts";
import { type Servers, startServers } from "./servers-stack.ts";
import { apiKeys, onRequestToStop, refuseBusyPorts, takeDataFolder } from "./workplace.ts";

const options = readOptions("npm run servers");

let starting: Promise<Servers> | undefined;
onRequestToStop(() => void stop(0));

const { functions: _, ...ports } = options.ports;
takeDataFolder(options);
await refuseBusyPorts({ host: options.host, ports: { ...ports, functions: 0 } });
starting = startServers({
  ports,
  dataDir: options.dataDir,
  apiKeys: await apiKeys(options.dataDir),
  onDeath: (child, exit) => {
    console.error(`${child.name} died (${exitText(exit)}).`);
    void stop(1);
  },
});
const { settings } = await starting.catch((error: unknown) =>
  fail(error instanceof Error ? error.message : String(error)),
);
console.log(`
Cosmos DB, Service Bus, the model, Azurite and code sessions are running. Ctrl-C stops them.
For \`func start\`, put this into local.settings.json (\`npm run start:func\` does all of it):

${JSON.stringify({ IsEncrypted: false, Values: settings }, undefined, 2)}
`);

async function stop(exitCode: number): Promise<void> {
  const servers = await starting?.catch(() => undefined);
  await servers?.stop();
  process.exit(exitCode);
}
