import { collectLog, isRecording, partsOf, traceparent } from "./telemetry/telemetry.ts";

/**
 * One line an entry. Never log keys, instructions, messages or tool outputs: ids and numbers are enough. An entry about
 * a run names `run`, `thread`, `tenant` and `attempt`: use a log made by `with`.
 */
export interface Log {
  info(message: string, details?: Details): void;
  /** For trouble that was expected and is dealt with: an error's cause chain, without stacks. */
  warn(message: string, details?: Details): void;
  /** For what was not expected: errors show their stacks. */
  error(message: string, details?: Details): void;
  /** The same log with these details in every entry. */
  with(details: Details): Log;
}

export type Details = Record<string, unknown>;

type Level = "info" | "warn" | "error";

function logWith(common: Details): Log {
  const write = (level: Level) => (message: string, details?: Details) =>
    writeEntry(level, message, { ...details, ...common });
  return {
    info: write("info"),
    warn: write("warn"),
    error: write("error"),
    with: (details) => logWith({ ...common, ...details }),
  };
}

/** To the console, which the Functions host forwards to Application Insights. */
export const consoleLog: Log = logWith({});

/** Within a span, a line names its trace. */
function writeEntry(level: Level, message: string, details: Details): void {
  const withStacks = level === "error";
  const { traceId, spanId } = partsOf(traceparent()) ?? {};
  const ids = traceId === undefined ? {} : { trace_id: traceId, span_id: spanId };
  console[level](line(message, { ...details, ...ids }, withStacks));
  if (!isRecording()) return;
  const attributes = Object.entries(details).map(([name, value]) => [name, attribute(value, withStacks)]);
  collectLog({ level, message, attributes: Object.fromEntries(attributes) });
}

function attribute(value: unknown, withStacks: boolean): string | number | boolean | undefined {
  if (value === undefined || typeof value === "number" || typeof value === "boolean") return value;
  if (typeof value === "string") return value;
  return value instanceof Error ? chain(value, withStacks) : JSON.stringify(value);
}

function line(message: string, details: Details, withStacks: boolean): string {
  const fields = Object.entries(details).map(([name, value]) => `${name}=${shown(value, withStacks)}`);
  return [message, ...fields].join(" ");
}

function shown(value: unknown, withStacks: boolean): string {
  const text = value instanceof Error ? chain(value, withStacks) : value;
  return JSON.stringify(text) ?? String(text);
}

/** Causes of causes, at the most. */
const LONGEST_CHAIN = 5;
const MOST_FRAMES = 12;
const LONGEST_TEXT = 300;

/** The code of the first error in the chain that has one: ECONNREFUSED, ENOTFOUND, CERT_HAS_EXPIRED. */
export function causeCode(error: unknown): string | undefined {
  let next: unknown = error;
  for (let depth = 0; depth < LONGEST_CHAIN && next !== undefined; depth++) {
    const code = fieldOf(next, "code");
    if (typeof code === "string" && /^[A-Z][A-Z0-9_]+$/.test(code)) return code;
    next = fieldOf(next, "cause");
  }
  return undefined;
}

/** A field of what was thrown, whatever that is. */
export const fieldOf = (value: unknown, name: string): unknown =>
  typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined;

/** An error, and what caused it. */
function chain(error: Error, withStacks: boolean): string {
  const links: string[] = [];
  let next: unknown = error;
  while (next instanceof Error && links.length < LONGEST_CHAIN) {
    links.push(described(next) + (withStacks ? frames(next) : ""));
    next = next.cause ?? firstOf(next);
  }
  return links.join(" <- ");
}

/** The Azure SDKs collect what each attempt threw, in an error that says nothing itself. */
const firstOf = (error: Error): unknown => (error instanceof AggregateError ? error.errors[0] : undefined);

function described(error: Error): string {
  const code: unknown = Reflect.get(error, "code") ?? Reflect.get(error, "status");
  const name = `${error.name}${code === undefined || code === null ? "" : ` ${code}`}`;
  return quotesUsers(error) ? name : `${name}: ${error.message.slice(0, LONGEST_TEXT)}`;
}

/** Statuses of the model's endpoint that tell about keys, names and quotas, never about a prompt. */
const ABOUT_ACCESS: unknown[] = [401, 403, 404, 429];

/**
 * Whether an error's text may hold what people wrote: V8's SyntaxError quotes the JSON that it could not parse, and the
 * errors of the model's SDK (which have `status` and `error`) quote prompts.
 */
function quotesUsers(error: object): boolean {
  if (error instanceof SyntaxError) return true;
  return "status" in error && "error" in error && !ABOUT_ACCESS.includes(error.status);
}

/** Where an error was thrown: frames hold names of functions and files, no data. */
function frames(error: Error): string {
  // A line of the error's text may look like a frame.
  const stack = error.stack?.replace(error.message, "") ?? "";
  const lines = stack.split("\n").filter((each) => /^\s+at /.test(each));
  return lines.length === 0
    ? ""
    : ` [${lines
        .slice(0, MOST_FRAMES)
        .map((each) => each.trim())
        .join(", ")}]`;
}
