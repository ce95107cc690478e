// host.json, local.settings.json, and the notations that both share with function bindings.

import { readFile } from "node:fs/promises";
import path from "node:path";

export interface ServiceBusSettings {
  maxConcurrentCalls: number;
  autoCompleteMessages: boolean;
  maxAutoLockRenewalMs: number;
  maxMessageBatchSize: number;
  prefetchCount: number;
}

export interface HostSettings {
  routePrefix: string;
  /** Infinity: no function ever takes too long. */
  functionTimeoutMs: number;
  /** In bytes. */
  maxRequestBody: number;
  serviceBus: ServiceBusSettings;
}

type JsonObject = Record<string, unknown>;

/** Flex Consumption's, of which `-1` in host.json means none. */
const DEFAULT_FUNCTION_TIMEOUT_MS = 30 * 60_000;
const DEFAULT_MAX_REQUEST_BODY = 100 * 1024 * 1024;

/**
 * Reads host.json of the app and the settings `AzureFunctionsJobHost__…`, which go before it; what both leave out has
 * the defaults of the host and its extensions. Throws if a value is none that .NET would take.
 */
export async function readHostSettings(appDir: string): Promise<HostSettings> {
  const read = new HostConfiguration(await readJsonFile(path.join(appDir, "host.json")));
  const timeout = read.text("functionTimeout");
  return {
    routePrefix: read.text("extensions:http:routePrefix") ?? "api",
    functionTimeoutMs:
      timeout === "-1" ? Number.POSITIVE_INFINITY : (read.timeSpan("functionTimeout") ?? DEFAULT_FUNCTION_TIMEOUT_MS),
    maxRequestBody: Number(process.env.FUNCTIONS_REQUEST_BODY_SIZE_LIMIT || DEFAULT_MAX_REQUEST_BODY),
    serviceBus: {
      maxConcurrentCalls: read.number("extensions:serviceBus:maxConcurrentCalls") ?? 16,
      autoCompleteMessages: read.flag("extensions:serviceBus:autoCompleteMessages") ?? true,
      maxAutoLockRenewalMs: read.timeSpan("extensions:serviceBus:maxAutoLockRenewalDuration") ?? 5 * 60_000,
      maxMessageBatchSize: read.number("extensions:serviceBus:maxMessageBatchSize") ?? 1000,
      prefetchCount: read.number("extensions:serviceBus:prefetchCount") ?? 0,
    },
  };
}

const OVERRIDE = /^AzureFunctionsJobHost__/i;

/** As .NET reads configuration: names without regard to case, every value as text, settings before files. */
class HostConfiguration {
  readonly #values = new Map<string, string>();

  constructor(file: JsonObject) {
    this.#add("", file);
    for (const [name, value] of Object.entries(process.env)) {
      if (!OVERRIDE.test(name) || value === undefined) continue;
      this.#values.set(name.replace(OVERRIDE, "").replaceAll("__", ":").toLowerCase(), value);
    }
  }

  text(name: string): string | undefined {
    return this.#values.get(name.toLowerCase());
  }

  number(name: string): number | undefined {
    return this.#parsed(name, "a whole number", (text) => (/^-?\d+$/.test(text.trim()) ? Number(text) : undefined));
  }

  flag(name: string): boolean | undefined {
    const flags: Record<string, boolean> = { true: true, false: false };
    return this.#parsed(name, "true or false", (text) => flags[text.trim().toLowerCase()]);
  }

  /** In milliseconds. */
  timeSpan(name: string): number | undefined {
    return this.#parsed(name, "a TimeSpan such as 00:05:00 or 1.00:00:00", parseTimeSpan);
  }

  #parsed<T>(name: string, what: string, parse: (text: string) => T | undefined): T | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const value = parse(text);
    if (value === undefined) throw new Error(`host.json: ${name} must be ${what}, not "${text}".`);
    return value;
  }

  #add(prefix: string, values: JsonObject): void {
    for (const [name, value] of Object.entries(values)) {
      const full = `${prefix}${name}`.toLowerCase();
      if (typeof value === "object") this.#add(`${full}:`, asObject(value));
      else this.#values.set(full, String(value));
    }
  }
}

/** The part `Host` of local.settings.json, which the host in Azure never sees. */
interface LocalHostSettings {
  cors: string | undefined;
  corsCredentials: boolean;
}

/** Puts the `Values` of local.settings.json into the environment, except those that are set there already. */
export async function loadLocalSettings(appDir: string): Promise<LocalHostSettings> {
  const file = await readJsonFile(path.join(appDir, "local.settings.json"));
  for (const [name, value] of Object.entries(objectIn(file, "Values"))) process.env[name] ??= String(value);
  const { CORS: cors, CORSCredentials: credentials } = objectIn(file, "Host");
  return { cors: typeof cors === "string" ? cors : undefined, corsCredentials: String(credentials) === "true" };
}

/** Replaces each %SETTING% by its value, as the host does in binding properties. Throws when one is not set. */
export function resolveSettings(text: string): string {
  return text.replace(/%([^%]+)%/g, (_, name: string) => {
    const value = process.env[name];
    if (value === undefined) throw new Error(`'%${name}%' does not resolve to a value.`);
    return value;
  });
}

/** True when the setting AzureWebJobs.<name>.Disabled (or its form for shells, with __) switches the function off. */
export function isDisabled(functionName: string, env: NodeJS.ProcessEnv): boolean {
  const setting = env[`AzureWebJobs.${functionName}.Disabled`] ?? env[`AzureWebJobs__${functionName}__Disabled`];
  return setting !== undefined && /^(true|1)$/i.test(setting);
}

/**
 * Milliseconds of a TimeSpan such as `00:05:00` or `1.12:00:00`; undefined if the text is none. Hours go to 23: .NET
 * takes `24:00:00` for 24 days.
 */
export function parseTimeSpan(text: string): number | undefined {
  const match = /^(?:(\d+)\.)?([01]?\d|2[0-3]):([0-5]?\d):([0-5]?\d(?:\.\d+)?)$/.exec(text.trim());
  if (!match) return undefined;
  const [days = 0, hours = 0, minutes = 0, seconds = 0] = match.slice(1).map((part) => Number(part ?? 0));
  return (((days * 24 + hours) * 60 + minutes) * 60 + seconds) * 1000;
}

async function readJsonFile(file: string): Promise<JsonObject> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return {};
    throw error;
  }
  try {
    return asObject(JSON.parse(text));
  } catch (error) {
    const reason = error instanceof Error ? error.message : error;
    throw new Error(`${file} is not valid JSON: ${reason}. Mend it, or remove it: \`npm start\` needs none.`);
  }
}

function asObject(value: unknown): JsonObject {
  return typeof value === "object" && value !== null ? (value as JsonObject) : {};
}

function objectIn(parent: JsonObject, key: string): JsonObject {
  return asObject(parent[key]);
}
