/**
 * Why the model was asked again for a run. One run needs one call, and one more each time that it gets outputs of
 * functions. Any other call must be the consequence of one earlier call of the same run:
 *
 * - the model itself answered that with an error, cut it off or hung, as its script said; or
 * - the instance that had made it was killed, frozen, stopped or blacked out after it had asked and before the next call.
 *   The model knows the instance by the `OpenAI-Project` that each sends, and sees both moments by its own clock; or
 * - where clocks differ by more than half a lease: the next call is of an instance whose clock is that much ahead.
 *
 * Each earlier call explains one later call at the most. Trouble of the store or of the queue explains none.
 */
import type { ModelCall } from "../../../local/model/script-book.ts";
import type { BlowKind, Ledger } from "./ledger.ts";

export type Reason = NonNullable<ModelCall["told"]> | BlowKind | "clocks";

export interface Explained {
  calls: number;
  /** calls that the run needed: the first, and one for each time that it got outputs */
  needed: number;
  explained: Partial<Record<Reason, number>>;
  /** calls that nothing explains */
  unexplained: number;
  /** a line for each run that has such calls */
  complaints: string[];
}

export interface Circumstances {
  ledger: Ledger;
  /** milliseconds by which the clock of each instance is ahead */
  skews: Record<string, number>;
  /** milliseconds */
  lease: number;
}

/** A request that the dead had sent may be read by the model a little after their death. Milliseconds. */
const ON_ITS_WAY = 250;

/** Of one run, or of what should have been one. */
export function explain(calls: ModelCall[], circumstances: Circumstances): Explained {
  const ordered = [...calls].sort((one, other) => one.time.localeCompare(other.time));
  const result: Explained = { calls: calls.length, needed: 0, explained: {}, unexplained: 0, complaints: [] };
  const unexplained: ModelCall[] = [];
  /** earlier calls that explain none yet */
  const open: ModelCall[] = [];
  let outputs = -1;
  for (const call of ordered) {
    if (call.toolMessages > outputs) {
      outputs = call.toolMessages;
      result.needed += 1;
      // The run has moved on: what befell earlier calls has had its consequences.
      open.length = 0;
    } else {
      const reason = takeReason(open, call, circumstances);
      if (reason === undefined) unexplained.push(call);
      else result.explained[reason] = (result.explained[reason] ?? 0) + 1;
    }
    open.push(call);
  }
  const complaints = unexplained.length === 0 ? [] : [complaintAbout(ordered, unexplained, circumstances.ledger)];
  return { ...result, unexplained: unexplained.length, complaints };
}

/** The latest earlier call that explains this one is used up by it. */
function takeReason(open: ModelCall[], call: ModelCall, circumstances: Circumstances): Reason | undefined {
  for (const earlier of open.toReversed()) {
    const reason = reasonOf(earlier, call, circumstances);
    if (reason === undefined) continue;
    open.splice(open.indexOf(earlier), 1);
    return reason;
  }
  return undefined;
}

function reasonOf(earlier: ModelCall, call: ModelCall, { ledger, skews, lease }: Circumstances): Reason | undefined {
  if (earlier.told !== undefined) return earlier.told;
  const from = Date.parse(earlier.time) - ON_ITS_WAY;
  const to = Date.parse(call.time);
  const blow = ledger.blows.find((each) => each.instance === earlier.project && each.from <= to && each.to >= from);
  if (blow !== undefined) return blow.kind;
  const ahead = (skews[call.project ?? ""] ?? 0) - (skews[earlier.project ?? ""] ?? 0);
  return ahead >= lease / 2 ? "clocks" : undefined;
}

/** The run's calls up to the first that nothing explains, and what the store was like then. */
function complaintAbout(calls: ModelCall[], unexplained: ModelCall[], { sieges }: Ledger): string {
  const [first] = unexplained;
  if (first === undefined) throw new Error("there is nothing to complain about");
  const at = Date.parse(first.time);
  const since = (time: string | undefined) => (time === undefined ? "?" : ((Date.parse(time) - at) / 1000).toFixed(2));
  const story = calls.slice(0, calls.indexOf(first) + 1).map(({ project, time, closed, aborted, told }) => {
    const how = told ?? (aborted ? "left by its caller" : "answered");
    return `${project} from ${since(time)} to ${since(closed)} s (${how})`;
  });
  const siege = sieges.find(({ from, to }) => from <= at && at <= to + NEAR);
  const near = siege === undefined ? "" : `; the store was ${siege.name}, or had been`;
  return `${first.model} was asked ${calls.length} times, ${unexplained.length} without a reason: ${story.join(", ")}${near}`;
}

/** Milliseconds. */
const NEAR = 10_000;
