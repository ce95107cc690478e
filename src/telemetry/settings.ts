/**
 * Where telemetry goes, as the settings say it: to Application Insights, to an OTLP endpoint, or to both. The settings
 * are those that OpenTelemetry and Azure Functions define, so the host's telemetry goes to the same places.
 */
import { z } from "zod";

const PROTOCOLS = ["http/protobuf", "http/json"] as const;
const protocol = z.enum(PROTOCOLS, `expected ${PROTOCOLS.join(" or ")}`);
const endpoint = z.url({ protocol: /^https?$/, error: "expected an http or https URL" });

/** `ClientId=…;Authorization=AAD`, or without the client's id for a system-assigned identity. */
const authentication = z
  .string()
  .regex(/(^|;)\s*Authorization\s*=\s*AAD\s*(;|$)/i, "expected Authorization=AAD, with ClientId=… before it")
  .transform((text) => ({ clientId: /(?:^|;)\s*ClientId\s*=\s*([^;\s]+)/i.exec(text)?.[1] }));

/** Of OpenTelemetry and of Azure Monitor. A ratio of all new traces, in those that have one, is their argument. */
const RATIO_SAMPLERS = ["traceidratio", "parentbased_traceidratio", "microsoft.fixed_percentage"] as const;
const SAMPLERS = [
  "always_on",
  "always_off",
  "parentbased_always_on",
  "parentbased_always_off",
  "microsoft.rate_limited",
  ...RATIO_SAMPLERS,
] as const;
const argument = z.coerce.number("expected a number from 0").min(0, "expected a number from 0");

/** What the names of the settings mean: the settings of the app, which has others beside these. */
export const TELEMETRY_SETTINGS = {
  APPLICATIONINSIGHTS_CONNECTION_STRING: z
    .string()
    .regex(/InstrumentationKey=/i, "expected a connection string of Application Insights")
    .optional(),
  APPLICATIONINSIGHTS_AUTHENTICATION_STRING: authentication.optional(),
  OTEL_EXPORTER_OTLP_ENDPOINT: endpoint.optional(),
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: endpoint.optional(),
  OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: endpoint.optional(),
  OTEL_EXPORTER_OTLP_LOGS_ENDPOINT: endpoint.optional(),
  OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE: z.string().default("cumulative"),
  OTEL_TRACES_EXPORTER: z.string().default("otlp"),
  OTEL_METRICS_EXPORTER: z.string().default("otlp"),
  OTEL_LOGS_EXPORTER: z.string().default("otlp"),
  OTEL_TRACES_SAMPLER: z.enum(SAMPLERS, `expected one of ${SAMPLERS.join(", ")}`).optional(),
  OTEL_TRACES_SAMPLER_ARG: argument.optional(),
  OTEL_EXPORTER_OTLP_PROTOCOL: protocol.default("http/protobuf"),
  OTEL_SERVICE_NAME: z.string().optional(),
  OTEL_SDK_DISABLED: z.string().optional(),
  OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT: z
    .enum(["true", "false"], "expected true or false")
    .default("false"),
};

export type Signal = "traces" | "metrics" | "logs";

export interface TelemetrySettings {
  /** `clientId` of the user-assigned identity that signs; `byIdentity`: whether the component wants one */
  appInsights: { connectionString: string; byIdentity: boolean; clientId: string | undefined } | undefined;
  /** whose endpoint, headers and so on the exporter reads from the environment itself */
  otlp:
    | {
        protocol: (typeof PROTOCOLS)[number];
        signals: Record<Signal, boolean>;
        /** whether a metric tells what is new since the last time, or all since the start */
        temporality: "delta" | "cumulative";
      }
    | undefined;
  sampler: SamplerSettings;
  serviceName: string | undefined;
}

/** `argument`: a ratio from 0 to 1, or of `microsoft.rate_limited` traces a second */
export interface SamplerSettings {
  name: (typeof SAMPLERS)[number];
  argument: number | undefined;
}

type Given = z.output<z.ZodObject<typeof TELEMETRY_SETTINGS>>;

/** Whether spans of model calls hold what users and the model said. */
export const capturesContent = (given: Given) => given.OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT === "true";

/** undefined: no telemetry, and nothing of it is loaded. */
export function telemetrySettings(given: Given): TelemetrySettings | undefined {
  const otlp = otlpSettings(given);
  const connectionString = given.APPLICATIONINSIGHTS_CONNECTION_STRING;
  if (given.OTEL_SDK_DISABLED?.toLowerCase() === "true") return undefined;
  if (connectionString === undefined && otlp === undefined) return undefined;
  const authentication = given.APPLICATIONINSIGHTS_AUTHENTICATION_STRING;
  const byIdentity = { byIdentity: authentication !== undefined, clientId: authentication?.clientId };
  const appInsights = connectionString === undefined ? undefined : { connectionString, ...byIdentity };
  return { appInsights, otlp, sampler: samplerSettings(given), serviceName: given.OTEL_SERVICE_NAME };
}

/** As in OpenTelemetry, an argument without a name is ignored. */
function samplerSettings({ OTEL_TRACES_SAMPLER: name, OTEL_TRACES_SAMPLER_ARG: argument }: Given): SamplerSettings {
  if (name === undefined) return { name: "microsoft.rate_limited", argument: undefined };
  return { name, argument };
}

/** Whether the sampler's argument should be a ratio and is above 1. */
export function isRatioTooLarge(given: Record<string, string | undefined>): boolean {
  const isRatio = RATIO_SAMPLERS.some((name) => name === given.OTEL_TRACES_SAMPLER);
  return isRatio && Number(given.OTEL_TRACES_SAMPLER_ARG) > 1;
}

function otlpSettings(given: Given): TelemetrySettings["otlp"] {
  const goes = (endpoint: string | undefined, exporter: string) =>
    (endpoint ?? given.OTEL_EXPORTER_OTLP_ENDPOINT) !== undefined && exporter !== "none";
  const signals = {
    traces: goes(given.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, given.OTEL_TRACES_EXPORTER),
    metrics: goes(given.OTEL_EXPORTER_OTLP_METRICS_ENDPOINT, given.OTEL_METRICS_EXPORTER),
    logs: goes(given.OTEL_EXPORTER_OTLP_LOGS_ENDPOINT, given.OTEL_LOGS_EXPORTER),
  };
  if (!Object.values(signals).includes(true)) return undefined;
  const isCumulative = given.OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE.toLowerCase() === "cumulative";
  const temporality = isCumulative ? "cumulative" : "delta";
  return { protocol: given.OTEL_EXPORTER_OTLP_PROTOCOL, signals, temporality };
}
