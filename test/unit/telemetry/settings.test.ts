import { describe, expect, test } from "vitest";
import { misspelt, readConfig } from "../../../src/config.ts";
import { telemetrySettings } from "../../../src/telemetry/settings.ts";
import { given } from "./given.ts";

const KEY = "InstrumentationKey=00000000-0000-0000-0000-000000000001";
const ENDPOINT = "http://127.0.0.1:4318";

const NECESSARY = {
  COSMOS_ENDPOINT: "http://127.0.0.1:8081",
  ServiceBusConnection: "Endpoint=sb://127.0.0.1",
  MODEL_ENDPOINT: "http://127.0.0.1:4010/v1",
};

test.each<[string, Record<string, string>]>([
  ["nothing is set", {}],
  ["the settings are empty, as app settings may be", { OTEL_EXPORTER_OTLP_ENDPOINT: "" }],
  ["it is switched off", { OTEL_EXPORTER_OTLP_ENDPOINT: ENDPOINT, OTEL_SDK_DISABLED: "true" }],
  [
    "no signal has an exporter",
    {
      OTEL_EXPORTER_OTLP_ENDPOINT: ENDPOINT,
      OTEL_TRACES_EXPORTER: "none",
      OTEL_METRICS_EXPORTER: "none",
      OTEL_LOGS_EXPORTER: "none",
    },
  ],
])("there is no telemetry if %s", (_, environment) => {
  expect(readConfig({ ...NECESSARY, ...environment }).telemetry).toBeUndefined();
});

describe("telemetry goes", () => {
  test("to an OTLP endpoint, all signals, as protobuf", () => {
    expect(telemetrySettings(given({ OTEL_EXPORTER_OTLP_ENDPOINT: ENDPOINT }))).toEqual({
      appInsights: undefined,
      otlp: {
        protocol: "http/protobuf",
        signals: { traces: true, metrics: true, logs: true },
        temporality: "cumulative",
      },
      sampler: { name: "microsoft.rate_limited", argument: undefined },
      serviceName: undefined,
    });
  });

  test("to an endpoint of one signal", () => {
    const settings = telemetrySettings(given({ OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: `${ENDPOINT}/v1/metrics` }));
    expect(settings?.otlp?.signals).toEqual({ traces: false, metrics: true, logs: false });
  });

  test("to Application Insights: by key, by the system-assigned identity, by a user-assigned one", () => {
    const how = (text?: string) =>
      telemetrySettings(
        given({
          APPLICATIONINSIGHTS_CONNECTION_STRING: KEY,
          ...(text !== undefined && { APPLICATIONINSIGHTS_AUTHENTICATION_STRING: text }),
        }),
      )?.appInsights;
    expect(how()).toMatchObject({ byIdentity: false });
    expect(how("Authorization=AAD")).toMatchObject({ byIdentity: true, clientId: undefined });
    expect(how("ClientId=abc;Authorization=AAD")).toMatchObject({ byIdentity: true, clientId: "abc" });
  });
});

test.each([
  ["OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "http/protobuf or http/json"],
  ["OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4317", "an http or https URL"],
  ["APPLICATIONINSIGHTS_AUTHENTICATION_STRING", "ClientId=abc", "Authorization=AAD"],
  ["APPLICATIONINSIGHTS_CONNECTION_STRING", "a-secret-thing", "a connection string"],
  ["OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "yes", "true or false"],
  ["OTEL_TRACES_SAMPLER", "allways_on", "one of always_on, always_off"],
  ["OTEL_TRACES_SAMPLER_ARG", "many", "a number from 0"],
  ["OTEL_TRACES_SAMPLER_ARG", "-1", "a number from 0"],
])("a bad %s stops the start", (name, value, expected) => {
  const read = () => readConfig({ ...NECESSARY, [name]: value });
  expect(read).toThrow(name);
  expect(read).toThrow(expected);
  expect(read).not.toThrow("a-secret-thing");
});

test.each(["traceidratio", "parentbased_traceidratio", "microsoft.fixed_percentage"])(
  "a ratio of %s is at most 1",
  (name) => {
    const wanted = (argument: string) => () =>
      readConfig({ ...NECESSARY, OTEL_TRACES_SAMPLER: name, OTEL_TRACES_SAMPLER_ARG: argument });
    expect(wanted("1.01")).toThrow("OTEL_TRACES_SAMPLER_ARG is above 1");
    expect(wanted("1")).not.toThrow();
  },
);

test("a rate of traces may be above 1, and an empty sampler is none", () => {
  const read = (environment: Record<string, string>) =>
    readConfig({ ...NECESSARY, OTEL_EXPORTER_OTLP_ENDPOINT: ENDPOINT, ...environment }).telemetry?.sampler;
  const limited = { OTEL_TRACES_SAMPLER: "microsoft.rate_limited", OTEL_TRACES_SAMPLER_ARG: "20" };
  expect(read(limited)).toEqual({ name: "microsoft.rate_limited", argument: 20 });
  const empty = { OTEL_TRACES_SAMPLER: "", OTEL_TRACES_SAMPLER_ARG: "20" };
  expect(read(empty)).toEqual({ name: "microsoft.rate_limited", argument: undefined });
});

test("what users say is told only if a setting wants it", () => {
  expect(readConfig(NECESSARY).capturesContent).toBe(false);
  const wanted = { OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT: "true" };
  expect(readConfig({ ...NECESSARY, ...wanted }).capturesContent).toBe(true);
});

test.each([
  ["OTEL_EXPORTER_OTLP_ENDPONT", "OTEL_EXPORTER_OTLP_ENDPOINT"],
  ["OTEL_TRACE_SAMPLER", "OTEL_TRACES_SAMPLER"],
  ["OTEL_TRACES_SAMPLER_ARGS", "OTEL_TRACES_SAMPLER_ARG"],
])("%s, a name that is almost that of a telemetry setting, is told", (name, meant) => {
  expect(misspelt({ [name]: "any" })).toEqual([`${name} is no setting: did you mean ${meant}?`]);
});
