/** Ends a run that no process drives: it has expired, was cancelled, or cannot go on. */
import { countMessageTokens } from "../model/tokens.ts";
import type { MessageDoc, RunDoc, StepDoc } from "../store/documents.ts";
import type { Partition, Versioned } from "../store/partition.ts";
import type { Engine } from "./engine.ts";
import { beginningOf, endingEvents } from "./events.ts";
import { type Ending, ended, endedMessage, endedStep } from "./lifecycle.ts";
import { RunBatch } from "./run-batch.ts";
import { countRun } from "./run-span.ts";
import { sessionAfter } from "./settle.ts";
import { replayedTokens } from "./tools/passing.ts";

/**
 * Answers with the run as it has ended, or with undefined if another process has changed it meanwhile. What the run was
 * writing keeps what is stored of it; only its status changes, so the batch is small whatever that is.
 */
export async function endUndriven(
  engine: Engine,
  partition: Partition,
  run: Versioned<RunDoc>,
  ending: Ending,
): Promise<Versioned<RunDoc> | undefined> {
  const now = engine.now();
  const open = await Promise.all(run.internal.open.map((id) => partition.read<StepDoc | MessageDoc>(id)));
  const documents = await Promise.all(
    open
      .filter((doc) => doc !== undefined)
      .filter(({ kind }) => kind === "step" || kind === "message")
      .filter((doc) => doc.status === "in_progress")
      .map((doc) => (doc.kind === "step" ? endedStep(doc, ending, now) : counted(endedMessage(doc, ending, now), run))),
  );
  const last = ended(run, ending, now);
  // The log of a run that was never driven, or whose driver died before its first write, is still empty.
  const opening = run.internal.log.events === 0 ? beginningOf(run) : [];
  const batch = new RunBatch(last, run._etag, engine.config.runs.eventsTtl, {
    documents,
    stored: run.internal.open,
    deleted: new Set(),
    leftovers: [],
    events: [...opening, ...endingEvents(run, last, documents)],
    unlocks: true,
    thread: sessionAfter(run),
    sameContents: true,
  });
  const sent = await batch.send(partition);
  if (!sent.ok) return undefined;
  countRun(sent.run);
  return { ...sent.run, _etag: sent.etag };
}

/** Later runs read what there is of the message: its driver has not come to counting it. */
async function counted(message: MessageDoc, run: RunDoc): Promise<MessageDoc> {
  const tokens = (await countMessageTokens(message.content)) + replayedTokens(run);
  return { ...message, internal: { ...message.internal, tokens } };
}
