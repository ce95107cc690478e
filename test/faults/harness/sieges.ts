/** Times in which the store fails every request in one way: longer than the SDK waits by itself. */
import type { FaultRule } from "../../../local/cosmos/faults.ts";

export interface SiegePlan {
  /** completes "the store was …" */
  name: string;
  rules: FaultRule[];
}

/** In this order, at equal distances over a campaign. */
export const SIEGES: SiegePlan[] = [
  { name: "throttled", rules: [{ fault: "429", ms: 100 }] },
  { name: "away", rules: [{ fault: "503" }] },
  { name: "slow", rules: [{ fault: "latency", ms: 500 }] },
];
