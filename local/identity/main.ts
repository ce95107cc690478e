/** The command line of the local identity server. */
import { parseArgs } from "node:util";
import { startIdentity } from "./server.ts";

const USAGE = `node local/identity/main.ts --tenant ID --secret TEXT [--port N] [--system-assigned ID] [--user-assigned ID]…

A local directory of Entra ID and App Service's identity endpoint (IDENTITY_ENDPOINT=http://127.0.0.1:PORT/msi/token,
IDENTITY_HEADER=TEXT), which gives tokens to the identities with these client ids.`;

const { values } = parseArgs({
  options: {
    port: { type: "string", default: "0" },
    tenant: { type: "string" },
    secret: { type: "string" },
    "system-assigned": { type: "string" },
    "user-assigned": { type: "string", multiple: true, default: [] },
    help: { type: "boolean", default: false },
  },
});

const { tenant: tenantId, secret } = values;
if (values.help || tenantId === undefined || secret === undefined) {
  console.log(USAGE);
  process.exit(values.help ? 0 : 1);
}

const server = await startIdentity({
  port: Number(values.port),
  tenantId,
  secret,
  systemAssigned: values["system-assigned"],
  userAssigned: values["user-assigned"],
}).catch((error: Error) => {
  console.error(`identity: ${error.message}`);
  process.exit(1);
});

const stop = () => void server.stop().then(() => process.exit(0));
for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, stop);
// The parent is gone: no other process would end this one.
process.on("disconnect", stop);

console.log(`identity ready on ${server.authority}`);
process.send?.({ ready: true, port: server.port });
