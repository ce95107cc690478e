/** Sends to Application Insights. */
import type { TokenCredential } from "@azure/identity";
import type { Exporters } from "./lazy-exporter.ts";

/** Without a credential, the connection string's key is enough for the component. */
export async function appInsightsExporters(
  connectionString: string,
  credential: TokenCredential | undefined,
): Promise<Exporters> {
  // Measurements of the library itself, for its makers.
  process.env.APPLICATION_INSIGHTS_NO_STATSBEAT ??= "true";
  const { AzureMonitorLogExporter, AzureMonitorMetricExporter, AzureMonitorTraceExporter } = await import(
    "@azure/monitor-opentelemetry-exporter"
  );
  // What could not be sent is dropped: an instance's disk is gone with the instance.
  const common = { connectionString, disableOfflineStorage: true };
  const options = credential === undefined ? common : { ...common, credential };
  return {
    spans: new AzureMonitorTraceExporter(options),
    metrics: new AzureMonitorMetricExporter(options),
    logs: new AzureMonitorLogExporter(options),
  };
}
