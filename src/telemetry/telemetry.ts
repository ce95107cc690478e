/**
 * What the app tells of itself beside its log: spans of traces, and metrics. Code that does something worth telling
 * calls these functions; they do nothing until a recorder is set (start.ts), which only happens where the settings ask
 * for it.
 */
import type { MetricName } from "./metrics.ts";

/** Attributes that are `undefined` are left out. No text of users, and no secrets. */
export type Attributes = Record<string, string | number | boolean | string[] | undefined>;

/** As in OpenTelemetry: who called whom, and whether the caller waits. */
export type SpanKind = "internal" | "server" | "client" | "producer" | "consumer";

export interface SpanStart {
  name: string;
  kind: SpanKind;
  attributes: Attributes;
  /** the W3C `traceparent` of a span in another process or trace; the span around it if absent */
  parent?: string | undefined;
  /** whether the parent is this app's own: where that is not recorded, this is not, either */
  isParentOwn?: boolean | undefined;
  /** the `traceparent` of a span that led to this one without being its parent */
  link?: string | undefined;
}

/** A span that has begun. */
export interface OpenSpan {
  /** W3C `traceparent`, for those that go on with the trace; undefined if nothing is recorded */
  readonly traceparent: string | undefined;
  set(attributes: Attributes): void;
  /** What went wrong: the name of an error, or a status. Never a message, which may quote users. */
  fail(errorType: string): void;
  /** Keeps the span of `inSpan` open until this is over, too. */
  until(end: Promise<unknown>): void;
  /** Only for spans of `openSpan`. */
  end(): void;
}

/** An entry of the log, for those who collect logs. */
export interface LogEntry {
  level: "info" | "warn" | "error";
  message: string;
  attributes: Attributes;
}

export interface Recorder {
  inSpan<T>(start: SpanStart, work: (span: OpenSpan) => Promise<T>): Promise<T>;
  openSpan(start: SpanStart): OpenSpan;
  /** The span around the code that asks. */
  current(): OpenSpan | undefined;
  link(traceparent: string): void;
  record(name: MetricName, value: number, attributes: Attributes): void;
  log(entry: LogEntry): void;
}

const NO_SPAN: OpenSpan = { traceparent: undefined, set() {}, fail() {}, until() {}, end() {} };

let recorder: Recorder | undefined;

/** From now on, this records; nothing if it is undefined. */
export function recordWith(next: Recorder | undefined): void {
  recorder = next;
}

export const isRecording = (): boolean => recorder !== undefined;

/** Does the work within a span: spans that begin meanwhile are its children. An error that is thrown fails it. */
export function inSpan<T>(start: SpanStart, work: (span: OpenSpan) => Promise<T>): Promise<T> {
  return recorder === undefined ? work(NO_SPAN) : recorder.inSpan(start, work);
}

/** Begins a span that has no children and is ended by its owner. */
export function openSpan(start: SpanStart): OpenSpan {
  return recorder?.openSpan(start) ?? NO_SPAN;
}

/** Adds to the span around the caller. */
export function annotate(attributes: Attributes): void {
  recorder?.current()?.set(attributes);
}

/** W3C `traceparent` of the span around the caller. */
export const traceparent = (): string | undefined => recorder?.current()?.traceparent;

/** Says that the span around the caller has to do with another trace; nothing if that is its own. */
export function linkTo(other: string | undefined): void {
  if (other !== undefined) recorder?.link(other);
}

/** Adds to a metric: seconds, request units, tokens or a number of things (metrics.ts). */
export function record(name: MetricName, value: number, attributes: Attributes = {}): void {
  recorder?.record(name, value, attributes);
}

/** Hands an entry of the log on to those who collect logs. */
export function collectLog(entry: LogEntry): void {
  recorder?.log(entry);
}

/** The parts of a `traceparent`; undefined if it is none (https://www.w3.org/TR/trace-context). */
export function partsOf(text: unknown): { traceId: string; spanId: string; flags: number } | undefined {
  const match = typeof text === "string" ? TRACEPARENT.exec(text) : null;
  const [, version = "", traceId = "", spanId = "", flags = ""] = match ?? [];
  if (match === null || version === "ff" || /^0+$/.test(traceId) || /^0+$/.test(spanId)) return undefined;
  return { traceId, spanId, flags: Number.parseInt(flags, 16) };
}

const TRACEPARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-|$)/;
