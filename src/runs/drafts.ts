/** Documents of what a run begins to write, in progress. `now` in milliseconds. */
import { NO_USAGE, toSeconds } from "../resources/common.ts";
import { seqOfMintedId } from "../resources/ids.ts";
import { newReply } from "../resources/message.ts";
import { type StepDetails, newStep as stepOf } from "../resources/step.ts";
import { type MessageDoc, messageSort, type RunDoc, type StepDoc, stepSort } from "../store/documents.ts";
import { type Sink, stepEvent } from "./events.ts";
import { replayedTokens } from "./tools/passing.ts";

function draftStep(run: RunDoc, id: string, details: StepDetails, now: number): StepDoc {
  return {
    ...stepOf(run, id, details, toSeconds(now)),
    pk: run.pk,
    kind: "step",
    internal: { sort: stepSort(run.id, seqOfMintedId(id)), usage: NO_USAGE },
  };
}

/** A step that clients hear of. */
export function newStep(run: RunDoc, id: string, details: StepDetails, now: number, sink: Sink): StepDoc {
  const step = draftStep(run, id, details, now);
  sink(stepEvent(step, "created"));
  sink(stepEvent(step, "in_progress"));
  return step;
}

/** `isHosted`: whether hosted tools are among those of the run. `place`: in a prompt, if not its own. */
export function draftReply(
  run: RunDoc,
  id: string,
  now: number,
  isHosted: boolean,
  place: { prompt_seq?: string },
): MessageDoc {
  const followsTools = replayedTokens(run) > 0;
  return {
    ...newReply(run, id, toSeconds(now)),
    pk: run.pk,
    kind: "message",
    internal: {
      sort: messageSort(seqOfMintedId(id)),
      tokens: 0,
      follows_tools: followsTools && !isHosted,
      ...(followsTools && isHosted && { follows_hosted: true as const }),
      ...place,
    },
  };
}
