/**
 * Who may call, as the settings say it: API keys and callers with tokens of Microsoft Entra ID, each with its tenant.
 */
import { hash } from "node:crypto";
import { z } from "zod";

/** Tenants are names that the operator chooses; they become part of partition keys. */
const TENANT = /^[a-z0-9][a-z0-9-]{0,62}$/;
const MIN_KEY_LENGTH = 16;

/** How a digest is told from a key in `API_KEYS`. */
export const DIGEST_PREFIX = "sha256:";
const DIGEST = /^[0-9a-f]{64}$/i;

export interface ApiKey {
  tenant: string;
  /** SHA-256 of the key, in hexadecimal: the app forgets the key itself */
  digest: string;
}

/** SHA-256 in hexadecimal. Keys are random, so that nothing slower is needed. */
export const digestOf = (key: string): string => hash("sha256", key);

const entriesOf = (text: string) =>
  text
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "");

interface Issues {
  addIssue(message: string): void;
}

/** `tenant:key` or `tenant:sha256:DIGEST`, comma separated. */
export const apiKeys = z.string().transform((text, context): ApiKey[] => {
  const keys: ApiKey[] = [];
  for (const [index, entry] of entriesOf(text).entries()) {
    // Entries are told by their number: what stands in the tenant's place may be a key.
    const key = readKey(entry, `entry ${index + 1}`, context);
    if (key === undefined) continue;
    if (keys.some(({ digest, tenant }) => digest === key.digest && tenant !== key.tenant)) {
      context.addIssue(`the key of entry ${index + 1} belongs to another tenant already`);
    } else keys.push(key);
  }
  return keys;
});

function readKey(entry: string, which: string, context: Issues): ApiKey | undefined {
  const colon = entry.indexOf(":");
  const tenant = entry.slice(0, Math.max(colon, 0));
  const key = entry.slice(colon + 1);
  if (colon < 1 || !TENANT.test(tenant)) {
    context.addIssue(`${which} is not tenant:key, the tenant being lower-case letters, digits and dashes`);
  } else if (key.startsWith(DIGEST_PREFIX)) {
    const digest = key.slice(DIGEST_PREFIX.length).toLowerCase();
    if (DIGEST.test(digest)) return { tenant, digest };
    context.addIssue(`${which} is not tenant:${DIGEST_PREFIX} and 64 hexadecimal digits`);
  } else if (key.length < MIN_KEY_LENGTH) {
    context.addIssue(`the key of ${which} is shorter than ${MIN_KEY_LENGTH} characters`);
  } else return { tenant, digest: digestOf(key) };
  return undefined;
}

/** What of a token an entry of `CALLERS` looks at. */
const KINDS = ["role", "group", "app", "subject"] as const;
export type CallerKind = (typeof KINDS)[number];

export interface CallerRule {
  tenant: string;
  kind: CallerKind;
  value: string;
}

const GUID = /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/i;

/** The same id may be written in capitals; role names and other subjects are as they are. */
export const comparable = (value: string) => (GUID.test(value) ? value.toLowerCase() : value);

/** `tenant:kind=value`, comma separated. */
export const callers = z.string().transform((text, context): CallerRule[] => {
  const rules: CallerRule[] = [];
  for (const [index, entry] of entriesOf(text).entries()) {
    const rule = readRule(entry, `entry ${index + 1}`, context);
    if (rule === undefined) continue;
    const { kind, value, tenant } = rule;
    if (rules.some((known) => known.kind === kind && known.value === value && known.tenant !== tenant)) {
      context.addIssue(`the ${kind} of entry ${index + 1} belongs to another tenant already`);
    } else rules.push(rule);
  }
  return rules;
});

function readRule(entry: string, which: string, context: Issues): CallerRule | undefined {
  const [, tenant = "", name, text = ""] = /^([^:]*):\s*(\w+)\s*=\s*(.+)$/.exec(entry) ?? [];
  const kind = KINDS.find((each) => each === name);
  const value = comparable(text);
  if (!TENANT.test(tenant)) {
    context.addIssue(`${which} is not tenant:kind=value, the tenant being lower-case letters, digits and dashes`);
  } else if (kind === undefined) {
    context.addIssue(`${which} is not tenant:kind=value, the kind being one of ${KINDS.join(", ")}`);
  } else if ((kind === "group" || kind === "app") && !GUID.test(value)) {
    context.addIssue(`the ${kind} of ${which} is not an id (a GUID): tokens do not have its name`);
  } else return { tenant, kind, value };
  return undefined;
}

/** The id of the directory whose tokens count. */
export const directory = z
  .string()
  .regex(GUID, "expected the id of a directory (a GUID)")
  .transform((id) => id.toLowerCase());

/** Audiences are compared without what clients and Entra ID put behind them. */
export const plainAudience = (audience: string) =>
  audience
    .replace(/\/+$/, "")
    .replace(/\/\.default$/, "")
    .replace(/\/+$/, "");

export const audiences = z.string().transform((text, context): string[] => {
  const names = entriesOf(text).map(plainAudience);
  if (names.length === 0) context.addIssue("expected one audience or more, comma separated");
  return names;
});

/** Those that clients of Azure OpenAI and of Foundry ask tokens for. */
export const DEFAULT_AUDIENCES = ["https://cognitiveservices.azure.com", "https://ai.azure.com"];

const LOOPBACK = ["127.0.0.1", "localhost", "[::1]"];

/** Where the directory's signing keys are: https, but for a server on this machine. */
export const authority = z
  .string()
  .refine(isSafe, "expected an https URL")
  .transform((text) => text.replace(/\/+$/, ""));

function isSafe(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, hostname } = new URL(text);
  return protocol === "https:" || (protocol === "http:" && LOOPBACK.includes(hostname));
}

export const DEFAULT_AUTHORITY = "https://login.microsoftonline.com";

/** Which tokens of Entra ID are taken, and whose they are. */
export interface EntraSettings {
  directory: string;
  authority: string;
  /** without slash or `/.default` at the end; the first one is named in refusals */
  audiences: string[];
  /** the first that fits decides */
  callers: CallerRule[];
}
