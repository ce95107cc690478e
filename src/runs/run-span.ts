/**
 * A run as OpenTelemetry sees it. All that its drivers do is one trace, that of the request which created it: a run
 * notes the request's span, and each driver goes on from there, whatever woke it (another request with tool outputs,
 * the sweep, a wake-up for later). What woke it is linked. A run of a long life gets a trace for each drive instead,
 * linked with the first.
 */
import { mintedAt } from "../resources/ids.ts";
import type { RunDoc } from "../store/documents.ts";
import { annotate, inSpan, partsOf, record, type SpanStart, traceparent } from "../telemetry/telemetry.ts";
import type { Engine } from "./engine.ts";
import type { OwnedRun } from "./owned-run.ts";
import type { Progress } from "./settle.ts";

/** For so long after its creation a run goes on in one trace. Milliseconds. */
const LONGEST_TRACE = 600_000;

export function inDriveSpan(engine: Engine, owned: OwnedRun, work: () => Promise<Progress>): Promise<Progress> {
  const { run } = owned;
  const { tenant, attempts, turns } = run.internal;
  const now = engine.now();
  const isFirst = turns === 0 && attempts === 1;
  if (isFirst && !engine.retriesInPlace) record("threadkeep.run.time_in_queue", (now - mintedAt(run.id)) / 1_000);
  const attributes = {
    "gen_ai.operation.name": "invoke_agent",
    "gen_ai.agent.id": run.assistant_id,
    "gen_ai.conversation.id": run.thread_id,
    "threadkeep.run.id": run.id,
    "threadkeep.run.attempt": attempts,
    "threadkeep.tenant": tenant,
  };
  return inSpan({ name: "invoke_agent", kind: "internal", attributes, ...placeOf(run, now) }, async (span) => {
    const progress = await work();
    span.set({ "threadkeep.run.status": owned.run.status, "threadkeep.run.progress": progress });
    if (owned.run.status === "failed") span.fail(owned.run.last_error?.code ?? "failed");
    if (progress === "driven") countRun(owned.run);
    return progress;
  });
}

/** A run has ended, or waits for tool outputs. */
export function countRun({ status }: RunDoc): void {
  record("threadkeep.runs", 1, { "threadkeep.run.status": status });
}

/** A request has created a run: names it in the request's span. */
export function tellCreated({ id, thread_id: thread }: RunDoc): void {
  annotate({ "threadkeep.run.id": id, "gen_ai.conversation.id": thread });
}

function placeOf({ id, internal: { trace } }: RunDoc, now: number): Pick<SpanStart, "parent" | "isParentOwn" | "link"> {
  const [own, around] = [partsOf(trace), partsOf(traceparent())];
  // A client may send one trace with all its requests, of which each is recorded or not by itself.
  if (own === undefined || (own.traceId === around?.traceId && own.flags === around.flags)) return {};
  return now - mintedAt(id) < LONGEST_TRACE ? { parent: trace, isParentOwn: true } : { link: trace };
}
