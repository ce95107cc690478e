/** Where everything goes: the same kinds of exporters, of another library each. */
import type { TokenCredential } from "@azure/identity";
import { type Exporters, LazyExporter } from "./lazy-exporter.ts";
import type { Signal, TelemetrySettings } from "./settings.ts";

export interface TelemetryTools {
  /** of the identity that Application Insights wants */
  credential: TokenCredential;
  /** Hears of trouble with sending. */
  failed(error: unknown): void;
}

export type Destination = ReturnType<typeof exporters> & {
  takes: Record<Signal, boolean>;
  temporality: "delta" | "cumulative";
};

const ALL: Destination["takes"] = { traces: true, metrics: true, logs: true };

export function destinations({ appInsights, otlp }: TelemetrySettings, tools: TelemetryTools): Destination[] {
  const to: Destination[] = [];
  if (otlp !== undefined) {
    const load = async () => (await import("./otlp.ts")).otlpExporters(otlp.protocol);
    to.push({ ...exporters(load, tools), takes: otlp.signals, temporality: otlp.temporality });
  }
  if (appInsights !== undefined) {
    const { connectionString, byIdentity } = appInsights;
    const credential = byIdentity ? tools.credential : undefined;
    const load = async () => (await import("./app-insights.ts")).appInsightsExporters(connectionString, credential);
    to.push({ ...exporters(load, tools), takes: ALL, temporality: "delta" });
  }
  return to;
}

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
