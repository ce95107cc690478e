/**
 * Who drives a run. A worker that gets a wake-up claims a queued run, takes over one whose driver has died or released
 * it, or ends one that is overdue.
 *
 * What happens when a worker dies: it stops renewing its lease (`RUN_LEASE` seconds). The wake-up that it held comes
 * back from Service Bus, or the sweep sends another one, since the run's `due` has passed. The worker that gets it
 * finds the lease expired (`takeOver`), looks again after a moment, counts another attempt, and asks the model again
 * with the ids that the dead worker had reserved: so the new answer replaces what the dead one had saved. A driver that
 * lives has changed the run by the second look, unless the store is in trouble. If the dead worker was only slow, its
 * next batch is refused, because the run has another etag now (owned-run.ts). After `MODEL_MAX_ATTEMPTS` attempts the
 * run fails.
 */
import type { WakeUp } from "../jobs/wake-ups.ts";
import { mintId, nextSeq, seqOfMintedId } from "../resources/ids.ts";
import { isTerminal, SERVER_ERROR } from "../resources/run.ts";
import { isNewer, type ReservedIds, type RunDoc, UNDERSTOOD } from "../store/documents.ts";
import type { Partition, Versioned } from "../store/partition.ts";
import { linkTo, record } from "../telemetry/telemetry.ts";
import { endUndriven } from "./end-undriven.ts";
import type { Engine } from "./engine.ts";
import { claimed, claimFields, type Ending, isExpired, isResting, isUnowned } from "./lifecycle.ts";
import { lookAt } from "./wake.ts";

/** Instances' clocks differ by less than this: a wake-up may come so much before its time. Milliseconds. */
const CLOCK_TOLERANCE = 1_000;

/**
 * After trouble with the store, the driver of an expired lease gets so much time to renew it or to write its answer:
 * longer than a request that hangs, and the pause or the beat after it (docs/operations.md, "Waits"). Milliseconds.
 */
export const TAKEOVER_GRACE = 8_000;

/**
 * But no longer than this after the lease's end, so that a store which is always in some trouble does not keep runs
 * from going on whose drivers are dead. Milliseconds.
 */
const LONGEST_GRACE = 60_000;

/**
 * How long a driver has, from a worker's look at its expired lease on, to show that it lives: this part of the lease,
 * and at most half as much again. After an outage that was longer than a lease, a worker that has not asked the store
 * meanwhile knows nothing of it; but the store works when that worker looks, so a driver that lives writes within a
 * beat. More would keep the runs of dead drivers waiting.
 */
export const SECOND_LOOK = 1 / 10;

/**
 * How long an older build leaves a run that only a newer one understands, before the queue offers it again.
 * Milliseconds.
 */
const NEWER_PAUSE = 1_000;

/** The run of a wake-up if this process is to drive it now; else does what is due, or leaves it. */
export async function claimRun(engine: Engine, job: WakeUp): Promise<Versioned<RunDoc> | undefined> {
  const partition = engine.store.thread(job.tenant, job.thread);
  const queued = job.look ? undefined : await claimQueued(engine, partition, job.run);
  return queued ?? takeOver(engine, partition, job);
}

/**
 * Claims a queued run without reading it first. Saves a round trip; and since a write always reaches the newest
 * version, a process that has never seen the thread cannot be misled by a stale read.
 */
async function claimQueued(
  engine: Engine,
  partition: Partition,
  runId: string,
): Promise<Versioned<RunDoc> | undefined> {
  const now = engine.now();
  const reserved = reserveIds(now, seqOfMintedId(runId));
  const { internal, ...fields } = claimFields(leaseOwner(engine), reserved, now, leaseDuration(engine));
  const result = await partition.patchIf<RunDoc>(
    runId,
    `c.status = 'queued' AND ${UNDERSTOOD} AND c.expires_at > ${now / 1000} AND ` +
      `c.internal.last_seq < '${seqOfMintedId(reserved.messageStep)}'`,
    { ...prefixed("", fields), ...prefixed("/internal", internal) },
  );
  return "doc" in result ? result.doc : undefined;
}

/** A run that is not simply queued: takes it over, ends it, or leaves it. */
async function takeOver(engine: Engine, partition: Partition, job: WakeUp): Promise<Versioned<RunDoc> | undefined> {
  const run = await partition.read<RunDoc>(job.run);
  linkTo(run?.internal.trace);
  if (run?.kind !== "run" || isTerminal(run.status)) return undefined;
  const now = engine.now();
  const later = lookLater(engine, run, now, job);
  if (later !== undefined) {
    const look = later.why === "second" ? { ...lookAt(run), seen: run._etag } : lookAt(run);
    await engine.wakeUps.send(look, `${run.id}/${later.why}/${later.at}`, later.at);
    return undefined;
  }
  if (isResting(run, now + CLOCK_TOLERANCE)) return undefined;
  const over = overdueEnding(engine, run, now);
  if (over !== undefined) {
    await endUndriven(engine, partition, run, over);
    return undefined;
  }
  if (run.status === "requires_action" || isNewer(run)) return undefined;
  const next = claimed(run, leaseOwner(engine), reserveIds(now, run.internal.last_seq), now, leaseDuration(engine));
  const result = await partition.batch([{ put: next, ifMatch: run._etag }]);
  // Refused: another worker was faster.
  if (!result.ok) return undefined;
  if (run.internal.lease !== null) record("threadkeep.run.takeovers", 1);
  return { ...next, _etag: result.etags[0] ?? "" };
}

/**
 * When this run should be looked at again instead of now, if so, and why. Milliseconds since 1970. Wake-ups of the same
 * run that come within one pause get the same time, and so the same id: Service Bus drops all but one of them.
 */
function lookLater(
  engine: Engine,
  run: Versioned<RunDoc>,
  now: number,
  job: WakeUp,
): { at: number; why: string } | undefined {
  const until = run.internal.lease?.until;
  // Its driver is alive, as far as this process can tell. A wake-up that came early was for the lease's end: its id is
  // taken.
  if (until !== undefined && !isUnowned(run, now)) {
    return { at: until - now > CLOCK_TOLERANCE ? until : until + CLOCK_TOLERANCE, why: "lease" };
  }
  if (isForNewerDriver(run, now)) return { at: nextMoment(now, NEWER_PAUSE), why: "newer" };
  if (until === undefined) return undefined;
  // This process may not have asked the store for long; the wake-up tells of trouble that others have met.
  const isTroubled = engine.store.health.troubledWithin(TAKEOVER_GRACE) || (job.tries ?? 0) > 0;
  if (isTroubled && now < until + LONGEST_GRACE) return { at: nextMoment(now, TAKEOVER_GRACE), why: "grace" };
  if (run.status !== "in_progress" || isExpired(run, now) || job.seen === run._etag) return undefined;
  const pause = leaseDuration(engine) * SECOND_LOOK;
  return { at: Math.ceil((now + pause) / (pause / 2)) * (pause / 2), why: "second" };
}

/** The next multiple of `pause` that is no wake-up's that came early. Milliseconds. */
const nextMoment = (now: number, pause: number) => (Math.floor((now + CLOCK_TOLERANCE) / pause) + 1) * pause;

/** Whether the run is to be driven now, and by a newer build. */
const isForNewerDriver = (run: RunDoc, now: number) =>
  isNewer(run) &&
  (run.status === "queued" || run.status === "in_progress") &&
  !isExpired(run, now) &&
  !isResting(run, now + CLOCK_TOLERANCE);

/**
 * How a run without a driver must end, if it must. Any build ends what is cancelled or expired: no thread stays locked.
 */
function overdueEnding(engine: Engine, run: RunDoc, now: number): Ending | undefined {
  if (run.status === "cancelling") return { status: "cancelled" };
  if (isExpired(run, now)) return { status: "expired" };
  // What its attempts mean is for a newer build to say.
  if (isNewer(run)) return undefined;
  // Each of them was begun and came to nothing: a run that takes its process down must not do so for ever.
  const exhausted = run.status === "in_progress" && run.internal.attempts >= engine.config.model.maxAttempts;
  return exhausted ? { status: "failed", error: SERVER_ERROR } : undefined;
}

/** The ids that the next model call will use, in the order in which a thread's lists show them. */
export function reserveIds(now: number, after: string): ReservedIds {
  const step = nextSeq(now, after);
  const message = nextSeq(now, step);
  const toolStep = nextSeq(now, message);
  const lateStep = nextSeq(now, toolStep);
  const lateMessage = nextSeq(now, lateStep);
  return {
    messageStep: mintId("step", step),
    message: mintId("message", message),
    toolStep: mintId("step", toolStep),
    lateMessageStep: mintId("step", lateStep),
    lateMessage: mintId("message", lateMessage),
  };
}

/** A run that this process drives from its creation on, as streams are. */
export function claimedHere(engine: Engine, run: RunDoc): RunDoc {
  const now = engine.now();
  return claimed(run, leaseOwner(engine), reserveIds(now, run.internal.last_seq), now, leaseDuration(engine));
}

let claims = 0;

/**
 * A name for each claim: a process that claims a run again, having lost it, must not take the first claim for its own.
 */
const leaseOwner = (engine: Engine) => `${engine.owner}/${++claims}`;

/** Milliseconds. */
export const leaseDuration = (engine: Engine) => engine.config.runs.lease * 1000;

const prefixed = (prefix: string, fields: Record<string, unknown>) =>
  Object.fromEntries(Object.entries(fields).map(([name, value]) => [`${prefix}/${name}`, value]));
