/**
 * The app's settings, read once from the environment (Azure: app settings; locally: local.settings.json). A bad one
 * stops the start with its name, what was given and what is allowed; values of secrets are never shown.
 */
import { z } from "zod";

/** Tenants are names that the operator chooses; they become part of partition keys. */
const TENANT = /^[a-z0-9][a-z0-9-]{0,62}$/;
const MIN_KEY_LENGTH = 16;

export interface ApiKey {
  tenant: string;
  key: string;
}

const apiKeys = z.string().transform((text, context): ApiKey[] => {
  const keys: ApiKey[] = [];
  for (const entry of text
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "")) {
    const colon = entry.indexOf(":");
    const tenant = entry.slice(0, Math.max(colon, 0));
    const key = entry.slice(colon + 1);
    if (colon < 1 || !TENANT.test(tenant)) {
      context.addIssue(`each entry is tenant:key, the tenant being lower-case letters, digits and dashes`);
    } else if (key.length < MIN_KEY_LENGTH) {
      context.addIssue(`the key of tenant ${tenant} is shorter than ${MIN_KEY_LENGTH} characters`);
    } else keys.push({ tenant, key });
  }
  return keys;
});

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
  MODEL_FIRST_TOKEN_TIMEOUT: seconds(1, 600).default(120),
  MODEL_TOKEN_TIMEOUT: seconds(1, 600).default(60),
  MODEL_MAX_ATTEMPTS: within(1, 20, "a whole number").int("expected a whole number").default(4),

  MODEL_CONTEXT_TOKENS: within(1_000, 10_000_000, "a number of tokens").default(100_000),

  RUN_LIFETIME: seconds(1, 86_400).default(600),
  RUN_LEASE: seconds(1, 300).default(20),
  RUN_EVENTS_TTL: within(0, 30 * 86_400, "a number of seconds")
    .int("expected whole seconds")
    .default(86_400),
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
    /** milliseconds */
    firstTokenTimeout: number;
    /** milliseconds */
    tokenTimeout: number;
    /** how often a call is tried while the model answers 429 or 5xx */
    maxAttempts: number;
    /** how many tokens of a thread a prompt may hold if the run sets no bound */
    contextTokens: number;
  };
  /** seconds; `lease`: how long a driver owns a run without a sign of life, `eventsTtl`: of event logs */
  runs: { lifetime: number; lease: number; eventsTtl: number };
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
  if (!result.success) throw new Error(describe(result.error.issues, given));
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
      firstTokenTimeout: s.MODEL_FIRST_TOKEN_TIMEOUT * 1000,
      tokenTimeout: s.MODEL_TOKEN_TIMEOUT * 1000,
      maxAttempts: s.MODEL_MAX_ATTEMPTS,
      contextTokens: s.MODEL_CONTEXT_TOKENS,
    },
    runs: { lifetime: s.RUN_LIFETIME, lease: s.RUN_LEASE, eventsTtl: s.RUN_EVENTS_TTL },
    showCosts: s.SHOW_COSTS,
    managedIdentityClientId: s.AZURE_CLIENT_ID,
  };
}

function serviceBus(s: z.output<typeof settings>): Config["serviceBus"] {
  if (s.ServiceBusConnection !== undefined) return { connectionString: s.ServiceBusConnection };
  const namespace = s.ServiceBusConnection__fullyQualifiedNamespace;
  if (namespace !== undefined) return { namespace };
  throw new Error(
    "Bad settings:\n- ServiceBusConnection is not set (a connection string), nor is " +
      "ServiceBusConnection__fullyQualifiedNamespace (name.servicebus.windows.net, used with a managed identity)",
  );
}

function describe(issues: z.core.$ZodIssue[], given: Record<string, unknown>): string {
  const lines = issues.map((issue) => {
    const name = String(issue.path[0]);
    const value = given[name];
    if (value === undefined) return `- ${name} is not set: ${issue.message}`;
    const shown = SECRETS.includes(name) ? "(not shown)" : JSON.stringify(value);
    return `- ${name} is ${shown}: ${issue.message}`;
  });
  return `Bad settings:\n${lines.join("\n")}`;
}
