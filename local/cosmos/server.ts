import { createServer as createHttpServer, type Server as HttpServer } from "node:http";
import { createServer as createHttpsServer, type Server as HttpsServer } from "node:https";
import { type Certificate, selfSigned } from "../certificate.ts";
import { TokenCheck } from "../identity/token-check.ts";
import { KEY } from "./auth.ts";
import type { Context } from "./context.ts";
import type { FaultRule } from "./fault-rules.ts";
import { type FaultReport, Faults } from "./faults.ts";
import { KEEP_ALIVE_MS, requestListener } from "./http.ts";
import { Service } from "./service.ts";
import { completeSettings, type Settings } from "./settings.ts";
import { Counters, type Stats } from "./stats.ts";

export { KEY } from "./auth.ts";
export type { Fault, FaultOperation, FaultRule } from "./fault-rules.ts";
export type { FaultReport } from "./faults.ts";
export type { Settings } from "./settings.ts";
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
  /** How many physical partitions a new container has; 1 unless given. */
  partitions?: number;
  /** Consistency, replica lag, throughput and prices: how accounts of the real service differ. */
  settings?: Partial<Settings>;
  /** The name of the account; not `localhost`, unless the SDK shall ignore the locations that it reports. */
  account?: string;
  /** The name of its only region. */
  region?: string;
  /** Serves https in place of http. */
  https?: boolean;
  /** For https; a new one for 127.0.0.1 and localhost unless given. */
  certificate?: Certificate;
  /** The local identity server (`http://127.0.0.1:PORT`): identities' tokens must be signed by it. */
  issuer?: string;
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
  settings(): Settings;
  /** Changes some settings; a copy for weak reads starts as up to date as the container is now. */
  change(settings: Partial<Settings>): void;
  /** Splits a physical partition of a container in two, as the service does to a full one. */
  split(database: string, container: string, range: string): void;
  /** With https: the certificate that clients have to trust, as PEM. */
  certificate: string | undefined;
}

const HOST = "127.0.0.1";
const IDLE_CHECK_MS = 20;

/** Starts a server on this machine's loopback address. Throws when the port is taken or the journal damaged. */
export async function startCosmos(options: CosmosOptions = {}): Promise<CosmosServer> {
  const certificate = options.https ? (options.certificate ?? selfSigned()) : undefined;
  const server = certificate
    ? createHttpsServer({ cert: certificate.certificate, key: certificate.key, keepAliveTimeout: KEEP_ALIVE_MS })
    : createHttpServer({ keepAliveTimeout: KEEP_ALIVE_MS });
  await listen(server, options.port ?? 0);
  // The server serves no connection before this line.
  const { service, faults, counters } = attach(server, options);
  const { account } = service;
  const port = portOf(server);
  return {
    endpoint: `${protocolOf(options)}://${HOST}:${port}`,
    port,
    key: options.key ?? KEY,
    certificate: certificate?.certificate,
    async stop() {
      faults.set([]);
      await close(server);
      account.close();
    },
    setFaults: (rules) => faults.set(rules),
    faults: () => faults.list(),
    stats() {
      account.removeExpired();
      return counters.read();
    },
    resetStats() {
      account.removeExpired();
      counters.reset();
    },
    settings: () => ({ ...account.settings }),
    change: (settings) => account.change(settings),
    split: (database, container, range) => account.split(account.container(database, container), range),
  };
}

const protocolOf = ({ https }: CosmosOptions) => (https ? "https" : "http");

/** A server that the caller listens with; in memory unless told otherwise. */
export function createServer(options: Omit<CosmosOptions, "port" | "https"> = {}): HttpServer {
  const server = createHttpServer({ keepAliveTimeout: KEEP_ALIVE_MS });
  attach(server, options);
  return server;
}

function attach(server: HttpServer | HttpsServer, options: CosmosOptions): Context {
  const { key = KEY, seed = 1, account = "threadkeep-local", region = "Local", settings, issuer, ...rest } = options;
  try {
    const counters = new Counters();
    const service = new Service({
      ...rest,
      key,
      settings: completeSettings(settings),
      identity: { account, region, protocol: protocolOf(options) },
      onExpired: (container, charge) => counters.add("ttl-delete", container, charge, false),
    });
    const tokens = issuer === undefined ? undefined : new TokenCheck(issuer);
    const context: Context = { service, faults: new Faults(seed), counters, tokens };
    server.on("request", requestListener(context));
    return context;
  } catch (error) {
    server.close();
    throw error;
  }
}

function listen(server: HttpServer | HttpsServer, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, HOST, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

/**
 * Answers what is under way. A connection that is kept alive would hold the server open, so each is closed once it is
 * idle.
 */
function close(server: HttpServer | HttpsServer): Promise<void> {
  return new Promise((resolve) => {
    const idle = setInterval(() => server.closeIdleConnections(), IDLE_CHECK_MS);
    server.close(() => {
      clearInterval(idle);
      resolve();
    });
  });
}

function portOf(server: HttpServer | HttpsServer): number {
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("The server has no port.");
  return address.port;
}
