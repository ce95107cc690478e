/** What a driver does about once a second while the model speaks. */
import type { RunDoc } from "../store/documents.ts";
import { NO_PATIENCE } from "../store/trouble.ts";
import { leaseDuration } from "./claim.ts";
import type { Engine } from "./engine.ts";
import { isExpired, renewed } from "./lifecycle.ts";
import type { Outcome } from "./outcome.ts";
import type { Interruption, OwnedRun } from "./owned-run.ts";
import { logOf, withOpen } from "./settle.ts";
import type { Turn } from "./turn.ts";

/**
 * A growing message is saved when it has grown by this factor: what is written in all stays proportional to its size.
 */
const GROWTH = 1.5;

/**
 * Checkpoints come less often the longer a drive takes, down to one in `LONGEST_PAUSE`: clients that watch the run are
 * told of its text that much later, and each checkpoint less saves two writes. Milliseconds.
 */
const SHORTEST_PAUSE = 900;
const LONGEST_PAUSE = 3_000;
const PAUSE_BY_AGE = 0.4;

/**
 * A beat saves what there is to save, or keeps the lease alive, or asks whether the run was cancelled or taken; it
 * stops the model call once the answer is not wanted any more. Never throws.
 */
export function beat(engine: Engine, owned: OwnedRun, turn: Turn, stop: AbortController): () => Promise<void> {
  const began = engine.now();
  let savedAt = began;
  let savedSize = 0;
  const interrupt = (outcome: Outcome) => stop.abort(outcome);
  const stopFor = (result: Interruption | "written" | "ours") => {
    if (result === "cancelling") interrupt({ kind: "ending", ending: { status: "cancelled" } });
    if (result === "lost") interrupt({ kind: "lost" });
  };
  return async () => {
    const now = engine.now();
    if (stop.signal.aborted) return;
    if (isExpired(owned.run, now)) return interrupt({ kind: "ending", ending: { status: "expired" } });
    const pause = Math.min(Math.max((now - began) * PAUSE_BY_AGE, SHORTEST_PAUSE), LONGEST_PAUSE);
    try {
      // Of calls that are stored, or are just being stored, nothing is written until they are done.
      const size = turn.isStored ? 0 : turn.size;
      const isTime = now - savedAt >= pause && size > 0;
      const grown = isTime && size >= savedSize * GROWTH;
      if (!grown && !(isTime && owned.hasUnloggedEvents) && !leaseHalfOver(engine, owned, now)) {
        return stopFor(await owned.look());
      }
      // The log never tells of a message whose first piece is not saved: what ends a dead driver's run relies on that.
      const saves = grown || (savedSize === 0 && size > 0);
      savedAt = now;
      const documents = saves ? turn.documents : [];
      const checkpoint = (run: RunDoc) => withOpen(renewed(run, now, leaseDuration(engine)), documents);
      stopFor(await owned.write(checkpoint, { documents, patience: NO_PATIENCE }));
      if (saves) savedSize = size;
    } catch (error) {
      // The lease bounds how long that may go on before another worker may take the run over.
      logOf(engine, owned.run).warn("checkpoint failed", { error });
    }
  };
}

const leaseHalfOver = (engine: Engine, { run }: OwnedRun, now: number) =>
  (run.internal.lease?.until ?? 0) - now < leaseDuration(engine) / 2;
