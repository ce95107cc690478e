/**
 * Which traces are recorded. The default, and the samplers whose names begin with `microsoft.`, are those of Azure
 * Monitor's own distributions: https://learn.microsoft.com/azure/azure-monitor/app/opentelemetry-sampling.
 */
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  ParentBasedSampler,
  type Sampler,
  SamplingDecision,
  type SamplingResult,
  TraceIdRatioBasedSampler,
} from "@opentelemetry/sdk-trace-base";
import type { SamplerSettings } from "./settings.ts";

/** Unless the settings say otherwise. */
const TRACES_PER_SECOND = 5;
const RATIO = 1;

/** After a quiet while, so many seconds' traces may come at once. */
const BURST = 10;

export function sampler({ name, argument }: SamplerSettings): Sampler {
  const ratio = () => new TraceIdRatioBasedSampler(argument ?? RATIO);
  switch (name) {
    case "always_on":
      return new AlwaysOnSampler();
    case "always_off":
      return new AlwaysOffSampler();
    case "traceidratio":
      return ratio();
    case "parentbased_always_on":
      return new ParentBasedSampler({ root: new AlwaysOnSampler() });
    case "parentbased_always_off":
      return new ParentBasedSampler({ root: new AlwaysOffSampler() });
    case "parentbased_traceidratio":
      return new ParentBasedSampler({ root: ratio() });
    case "microsoft.rate_limited":
      return followingRecorded(new RateLimitedSampler(argument ?? TRACES_PER_SECOND));
    // It takes a ratio, its name notwithstanding.
    case "microsoft.fixed_percentage":
      return followingRecorded(ratio());
  }
}

/** Records parts of a recorded trace. A caller that does not record its own part is no reason to miss this one. */
const followingRecorded = (root: Sampler) => new ParentBasedSampler({ root, remoteParentNotSampled: root });

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
