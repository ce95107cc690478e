// The command line of the commands that start the local servers: what an option does not say, an environment variable
// may.

import path from "node:path";
import { parseArgs } from "node:util";
import { fail } from "./fail.ts";
import type { StackPorts } from "./stack.ts";
import { codeProblem } from "./stack-code.ts";

const { env } = process;

export const PROJECT = path.dirname(import.meta.dirname);

export interface WorkplaceOptions {
  dataDir: string;
  appDir: string;
  ports: StackPorts;
  /** The address that the app listens on. */
  host: string;
  /** Origins, comma separated. */
  cors: string | undefined;
  reset: boolean;
}

/** The last two leave the address that the app listens on, and CORS, to func and its settings. */
export type Command = "npm start" | "npm run dev" | "npm run servers" | "npm run start:func";

const OF_OUR_HOST = `
  --host ADDRESS        the address that the app listens on: 127.0.0.1; 0.0.0.0 lets other machines in
  --cors ORIGINS        lets pages of these origins call the app: http://localhost:3000,http://… or "*"`;

const help = (command: Command) => `${command} -- [options]

  --data DIR            the folder of the data and the API key: .local, or DIR
  --reset               removes the data that are there and begins anew; the API key stays
  --port N              the app's port: PORT, or 7071. 0 takes a free one, here and below
  --cosmos-port N       Cosmos DB's: COSMOS_PORT, or 8081
  --service-bus-port N  Service Bus's: SERVICE_BUS_PORT, or 5672; its control server has the next one
  --model-port N        the simulated model's: MODEL_PORT, or 4010
  --code-port N         that of the sessions which run code: CODE_PORT, or 4020
  --blob-port N         that of Azurite, for blobs: BLOB_PORT, or 10000${usesFunc(command) ? "" : OF_OUR_HOST}
  --help

Settings of the app, such as MODEL_ENDPOINT and API_KEYS, are environment variables: docs/operations.md.`;

/** Ends the process with what is wrong on the command line, or with the help that it asks for. */
export function readOptions(command: Command): WorkplaceOptions {
  const values = parsed(command);
  if (values.help) {
    console.log(help(command));
    process.exit(0);
  }
  const serviceBus = portFrom("SERVICE_BUS_PORT", "service-bus-port", values["service-bus-port"], 5672);
  const ports = {
    cosmos: portFrom("COSMOS_PORT", "cosmos-port", values["cosmos-port"], 8081),
    serviceBus,
    serviceBusControl: serviceBus === 0 ? 0 : serviceBus + 1,
    model: portFrom("MODEL_PORT", "model-port", values["model-port"], 4010),
    code: portFrom("CODE_PORT", "code-port", values["code-port"], 4020),
    blobs: portFrom("BLOB_PORT", "blob-port", values["blob-port"], 10_000),
    functions: portFrom("PORT", "port", values.port, 7071),
  };
  refuseSharedPorts(ports);
  const problem = codeProblem(env);
  if (problem !== undefined) fail(problem);
  for (const name of ["host", "cors"] as const) {
    if (usesFunc(command) && values[name] !== undefined)
      fail(`--${name} is an option of npm start: see func start --help.`);
  }
  return {
    dataDir: path.resolve(values.data),
    appDir: values.app,
    ports,
    host: values.host ?? "127.0.0.1",
    cors: values.cors === undefined ? undefined : originsIn(values.cors),
    reset: values.reset,
  };
}

function usesFunc(command: Command): boolean {
  return command === "npm run servers" || command === "npm run start:func";
}

function parsed(command: Command) {
  try {
    const text = { type: "string" } as const;
    const flag = { type: "boolean", default: false } as const;
    return parseArgs({
      options: {
        data: { ...text, default: path.join(PROJECT, ".local") },
        // The folder of another built app: for tests.
        app: { ...text, default: PROJECT },
        host: text,
        port: text,
        "cosmos-port": text,
        "service-bus-port": text,
        "model-port": text,
        "code-port": text,
        "blob-port": text,
        cors: text,
        reset: flag,
        help: flag,
      },
    }).values;
  } catch (error) {
    // Node's message goes on with hints for programmers.
    const [what = ""] = (error instanceof Error ? error.message : String(error)).split(". ");
    fail(`${what.replace(/\.$/, "")}. See ${command} -- --help.`);
  }
}

function portFrom(variable: string, option: string, given: string | undefined, usual: number): number {
  const text = given ?? (env[variable] || String(usual));
  const port = Number(text);
  // The port after that of Service Bus must be one, too.
  if (/^\d+$/.test(text) && port < 65_535) return port;
  fail(`${given === undefined ? variable : `--${option}`} must be a port number, not "${text}".`);
}

function refuseSharedPorts({ functions, cosmos, serviceBus, serviceBusControl, blobs, model, code }: StackPorts): void {
  const wanted: [variable: string, port: number][] = [
    ["PORT", functions],
    ["COSMOS_PORT", cosmos],
    ["SERVICE_BUS_PORT", serviceBus],
    ["SERVICE_BUS_PORT + 1", serviceBusControl],
    ["BLOB_PORT", blobs],
    ...(env.CODE_SESSIONS_ENDPOINT ? [] : ([["CODE_PORT", code]] as [string, number][])),
    ...(env.MODEL_ENDPOINT ? [] : ([["MODEL_PORT", model]] as [string, number][])),
  ];
  for (const [index, [variable, port]] of wanted.entries()) {
    const other = wanted.slice(0, index).find(([, taken]) => taken === port && port !== 0);
    if (other) fail(`${other[0]} and ${variable} are both ${port}: each server needs a port of its own.`);
  }
}

/** Browsers compare origins letter by letter, so one with a path or a slash at its end would never match. */
function originsIn(text: string): string {
  const origins = text.split(",").map((origin) => origin.trim());
  for (const origin of origins) {
    const isOrigin = URL.canParse(origin) && new URL(origin).origin === origin;
    const suggestion = URL.canParse(origin) && new URL(origin).origin !== "null" ? new URL(origin).origin : undefined;
    if (isOrigin || (origin === "*" && origins.length === 1)) continue;
    const meant = suggestion === undefined ? "expected one such as http://localhost:3000, or *" : `say ${suggestion}`;
    fail(`--cors: "${origin}" is no origin: ${meant}.`);
  }
  return origins.join(",");
}
