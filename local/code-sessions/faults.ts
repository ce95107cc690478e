/** Faults that a test injects by `PUT /_local/faults`, and the seeded chance by which they strike. */
import { z } from "zod";
import { randomNumbers } from "../random.ts";
import { invalid } from "./errors.ts";

export const OPERATIONS = [
  ...["execute", "execution", "list-files", "upload", "file", "content", "delete-file"],
  ...["session", "delete-session", "list-sessions", "metadata"],
] as const;
export type Operation = (typeof OPERATIONS)[number];

/** Answers in place of the work's; `garbage` and `empty-body` come with status 200. */
const ANSWERS = [
  ...["400", "401", "403", "404", "429", "500", "502-html", "503", "504", "garbage", "empty-body"],
] as const;

/** `hang`: never answered. `cut-…`: the connection is cut before the work, or when it is done. */
const CONNECTION = ["latency", "hang", "cut-before", "cut-after"] as const;

const ruleSchema = z.strictObject({
  fault: z.enum([...ANSWERS, ...CONNECTION]),
  /** All unless given. */
  operations: z.array(z.enum(OPERATIONS)).optional(),
  /** Only requests for this session. */
  identifier: z.string().optional(),
  /** How often it strikes before it is spent; without end unless given. */
  times: z.int().min(0).optional(),
  /** The share of the matching requests that it strikes; 1 unless given. */
  rate: z.number().min(0).max(1).optional(),
  /** The delay of `latency` (100 unless given), or what 429 asks to wait (1000 unless given). Milliseconds. */
  ms: z.number().min(0).optional(),
  /** For answers and `hang`: before the work (unless given), or after it, when the work is done and its answer lost. */
  when: z.enum(["before", "after"]).optional(),
});

export type FaultRule = z.output<typeof ruleSchema>;

export interface Strike {
  delayMs: number;
  /** What becomes of the request instead of its answer. */
  effect?: { fault: FaultRule["fault"]; isAfter: boolean; ms: number | undefined };
}

const SEED = 1;
const USUAL_LATENCY = 100;
export const USUAL_RETRY_AFTER = 1000;

/** Throws 400 with what is wrong: a fault that never strikes proves nothing. */
export function rulesIn(body: unknown): FaultRule[] {
  const { success, data, error } = z.array(ruleSchema).safeParse(body);
  if (!success)
    throw invalid(`The faults are not valid: ${error.issues[0]?.path.join(".")} ${error.issues[0]?.message}`);
  return data;
}

export class Faults {
  #rules: (FaultRule & { fired: number })[] = [];
  readonly #random = randomNumbers(SEED);

  set(rules: FaultRule[]): void {
    this.#rules = rules.map((rule) => ({ ...rule, fired: 0 }));
  }

  list(): (FaultRule & { fired: number })[] {
    return this.#rules;
  }

  /** Draws for a request. Delays add up; of the others the first rule that strikes wins. */
  next(operation: Operation, identifier: string | null): Strike {
    const strike: Strike = { delayMs: 0 };
    for (const rule of this.#rules) {
      if (strike.effect && rule.fault !== "latency") continue;
      if (rule.operations && !rule.operations.includes(operation)) continue;
      if (rule.identifier !== undefined && rule.identifier !== identifier) continue;
      if (rule.fired >= (rule.times ?? Number.POSITIVE_INFINITY)) continue;
      if (this.#random() >= (rule.rate ?? 1)) continue;
      rule.fired += 1;
      if (rule.fault === "latency") strike.delayMs += rule.ms ?? USUAL_LATENCY;
      else strike.effect = { fault: rule.fault, isAfter: isAfter(rule), ms: rule.ms };
    }
    return strike;
  }
}

const isAfter = ({ fault, when }: FaultRule) => fault === "cut-after" || (fault !== "cut-before" && when === "after");
