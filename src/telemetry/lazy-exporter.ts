/** An exporter that is loaded when it has something to send, and whose trouble is told. */
import type { LogRecordExporter } from "@opentelemetry/sdk-logs";
import type { PushMetricExporter } from "@opentelemetry/sdk-metrics";
import type { SpanExporter } from "@opentelemetry/sdk-trace-base";

/** Of one destination. */
export interface Exporters {
  spans: SpanExporter;
  metrics: PushMetricExporter;
  logs: LogRecordExporter;
}

/** What OpenTelemetry calls an export's outcome; 0 is success. */
interface Outcome {
  code: number;
  error?: Error;
}

interface Exporter<Items> {
  export(items: Items, done: (outcome: Outcome) => void): unknown;
  shutdown(): Promise<void>;
}

const FAILED = 1;

export class LazyExporter<Items> {
  readonly #load: () => Promise<Exporter<Items>>;
  readonly #failed: (error: unknown) => void;
  #exporter: Promise<Exporter<Items>> | undefined;
  readonly #underWay = new Set<Promise<void>>();

  /** `failed` hears of each export that has failed. */
  constructor(load: () => Promise<Exporter<Items>>, failed: (error: unknown) => void) {
    this.#load = load;
    this.#failed = failed;
  }

  export(items: Items, done: (outcome: Outcome) => void): void {
    const sent = this.#send(items)
      .catch((error: unknown): Outcome => ({ code: FAILED, ...(error instanceof Error && { error }) }))
      .then((outcome) => {
        this.#underWay.delete(sent);
        if (outcome.code === FAILED) this.#failed(outcome.error ?? new Error("telemetry was not taken"));
        done(outcome);
      });
    this.#underWay.add(sent);
  }

  async forceFlush(): Promise<void> {
    await Promise.all(this.#underWay);
  }

  async shutdown(): Promise<void> {
    await this.forceFlush();
    await (await this.#exporter)?.shutdown();
  }

  async #send(items: Items): Promise<Outcome> {
    this.#exporter ??= this.#load();
    const exporter = await this.#exporter;
    return new Promise((resolve) => exporter.export(items, resolve));
  }
}
