/**
 * The metrics by their names. Those that OpenTelemetry's semantic conventions know have their names, units and
 * attributes (https://opentelemetry.io/docs/specs/semconv); the app's own ones begin with `threadkeep.`.
 */
export interface Metric {
  kind: "counter" | "histogram";
  /** as UCUM writes it: `s` for seconds */
  unit: string;
  description: string;
  /** upper bounds of the buckets */
  buckets?: number[];
}

const SECONDS = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];
/** For what takes as long as a model takes. */
const LONG_SECONDS = [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92];
const TOKENS = [1, 4, 16, 64, 256, 1_024, 4_096, 16_384, 65_536, 262_144, 1_048_576];
const REQUEST_UNITS = [1, 2, 5, 10, 20, 50, 100, 250, 500, 1_000];

const seconds = (description: string, buckets = SECONDS): Metric => ({
  kind: "histogram",
  unit: "s",
  description,
  buckets,
});

export const METRICS = {
  "http.server.request.duration": seconds("Requests, until their answers are ready; streams until they have ended"),
  "messaging.process.duration": seconds("Handling wake-ups", LONG_SECONDS),
  "azure.cosmosdb.client.operation.request_charge": {
    kind: "histogram",
    unit: "{request_unit}",
    description: "Request units of requests to Cosmos DB",
    buckets: REQUEST_UNITS,
  },
  "gen_ai.client.operation.duration": seconds("Model calls; error.type tells those that failed", LONG_SECONDS),
  "gen_ai.client.operation.time_to_first_chunk": seconds("Model calls, until the first token", LONG_SECONDS),
  "gen_ai.client.token.usage": {
    kind: "histogram",
    unit: "{token}",
    description: "Tokens of model calls, as the model tells them",
    buckets: TOKENS,
  },
  "threadkeep.runs": {
    kind: "counter",
    unit: "{run}",
    description: "Runs that have ended, or wait for tool outputs, by their status",
  },
  "threadkeep.run.time_in_queue": seconds(
    "From the creation of a background run until a worker drives it",
    LONG_SECONDS,
  ),
  "threadkeep.run.takeovers": {
    kind: "counter",
    unit: "{run}",
    description: "Runs that a worker took over because their driver had died",
  },
  "threadkeep.refusals": {
    kind: "counter",
    unit: "{request}",
    description: "Requests that got 429, since the app holds as much as it may",
  },
} satisfies Record<string, Metric>;

export type MetricName = keyof typeof METRICS;
