/** The command line of the local server of code sessions. */
import { parseArgs } from "node:util";
import { PACKAGE_MODES } from "./packages.ts";
import { startCodeSessions } from "./server.ts";

const USAGE = `node local/code-sessions/main.ts --key TEXT --cache DIR [--port 4020] [--max-sessions 4]
  [--idle 1800] [--life 3600] [--packages off|cache|fetch] [--wheels DIR] [--prepare] [--make-room]
  [--issuer URL]

Azure Container Apps dynamic sessions on this machine. --cache: the folder for the interpreter's snapshot.
--wheels: that for packages, if not a folder in it. --prepare: makes the snapshot at once, in the background. --make-room:
a full pool ends the session that has rested the longest, which Azure does not. --issuer: the local identity server, whose tokens are taken in place of the key.`;

const { values } = parseArgs({
  options: {
    port: { type: "string", default: "4020" },
    key: { type: "string" },
    cache: { type: "string" },
    wheels: { type: "string" },
    issuer: { type: "string" },
    "max-sessions": { type: "string", default: "4" },
    idle: { type: "string", default: "1800" },
    life: { type: "string", default: "3600" },
    packages: { type: "string", default: "off" },
    prepare: { type: "boolean", default: false },
    "make-room": { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});

if (values.help) {
  console.log(USAGE);
  process.exit(0);
}
const { key, cache } = values;
if (key === undefined || cache === undefined) fail(`usage: ${USAGE}`);
const packages = PACKAGE_MODES.find((mode) => mode === values.packages);
if (packages === undefined) fail(`code-sessions: packages must be one of ${PACKAGE_MODES.join(", ")}`);

const port = numberOf("port", values.port, 0);
const sessions = await startCodeSessions({
  port,
  key,
  cache,
  packages,
  ...(values.wheels === undefined ? {} : { wheelFolder: values.wheels }),
  ...(values.issuer === undefined ? {} : { issuer: values.issuer }),
  makesRoom: values["make-room"],
  maxSessions: numberOf("max-sessions", values["max-sessions"], 1),
  idle: numberOf("idle", values.idle, 1),
  life: numberOf("life", values.life, 1),
}).catch((error: NodeJS.ErrnoException) => {
  const reason = error.code === "EADDRINUSE" ? `port ${port} is already in use on 127.0.0.1` : error.message;
  return fail(`code-sessions: ${reason}`);
});

let isStopping = false;
for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => void stop());
// The parent has ended, so it can no longer stop this process.
process.on("disconnect", () => void stop());

console.log(`code-sessions ready on ${sessions.endpoint}`);
process.send?.({ ready: true, port: sessions.port });
if (values.prepare) {
  await sessions.prepare().catch((error: Error) => console.log(`code-sessions: ${error.message}`));
}

async function stop(): Promise<void> {
  if (isStopping) return;
  isStopping = true;
  await sessions.stop();
  process.exit(0);
}

function numberOf(option: string, text: string, least: number): number {
  const number = Number(text);
  if (Number.isInteger(number) && number >= least) return number;
  return fail(`code-sessions: --${option} must be a whole number from ${least}, not "${text}"\nusage: ${USAGE}`);
}

function fail(message: string): never {
  console.error(message);
  process.exit(1);
}
