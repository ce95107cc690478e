/**
 * Starts telemetry: the SDK at once, so that the first request is recorded; its exporters when there is something to
 * send.
 */
import type { TokenCredential } from "@azure/identity";
import type { Meter } from "@opentelemetry/api";
import type { Resource } from "@opentelemetry/resources";
import { BatchLogRecordProcessor, LoggerProvider } from "@opentelemetry/sdk-logs";
import { AggregationTemporality, MeterProvider, PeriodicExportingMetricReader } from "@opentelemetry/sdk-metrics";
import {
  AlwaysOnSampler,
  BasicTracerProvider,
  BatchSpanProcessor,
  ParentBasedSampler,
} from "@opentelemetry/sdk-trace-base";
import { type Exporters, LazyExporter } from "./lazy-exporter.ts";
import { METRICS, type Metric, type MetricName } from "./metrics.ts";
import { type Instruments, OtelRecorder } from "./recorder.ts";
import { resource } from "./resource.ts";
import type { Signal, TelemetrySettings } from "./settings.ts";
import { recordWith } from "./telemetry.ts";

/** How often metrics are sent. Milliseconds. */
const METRIC_INTERVAL = 60_000;

/** How long one sending may take. Milliseconds. */
const EXPORT_TIMEOUT = 30_000;

/** Names the app among the libraries that record something. */
const SCOPE = "threadkeep";

export interface TelemetryTools {
  /** of the identity that Application Insights wants */
  credential: TokenCredential;
  /** Hears of trouble with sending. */
  failed(error: unknown): void;
}

/** What is recorded goes there from now on. Answers with what sends the rest and stops. */
export function startTelemetry(settings: TelemetrySettings, tools: TelemetryTools): () => Promise<void> {
  const about = resource(settings.serviceName);
  const to = destinations(settings, tools);
  const tracers = new BasicTracerProvider({
    resource: about,
    ...sampler(),
    spanProcessors: to.filter(({ takes }) => takes.traces).map(({ spans }) => new BatchSpanProcessor(spans)),
  });
  const meters = new MeterProvider({ resource: about, readers: readers(to) });
  const loggers = loggerProvider(to, about);
  const instruments = instrumentsOf(meters.getMeter(SCOPE));
  recordWith(new OtelRecorder(tracers.getTracer(SCOPE), instruments, loggers?.getLogger(SCOPE)));
  return async () => {
    recordWith(undefined);
    await Promise.allSettled([tracers.shutdown(), meters.shutdown(), loggers?.shutdown()]);
  };
}

/** Where everything goes: the same kinds of exporters, of another library each. */
function destinations(settings: TelemetrySettings, tools: TelemetryTools) {
  const { appInsights, otlp } = settings;
  const to = [];
  if (otlp !== undefined) {
    const load = async () => (await import("./otlp.ts")).otlpExporters(otlp.protocol);
    to.push({ ...exporters(load, tools), takes: otlp.signals, temporality: otlp.temporality });
  }
  if (appInsights !== undefined) {
    const { credential } = tools;
    const load = async () =>
      (await import("./app-insights.ts")).appInsightsExporters(
        appInsights.connectionString,
        appInsights.byIdentity ? credential : undefined,
      );
    to.push({ ...exporters(load, tools), takes: ALL, temporality: "delta" as const });
  }
  return to;
}

const ALL: Record<Signal, boolean> = { traces: true, metrics: true, logs: true };

type Destination = ReturnType<typeof destinations>[number];

function exporters(load: () => Promise<Exporters>, { failed }: TelemetryTools) {
  let loaded: Promise<Exporters> | undefined;
  const loadOnce = () => {
    loaded ??= load();
    return loaded;
  };
  return {
    spans: new LazyExporter(async () => (await loadOnce()).spans, failed),
    metrics: new LazyExporter(async () => (await loadOnce()).metrics, failed),
    logs: new LazyExporter(async () => (await loadOnce()).logs, failed),
  };
}

function readers(to: Destination[]) {
  const interval = Number(process.env.OTEL_METRIC_EXPORT_INTERVAL) || METRIC_INTERVAL;
  return to
    .filter(({ takes }) => takes.metrics)
    .map(({ metrics, temporality }) => {
      const kind = temporality === "delta" ? AggregationTemporality.DELTA : AggregationTemporality.CUMULATIVE;
      const exporter = Object.assign(metrics, { selectAggregationTemporality: () => kind });
      const exportTimeoutMillis = Math.min(interval, EXPORT_TIMEOUT);
      return new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: interval, exportTimeoutMillis });
    });
}

function loggerProvider(to: Destination[], about: Resource): LoggerProvider | undefined {
  const takers = to.filter(({ takes }) => takes.logs);
  if (takers.length === 0) return undefined;
  const processors = takers.map(({ logs }) => new BatchLogRecordProcessor({ exporter: logs }));
  return new LoggerProvider({ resource: about, processors });
}

/**
 * Everything, unless the settings say otherwise (the SDK reads them). That a caller does not record its own part is no
 * reason to miss this one; nor is a mark of the Functions host, which makes traces that are not sampled while its own
 * telemetry is off.
 */
function sampler() {
  if (process.env.OTEL_TRACES_SAMPLER) return {};
  const always = new AlwaysOnSampler();
  return { sampler: new ParentBasedSampler({ root: always, remoteParentNotSampled: always }) };
}

function instrumentsOf(meter: Meter): Instruments {
  const made = Object.entries(METRICS).map(([name, metric]) => [name, instrument(meter, name, metric)]);
  return Object.fromEntries(made) as Record<MetricName, ReturnType<typeof instrument>>;
}

function instrument(meter: Meter, name: string, { kind, unit, description, buckets = [] }: Metric) {
  if (kind === "counter") {
    const counter = meter.createCounter(name, { unit, description });
    return counter.add.bind(counter);
  }
  const histogram = meter.createHistogram(name, { unit, description, advice: { explicitBucketBoundaries: buckets } });
  return histogram.record.bind(histogram);
}
