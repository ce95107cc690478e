/**
 * Which traces are recorded. The names of the settings and the default are those of Azure Monitor's own distributions:
 * https://learn.microsoft.com/azure/azure-monitor/app/opentelemetry-sampling.
 */
import {
  ParentBasedSampler,
  type Sampler,
  SamplingDecision,
  type SamplingResult,
  TraceIdRatioBasedSampler,
} from "@opentelemetry/sdk-trace-base";

const RATE_LIMITED = "microsoft.rate_limited";
const FIXED_PERCENTAGE = "microsoft.fixed_percentage";

/** Unless the settings say otherwise. */
const TRACES_PER_SECOND = 5;

/** After a quiet while, so many seconds' traces may come at once. */
const BURST = 10;

/** As the settings say it; undefined where it is one of those that the SDK reads itself. */
export function sampler(environment = process.env): Sampler | undefined {
  const name = environment.OTEL_TRACES_SAMPLER || RATE_LIMITED;
  const given = environment.OTEL_TRACES_SAMPLER && Number(environment.OTEL_TRACES_SAMPLER_ARG || Number.NaN);
  const argument = typeof given === "number" && given >= 0 ? given : undefined;
  if (name === RATE_LIMITED) return forRoots(new RateLimitedSampler(argument ?? TRACES_PER_SECOND));
  // `microsoft.fixed_percentage` takes a ratio, its name notwithstanding.
  if (name === FIXED_PERCENTAGE) return forRoots(new TraceIdRatioBasedSampler(argument ?? 1));
  return undefined;
}

/**
 * Parts of a trace that is recorded are, too. That a caller does not record its own part is no reason to miss this one;
 * nor is a mark of the Functions host, which makes traces that are not sampled while its own telemetry is off.
 */
const forRoots = (root: Sampler) => new ParentBasedSampler({ root, remoteParentNotSampled: root });

/** Takes so many traces a second, in the long run. */
export class RateLimitedSampler implements Sampler {
  readonly #perSecond: number;
  readonly #most: number;
  /** how many may be taken now */
  #left: number;
  /** milliseconds, on the clock of `performance` */
  #asOf: number;

  constructor(perSecond: number) {
    this.#perSecond = perSecond;
    this.#most = perSecond === 0 ? 0 : Math.max(1, perSecond * BURST);
    this.#left = this.#most;
    this.#asOf = performance.now();
  }

  shouldSample(): SamplingResult {
    const now = performance.now();
    this.#left = Math.min(this.#most, this.#left + ((now - this.#asOf) / 1_000) * this.#perSecond);
    this.#asOf = now;
    if (this.#left < 1) return { decision: SamplingDecision.NOT_RECORD };
    this.#left--;
    return { decision: SamplingDecision.RECORD_AND_SAMPLED };
  }

  toString(): string {
    return `RateLimitedSampler{${this.#perSecond}}`;
  }
}
