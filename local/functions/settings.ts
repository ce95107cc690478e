// host.json, local.settings.json, and the notations that both share with function bindings.

import { readFile } from "node:fs/promises";
import path from "node:path";

export interface ServiceBusSettings {
  maxConcurrentCalls: number;
  autoCompleteMessages: boolean;
  maxAutoLockRenewalMs: number;
  maxMessageBatchSize: number;
}

export interface HostSettings {
  routePrefix: string;
  serviceBus: ServiceBusSettings;
}

type JsonObject = Record<string, unknown>;

/** Reads host.json of the app; what it leaves out has the defaults of the Service Bus extension 5.x and the HTTP one. */
export async function readHostSettings(appDir: string): Promise<HostSettings> {
  const extensions = objectIn(await readJsonFile(path.join(appDir, "host.json")), "extensions");
  const serviceBus = objectIn(extensions, "serviceBus");
  return {
    routePrefix: textIn(objectIn(extensions, "http"), "routePrefix") ?? "api",
    serviceBus: {
      maxConcurrentCalls: numberIn(serviceBus, "maxConcurrentCalls") ?? 16,
      autoCompleteMessages: serviceBus.autoCompleteMessages !== false,
      maxAutoLockRenewalMs: timeSpanIn(serviceBus, "maxAutoLockRenewalDuration") ?? 5 * 60_000,
      maxMessageBatchSize: numberIn(serviceBus, "maxMessageBatchSize") ?? 1000,
    },
  };
}

/** Puts the `Values` of local.settings.json into the environment, except those that are set there already. */
export async function loadLocalSettings(appDir: string): Promise<void> {
  const values = objectIn(await readJsonFile(path.join(appDir, "local.settings.json")), "Values");
  for (const [name, value] of Object.entries(values)) process.env[name] ??= String(value);
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
export function isDisabled(functionName: string): boolean {
  const setting =
    process.env[`AzureWebJobs.${functionName}.Disabled`] ?? process.env[`AzureWebJobs__${functionName}__Disabled`];
  return setting !== undefined && /^(true|1)$/i.test(setting);
}

/** Milliseconds of a TimeSpan such as `00:05:00` or `1.12:00:00`; undefined if the text is none. */
export function parseTimeSpan(text: string): number | undefined {
  const match = /^(?:(\d+)\.)?(\d{1,2}):(\d{2}):(\d{2}(?:\.\d+)?)$/.exec(text.trim());
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
    throw new Error(`${path.basename(file)} is not valid JSON: ${error instanceof Error ? error.message : error}`);
  }
}

function asObject(value: unknown): JsonObject {
  return typeof value === "object" && value !== null ? (value as JsonObject) : {};
}

function objectIn(parent: JsonObject, key: string): JsonObject {
  return asObject(parent[key]);
}

function textIn(parent: JsonObject, key: string): string | undefined {
  const value = parent[key];
  return typeof value === "string" ? value : undefined;
}

function numberIn(parent: JsonObject, key: string): number | undefined {
  const value = parent[key];
  return typeof value === "number" ? value : undefined;
}

function timeSpanIn(parent: JsonObject, key: string): number | undefined {
  const text = textIn(parent, key);
  if (text === undefined) return undefined;
  const span = parseTimeSpan(text);
  if (span === undefined) throw new Error(`host.json: ${key} is not a TimeSpan: "${text}"`);
  return span;
}
