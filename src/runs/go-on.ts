/** Writes back what hosted tools have done for a model call, so that the next one can begin. */
import type { RunDoc } from "../store/documents.ts";
import { leaseDuration, reserveIds } from "./claim.ts";
import type { Engine } from "./engine.ts";
import { stepEvent } from "./events.ts";
import { completedStep, continued, pending } from "./lifecycle.ts";
import type { Outcome } from "./outcome.ts";
import type { OwnedRun } from "./owned-run.ts";
import {
  charged,
  counted,
  endDriven,
  leave,
  leftovers,
  type Progress,
  unfinished,
  whileAlive,
  withWork,
} from "./settle.ts";
import type { ThreadChanges } from "./tools/hosted-tool.ts";
import type { HostedWork } from "./tools/work.ts";
import type { Turn } from "./turn.ts";

/**
 * One batch completes the step of the calls with their results, counts the model call, and reserves the ids of the next
 * one. A driver that dies before it leaves a run whose model is asked for the same again; after it, one that goes on
 * from the step.
 */
export async function goOn(
  engine: Engine,
  owned: OwnedRun,
  turn: Turn,
  work: HostedWork,
): Promise<Progress | "goes-on"> {
  const now = engine.now();
  const before = owned.run;
  const told = await counted(unfinished(before, turn), turn, before);
  const documents = told.map((doc) =>
    doc.kind === "step" && doc.status === "in_progress" ? completedStep(doc, now) : doc,
  );
  const reserved = reserveIds(now, before.internal.last_seq);
  const next = (run: RunDoc) =>
    withWork(continued(charged(run, turn), reserved, now, leaseDuration(engine)), turn, work);
  const result = await owned.write(next, {
    documents,
    leftovers: leftovers(before, documents),
    news: documents.flatMap((doc) =>
      doc.id === turn.toolCalls?.step.id && doc.kind === "step" ? [...turn.outputs, stepEvent(doc, "completed")] : [],
    ),
    thread: work.thread,
    patience: whileAlive(engine, before),
  });
  if (result === "written") return "goes-on";
  return result === "cancelling"
    ? endDriven(engine, owned, turn, { status: "cancelled" }, work.thread)
    : leave(engine, owned);
}

/**
 * One batch stores calls before they are done, and counts the model call: a driver that takes the run over does them
 * instead of asking the model again. Answers with why the calls are not to be done, if so.
 */
export async function storeCalls(
  engine: Engine,
  owned: OwnedRun,
  turn: Turn,
  thread: ThreadChanges,
): Promise<Outcome | undefined> {
  const before = owned.run;
  if (before.internal.pending !== undefined) return undefined;
  turn.storeCalls();
  const step = turn.toolCalls?.step;
  if (step === undefined) throw new Error("a model call without calls has none to store");
  const documents = await counted(turn.documents, turn, before);
  const result = await owned.write((run) => pending(charged(run, turn), step, turn.reply !== undefined), {
    documents,
    leftovers: leftovers(before, documents),
    thread,
    patience: whileAlive(engine, before),
  });
  if (result === "written") return undefined;
  return result === "lost" ? { kind: "lost" } : { kind: "ending", ending: { status: "cancelled" } };
}
