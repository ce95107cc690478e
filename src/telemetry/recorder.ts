/** Records with OpenTelemetry's SDK. Loaded only where telemetry is on. */
import { AsyncLocalStorage } from "node:async_hooks";
import {
  type Context,
  type Link,
  type Attributes as OtelAttributes,
  SpanKind as OtelSpanKind,
  ROOT_CONTEXT,
  type Span,
  type SpanContext,
  SpanStatusCode,
  type Tracer,
  trace,
} from "@opentelemetry/api";
import { type Logger, SeverityNumber } from "@opentelemetry/api-logs";
import type { MetricName } from "./metrics.ts";
import type { Attributes, LogEntry, OpenSpan, Recorder, SpanKind, SpanStart } from "./telemetry.ts";
import { partsOf } from "./telemetry.ts";

export type Instruments = Record<MetricName, (value: number, attributes: OtelAttributes) => void>;

/** For metrics and logs. */
export interface Rest {
  instruments: Instruments;
  logger: Logger | undefined;
}

interface Begun {
  context: Context;
  span: RecordedSpan;
}

/** Of what comes before the rest is loaded, so much is kept. */
const MOST_EARLY = 2_000;

const KINDS: Record<SpanKind, OtelSpanKind> = {
  internal: OtelSpanKind.INTERNAL,
  server: OtelSpanKind.SERVER,
  client: OtelSpanKind.CLIENT,
  producer: OtelSpanKind.PRODUCER,
  consumer: OtelSpanKind.CONSUMER,
};

const SEVERITIES = { info: SeverityNumber.INFO, warn: SeverityNumber.WARN, error: SeverityNumber.ERROR };

/** What is asked of others belongs to something: by itself (a look at the store for `/healthz`) it is no news. */
const ONLY_AS_CHILDREN: SpanKind[] = ["client", "producer"];

export class OtelRecorder implements Recorder {
  readonly #tracer: Tracer;
  /** what metrics and logs go to; undefined until it is loaded */
  #rest: Rest | undefined;
  /** what came before that */
  #early: ((rest: Rest) => void)[] = [];
  readonly #around = new AsyncLocalStorage<Begun>();

  constructor(tracer: Tracer) {
    this.#tracer = tracer;
  }

  /** What has been recorded so far goes there, too. */
  complete(rest: Rest): void {
    this.#rest = rest;
    for (const tell of this.#early) tell(rest);
    this.#early = [];
  }

  inSpan<T>(start: SpanStart, work: (span: OpenSpan) => Promise<T>): Promise<T> {
    const begun = this.#begin(start);
    if (begun.context === undefined) return work(begun.span);
    return this.#around.run(begun, async () => {
      const { span } = begun;
      try {
        return await work(span);
      } catch (error) {
        span.fail(error instanceof Error ? error.name : "thrown");
        throw error;
      } finally {
        span.endWhenOver();
      }
    });
  }

  openSpan(start: SpanStart): OpenSpan {
    return this.#begin(start).span;
  }

  current(): OpenSpan | undefined {
    return this.#around.getStore()?.span;
  }

  link(traceparent: string): void {
    const other = spanContextOf(traceparent);
    const span = this.#around.getStore()?.span.inner;
    if (other !== undefined && span?.spanContext().traceId !== other.traceId) span?.addLink({ context: other });
  }

  record(name: MetricName, value: number, attributes: Attributes): void {
    this.#tell(({ instruments }) => instruments[name](value, present(attributes)));
  }

  log({ level, message, attributes }: LogEntry): void {
    const context = this.#around.getStore()?.context ?? ROOT_CONTEXT;
    const severity = { severityNumber: SEVERITIES[level], severityText: level };
    const entry = { ...severity, body: message, attributes: present(attributes), timestamp: Date.now(), context };
    this.#tell(({ logger }) => logger?.emit(entry));
  }

  #tell(tell: (rest: Rest) => void): void {
    if (this.#rest !== undefined) tell(this.#rest);
    else if (this.#early.length < MOST_EARLY) this.#early.push(tell);
  }

  /** `context` is absent where what comes below is not to know of the span. */
  #begin(start: SpanStart): Begun | { context?: undefined; span: RecordedSpan } {
    const { name, kind, attributes, parent, isParentOwn = false, link } = start;
    const around = this.#around.getStore();
    const remote = spanContextOf(parent);
    if (around === undefined && remote === undefined && ONLY_AS_CHILDREN.includes(kind))
      return { span: new RecordedSpan(undefined) };
    // All parts of a trace that is not recorded are one: every sampler would choose the same for each.
    if (around !== undefined && remote === undefined && around.span.isRecorded === false)
      return { span: new RecordedSpan(around.span.inner) };
    // Samplers follow a local parent, and may take a remote one that is not recorded for no choice at all.
    const above = remote && { ...remote, isRemote: !isParentOwn || remote.traceFlags === 1 };
    const context = above === undefined ? around?.context : trace.setSpanContext(ROOT_CONTEXT, above);
    const links: Link[] = [];
    const linked = spanContextOf(link);
    if (linked !== undefined) links.push({ context: linked });
    // A span that goes on with another trace says what made it go on.
    const cause = remote === undefined ? undefined : around?.span.inner?.spanContext();
    if (cause !== undefined && cause.traceId !== remote?.traceId) links.push({ context: cause });
    const options = { kind: KINDS[kind], attributes, links };
    const span = this.#tracer.startSpan(name, options, context ?? ROOT_CONTEXT);
    return { context: trace.setSpan(context ?? ROOT_CONTEXT, span), span: new RecordedSpan(span) };
  }
}

class RecordedSpan implements OpenSpan {
  readonly inner: Span | undefined;
  #rest: Promise<unknown> | undefined;

  constructor(span: Span | undefined) {
    this.inner = span;
  }

  get traceparent(): string | undefined {
    const context = this.inner?.spanContext();
    if (context === undefined) return undefined;
    return `00-${context.traceId}-${context.spanId}-0${context.traceFlags & 1}`;
  }

  get isRecorded(): boolean | undefined {
    return this.inner && (this.inner.spanContext().traceFlags & 1) === 1;
  }

  set(attributes: Attributes): void {
    this.inner?.setAttributes(attributes);
  }

  fail(errorType: string): void {
    this.inner?.setAttribute("error.type", errorType);
    this.inner?.setStatus({ code: SpanStatusCode.ERROR });
  }

  until(end: Promise<unknown>): void {
    this.#rest = end;
  }

  end(): void {
    this.inner?.end();
  }

  endWhenOver(): void {
    const end = () => this.end();
    if (this.#rest === undefined) end();
    else void this.#rest.then(end, end);
  }
}

function spanContextOf(traceparent: string | undefined): SpanContext | undefined {
  const parts = partsOf(traceparent);
  if (parts === undefined) return undefined;
  return { traceId: parts.traceId, spanId: parts.spanId, traceFlags: parts.flags & 1, isRemote: true };
}

function present(attributes: Attributes): OtelAttributes {
  const given: OtelAttributes = {};
  for (const name in attributes) {
    const value = attributes[name];
    if (value !== undefined) given[name] = value;
  }
  return given;
}
