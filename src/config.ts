/**
 * The app's settings, read once from the environment (Azure: app settings; locally: local.settings.json). A bad one
 * stops the start with its name, what was given and what is allowed; values of secrets are never shown.
 */
import { z } from "zod";
import {
  type ApiKey,
  apiKeys,
  audiences,
  authority,
  callers,
  DEFAULT_AUDIENCES,
  DEFAULT_AUTHORITY,
  directory,
  type EntraSettings,
} from "./access-settings.ts";
import {
  capturesContent,
  isRatioTooLarge,
  TELEMETRY_SETTINGS,
  type TelemetrySettings,
  telemetrySettings,
} from "./telemetry/settings.ts";

const MEGABYTE = 1_048_576;

/** What clients call a model, and what the endpoint calls it. */
const modelNames = z.string().transform((text, context): Map<string, string> => {
  const names = new Map<string, string>();
  for (const entry of text.split(",").map((part) => part.trim())) {
    const [given = "", served = "", ...rest] = entry.split("=").map((part) => part.trim());
    if (given === "" || served === "" || rest.length > 0) context.addIssue("expected old=new, comma separated");
    else if (names.has(given)) context.addIssue(`${JSON.stringify(given)} stands there twice`);
    else names.set(given, served);
  }
  return names;
});

/**
 * What a model call may be made without: OpenAI's optional parameters, and what a server put into its function calls
 * beside the API's own fields (`call_extras`).
 */
export const OPTIONAL_PARAMETERS = [
  "stream_options",
  "parallel_tool_calls",
  "temperature",
  "top_p",
  "reasoning_effort",
  "max_completion_tokens",
  "call_extras",
] as const;
export type OptionalParameter = (typeof OPTIONAL_PARAMETERS)[number];

const parameterNames = z.string().transform((text, context): OptionalParameter[] =>
  text.split(",").flatMap((part) => {
    const known = OPTIONAL_PARAMETERS.find((name) => name === part.trim());
    if (known === undefined) context.addIssue(`expected some of ${OPTIONAL_PARAMETERS.join(", ")}, comma separated`);
    return known ?? [];
  }),
);

const flag = z.enum(["true", "false"], "expected true or false").transform((value) => value === "true");
const url = z.url({ protocol: /^https?$/, error: "expected an http or https URL" });
const within = (minimum: number, maximum: number, what: string) => {
  const error = `expected ${what} from ${minimum} to ${maximum}`;
  return z.coerce.number(error).min(minimum, error).max(maximum, error);
};
const seconds = (minimum: number, maximum: number) => within(minimum, maximum, "a number of seconds");

/** Of an embedding, if the settings do not say: as in OpenAI's own vector stores. */
export const DEFAULT_DIMENSIONS = 256;

const settings = z.object({
  API_KEYS: apiKeys.default([]),
  ENTRA_TENANT_ID: directory.optional(),
  ENTRA_AUDIENCES: audiences.default(DEFAULT_AUDIENCES),
  ENTRA_AUTHORITY: authority.default(DEFAULT_AUTHORITY),
  CALLERS: callers.default([]),

  COSMOS_ENDPOINT: url,
  COSMOS_KEY: z.string().min(1).optional(),
  COSMOS_DATABASE: z.string().min(1).default("threadkeep"),
  COSMOS_CREATE_CONTAINERS: flag.default(false),

  ServiceBusConnection: z.string().min(1).optional(),
  ServiceBusConnection__fullyQualifiedNamespace: z.string().min(1).optional(),

  BLOBS_ENDPOINT: url.optional(),
  BLOBS_CONNECTION: z.string().min(1).optional(),

  MODEL_ENDPOINT: url,
  MODEL_KEY: z.string().min(1).optional(),
  MODEL_API_VERSION: z.string().min(1).optional(),
  MODEL_NAMES: modelNames.default(new Map()),
  MODEL_WITHOUT: parameterNames.default([]),
  MODEL_FIRST_TOKEN_TIMEOUT: seconds(1, 600).default(120),
  MODEL_TOKEN_TIMEOUT: seconds(1, 600).default(60),
  MODEL_MAX_ATTEMPTS: within(1, 20, "a whole number").int("expected a whole number").default(4),

  MODEL_CONTEXT_TOKENS: within(1_000, 10_000_000, "a number of tokens").default(100_000),

  EMBEDDING_MODEL: z.string().min(1).optional(),
  EMBEDDING_ENDPOINT: url.optional(),
  EMBEDDING_KEY: z.string().min(1).optional(),
  EMBEDDING_API_VERSION: z.string().min(1).optional(),
  EMBEDDING_DIMENSIONS: within(1, 4_096, "a whole number").int("expected a whole number").default(DEFAULT_DIMENSIONS),

  CODE_SESSIONS_ENDPOINT: url.optional(),
  CODE_SESSIONS_KEY: z.string().min(1).optional(),
  CODE_TIMEOUT: within(1, 200, "whole seconds").int("expected whole seconds from 1 to 200").default(60),

  RUN_LIFETIME: within(1, 86_400, "whole seconds").int("expected whole seconds from 1 to 86400").default(600),
  RUN_LEASE: seconds(1, 300).default(20),
  RUN_EVENTS_TTL: within(0, 30 * 86_400, "a number of seconds")
    .int("expected whole seconds")
    .default(86_400),
  MAX_REQUESTS: within(1, 100_000, "a whole number").int("expected a whole number").default(500),
  MAX_STREAMS: within(1, 100_000, "a whole number").int("expected a whole number").default(2_000),
  MAX_UPLOADS: within(1, 10_000, "a whole number").int("expected a whole number").default(16),
  INGEST_CONCURRENCY: within(1, 64, "a whole number").int("expected a whole number").default(2),
  MAX_BODIES_MB: within(16, 100_000, "a number of megabytes").default(128),
  MAX_OVERDUE_RUNS: within(0, 100_000, "a whole number").int("expected a whole number").default(10_000),
  MAX_UNREAD_MB: within(0.01, 100_000, "a number of megabytes").default(64),
  SHOW_COSTS: flag.default(false),
  ...TELEMETRY_SETTINGS,
  AZURE_CLIENT_ID: z.string().min(1).optional(),
  IDENTITY_ENDPOINT: z.string().min(1).optional(),
});

const SECRETS = [
  "API_KEYS",
  "COSMOS_KEY",
  "ServiceBusConnection",
  "BLOBS_CONNECTION",
  "MODEL_KEY",
  "EMBEDDING_KEY",
  "CODE_SESSIONS_KEY",
  "APPLICATIONINSIGHTS_CONNECTION_STRING",
];

export interface CodeSettings {
  /** of the pool of sessions: its `poolManagementEndpoint` in Azure */
  endpoint: string;
  /** of a local pool; undefined: the pool is called with the app's identity */
  key: string | undefined;
  /** how long a call may run, in whole seconds */
  timeout: number;
}

export interface Config {
  apiKeys: ApiKey[];
  /** undefined: tokens of Entra ID are not taken */
  entra: EntraSettings | undefined;
  cosmos: {
    endpoint: string;
    key: string | undefined;
    database: string;
    createContainers: boolean;
  };
  serviceBus: { connectionString: string } | { namespace: string };
  /** where the bytes of files are; undefined: this deployment serves no files */
  blobs: { connectionString: string } | { endpoint: string } | undefined;
  model: {
    endpoint: string;
    key: string | undefined;
    /** set for Azure OpenAI's dated API; absent for any OpenAI-compatible base URL */
    apiVersion: string | undefined;
    /** from names that clients use to those that the endpoint knows; others are passed on as they are */
    names: Map<string, string>;
    /** optional parameters that the endpoint never gets */
    without: OptionalParameter[];
    /** milliseconds */
    firstTokenTimeout: number;
    /** milliseconds */
    tokenTimeout: number;
    /** attempts of one model call, whatever ended each: the model or the death of its driver */
    maxAttempts: number;
    /** how many tokens of a thread a prompt may hold if the run sets no bound */
    contextTokens: number;
  };
  embeddings: {
    /** undefined: files cannot be searched */
    model: string | undefined;
    endpoint: string;
    key: string | undefined;
    apiVersion: string | undefined;
    /** numbers of a vector, also of those in the container `stores` */
    dimensions: number;
  };
  /** where code of the code interpreter runs; undefined: the tool is off */
  code: CodeSettings | undefined;
  /** seconds; `lease`: how long a driver owns a run without a sign of life, `eventsTtl`: of event logs */
  runs: { lifetime: number; lease: number; eventsTtl: number };
  limits: {
    /**
     * of one instance: requests under way, open streams, files that are being sent, files that are read for vector
     * stores, bytes of bodies, characters that wait for slow readers
     */
    requests: number;
    streams: number;
    uploads: number;
    ingestions: number;
    bodyBytes: number;
    unread: number;
    /** of all instances: runs that wait too long for a worker */
    overdueRuns: number;
  };
  /** whether GET /costs answers: for benchmarks, not for the open internet */
  showCosts: boolean;
  /** undefined: none */
  telemetry: TelemetrySettings | undefined;
  /** whether telemetry holds what users and the model say */
  capturesContent: boolean;
  /** of a user-assigned managed identity */
  managedIdentityClientId: string | undefined;
  /** whether the platform gives tokens to a managed identity here: App Service and Functions do */
  hasIdentityEndpoint: boolean;
}

/** The settings, or an Error whose message lists every bad one. */
export function readConfig(environment: Record<string, string | undefined>): Config {
  // App settings that exist but are empty mean "not set".
  const given = Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== ""));
  const result = settings.safeParse(given);
  const problems = result.success ? [] : describe(result.error.issues, given);
  if (!given.ServiceBusConnection && !given.ServiceBusConnection__fullyQualifiedNamespace)
    problems.push(NO_SERVICE_BUS);
  if (given.BLOBS_ENDPOINT && given.BLOBS_CONNECTION) problems.push(TWO_BLOB_STORES);
  if (given.ENTRA_TENANT_ID && !given.CALLERS) problems.push(NO_CALLERS);
  if (given.CALLERS && !given.ENTRA_TENANT_ID) problems.push(NO_DIRECTORY);
  if (isRatioTooLarge(given)) problems.push(RATIO_TOO_LARGE);
  if (!result.success || problems.length > 0) throw new Error(`Bad settings:\n${problems.join("\n")}`);
  const s = result.data;
  return {
    apiKeys: s.API_KEYS,
    entra: entra(s),
    cosmos: {
      endpoint: s.COSMOS_ENDPOINT,
      key: s.COSMOS_KEY,
      database: s.COSMOS_DATABASE,
      createContainers: s.COSMOS_CREATE_CONTAINERS,
    },
    serviceBus: serviceBus(s),
    blobs: blobs(s),
    model: {
      endpoint: s.MODEL_ENDPOINT,
      key: s.MODEL_KEY,
      apiVersion: s.MODEL_API_VERSION,
      names: s.MODEL_NAMES,
      without: s.MODEL_WITHOUT,
      firstTokenTimeout: s.MODEL_FIRST_TOKEN_TIMEOUT * 1000,
      tokenTimeout: s.MODEL_TOKEN_TIMEOUT * 1000,
      maxAttempts: s.MODEL_MAX_ATTEMPTS,
      contextTokens: s.MODEL_CONTEXT_TOKENS,
    },
    embeddings: embeddings(s),
    code: code(s),
    runs: { lifetime: s.RUN_LIFETIME, lease: s.RUN_LEASE, eventsTtl: s.RUN_EVENTS_TTL },
    limits: {
      requests: s.MAX_REQUESTS,
      streams: s.MAX_STREAMS,
      uploads: s.MAX_UPLOADS,
      ingestions: s.INGEST_CONCURRENCY,
      bodyBytes: s.MAX_BODIES_MB * MEGABYTE,
      unread: s.MAX_UNREAD_MB * MEGABYTE,
      overdueRuns: s.MAX_OVERDUE_RUNS,
    },
    showCosts: s.SHOW_COSTS,
    telemetry: telemetrySettings(s),
    capturesContent: capturesContent(s),
    managedIdentityClientId: s.AZURE_CLIENT_ID,
    hasIdentityEndpoint: s.IDENTITY_ENDPOINT !== undefined,
  };
}

const NO_SERVICE_BUS =
  "- ServiceBusConnection is not set (a connection string), nor is ServiceBusConnection__fullyQualifiedNamespace " +
  "(name.servicebus.windows.net, used with a managed identity)";

const TWO_BLOB_STORES =
  "- BLOBS_ENDPOINT and BLOBS_CONNECTION are both set: one says where files are (by identity, or with a key)";

const NO_CALLERS =
  "- CALLERS is not set: with ENTRA_TENANT_ID it says which callers belong to which tenant (tenant:kind=value)";

const NO_DIRECTORY =
  "- ENTRA_TENANT_ID is not set: with CALLERS it is the id of the directory whose tokens are taken (a GUID)";

const RATIO_TOO_LARGE = "- OTEL_TRACES_SAMPLER_ARG is above 1: with this OTEL_TRACES_SAMPLER it is a ratio from 0 to 1";

function entra(s: z.output<typeof settings>): Config["entra"] {
  if (s.ENTRA_TENANT_ID === undefined) return undefined;
  const { ENTRA_AUTHORITY, ENTRA_AUDIENCES, CALLERS } = s;
  return {
    directory: s.ENTRA_TENANT_ID,
    authority: ENTRA_AUTHORITY,
    audiences: ENTRA_AUDIENCES,
    callers: CALLERS,
  };
}

/**
 * The model's endpoint, unless there is another one for embeddings. A key is never sent to another server than its own.
 */
function embeddings(s: z.output<typeof settings>): Config["embeddings"] {
  const { MODEL_ENDPOINT, MODEL_KEY, MODEL_API_VERSION, EMBEDDING_ENDPOINT: endpoint = MODEL_ENDPOINT } = s;
  const isSameServer = new URL(endpoint).origin === new URL(MODEL_ENDPOINT).origin;
  return {
    model: s.EMBEDDING_MODEL,
    endpoint,
    key: s.EMBEDDING_KEY ?? (isSameServer ? MODEL_KEY : undefined),
    apiVersion: s.EMBEDDING_API_VERSION ?? (endpoint === MODEL_ENDPOINT ? MODEL_API_VERSION : undefined),
    dimensions: s.EMBEDDING_DIMENSIONS,
  };
}

function code(s: z.output<typeof settings>): Config["code"] {
  if (s.CODE_SESSIONS_ENDPOINT === undefined) return undefined;
  return { endpoint: s.CODE_SESSIONS_ENDPOINT, key: s.CODE_SESSIONS_KEY, timeout: s.CODE_TIMEOUT };
}

function serviceBus(s: z.output<typeof settings>): Config["serviceBus"] {
  if (s.ServiceBusConnection !== undefined) return { connectionString: s.ServiceBusConnection };
  return { namespace: s.ServiceBusConnection__fullyQualifiedNamespace ?? "" };
}

function blobs(s: z.output<typeof settings>): Config["blobs"] {
  if (s.BLOBS_CONNECTION !== undefined) return { connectionString: s.BLOBS_CONNECTION };
  return s.BLOBS_ENDPOINT === undefined ? undefined : { endpoint: s.BLOBS_ENDPOINT };
}

function describe(issues: z.core.$ZodIssue[], given: Record<string, string | undefined>): string[] {
  return issues.map((issue) => {
    const name = String(issue.path[0]);
    const value = given[name];
    if (value === undefined) return `- ${name} is not set: ${issue.message}`;
    const secret = SECRETS.includes(name) || LOOKS_SECRET.test(value);
    return `- ${name} ${secret ? "(its value is not shown)" : `is ${JSON.stringify(value)}`}: ${issue.message}`;
  });
}

/** A connection string, say, that was put into another setting's place. */
const LOOKS_SECRET = /key=|signature=|password|:[^/]{16}/i;

/** Names in the environment that are almost those of settings, and have no effect: a sentence for each. */
export function misspelt(environment: Record<string, string | undefined>): string[] {
  const known = Object.keys(settings.shape);
  return Object.keys(environment).flatMap((name) => {
    if (!environment[name] || known.includes(name)) return [];
    const meant = known.find((setting) => isAlmost(name.toUpperCase(), setting.toUpperCase()));
    return meant === undefined ? [] : [`${name} is no setting: did you mean ${meant}?`];
  });
}

/** Settings of others have names of their own: two letters that differ are a slip. */
const SLIPS = 2;

function isAlmost(name: string, setting: string): boolean {
  if (Math.abs(name.length - setting.length) > SLIPS) return false;
  // How many letters must be put in, left out or replaced to get from the one's beginning to each of the other's.
  let row = Array.from({ length: setting.length + 1 }, (_, index) => index);
  for (const [index, letter] of Array.from(name).entries()) {
    const next = [index + 1];
    for (let column = 1; column <= setting.length; column++) {
      const replaced = (row[column - 1] ?? 0) + Number(letter !== setting[column - 1]);
      next.push(Math.min(replaced, (row[column] ?? 0) + 1, (next[column - 1] ?? 0) + 1));
    }
    row = next;
  }
  return (row[setting.length] ?? 0) <= SLIPS;
}
