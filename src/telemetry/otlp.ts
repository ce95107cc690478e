/**
 * Sends to any collector that speaks OTLP over HTTP. Endpoint, headers, timeout and the like come from the environment.
 */

import { OTLPExporterBase } from "@opentelemetry/otlp-exporter-base";
import { convertLegacyHttpOptions, createOtlpHttpExportDelegate } from "@opentelemetry/otlp-exporter-base/node-http";
import {
  type IExporterMetricsHelper,
  type ISerializer,
  JsonLogsSerializer,
  JsonMetricsSerializer,
  JsonTraceSerializer,
  LogsExporterMetricsHelper,
  MetricsExporterMetricsHelper,
  ProtobufLogsSerializer,
  ProtobufMetricsSerializer,
  ProtobufTraceSerializer,
  TraceExporterMetricsHelper,
} from "@opentelemetry/otlp-transformer";
import type { Exporters } from "./lazy-exporter.ts";

export function otlpExporters(protocol: "http/protobuf" | "http/json"): Exporters {
  const isJson = protocol === "http/json";
  const contentType = isJson ? "application/json" : "application/x-protobuf";
  function exporter<Items, Response>(
    signal: "traces" | "metrics" | "logs",
    serializer: ISerializer<Items, Response>,
    helper: IExporterMetricsHelper<Items>,
  ): OTLPExporterBase<Items> {
    const headers = { "Content-Type": contentType };
    const options = convertLegacyHttpOptions({}, signal.toUpperCase(), `v1/${signal}`, headers);
    return new OTLPExporterBase(createOtlpHttpExportDelegate(options, serializer, signal, helper, undefined));
  }
  return {
    spans: exporter("traces", isJson ? JsonTraceSerializer : ProtobufTraceSerializer, TraceExporterMetricsHelper),
    metrics: exporter(
      "metrics",
      isJson ? JsonMetricsSerializer : ProtobufMetricsSerializer,
      MetricsExporterMetricsHelper,
    ),
    logs: exporter("logs", isJson ? JsonLogsSerializer : ProtobufLogsSerializer, LogsExporterMetricsHelper),
  };
}
