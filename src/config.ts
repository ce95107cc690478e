/**
 * The app's settings, read once from the environment (Azure: app settings; locally: local.settings.json). A bad one
 * stops the start with its name, what was given and what is allowed; values of secrets are never shown.
 */
import { z } from "zod";

/** Tenants are names that the operator chooses; they become part of partition keys. */
const TENANT = /^[a-z0-9][a-z0-9-]{0,62}$/;
const MIN_KEY_LENGTH = 16;
const MEGABYTE = 1_048_576;

export interface ApiKey {
  tenant: string;
  key: string;
}

const apiKeys = z.string().transform((text, context): ApiKey[] => {
  const keys: ApiKey[] = [];
  const entries = text
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "");
  for (const [index, entry] of entries.entries()) {
    const colon = entry.indexOf(":");
    const tenant = entry.slice(0, Math.max(colon, 0));
    const key = entry.slice(colon + 1);
    // Entries are told by their number: what stands in the tenant's place may be a key.
    const which = `entry ${index + 1}`;
    if (colon < 1 || !TENANT.test(tenant)) {
      context.addIssue(`${which} is not tenant:key, the tenant being lower-case letters, digits and dashes`);
    } else if (key.length < MIN_KEY_LENGTH) {
      context.addIssue(`the key of ${which} is shorter than ${MIN_KEY_LENGTH} characters`);
    } else if (keys.some((known) => known.key === key && known.tenant !== tenant)) {
      context.addIssue(`the key of ${which} belongs to another tenant already`);
    } else keys.push({ tenant, key });
  }
  return keys;
});

/** What clients call a model, and what the endpoint calls it. */
const modelNames = z.string().transform((text, context): Map<string, string> => {
  const names = new Map<string, string>();
  for (const entry of text.split(",").map((part) => part.trim())) {
    const [given = "", served = "", ...rest] = entry.split("=").map((part) => part.trim());
    if (given === "" || served === "" || rest.length > 0) context.addIssue("expected old=new, comma separated");
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

const settings = z.object({
  API_KEYS: apiKeys.default([]),

  COSMOS_ENDPOINT: url,
  COSMOS_KEY: z.string().min(1).optional(),
  COSMOS_DATABASE: z.string().min(1).default("threadkeep"),
  COSMOS_CREATE_CONTAINERS: flag.default(false),

  ServiceBusConnection: z.string().min(1).optional(),
  ServiceBusConnection__fullyQualifiedNamespace: z.string().min(1).optional(),

  MODEL_ENDPOINT: url,
  MODEL_KEY: z.string().min(1).optional(),
  MODEL_API_VERSION: z.string().min(1).optional(),
  MODEL_NAMES: modelNames.default(new Map()),
  MODEL_WITHOUT: parameterNames.default([]),
  MODEL_FIRST_TOKEN_TIMEOUT: seconds(1, 600).default(120),
  MODEL_TOKEN_TIMEOUT: seconds(1, 600).default(60),
  MODEL_MAX_ATTEMPTS: within(1, 20, "a whole number").int("expected a whole number").default(4),

  MODEL_CONTEXT_TOKENS: within(1_000, 10_000_000, "a number of tokens").default(100_000),

  RUN_LIFETIME: within(1, 86_400, "whole seconds").int("expected whole seconds from 1 to 86400").default(600),
  RUN_LEASE: seconds(1, 300).default(20),
  RUN_EVENTS_TTL: within(0, 30 * 86_400, "a number of seconds")
    .int("expected whole seconds")
    .default(86_400),
  MAX_REQUESTS: within(1, 100_000, "a whole number").int("expected a whole number").default(500),
  MAX_STREAMS: within(1, 100_000, "a whole number").int("expected a whole number").default(2_000),
  MAX_BODIES_MB: within(16, 100_000, "a number of megabytes").default(128),
  MAX_OVERDUE_RUNS: within(0, 100_000, "a whole number").int("expected a whole number").default(10_000),
  MAX_UNREAD_MB: within(0.01, 100_000, "a number of megabytes").default(64),
  SHOW_COSTS: flag.default(false),
  AZURE_CLIENT_ID: z.string().min(1).optional(),
});

const SECRETS = ["API_KEYS", "COSMOS_KEY", "ServiceBusConnection", "MODEL_KEY"];

export interface Config {
  apiKeys: ApiKey[];
  cosmos: { endpoint: string; key: string | undefined; database: string; createContainers: boolean };
  serviceBus: { connectionString: string } | { namespace: string };
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
  /** seconds; `lease`: how long a driver owns a run without a sign of life, `eventsTtl`: of event logs */
  runs: { lifetime: number; lease: number; eventsTtl: number };
  limits: {
    /** of one instance: requests under way, open streams, bytes of bodies, characters that wait for slow readers */
    requests: number;
    streams: number;
    bodyBytes: number;
    unread: number;
    /** of all instances: runs that wait too long for a worker */
    overdueRuns: number;
  };
  /** whether GET /costs answers: for benchmarks, not for the open internet */
  showCosts: boolean;
  /** of a user-assigned managed identity */
  managedIdentityClientId: string | undefined;
}

/** The settings, or an Error whose message lists every bad one. */
export function readConfig(environment: Record<string, string | undefined>): Config {
  // App settings that exist but are empty mean "not set".
  const given = Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== ""));
  const result = settings.safeParse(given);
  const problems = result.success ? [] : describe(result.error.issues, given);
  if (!given.ServiceBusConnection && !given.ServiceBusConnection__fullyQualifiedNamespace)
    problems.push(NO_SERVICE_BUS);
  if (!result.success || problems.length > 0) throw new Error(`Bad settings:\n${problems.join("\n")}`);
  const s = result.data;
  return {
    apiKeys: s.API_KEYS,
    cosmos: {
      endpoint: s.COSMOS_ENDPOINT,
      key: s.COSMOS_KEY,
      database: s.COSMOS_DATABASE,
      createContainers: s.COSMOS_CREATE_CONTAINERS,
    },
    serviceBus: serviceBus(s),
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
    runs: { lifetime: s.RUN_LIFETIME, lease: s.RUN_LEASE, eventsTtl: s.RUN_EVENTS_TTL },
    limits: {
      requests: s.MAX_REQUESTS,
      streams: s.MAX_STREAMS,
      bodyBytes: s.MAX_BODIES_MB * MEGABYTE,
      unread: s.MAX_UNREAD_MB * MEGABYTE,
      overdueRuns: s.MAX_OVERDUE_RUNS,
    },
    showCosts: s.SHOW_COSTS,
    managedIdentityClientId: s.AZURE_CLIENT_ID,
  };
}

const NO_SERVICE_BUS =
  "- ServiceBusConnection is not set (a connection string), nor is ServiceBusConnection__fullyQualifiedNamespace " +
  "(name.servicebus.windows.net, used with a managed identity)";

function serviceBus(s: z.output<typeof settings>): Config["serviceBus"] {
  if (s.ServiceBusConnection !== undefined) return { connectionString: s.ServiceBusConnection };
  return { namespace: s.ServiceBusConnection__fullyQualifiedNamespace ?? "" };
}

function describe(issues: z.core.$ZodIssue[], given: Record<string, string | undefined>): string[] {
  return issues.map((issue) => {
    const name = String(issue.path[0]);
    const value = given[name];
    if (value === undefined) return `- ${name} is not set: ${issue.message}`;
    const secret = SECRETS.includes(name) || LOOKS_SECRET.test(value);
    return `- ${name} is ${secret ? "(not shown)" : JSON.stringify(value)}: ${issue.message}`;
  });
}

/** A connection string, say, that was put into another setting's place. */
const LOOKS_SECRET = /key=|signature=|password|:[^/]{16}/i;
