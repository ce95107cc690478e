/** The local stack, as the checks of the .NET clients of the API need it: each check has a tenant of its own. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Child } from "../../../local/child.ts";
import { startStack } from "../../../local/stack.ts";
import { buildIfStale } from "../../e2e/build.ts";

const TENANTS = 120;

/** Seconds: enough for a run that is not to expire, short enough to wait for one that is. */
const BRIEF_LIFETIME = "3";

/** What a program of these checks is told, as assistants/App.cs reads it. */
interface Addresses {
  main: string;
  brief: string;
  stopping: string;
  model: string;
  control: string;
  keys: string;
}

export interface App {
  addressesFor(program: string): Addresses;
}

/** Starts the stack for these programs, each with tenants and an instance that it may stop. */
export async function withApp<T>(programs: string[], use: (app: App) => Promise<T>): Promise<T> {
  buildIfStale();
  const brief = { name: "brief", env: { RUN_LIFETIME: BRIEF_LIFETIME } };
  const stack = await startStack({
    env: { API_KEYS: programs.flatMap(tenantsOf).join(",") },
    graceSeconds: 1,
    blobs: true,
    code: { maxSessions: 8, idle: 60 },
    moreHosts: [brief, ...programs.map((name) => ({ name: `stopping-${name}`, env: {} }))],
  });
  const [briefHost, ...stopping] = stack.processes.moreHosts;
  const controls: Server[] = [];
  try {
    const addresses = new Map<string, Addresses>();
    for (const [index, program] of programs.entries()) {
      const host = stopping[index];
      if (briefHost === undefined || host === undefined) throw new Error("not all instances were started");
      const control = await startControl(host);
      controls.push(control);
      addresses.set(program, {
        main: originOf(stack.processes.functions),
        brief: originOf(briefHost),
        stopping: originOf(host),
        model: stack.model.baseUrl,
        control: `http://127.0.0.1:${(control.address() as AddressInfo).port}`,
        keys: keysOf(program),
      });
    }
    return await use({ addressesFor: (program) => known(addresses, program) });
  } finally {
    for (const control of controls) {
      control.close();
      control.closeAllConnections();
    }
    await stack.stop();
  }
}

const keysOf = (program: string) => `a-key-of-${program}-`;

/** Numbers from 1, as the programs count them. */
const tenantsOf = (program: string) =>
  Array.from({ length: TENANTS }, (_, index) => `${program}-${index + 1}:${keysOf(program)}${index + 1}`);

const originOf = ({ ports }: Child) => `http://127.0.0.1:${ports.port}`;

function known(addresses: Map<string, Addresses>, program: string): Addresses {
  const found = addresses.get(program);
  if (found === undefined) throw new Error(`the app was not started for ${program}`);
  return found;
}

/** Its one request, `POST /stop`, tells the instance to stop; the answer does not wait for its end. */
function startControl(host: Child): Promise<Server> {
  const server = createServer((request, response) => {
    if (request.method === "POST" && request.url === "/stop") void host.kill("SIGTERM");
    else response.statusCode = 404;
    response.end();
  });
  return new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(server)));
}
