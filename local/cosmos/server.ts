import { createServer as createHttpServer, type Server } from "node:http";
import { KEY } from "./auth.ts";
import { type FaultReport, type FaultRule, Faults } from "./faults.ts";
import { type Context, KEEP_ALIVE_MS, requestListener } from "./http.ts";
import { Service } from "./service.ts";
import { Counters, type Stats } from "./stats.ts";

export { KEY } from "./auth.ts";
export type { Fault, FaultOperation, FaultReport, FaultRule } from "./faults.ts";
export type { Stats, Tally } from "./stats.ts";

export interface CosmosOptions {
  /** 0, and the default, for any free port. */
  port?: number;
  /** The folder of the journal; without it everything is in memory only. */
  data?: string;
  /** The account key, base64; the public emulator key unless given. */
  key?: string;
  /** Makes the chance of injected faults repeatable. */
  seed?: number;
  /** The clock in milliseconds; for tests of what takes long. */
  now?: () => number;
  /** The smallest journal, in bytes, that is ever compacted. */
  compactFrom?: number;
}

export interface CosmosServer {
  endpoint: string;
  port: number;
  key: string;
  /** Lets requests under way finish, also those that a fault holds, then closes the journal. */
  stop(): Promise<void>;
  /** Replaces the injected faults; an empty list ends them. */
  setFaults(rules: FaultRule[]): void;
  /** The faults with how often each struck, and how many requests it holds. */
  faults(): FaultReport[];
  stats(): Stats;
  resetStats(): void;
}

const HOST = "127.0.0.1";
const IDLE_CHECK_MS = 20;

/** Starts a server on this machine's loopback address. Throws when the port is taken or the journal damaged. */
export async function startCosmos(options: CosmosOptions = {}): Promise<CosmosServer> {
  const server = createHttpServer({ keepAliveTimeout: KEEP_ALIVE_MS });
  await listen(server, options.port ?? 0);
  // The process that holds the port owns the journal. The server serves no connection before this line.
  const { service, faults, counters } = attach(server, options);
  const port = portOf(server);
  return {
    endpoint: `http://${HOST}:${port}`,
    port,
    key: options.key ?? KEY,
    async stop() {
      faults.set([]);
      await close(server);
      service.account.close();
    },
    setFaults: (rules) => faults.set(rules),
    faults: () => faults.list(),
    stats: () => counters.read(),
    resetStats: () => counters.reset(),
  };
}

/** A server that the caller listens with; in memory unless told otherwise. */
export function createServer(options: Omit<CosmosOptions, "port"> = {}): Server {
  const server = createHttpServer({ keepAliveTimeout: KEEP_ALIVE_MS });
  attach(server, options);
  return server;
}

function attach(server: Server, { key = KEY, seed = 1, data, now, compactFrom }: CosmosOptions): Context {
  try {
    const context: Context = {
      service: new Service({ key, data, now, compactFrom }),
      faults: new Faults(seed),
      counters: new Counters(),
    };
    server.on("request", requestListener(context));
    return context;
  } catch (error) {
    server.close();
    throw error;
  }
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, HOST, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

/** Answers what is under way. A connection that is kept alive would hold the server open, so each is closed once it is idle. */
function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    const idle = setInterval(() => server.closeIdleConnections(), IDLE_CHECK_MS);
    server.close(() => {
      clearInterval(idle);
      resolve();
    });
  });
}

function portOf(server: Server): number {
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("The server has no port.");
  return address.port;
}
