import { randomBytes } from "node:crypto";
import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { azuriteSpec, blobConnectionString } from "./azurite-spec.ts";
import { Child, type ChildSpec, type Exit, type Ready } from "./child.ts";
import { keepLocalTrafficLocal } from "./proxy.ts";
import { cosmosSpec, modelSpec, serviceBusSpec } from "./server-specs.ts";
import {
  type CodeChoice,
  type CodeSessionsAddress,
  codeAddress,
  codeSettings,
  codeSpec,
  newKey,
} from "./stack-code.ts";
import {
  addressOf,
  beside,
  type IdentityChoice,
  type IdentityPlan,
  identitySettings,
  identitySpec,
  issuerArgs,
  planIdentity,
  type StackIdentity,
  trustAll,
} from "./stack-identity.ts";

export interface StackPorts {
  cosmos: number;
  serviceBus: number;
  serviceBusControl: number;
  model: number;
  blobs: number;
  code: number;
  functions: number;
}

export interface StackOptions {
  /** Where Cosmos DB, Service Bus and Azurite keep their data; in memory if absent. */
  dataDir?: string;
  /** The address that the app listens on: 127.0.0.1 if absent. Everything else listens there only. */
  host?: string;
  /** Origins of pages that may call the app, comma separated. */
  cors?: string | undefined;
  /** Starts Azurite's blob service as well: then the app serves files. */
  blobs?: boolean;
  /** Starts the server of code sessions as well, unless CODE_SESSIONS_ENDPOINT names a pool: then the app runs code. */
  code?: CodeChoice;
  /** What is absent gets a free port. */
  ports?: Partial<StackPorts>;
  /** Settings of the app, on top of the usual ones. `API_KEYS` and `MODEL_ENDPOINT` are understood here, too. */
  env?: Record<string, string>;
  /** The lock duration of the queue in seconds, shorter than Service Bus allows if a test wants it. */
  lockDuration?: number;
  /** The simulated model's delays in milliseconds: 0 if absent. */
  modelDelays?: { firstTokenMs: number; tokenMs: number };
  /** Where the servers' output goes: "inherit" for this process's own, "quiet" (the default) for nowhere, or a file. */
  log?: "inherit" | "quiet" | (string & {});
  /** The folder of the app: this project if absent. */
  appDir?: string;
  /** Further instances, each with settings of its own on top of the others', and of another build if it names one. */
  moreHosts?: { name: string; env: Record<string, string>; appDir?: string }[];
  /**
   * Further arguments of the Cosmos DB server, such as `["--partitions", "3"]`: local/cosmos/README.md has them all.
   */
  cosmosArgs?: string[];
  /** The app talks to Cosmos DB over https, as in Azure, and trusts the server's own certificate. */
  https?: boolean;
  /**
   * The app has no keys: it gets tokens from a local directory, as its managed identity does in Azure. Cosmos DB and
   * Service Bus then talk TLS, and `prepare` has to create the containers, which no identity may.
   */
  identity?: IdentityChoice;
  /** Called when the servers run, before the app starts: it creates what templates create in Azure. */
  prepare?: (servers: Addresses) => Promise<void>;
  /** How long the app may finish what it is doing when it is stopped, in seconds; 2 if absent. */
  graceSeconds?: number;
  /** Called when a server ends on its own, without `stop`, `kill` or `restart`. */
  onDeath?: (child: Child, exit: Exit) => void;
  /** Aborting it kills what is started so far, and `startStack` rejects. */
  signal?: AbortSignal;
}

export interface StackProcesses {
  cosmos: Child;
  serviceBus: Child;
  /** Absent if a real model is used. */
  model?: Child;
  /** Only with `blobs`. */
  blobs?: Child;
  /** Only with `code`. */
  code?: Child;
  functions: Child;
  moreHosts: Child[];
}

export interface Stack {
  /** What an OpenAI client takes as its base URL: `http://127.0.0.1:PORT/v1`. */
  baseUrl: string;
  apiKey: string;
  cosmos: {
    endpoint: string;
    key: string;
    /** what clients must trust, in PEM; only with https */
    certificate?: string;
  };
  serviceBus: { connectionString: string; controlUrl: string };
  model: { baseUrl: string; key: string; isSimulated: boolean };
  /** Only with `identity`. */
  identity?: StackIdentity;
  /**
   * Only with `blobs`: a connection string, as the app's settings `AzureWebJobsStorage` and `BLOBS_CONNECTION` have it.
   */
  blobStorage?: string;
  /** Only with `code`; its control plane is under /_local/. */
  codeSessions?: CodeSessionsAddress;
  /** The environment that the app was started with. */
  env: NodeJS.ProcessEnv;
  processes: StackProcesses;
  /** Stops the functions host first, then the servers that it uses. */
  stop(): Promise<void>;
}

/** As the app's settings in Azure (infra/modules/function-app.bicep): a file of 512 MB and what surrounds it. */
const UPLOADS = { FUNCTIONS_REQUEST_BODY_SIZE_LIMIT: "545259520" };

const LOOPBACK = "127.0.0.1";
const PROJECT = path.dirname(import.meta.dirname);

/** The key that every Cosmos DB emulator has; it is public. */
const COSMOS_KEY = "C2y6yDjf5/R+ob0N8A7Cgv30VRDJIWEHLM+4QDU5DE2nQ9nDuVTqobD4b8mGGyPMbIZnqyMsEcaGQy67XIw/Jw==";

/**
 * Starts the whole app on local servers, each in a process of its own, and resolves when the app is healthy. Children
 * end by themselves if this process dies. Rejects with the last output of a server that does not start.
 */
export async function startStack(options: StackOptions = {}): Promise<Stack> {
  keepLocalTrafficLocal(process.env);
  const settings = settingsOf(options);
  const log = logOf(options.log ?? "quiet");
  const children: Child[] = [];
  const start = async (spec: Pick<ChildSpec, "name" | "ports" | "args"> & Partial<ChildSpec>): Promise<Child> => {
    const onDeath = options.onDeath ?? (() => {});
    const isShown = options.log === "inherit";
    const child = new Child({ cwd: PROJECT, env: process.env, log: log(spec.name), isShown, onDeath, ...spec });
    children.push(child);
    await child.start();
    return child;
  };
  const killAll = () => Promise.all(children.map((child) => child.kill("SIGKILL")));
  options.signal?.addEventListener("abort", killAll);
  let stopped: Promise<void> | undefined;
  try {
    options.signal?.throwIfAborted();
    const azurite = options.blobs ? start(azuriteSpec(options.ports?.blobs ?? 0, options.dataDir)) : undefined;
    // It is waited for below.
    azurite?.catch(() => {});
    const plan = settings.identity;
    const identity = plan && addressOf(plan, (await start(identitySpec(plan))).ports);
    const issuer = issuerArgs(identity);
    const [cosmos, serviceBus, model, code] = await Promise.all([
      start(cosmosOf(options, settings, issuer)),
      start(serviceBusOf(options, settings, issuer)),
      settings.modelEndpoint === undefined ? start(modelOf(options, settings.modelKey, issuer)) : undefined,
      settings.codeKey === undefined ? undefined : start(codeOf(options, settings, settings.codeKey, issuer)),
    ]);
    const codeSessions = code && codeAddress(code.ports.port, settings.codeKey ?? "");
    const addresses = {
      ...addressesOf(cosmos.ports, serviceBus.ports, model?.ports, settings),
      ...(identity && { identity }),
    };
    await options.prepare?.(addresses);
    // The app does not wait for Azurite, whose start takes the longest, if the port is known.
    const blobStorage = azurite && blobConnectionString(options.ports?.blobs || (await azurite).ports.port);
    const storage =
      blobStorage === undefined ? {} : { AzureWebJobsStorage: blobStorage, BLOBS_CONNECTION: blobStorage, ...UPLOADS };
    const ofCode = codeSessions ? codeSettings(codeSessions, identity !== undefined) : {};
    const env = { ...settings.env, ...appSettings(addresses, settings), ...storage, ...ofCode };
    const [functions, blobs] = await Promise.all([start(functionsSpec(options, env)), azurite]);
    const moreHosts = await Promise.all(
      (options.moreHosts ?? []).map(({ name, env: own, ...build }) =>
        start({ ...functionsSpec({ ...options, ...build, ports: {} }, { ...env, ...own }), name }),
      ),
    );
    return {
      baseUrl: `http://${reachable(options.host)}:${functions.ports.port}/v1`,
      apiKey: settings.apiKey,
      ...addresses,
      ...(blobStorage === undefined ? {} : { blobStorage }),
      ...(codeSessions === undefined ? {} : { codeSessions }),
      env,
      processes: {
        ...{ cosmos, serviceBus, functions, moreHosts },
        ...{ ...(model && { model }), ...(blobs && { blobs }), ...(code && { code }) },
      },
      stop() {
        stopped ??= stopAll([functions, ...moreHosts], children).finally(() => forget(settings));
        return stopped;
      },
    };
  } catch (error) {
    await killAll();
    forget(settings);
    throw error;
  } finally {
    options.signal?.removeEventListener("abort", killAll);
  }
}

async function stopAll(hosts: Child[], children: Child[]): Promise<void> {
  await Promise.all(hosts.map((host) => host.kill()));
  await Promise.all(children.map((child) => child.kill()));
}

function forget({ certificateFile: file }: Settings): void {
  if (file !== undefined) rmSync(path.dirname(file), { recursive: true, force: true });
}

interface Settings {
  env: NodeJS.ProcessEnv;
  /** Where the Cosmos DB server leaves its certificate; undefined for http. */
  certificateFile: string | undefined;
  identity: IdentityPlan | undefined;
  apiKey: string;
  /** Undefined: the simulated model is used. */
  modelEndpoint: string | undefined;
  modelKey: string;
  /** Undefined: no server of code sessions is started. */
  codeKey: string | undefined;
}

function settingsOf(options: StackOptions): Settings {
  const given = { ...process.env, ...options.env };
  const identity = options.identity && planIdentity(options.identity);
  const apiKeys = options.env?.API_KEYS || (identity ? "" : `local:${randomBytes(16).toString("hex")}`);
  const modelEndpoint = given.MODEL_ENDPOINT || undefined;
  const certificateFile =
    options.https || identity ? path.join(mkdtempSync(path.join(tmpdir(), "stack-")), "cosmos.pem") : undefined;
  const trusted = identity && certificateFile ? beside(certificateFile, TRUSTED) : certificateFile;
  const trust = trusted === undefined ? {} : { NODE_EXTRA_CA_CERTS: trusted };
  return {
    env: { ...given, API_KEYS: apiKeys, ...trust },
    certificateFile,
    identity,
    apiKey: firstKeyOf(apiKeys),
    modelEndpoint,
    // The simulated model checks a key so that the tests notice an app that does not send it.
    modelKey: modelEndpoint === undefined ? randomBytes(16).toString("hex") : (given.MODEL_KEY ?? ""),
    codeKey: options.code && !given.CODE_SESSIONS_ENDPOINT ? newKey() : undefined,
  };
}

/** `tenant:key,tenant:key`: the key of the first that is no digest; empty if there is none. */
function firstKeyOf(apiKeys: string): string {
  const keys = apiKeys.split(",").map((entry) => entry.trim().slice(entry.trim().indexOf(":") + 1));
  return keys.find((key) => !key.startsWith("sha256:")) ?? "";
}

type Addresses = Pick<Stack, "cosmos" | "serviceBus" | "model" | "identity">;

/** Beside the certificate of Cosmos DB: that of Service Bus, and both of them for the app. */
const SERVICE_BUS_CERTIFICATE = "service-bus.pem";
const TRUSTED = "trusted.pem";

function addressesOf(cosmos: Ready, serviceBus: Ready, model: Ready | undefined, settings: Settings): Addresses {
  const connection = [
    `Endpoint=sb://127.0.0.1:${serviceBus.port}`,
    "SharedAccessKeyName=RootManageSharedAccessKey",
    "SharedAccessKey=SAS_KEY_VALUE",
    ...(settings.identity ? [] : ["UseDevelopmentEmulator=true"]),
  ];
  const { certificateFile: file } = settings;
  if (file !== undefined && settings.identity) {
    trustAll([file, beside(file, SERVICE_BUS_CERTIFICATE)], beside(file, TRUSTED));
  }
  return {
    cosmos: {
      endpoint: `${file === undefined ? "http" : "https"}://127.0.0.1:${cosmos.port}`,
      key: COSMOS_KEY,
      ...(file !== undefined && { certificate: readFileSync(file, "utf8") }),
    },
    serviceBus: {
      connectionString: `${connection.join(";")};`,
      controlUrl: `http://127.0.0.1:${serviceBus.controlPort}`,
    },
    model: {
      baseUrl: settings.modelEndpoint ?? `http://127.0.0.1:${model?.port}/v1`,
      key: settings.modelKey,
      isSimulated: model !== undefined,
    },
  };
}

function appSettings({ cosmos, serviceBus, model, identity }: Addresses, { env }: Settings): Record<string, string> {
  if (identity) {
    const modelOrigin = model.isSimulated ? new URL(model.baseUrl).origin : undefined;
    const serviceBusPort = Number(/:(\d+);/.exec(serviceBus.connectionString)?.[1]);
    const database = { COSMOS_ENDPOINT: cosmos.endpoint, COSMOS_DATABASE: "threadkeep" };
    const ownModel = model.isSimulated ? embeddingSettings(env) : {};
    return { ...database, ...identitySettings(identity, { serviceBusPort, modelOrigin }, env), ...ownModel };
  }
  // Azure's dated API is another one than the simulated model's.
  const simulated = { MODEL_ENDPOINT: model.baseUrl, MODEL_KEY: model.key, MODEL_API_VERSION: "" };
  return {
    COSMOS_ENDPOINT: cosmos.endpoint,
    COSMOS_KEY: cosmos.key,
    COSMOS_DATABASE: "threadkeep",
    COSMOS_CREATE_CONTAINERS: "true",
    ServiceBusConnection: serviceBus.connectionString,
    // The settings of a real model are already in the environment.
    ...(model.isSimulated ? { ...simulated, ...embeddingSettings(env) } : {}),
  };
}

/**
 * The simulated model makes embeddings as well, under any name; those of another endpoint may be wanted all the same.
 */
const embeddingSettings = ({ EMBEDDING_MODEL: given }: NodeJS.ProcessEnv) => ({
  EMBEDDING_MODEL: given || "text-embedding-3-small",
});

function cosmosOf({ ports, dataDir, cosmosArgs = [] }: StackOptions, { certificateFile }: Settings, issuer: string[]) {
  const https = certificateFile === undefined ? [] : ["--https", "--certificate", certificateFile];
  return cosmosSpec(ports?.cosmos ?? 0, dataDir, [...https, ...issuer, ...cosmosArgs]);
}

function serviceBusOf(
  { ports, dataDir, lockDuration }: StackOptions,
  { certificateFile, identity }: Settings,
  issuer: string[],
) {
  const tls =
    identity && certificateFile ? ["--tls", "--certificate", beside(certificateFile, SERVICE_BUS_CERTIFICATE)] : [];
  const lock = lockDuration === undefined ? [] : ["--lock-duration", String(lockDuration), "--lenient"];
  const listen = { port: ports?.serviceBus ?? 0, controlPort: ports?.serviceBusControl ?? 0 };
  return serviceBusSpec(listen, dataDir, [...lock, ...tls, ...issuer]);
}

function modelOf({ ports, modelDelays }: StackOptions, key: string, issuer: string[]) {
  return modelSpec(ports?.model ?? 0, key, modelDelays ?? { firstTokenMs: 0, tokenMs: 0 }, issuer);
}

function codeOf({ ports, dataDir, code = {} }: StackOptions, { env }: Settings, key: string, issuer: string[]) {
  return codeSpec(ports?.code ?? 0, key, code, dataDir, env, issuer);
}

function functionsSpec(options: StackOptions, env: NodeJS.ProcessEnv) {
  const { ports, host = LOOPBACK, cors, appDir, graceSeconds, log } = options;
  const app = ["--app", path.resolve(appDir ?? PROJECT), "--grace", String(graceSeconds ?? 2)];
  // A line for each call is wanted in a log file; on a terminal it would bury everything else.
  const quiet = log === undefined || log === "inherit" || log === "quiet" ? ["--quiet"] : [];
  return {
    name: "functions",
    env,
    ports: { port: ports?.functions ?? 0 },
    args: ({ port }: Ready) => {
      const listen = ["--host", host, "--port", String(port), ...(cors === undefined ? [] : ["--cors", cors])];
      // Without a master key the host's admin API is open, which is good enough for this machine only.
      const locked = host === LOOPBACK ? [] : ["--master-key", randomBytes(16).toString("hex")];
      return ["local/functions/main.ts", ...app, ...listen, ...locked, ...quiet];
    },
    healthUrl: ({ port }: Ready) => `http://${reachable(host)}:${port}/healthz`,
  };
}

/** An address at which this machine reaches a server that listens on `host`. */
function reachable(host = LOOPBACK): string {
  if (host === "0.0.0.0") return LOOPBACK;
  if (host === "::") return "[::1]";
  return host.includes(":") ? `[${host}]` : host;
}

function logOf(target: string): (name: string) => (line: string) => void {
  if (target === "quiet") return () => () => {};
  if (target === "inherit") return (name) => (line) => console.log(`[${name}] ${line}`);
  mkdirSync(path.dirname(path.resolve(target)), { recursive: true });
  return (name) => (line) => appendFileSync(target, `[${name}] ${line}\n`);
}
