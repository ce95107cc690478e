/** The parts of the SDK for metrics and logs, which no request waits for. */
import type { Meter } from "@opentelemetry/api";
import type { Resource } from "@opentelemetry/resources";
import { BatchLogRecordProcessor, LoggerProvider } from "@opentelemetry/sdk-logs";
import { AggregationTemporality, MeterProvider, PeriodicExportingMetricReader } from "@opentelemetry/sdk-metrics";
import type { Destination } from "./destinations.ts";
import { METRICS, type Metric, type MetricName } from "./metrics.ts";
import type { Instruments, Rest } from "./recorder.ts";

/** How often metrics are sent. Milliseconds. */
const METRIC_INTERVAL = 60_000;

/** How long one sending may take. Milliseconds. */
const EXPORT_TIMEOUT = 30_000;

/** `scope` names the app among the libraries that record something. */
export function metricsAndLogs(to: Destination[], about: Resource, scope: string): Rest & { stop(): Promise<unknown> } {
  const meters = new MeterProvider({ resource: about, readers: readers(to) });
  const loggers = loggerProvider(to, about);
  return {
    instruments: instrumentsOf(meters.getMeter(scope)),
    logger: loggers?.getLogger(scope),
    stop: () => Promise.allSettled([meters.shutdown(), loggers?.shutdown()]),
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
